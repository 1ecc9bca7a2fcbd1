"""Pairs of features that are active in the same row: how often, the sum of their products, and the best partners.

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

from saeatlas.kernels.pair_measures import MEASURES, Measure, Totals

__all__ = ["NO_LABEL", "ActiveRows", "PairSums", "Partners", "active_rows", "add_totals", "ranges_of"]

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


class Partners:
    """The best partners of each of `n` features so far, at most `k`; best as `pair_measures.order_of` says.

    Notes
    -----
    Memory: 28 bytes per place, n · k of them.
    """

    def __init__(self, n: int, k: int, by: Measure, min_count: int) -> None:
        self.by, self.min_count = by, min_count
        self.score = np.empty((n, k), np.float64)
        self.partner = np.empty((n, k), np.uint32)
        self.count = np.empty((n, k), np.int64)
        self.dot = np.empty((n, k), np.float64)
        self.size = np.zeros(n, np.int64)
        """How many of the places of a feature are taken."""
        self.bar = np.full(n, -np.inf)
        """Score of the worst of a full list: what does not reach it need not be looked at."""
        self.is_bar_rare = np.ones(n, np.bool_)
        """Whether the worst of a full list is of fewer than `min_count` rows; True while there is room."""
        self.n_partners = np.zeros(n, np.int64)
        """Features that it was active together with, kept or not."""

    def take(self, sums: PairSums, left: Totals, right: Totals, other: Partners) -> None:
        """Offer the pairs of `sums` to the left features here, and to the right features in `other`.

        When both sides are the same features, `other` is this object itself. `left` and `right` are the totals of all
        features of each side.
        """
        _offer_all(
            (sums.first, sums.stop),
            (sums.starts, sums.offsets, sums.counts, sums.dots),
            (MEASURES.index(self.by), self.min_count, float(left.n_rows)),
            (_columns(left), _columns(right)),
            (self._arrays(), other._arrays()),
        )

    def lines(self, first: int, stop: int) -> tuple[Counts, npt.NDArray[np.uint32], Counts, Floats]:
        """Return feature, partner, count and sum of products of what is kept of some features, best partner first."""
        kept = np.arange(self.score.shape[1]) < self.size[first:stop, None]
        feature = np.repeat(np.arange(first, stop), self.size[first:stop])
        partner, count = self.partner[first:stop][kept], self.count[first:stop][kept]
        order = np.lexsort((partner, -self.score[first:stop][kept], count < self.min_count, feature))
        return feature[order], partner[order], count[order], self.dot[first:stop][kept][order]

    def _arrays(self) -> tuple[Array, ...]:
        lists = self.score, self.partner, self.count, self.dot
        return *lists, self.size, self.n_partners, self.bar, self.is_bar_rare


def _columns(totals: Totals) -> tuple[Floats, Floats, Floats]:
    return totals.n_active.astype(np.float64), totals.sum, totals.spread


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


@njit(cache=True, nogil=True)
def _offer_all(
    span: tuple[int, int],
    sums: tuple[Array, Array, Array, Array],
    rule: tuple[int, int, float],
    totals: tuple[tuple[Array, Array, Array], tuple[Array, Array, Array]],
    heaps: tuple[tuple[Array, ...], tuple[Array, ...]],
) -> None:
    starts, offsets, counts, dots = sums
    by, min_count, n_rows = rule
    left, right = heaps
    left_partners, left_bar, left_is_rare = left[5:]
    right_partners, right_bar, right_is_rare = right[5:]
    for line in range(span[1] - span[0]):
        a = span[0] + line
        one = totals[0][0][a], totals[0][1][a], totals[0][2][a]
        for place in range(starts[line], starts[line + 1]):
            if counts[place] == 0:
                continue
            b = place - offsets[line]
            count, dot = int(counts[place]), dots[place]
            score = _score(by, (float(count), dot), n_rows, one, (totals[1][0][b], totals[1][1][b], totals[1][2][b]))
            left_partners[a] += 1
            right_partners[b] += 1
            # Nearly all end here: a call, with all these arrays, would take most of the time.
            is_rare = count < min_count
            if is_rare < left_is_rare[a] or (is_rare == left_is_rare[a] and score >= left_bar[a]):
                _offer(left, a, min_count, (score, b, count, dot))
            if is_rare < right_is_rare[b] or (is_rare == right_is_rare[b] and score >= right_bar[b]):
                _offer(right, b, min_count, (score, a, count, dot))


@njit(cache=True, nogil=True, error_model="numpy")
def _score(
    by: int, pair: tuple[float, float], n_rows: float, a: tuple[float, float, float], b: tuple[float, float, float]
) -> float:
    """Return one of `pair_measures.MEASURES`, minus infinity where it is undefined."""
    both, dot = pair
    n_a, sum_a, spread_a = a
    n_b, sum_b, spread_b = b
    if by == 1:
        return both * n_rows / (n_a * n_b)
    if by == 2:
        return both / (n_a + n_b - both)
    if by == 3:
        return both
    found = (dot - sum_a * sum_b / n_rows) / (spread_a * spread_b)
    if not np.isfinite(found):
        return -np.inf
    return min(max(found, -1.0), 1.0)


@njit(cache=True, nogil=True)
def _offer(heap: tuple[Array, ...], feature: int, min_count: int, item: tuple[float, int, int, float]) -> None:
    """Put a partner that reaches the bar among those of a feature; the worst one is on top."""
    score, partner, count, dot = item
    scores, partners, counts, dots, sizes, _, bar, is_bar_rare = heap
    own = scores[feature], partners[feature], counts[feature], dots[feature]
    k, size = own[0].size, sizes[feature]
    at = 0
    if size < k:
        at = size
        sizes[feature] = size + 1
    elif (count < min_count) == is_bar_rare[feature] and score == bar[feature] and partner > own[1][0]:
        return
    own[0][at], own[1][at], own[2][at], own[3][at] = score, partner, count, dot
    if size < k:
        while at > 0 and _is_worse(own, min_count, at, (at - 1) // 2):
            _swap(own, at, (at - 1) // 2)
            at = (at - 1) // 2
    else:
        _sink(own, min_count)
    if sizes[feature] == k:
        bar[feature] = own[0][0]
        is_bar_rare[feature] = own[2][0] < min_count


@njit(cache=True, nogil=True)
def _sink(own: tuple[Array, Array, Array, Array], min_count: int) -> None:
    """Move the one on top of a full list down to its place."""
    at, k = 0, own[0].size
    while 2 * at + 1 < k:
        child = 2 * at + 1
        if child + 1 < k and _is_worse(own, min_count, child + 1, child):
            child += 1
        if not _is_worse(own, min_count, child, at):
            return
        _swap(own, child, at)
        at = child


@njit(cache=True, nogil=True)
def _is_worse(own: tuple[Array, Array, Array, Array], min_count: int, one: int, two: int) -> bool:
    scores, partners, counts, _ = own
    is_rare = counts[one] < min_count
    if is_rare != (counts[two] < min_count):
        return bool(is_rare)
    if scores[one] != scores[two]:
        return bool(scores[one] < scores[two])
    return bool(partners[one] > partners[two])


@njit(cache=True, nogil=True)
def _swap(own: tuple[Array, Array, Array, Array], one: int, two: int) -> None:
    scores, partners, counts, dots = own
    scores[one], scores[two] = scores[two], scores[one]
    partners[one], partners[two] = partners[two], partners[one]
    counts[one], counts[two] = counts[two], counts[one]
    dots[one], dots[two] = dots[two], dots[one]
