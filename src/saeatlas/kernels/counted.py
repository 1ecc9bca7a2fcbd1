"""Numbers about whole numbers of which it is known how often each occurs; exact, however many there are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["active_per_row", "mean_and_std", "quantile"]

Counts = npt.NDArray[np.int64]


def active_per_row(indptr: Counts, values: npt.NDArray[Any]) -> Counts:
    """Return how many values of each row are above 0, int64 [rows]; `values` start at `indptr[0] = 0`."""
    before = np.zeros(values.size + 1, np.int64)
    np.cumsum(values > 0, out=before[1:])
    return before[indptr[1:]] - before[indptr[:-1]]


def mean_and_std(counts: Counts) -> tuple[float, float]:
    """Return mean and population standard deviation of numbers of which `i` occurs `counts[i]` times; NaN for none.

    The sums are whole numbers without limit, so nothing is rounded before the last step.
    """
    occurring = [(number, int(counts[number])) for number in np.flatnonzero(counts).tolist()]
    n = sum(count for _, count in occurring)
    if not n:
        return math.nan, math.nan
    total = sum(number * count for number, count in occurring)
    squares = sum(number * number * count for number, count in occurring)
    return total / n, math.sqrt(n * squares - total * total) / n


def quantile(counts: Counts, q: float) -> float:
    """Return the q-quantile of numbers of which `i` occurs `counts[i]` times, as NumPy's default; NaN for none.

    Linear interpolation between the order statistics around (n - 1) q.
    """
    ends = np.cumsum(counts)
    n = int(ends[-1]) if ends.size else 0
    if not n:
        return math.nan
    place = (n - 1) * q
    low = math.floor(place)
    one, two = (int(np.searchsorted(ends, at, "right")) for at in (low, min(low + 1, n - 1)))
    return one + (two - one) * (place - low)
