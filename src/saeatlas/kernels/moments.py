"""Numbers about one feature with NumPy alone: the arithmetic of `kernels.stats`, without loading a compiler.

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

__all__ = ["Moments", "moments_of", "wilson"]

_BLOCK = 4096
_CHUNK = 16 * _BLOCK
_Z_95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""


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
    """Summarise the values above 0, in any order; see `kernels.stats.Summary` for the definitions.

    Notes
    -----
    Holds one copy of the values, and a few arrays of 65,536 numbers: fresh memory costs more than the arithmetic.
    """
    # Powers of float64 values beyond 1e77 may overflow: what they belong to is then undefined, as in the kernel.
    with np.errstate(over="ignore", invalid="ignore"):
        return _moments(np.sort(values[values > 0]))


def _moments(active: npt.NDArray[Any]) -> Moments:
    n = active.size
    (total,) = _sums(active, None)
    if not n:
        return Moments(0, total)
    smallest, largest = float(active[0]), float(active[-1])
    q25, median, q75 = (_quantile(active, q) for q in (0.25, 0.5, 0.75))
    if smallest == largest:
        # The rounding of the sum must not give equal values a spread.
        return Moments(n, total, smallest, 0.0, smallest, q25, median, q75, largest)
    mean = total / n
    shift, m2, m3, m4 = (moment / n for moment in _sums(active, mean))
    # The deviations do not quite sum to 0, because the mean is rounded; the moments are moved to where they do.
    shift2 = shift * shift
    variance = max(m2 - shift2, 0.0)
    third = m3 - 3.0 * shift * m2 + 2.0 * (shift * shift2)
    fourth = m4 - 4.0 * shift * m3 + 6.0 * shift * shift * m2 - 3.0 * (shift2 * shift2)
    skewness = kurtosis = math.nan
    if variance * variance > 0.0:
        skewness = third / variance**1.5
        kurtosis = fourth / (variance * variance) - 3.0
    return Moments(n, total, mean, math.sqrt(variance), smallest, q25, median, q75, largest, skewness, kurtosis)


def wilson(n_active: npt.ArrayLike, n_rows: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the Wilson score interval (95 %, no continuity correction) of n_active / n_rows; NaN without rows.

    Notes
    -----
    Wilson, E. B. (1927), Probable inference, the law of succession, and statistical inference,
    JASA 22(158), 209-212. The interval treats rows as independent, which the rows of one document are not.
    """
    count = np.asarray(n_active, np.float64)
    if n_rows == 0:
        return np.full(count.shape, np.nan), np.full(count.shape, np.nan)
    share, z2 = count / n_rows, _Z_95**2
    scale = 1.0 + z2 / n_rows
    centre = (share + z2 / (2 * n_rows)) / scale
    half = _Z_95 / scale * np.sqrt(share * (1 - share) / n_rows + z2 / (4.0 * n_rows * n_rows))
    low = np.where(count == 0, 0.0, centre - half)
    high = np.where(count == n_rows, 1.0, centre + half)
    return low, high


def _sums(active: npt.NDArray[Any], mean: float | None) -> list[float]:
    """Return the sum of the values, or of the first four powers of their deviations from the mean."""
    parts: list[list[npt.NDArray[np.float64]]] = [[] for _ in range(1 if mean is None else 4)]
    for start in range(0, active.size, _CHUNK):
        first = active[start : start + _CHUNK].astype(np.float64)
        powers = [first]
        if mean is not None:
            first -= mean
            square = first * first
            powers += [square, square * first, square * square]
        for found, power in zip(parts, powers, strict=True):
            found.append(_sums_of_blocks(power))
    return [float(np.cumsum(np.concatenate(found))[-1]) if found else 0.0 for found in parts]


def _sums_of_blocks(numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Add one after the other within each block: `cumsum` never changes the order, `sum` does."""
    whole = numbers.size // _BLOCK * _BLOCK
    sums = np.cumsum(numbers[:whole].reshape(-1, _BLOCK), axis=1)[:, -1] if whole else np.empty(0)
    return np.append(sums, np.cumsum(numbers[whole:])[-1]) if whole < numbers.size else sums


def _quantile(ordered: npt.NDArray[Any], q: float) -> float:
    """Interpolate linearly between the order statistics around (n - 1) q."""
    place = (ordered.size - 1) * q
    left = math.floor(place)
    right = min(left + 1, ordered.size - 1)
    a, b = float(ordered[left]), float(ordered[right])
    t = place - left
    return a + (b - a) * t if t < 0.5 else b - (b - a) * (1.0 - t)
