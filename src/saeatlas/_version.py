"""The version of this library, below every layer so that files can say who wrote them."""

from __future__ import annotations

__all__ = ["__version__"]

__version__ = "0.1.0"
