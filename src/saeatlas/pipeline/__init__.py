"""The engine: steps make artifacts from artifacts, once; it knows nothing of what they mean."""

from __future__ import annotations

__all__: list[str] = []
