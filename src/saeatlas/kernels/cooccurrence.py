"""Pairs of features that are active in the same row: how often, and the sum of their products.

The product XᵀX of a sparse matrix of rows and features, upper triangle only, counts and sums in one go. For each left
feature the rows where it is active are visited in order, and everything behind it in the row is added to that
feature's line of a dense accumulator, which fits the cache of a core. So a pair's products are added in the order of
the rows, however rows are cut into blocks: the same bits each time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["NO_LABEL", "ActiveRows", "PairSums", "active_rows", "add_totals", "ranges_of"]

Array = npt.NDArray[Any]
Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

NO_LABEL = 0xFFFFFFFF
"""Label of a feature that is left out."""
N_THREADS = 2
"""Each takes left features of its own; more would steal cores from other worker processes."""
_PIECES = 64
"""Pieces that the left features are cut into, so that no thread waits long for the other."""
_SMALL = 50_000
"""Entries that are not worth a second thread."""


@dataclass(frozen=True)
class ActiveRows:
    """The active entries of consecutive rows, row by row."""

    indptr: Counts
    """Where each row starts and ends, n_rows + 1 numbers from 0."""
    features: npt.NDArray[np.uint32]
    """Labels of the features, ascending in each row."""
    values: Array
    """Values above 0, float32 or float64."""
    n_drawn: int
    """Rows that were looked at; the others are empty."""


def active_rows(
    indptr: Counts,
    features: npt.NDArray[np.uint32],
    values: Array,
    labels: npt.NDArray[np.uint32],
    drawn: npt.NDArray[np.bool_],
) -> ActiveRows:
    """Keep the active entries of rows that were drawn, and name the features by their labels.

    Parameters
    ----------
    indptr, features, values
        Listed entries of consecutive rows, features ascending in each.
    labels
        New name of each feature, uint32 [n_features], ascending; `NO_LABEL` leaves a feature out.
    drawn
        Which rows to look at, bool [rows]; the others become empty.

    Notes
    -----
    Holds a copy: 8 bytes (12 with float64) per entry and 8 per row.
    """
    out = np.zeros(indptr.size, np.int64), np.empty(features.size, np.uint32), np.empty_like(values)
    kept = _keep_active((indptr, features, values), labels, drawn, out)
    return ActiveRows(out[0], out[1][:kept], out[2][:kept], int(drawn.sum()))


def add_totals(rows: ActiveRows, n_active: Counts, total: Floats, squares: Floats) -> None:
    """Add rows to the number, sum and sum of squares of each feature's active values, in the order of the rows."""
    _add_totals(rows.features, rows.values, n_active, total, squares)


def ranges_of(n_left: int, n_right: int, most: int, *, is_own: bool) -> list[tuple[int, int]]:
    """Cut the left features into as few ranges as hold about `most` pairs each, all of like size.

    A range may hold the pairs of one feature more than that.
    """
    left = np.arange(n_left)
    ends = np.cumsum(n_right - 1 - left if is_own else np.full(n_left, n_right))
    total = int(ends[-1]) if n_left else 0
    n_ranges = max(1, -(-total // most))
    inner = np.searchsorted(ends, np.arange(1, n_ranges) * total / n_ranges)
    return list(pairwise(sorted({0, n_left, *(int(cut) + 1 for cut in inner if cut + 1 < n_left)})))


class PairSums:
    """How often, and with which sum of products, features `first` to `stop` are active together with others.

    Parameters
    ----------
    n_right
        Number of right features.
    ranges
        Left features that will be held together. There is room for the largest range; it is used again and again,
        because fresh memory costs more than the arithmetic.
    is_own
        Whether both sides are the same features: then only pairs whose right feature is above the left one are held.
    n_rows
        Rows that may be added in all.

    Notes
    -----
    Memory: 12 bytes per pair (16 from 2^32 rows on); while rows are added 12 bytes per left entry, 16 with float64.
    """

    def __init__(self, n_right: int, ranges: Sequence[tuple[int, int]], *, is_own: bool, n_rows: int) -> None:
        self.n_right, self.is_own = n_right, is_own
        room = max((int(self._widths(*span).sum()) for span in ranges), default=0)
        self._counts = np.zeros(room, np.uint32 if n_rows < 1 << 32 else np.uint64)
        self._dots = np.zeros(room, np.float64)
        self.begin(0, 0)

    def _widths(self, first: int, stop: int) -> Counts:
        """Return how many right features each left one has."""
        left = np.arange(first, stop)
        return self.n_right - 1 - left if self.is_own else np.full(left.size, self.n_right)

    def begin(self, first: int, stop: int) -> None:
        """Forget what was added, and hold the pairs of a range of left features from now on."""
        self.first, self.stop = first, stop
        self.starts = np.zeros(stop - first + 1, np.int64)
        """Where the line of each left feature starts in `counts` and `dots`."""
        np.cumsum(self._widths(first, stop), out=self.starts[1:])
        self.offsets = self.starts[:-1] - (np.arange(first, stop) + 1 if self.is_own else 0)
        """Add the right feature, and it is the place of the pair."""
        n_pairs = int(self.starts[-1])
        self.counts = self._counts[:n_pairs]
        """Rows where both are active."""
        self.dots = self._dots[:n_pairs]
        """Sum of the products of their values."""
        self.counts[:], self.dots[:] = 0, 0.0

    def add(self, left: ActiveRows, right: ActiveRows) -> None:
        """Add the same rows of both sides; they are one object when both sides are the same features."""
        bounds = np.zeros(self.stop - self.first + 1, np.int64)
        _count(left.features, self.first, self.stop, bounds)
        bounds = np.cumsum(bounds)
        n_entries = int(bounds[-1])
        starts, ends = np.empty(n_entries, np.uint32), np.empty(n_entries, np.uint32)
        values = np.empty(n_entries, left.values.dtype)
        _by_feature(
            (left.indptr, left.features, left.values),
            right.indptr,
            (self.first, self.stop, self.is_own),
            bounds[:-1].copy(),
            (starts, ends, values),
        )

        def add(low: int, high: int) -> None:
            _add_pairs(
                (low, high),
                (bounds, starts, ends, values),
                (right.features, right.values),
                self.offsets,
                (self.counts, self.dots),
            )

        _in_threads(add, bounds)

    def nonzero(self, low: int, high: int) -> tuple[Counts, Counts, Counts]:
        """Return the pairs of the left features `low` to `high` that are active together: left, right, places."""
        base = int(self.starts[low - self.first])
        places = np.flatnonzero(self.counts[base : int(self.starts[high - self.first])]) + base
        left = np.searchsorted(self.starts, places, "right") - 1
        return left + self.first, places - self.offsets[left], places


def _in_threads(work: Callable[[int, int], None], bounds: Counts) -> None:
    """Run `work` on ranges of left features of about as many entries each; `bounds` are their entries added up."""
    n_entries = int(bounds[-1])
    if n_entries < _SMALL:
        work(0, bounds.size - 1)
        return
    marks = np.searchsorted(bounds, np.arange(1, _PIECES) * n_entries // _PIECES)
    cuts = [0, *sorted({int(mark) for mark in marks} - {0, bounds.size - 1}), bounds.size - 1]
    with ThreadPoolExecutor(N_THREADS, thread_name_prefix="saeatlas-pairs") as pool:
        list(pool.map(work, cuts[:-1], cuts[1:]))


@njit(cache=True, nogil=True)
def _keep_active(
    entries: tuple[Array, Array, Array], labels: Array, drawn: Array, out: tuple[Array, Array, Array]
) -> int:
    indptr, features, values = entries
    out_indptr, out_features, out_values = out
    at = 0
    for row in range(indptr.size - 1):
        if drawn[row]:
            for i in range(indptr[row], indptr[row + 1]):
                label = labels[features[i]]
                # Written always and kept only if active: no branch to mispredict.
                out_features[at] = label
                out_values[at] = values[i]
                at += 1 if values[i] > 0 and label != NO_LABEL else 0
        out_indptr[row + 1] = at
    return at


@njit(cache=True, nogil=True)
def _add_totals(features: Array, values: Array, n_active: Array, total: Array, squares: Array) -> None:
    for i in range(features.size):
        value = np.float64(values[i])
        feature = features[i]
        n_active[feature] += 1
        total[feature] += value
        squares[feature] += value * value


@njit(cache=True, nogil=True)
def _count(features: Array, first: int, stop: int, counts: Array) -> None:
    """Count the entries of feature `first + i` in `counts[i + 1]`."""
    for i in range(features.size):
        if first <= features[i] < stop:
            counts[features[i] - first + 1] += 1


@njit(cache=True, nogil=True)
def _by_feature(
    left: tuple[Array, Array, Array],
    right_indptr: Array,
    which: tuple[int, int, bool],
    nexts: Array,
    out: tuple[Array, Array, Array],
) -> None:
    """For each entry of a left feature, by feature and row: its value, and where its partners start and end."""
    indptr, features, values = left
    first, stop, is_own = which
    starts, ends, found = out
    for row in range(indptr.size - 1):
        start, end = right_indptr[row], right_indptr[row + 1]
        for i in range(indptr[row], indptr[row + 1]):
            feature = np.int64(features[i])
            if feature < first:
                continue
            if feature >= stop:
                break
            place = nexts[feature - first]
            nexts[feature - first] = place + 1
            # Of the same features, only those behind this one: each pair once.
            starts[place] = i + 1 if is_own else start
            ends[place] = end
            found[place] = values[i]


@njit(cache=True, nogil=True)
def _add_pairs(
    span: tuple[int, int],
    left: tuple[Array, Array, Array, Array],
    right: tuple[Array, Array],
    offsets: Array,
    sums: tuple[Array, Array],
) -> None:
    bounds, starts, ends, values = left
    features, right_values = right
    counts, dots = sums
    for line in range(span[0], span[1]):
        # Unsigned places spare the test for negative ones, a tenth of the time.
        offset = np.uint64(offsets[line])
        for entry in range(bounds[line], bounds[line + 1]):
            value = np.float64(values[entry])
            for i in range(np.uint64(starts[entry]), np.uint64(ends[entry])):
                place = np.uint64(offset + np.uint64(features[i]))
                counts[place] += 1
                dots[place] += value * np.float64(right_values[i])
