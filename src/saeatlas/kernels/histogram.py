"""Histograms of the active values of features, counted against edges that are recorded with them."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from numba import njit

from saeatlas.kernels.stats import Counts, Floats, SortedActive, Values

__all__ = ["Scale", "histograms"]

Scale = Literal["linear", "log"]


def histograms(active: SortedActive, bins: int, scale: Scale, floor: float = 0.0) -> tuple[Floats, Counts]:
    """Count the active values of each feature in `bins` bins between recorded edges.

    Bin i holds the values with edge i <= value < edge i + 1; the last bin holds its right edge too, so each
    active value is counted once.

    Parameters
    ----------
    active
        Sorted active values.
    bins
        Bins per feature, at least 1.
    scale
        'linear': equal widths from the floor to the largest value, so that the gap above silence shows.
        'log': equal ratios from the smallest active value to the largest; when all are equal to v, from
        v / 2 to 2 v.
    floor
        The floor that made `active`; the first edge of the linear scale.

    Returns
    -------
    edges
        float64 [n_features, bins + 1]; NaN for a feature without active values.
    counts
        int64 [n_features, bins].
    """
    n_features = active.indptr.size - 1
    edges = np.full((n_features, bins + 1), np.nan)
    fires = active.n_active > 0
    largest = active.values[active.indptr[1:][fires] - 1].astype(np.float64)
    steps = np.arange(bins + 1) / bins
    if scale == "linear":
        found = floor + (largest - floor)[:, None] * steps
        found[:, -1] = largest
    else:
        smallest = active.values[active.indptr[:-1][fires]].astype(np.float64)
        found = _log_edges(smallest, largest, steps)
    edges[fires] = found
    return edges, _count(active.indptr, active.values, edges)


def _log_edges(smallest: Floats, largest: Floats, steps: Floats) -> Floats:
    equal = smallest == largest
    low = np.where(equal, smallest / 2, smallest)
    high = np.where(equal, np.minimum(largest, np.finfo(np.float64).max / 2) * 2, largest)
    # Halving the least number that float64 holds gives 0, which has no logarithm.
    low = np.maximum(low, np.nextafter(0.0, 1.0))
    start = np.log(low)[:, None]
    edges = np.exp(start + (np.log(high)[:, None] - start) * steps)
    # Rounding may carry an inner edge past an end when the ends are neighbouring numbers.
    edges = np.clip(edges, low[:, None], high[:, None])
    edges[:, 0], edges[:, -1] = low, high
    return edges


@njit(cache=True, nogil=True)
def _count(indptr: Counts, values: Values, edges: Floats) -> npt.NDArray[np.int64]:
    """Count sorted values between edges by one binary search per inner edge."""
    n_features, bins = edges.shape[0], edges.shape[1] - 1
    counts = np.zeros((n_features, bins), np.int64)
    for feature in range(n_features):
        low, high = indptr[feature], indptr[feature + 1]
        done = low
        for bin_index in range(bins - 1):
            edge = edges[feature, bin_index + 1]
            a, b = done, high
            while a < b:
                middle = (a + b) // 2
                if np.float64(values[middle]) < edge:
                    a = middle + 1
                else:
                    b = middle
            counts[feature, bin_index] = a - done
            done = a
        counts[feature, bins - 1] = high - done
    return counts
