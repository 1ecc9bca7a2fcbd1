"""Summary of one feature's values with NumPy alone: the arithmetic of `kernels.stats`, without loading a compiler.

Loading numba takes several times as long as opening an atlas and reading a feature, so a cold process that asks for
one feature must do without. Every operation is in the order of the kernel, so that both give the same numbers, to
the last bit; a test compares them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Moments", "moments_of", "wilson_of"]

_BLOCK = 4096
_Z_95 = 1.959963984540054


@dataclass(frozen=True)
class Moments:
    """One feature's active values in numbers; NaN where undefined."""

    n_active: int
    sum: float
    mean: float = math.nan
    std: float = math.nan
    min: float = math.nan
    q25: float = math.nan
    median: float = math.nan
    q75: float = math.nan
    max: float = math.nan
    skewness: float = math.nan
    kurtosis: float = math.nan


def moments_of(values: npt.NDArray[Any]) -> Moments:
    """Summarise the values above 0, in any order; see `kernels.stats.Summary` for the definitions."""
    active = np.sort(values[values > 0]).astype(np.float64)
    n = active.size
    total = _sum(active)
    if not n:
        return Moments(0, total)
    smallest, largest = float(active[0]), float(active[-1])
    q25, median, q75 = (_quantile(active, q) for q in (0.25, 0.5, 0.75))
    if smallest == largest:
        # The rounding of the sum must not give equal values a spread.
        return Moments(n, total, smallest, 0.0, smallest, q25, median, q75, largest)
    mean = total / n
    d = active - mean
    square = d * d
    m1, m2, m3, m4 = _sum(d), _sum(square), _sum(square * d), _sum(square * square)
    variance = max(m2 / n - (m1 / n) ** 2, 0.0)
    skewness = kurtosis = math.nan
    if variance * variance > 0.0:
        skewness = m3 / n / variance**1.5
        kurtosis = m4 / n / (variance * variance) - 3.0
    return Moments(n, total, mean, math.sqrt(variance), smallest, q25, median, q75, largest, skewness, kurtosis)


def wilson_of(n_active: int, n_rows: int) -> tuple[float, float]:
    """Return the Wilson score interval (95 %) of n_active / n_rows; NaN without rows. See `kernels.stats.wilson`."""
    if not n_rows:
        return math.nan, math.nan
    share, z2 = n_active / n_rows, _Z_95**2
    scale = 1.0 + z2 / n_rows
    centre = (share + z2 / (2 * n_rows)) / scale
    half = _Z_95 / scale * math.sqrt(share * (1 - share) / n_rows + z2 / (4.0 * n_rows * n_rows))
    return (0.0 if n_active == 0 else centre - half), (1.0 if n_active == n_rows else centre + half)


def _sum(numbers: npt.NDArray[np.float64]) -> float:
    """Add one after the other within blocks, then the blocks: `cumsum` never changes the order, `sum` does."""
    whole = numbers.size // _BLOCK * _BLOCK
    parts = np.cumsum(numbers[:whole].reshape(-1, _BLOCK), axis=1)[:, -1] if whole else np.empty(0)
    rest = numbers[whole:]
    if rest.size:
        parts = np.append(parts, np.cumsum(rest)[-1])
    return float(np.cumsum(parts)[-1]) if parts.size else 0.0


def _quantile(ordered: npt.NDArray[np.float64], q: float) -> float:
    """Interpolate linearly between the order statistics around (n - 1) q."""
    place = (ordered.size - 1) * q
    left = math.floor(place)
    right = min(left + 1, ordered.size - 1)
    a, b = float(ordered[left]), float(ordered[right])
    t = place - left
    return a + (b - a) * t if t < 0.5 else b - (b - a) * (1.0 - t)
