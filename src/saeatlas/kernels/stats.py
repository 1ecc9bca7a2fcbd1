"""Summaries of the active values of features: counts, moments and quantiles, exact and numerically stable."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["SortedActive", "Summary", "float32_or_64", "sort_active", "summarise"]

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
Values = npt.NDArray[Any]


@dataclass(frozen=True)
class SortedActive:
    """The active values of neighbouring features, ascending within each."""

    indptr: Counts
    """Where each feature starts and ends in `values`, n_features + 1 numbers from 0."""
    values: Values
    """float32 or float64, all above the floor, ascending within a feature."""

    @property
    def n_active(self) -> Counts:
        """Active values per feature."""
        return np.diff(self.indptr)


@dataclass(frozen=True)
class Summary:
    """One number per feature and field; NaN where a field is undefined."""

    n_active: Counts
    """Values above the floor."""
    sum: Floats
    """Sum of the active values, 0 without any."""
    mean: Floats
    """sum / n_active; NaN without active values, as are all below."""
    std: Floats
    """Population standard deviation (divided by n_active) of the active values."""
    min: Floats
    """Smallest active value."""
    q25: Floats
    """First quartile, linear interpolation between order statistics."""
    median: Floats
    """Second quartile."""
    q75: Floats
    """Third quartile."""
    max: Floats
    """Largest active value."""
    skewness: Floats
    """Third central moment / std^3 (population, no bias correction); NaN also when all active values are equal."""
    kurtosis: Floats
    """Fourth central moment / std^4 - 3 (excess, population); NaN also when all active values are equal."""


def sort_active(indptr: Counts, values: Values, floor: float = 0.0) -> SortedActive:
    """Copy the values above `floor` and sort them within each feature.

    Parameters
    ----------
    indptr
        int64 [n_features + 1], from 0.
    values
        float16, float32 or float64, finite, in any order within a feature. Not changed.
    floor
        Values at or below it are not active.

    Notes
    -----
    Holds one copy of the values. float16 is widened to float32, which is exact.
    """
    values = float32_or_64(values)
    active_indptr, active = _compress(np.ascontiguousarray(indptr, np.int64), values, float(floor))
    bounds = active_indptr.tolist()
    # NumPy sorts floats with SIMD, 10 to 20 times as fast as numba, and a slice of the copy sorts in place.
    for low, high in pairwise(bounds):
        if high - low > 1:
            active[low:high].sort()
    return SortedActive(active_indptr, active)


def summarise(active: SortedActive) -> Summary:
    """Summarise each feature from its sorted active values.

    Sums are accumulated in float64 by blocks of 4,096; central moments use a second pass around the mean.
    """
    out = _moments(active.indptr, active.values)
    return Summary(active.n_active, *out)


def float32_or_64(values: Values) -> Values:
    """Return contiguous float32 or float64, so that only two versions of each kernel are compiled."""
    dtype = np.float64 if values.dtype == np.float64 else np.float32
    return np.ascontiguousarray(values, dtype)


@njit(cache=True, nogil=True)
def _compress(indptr: Counts, values: Values, floor: float) -> tuple[Counts, Values]:
    """Keep the values above the floor, in order."""
    n_features = indptr.size - 1
    kept_indptr = np.zeros(n_features + 1, np.int64)
    kept = np.empty_like(values)
    at = 0
    for feature in range(n_features):
        for i in range(indptr[feature], indptr[feature + 1]):
            # Written always and kept only if active: no branch to mispredict.
            kept[at] = values[i]
            at += 1 if values[i] > floor else 0
        kept_indptr[feature + 1] = at
    return kept_indptr, kept[:at]


@njit(cache=True, nogil=True)
def _moments(indptr: Counts, values: Values) -> Floats:
    """Return [10, n_features]: the fields of `Summary` after `n_active`."""
    n_features = indptr.size - 1
    out = np.full((10, n_features), np.nan)
    for feature in range(n_features):
        low, high = indptr[feature], indptr[feature + 1]
        n = high - low
        total = 0.0
        for block in range(low, high, 4096):
            part = 0.0
            for i in range(block, min(block + 4096, high)):
                part += np.float64(values[i])
            total += part
        out[0, feature] = total
        if n == 0:
            continue
        smallest, largest = np.float64(values[low]), np.float64(values[high - 1])
        out[3, feature], out[7, feature] = smallest, largest
        for q in range(1, 4):
            out[3 + q, feature] = _quantile(values, low, n, 0.25 * q)
        if smallest == largest:
            # The rounding of the sum must not give equal values a spread.
            out[1, feature], out[2, feature] = smallest, 0.0
            continue
        mean = total / n
        m1 = m2 = m3 = m4 = 0.0
        for block in range(low, high, 4096):
            p1 = p2 = p3 = p4 = 0.0
            for i in range(block, min(block + 4096, high)):
                d = np.float64(values[i]) - mean
                square = d * d
                p1 += d
                p2 += square
                p3 += square * d
                p4 += square * square
            m1, m2, m3, m4 = m1 + p1, m2 + p2, m3 + p3, m4 + p4
        # The deviations do not quite sum to 0, because the mean is rounded; the moments are moved to where they do.
        shift, m2, m3, m4 = m1 / n, m2 / n, m3 / n, m4 / n
        variance = max(m2 - shift * shift, 0.0)
        third = m3 - 3.0 * shift * m2 + 2.0 * shift**3
        fourth = m4 - 4.0 * shift * m3 + 6.0 * shift * shift * m2 - 3.0 * shift**4
        out[1, feature], out[2, feature] = mean, np.sqrt(variance)
        if variance * variance > 0.0:
            out[8, feature] = third / variance**1.5
            out[9, feature] = fourth / (variance * variance) - 3.0
    return out


@njit(cache=True, nogil=True)
def _quantile(values: Values, low: int, n: int, q: float) -> float:
    """Interpolate linearly between the order statistics around (n - 1) q, as NumPy does."""
    place = (n - 1) * q
    left = int(np.floor(place))
    right = min(left + 1, n - 1)
    a, b = np.float64(values[low + left]), np.float64(values[low + right])
    t = place - left
    return a + (b - a) * t if t < 0.5 else b - (b - a) * (1.0 - t)
