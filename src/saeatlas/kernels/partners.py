"""The best partners of every feature among all pairs that fire together: bounded lists, filled in one pass."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from saeatlas.kernels.cooccurrence import PairSums
from saeatlas.kernels.pair_measures import MEASURES, Measure, Totals

__all__ = ["Partners"]

Array = npt.NDArray[Any]
Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Columns = tuple[Floats, Floats, Floats]

_SMALL = 50_000
"""Pairs that are not worth a second thread."""


class Partners:
    """The best partners of each of `n` features so far, at most `k`; best as `pair_measures.order_of` says.

    Notes
    -----
    Memory: 28 bytes per place, n · k of them; twice that while pairs are offered.
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
        middle = int(np.searchsorted(sums.starts, sums.starts[-1] // 2))
        n_lines = sums.stop - sums.first
        if sums.counts.size < _SMALL:
            self._offer(sums, (left, right), other, (0, n_lines))
            return
        # The second thread has lists of its own: a left feature of one thread may be a right one of the other.
        twin = Partners(*self.score.shape, self.by, self.min_count)
        other_twin = twin if other is self else Partners(*other.score.shape, other.by, other.min_count)
        with ThreadPoolExecutor(2, thread_name_prefix="saeatlas-partners") as pool:
            one = pool.submit(self._offer, sums, (left, right), other, (0, middle))
            two = pool.submit(Partners._offer, twin, sums, (left, right), other_twin, (middle, n_lines))
            one.result()
            two.result()
        self._join(twin)
        if other is not self:
            other._join(other_twin)

    def _offer(self, sums: PairSums, totals: tuple[Totals, Totals], other: Partners, lines: tuple[int, int]) -> None:
        _offer_all(
            (sums.first, *lines),
            (sums.starts, sums.offsets, sums.counts, sums.dots),
            (MEASURES.index(self.by), self.min_count, float(totals[0].n_rows)),
            (_columns(totals[0]), _columns(totals[1])),
            (self._arrays(), other._arrays()),
        )

    def _join(self, twin: Partners) -> None:
        self.n_partners += twin.n_partners
        _offer_lists(twin._arrays(), self._arrays(), self.min_count)

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


def _columns(totals: Totals) -> Columns:
    return totals.n_active.astype(np.float64), totals.sum, totals.spread


@njit(cache=True, nogil=True)
def _offer_all(
    lines: tuple[int, int, int],
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
    first, start, stop = lines
    for line in range(start, stop):
        a = first + line
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


@njit(cache=True, nogil=True)
def _offer_lists(twin: tuple[Array, ...], heap: tuple[Array, ...], min_count: int) -> None:
    scores, partners, counts, dots, sizes, _, _, _ = twin
    bar, is_bar_rare = heap[6:]
    for feature in range(sizes.size):
        for at in range(sizes[feature]):
            score, count = scores[feature, at], counts[feature, at]
            is_rare = count < min_count
            if is_rare < is_bar_rare[feature] or (is_rare == is_bar_rare[feature] and score >= bar[feature]):
                _offer(heap, feature, min_count, (score, int(partners[feature, at]), int(count), dots[feature, at]))


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
