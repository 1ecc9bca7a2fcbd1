"""Analyses: each file computes tables about all features of one SAE from the whole corpus."""

from __future__ import annotations

__all__: list[str] = []
