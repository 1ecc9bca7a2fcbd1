"""Per feature, in one pass over its entries: counts, sums, maximum and the exact strongest rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["FeatureSummary", "top_values"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class FeatureSummary:
    """What is known of neighbouring features after the entries added so far.

    Sums run in row order, so the same entries give the same bits however they are cut into pieces.
    """

    count: npt.NDArray[np.int64]
    """Listed entries."""
    active: npt.NDArray[np.int64]
    """Entries above 0."""
    sum: npt.NDArray[np.float64]
    """Sum of the values above 0."""
    sum_squares: npt.NDArray[np.float64]
    """Sum of the squares of the values above 0."""
    max: Array
    """Largest listed value, NaN where nothing is listed; float32 or float64."""
    top_rows: npt.NDArray[np.uint32]
    """[n, n_top] rows of the largest values, largest first, of equal values the lower row first."""
    top_values: Array
    """[n, n_top] their values; only the first min(n_top, count) of a feature mean something."""

    @classmethod
    def empty(cls, n_features: int, n_top: int, dtype: npt.DTypeLike) -> FeatureSummary:
        """Start with no entries; `dtype` is float32 or float64."""
        return cls(
            count=np.zeros(n_features, np.int64),
            active=np.zeros(n_features, np.int64),
            sum=np.zeros(n_features, np.float64),
            sum_squares=np.zeros(n_features, np.float64),
            max=np.full(n_features, np.nan, dtype),
            top_rows=np.zeros((n_features, n_top), np.uint32),
            top_values=np.zeros((n_features, n_top), dtype),
        )

    def add(self, indptr: Array, rows: Array, values: Array) -> None:
        """Add entries whose rows lie above those already added.

        Parameters
        ----------
        indptr
            int64 [n_features + 1]; `rows` and `values` start at `indptr[0]`.
        rows
            uint32, ascending within a feature.
        values
            Finite, float16, float32 or float64; widened to this summary's dtype.
        """
        _summarise(
            (np.asarray(indptr, np.int64), rows, values.astype(self.max.dtype, copy=False)),
            (self.count, self.active, self.sum, self.sum_squares, self.max),
            self.top_rows,
            self.top_values,
        )

    def top(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32], Array]:
        """Return the strongest entries one feature after the other: indptr [n + 1], rows, values."""
        n_top = self.top_rows.shape[1]
        kept = np.minimum(self.count, n_top)
        indptr = np.zeros(kept.size + 1, np.int64)
        np.cumsum(kept, out=indptr[1:])
        where = np.arange(n_top) < kept[:, None]
        return indptr, self.top_rows[where], self.top_values[where]


def top_values(rows: Array, values: Array, n: int) -> tuple[npt.NDArray[np.uint32], Array]:
    """Return the `n` largest values of ascending rows and their rows, largest first, of equal ones the lower row."""
    wide = np.float64 if values.dtype.itemsize > 4 else np.float32
    summary = FeatureSummary.empty(1, n, wide)
    summary.add(np.array([0, rows.size], np.int64), rows, values)
    _, best_rows, best_values = summary.top()
    return best_rows, best_values


@njit(cache=True, nogil=True)
def _summarise(
    entries: tuple[Array, Array, Array],
    summary: tuple[Array, Array, Array, Array, Array],
    top_rows: Array,
    best: Array,
) -> None:
    indptr, rows, values = entries
    count, active, total, squares, largest = summary
    n_top = top_rows.shape[1]
    for feature in range(indptr.size - 1):
        start, stop = indptr[feature] - indptr[0], indptr[feature + 1] - indptr[0]
        if start == stop:
            continue
        n_before = count[feature]
        n_active, own_sum, own_squares = active[feature], total[feature], squares[feature]
        filled = min(n_before, n_top)
        peak = largest[feature] if n_before else values[start]
        for at in range(start, stop):
            value = values[at]
            if value > 0:
                wide = np.float64(value)
                n_active += 1
                own_sum += wide
                own_squares += wide * wide
            peak = max(peak, value)
            if filled < n_top or (n_top > 0 and value > best[feature, n_top - 1]):
                place = min(filled, n_top - 1)
                # Strictly smaller ones move down: of equal values the lower row, which came first, stays ahead.
                while place > 0 and best[feature, place - 1] < value:
                    best[feature, place] = best[feature, place - 1]
                    top_rows[feature, place] = top_rows[feature, place - 1]
                    place -= 1
                best[feature, place] = value
                top_rows[feature, place] = rows[at]
                filled = min(filled + 1, n_top)
        count[feature] = n_before + (stop - start)
        active[feature], total[feature], squares[feature] = n_active, own_sum, own_squares
        largest[feature] = peak
