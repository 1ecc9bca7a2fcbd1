"""Nearest directions: exact, by blocks of float32 products that float64 decides, in bounded memory.

Products of float32 directions err by no more than `product_error`. They choose candidates; cosines in float64, summed
in an order of their own, rank them. A row whose last neighbour might have been missed by that error is looked up again
among everything that could be nearer. So neither the size of a block, nor the number of threads, nor the processor's
way to multiply matrices shows in the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from saeatlas.kernels.directions import LANES, Read, prepared, product_error

__all__ = ["Neighbors", "Plan", "edges_of", "nearest", "nearest_to"]

Array = npt.NDArray[Any]
Advance = Callable[[float], None]

N_THREADS = 2
"""Each takes half of the rows; more would steal cores from other worker processes."""
_CHUNK = 64
"""Products that are compared at once before any of them is looked at."""


@dataclass(frozen=True)
class Neighbors:
    """Neighbours of rows, best first; of equal cosines the lower id."""

    indptr: npt.NDArray[np.int64]
    """[n + 1] where each row starts and ends in the other arrays."""
    ids: npt.NDArray[np.int64]
    """The neighbours."""
    cosines: npt.NDArray[np.float64]
    """Their cosines."""

    def rows(self) -> npt.NDArray[np.int64]:
        """Return whose neighbour each one is."""
        return np.repeat(np.arange(self.indptr.size - 1), np.diff(self.indptr))

    def ranks(self) -> npt.NDArray[np.int64]:
        """Return the place of each neighbour in its row, from 0."""
        return np.arange(self.ids.size) - np.repeat(self.indptr[:-1], np.diff(self.indptr))

    def first(self, k: int) -> Neighbors:
        """Return the best `k` of each row."""
        kept = self.ranks() < k
        return Neighbors(_indptr(np.minimum(np.diff(self.indptr), k)), self.ids[kept], self.cosines[kept])


@dataclass(frozen=True)
class Plan:
    """How much is held at once; it does not show in any answer."""

    block_rows: int = 2048
    """Rows on either side of one product."""
    panel_bytes: int = 1 << 30
    """Rows that are kept while all others pass by."""
    spare: int = 8
    """Candidates beyond those asked for: with fewer, more rows must be looked up again."""

    def panel_rows(self, row_bytes: int) -> int:
        """Return how many rows are kept: as many blocks as fit, one at least."""
        return max(1, self.panel_bytes // max(1, row_bytes * self.block_rows)) * self.block_rows


DEFAULT = Plan()


def nearest(read: Read, n_rows: int, k: int, plan: Plan = DEFAULT, advance: Advance | None = None) -> Neighbors:
    """Return the `k` nearest of each row among all others.

    Parameters
    ----------
    read
        Gives rows, float32 or float64 [stop - start, d]; asked for the same rows several times.
    n_rows
        How many there are.
    k
        Neighbours of each, at least 1; fewer where fewer have a direction. A row of zeros has none and is none.
    plan
        What is held at once.
    advance
        Called with the number of products computed since the last call; about n² / 2 in all.

    Notes
    -----
    Products above the diagonal serve both their rows, so half of them are computed. Peak memory: one panel (or all
    rows, if less), four blocks of rows, one block of products, and 36 bytes for each of k + `spare` candidates of each
    row.
    """
    size = min(k + plan.spare, n_rows - 1)
    if size < 1:
        return Neighbors(np.zeros(n_rows + 1, np.int64), np.empty(0, np.int64), np.empty(0))
    table = _Table(read, n_rows, plan)
    products, ids = np.full((n_rows, size), -np.inf, np.float32), np.full((n_rows, size), -1)
    with ThreadPoolExecutor(N_THREADS, thread_name_prefix="saeatlas-neighbors") as pool:
        for one, other in table.pairs():
            found = table.products(one, other)
            _merge(pool, found, one, other, (products, ids))
            if advance is not None:
                advance(found.size)
        floor = products[:, 0].astype(np.float64)
        del products
        # Ascending ids, so that a stable sort leaves the lower id first.
        ids.sort(axis=1)
        scores = np.full(ids.shape, -np.inf)
        for one, other in table.panels():
            _score(pool, one, other, ids, scores)
    kept = min(k, size)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :kept]
    ids, scores = np.take_along_axis(ids, order, 1), np.take_along_axis(scores, order, 1)
    if size < n_rows - 1:
        unsure = np.flatnonzero(scores[:, -1] - product_error(table.d) <= floor)
        # A row that has seen fewer than it may keep has seen all.
        unsure = unsure[np.isfinite(floor[unsure])]
        for first in range(0, unsure.size, plan.block_rows):
            part = unsure[first : first + plan.block_rows]
            ids[part], scores[part] = _search(table, table.take(part), part, kept, scores[part, -1])
    return _listed(ids, scores)


def nearest_to(queries: Array, read: Read, n_rows: int, k: int, plan: Plan = DEFAULT) -> Neighbors:
    """Return the `k` nearest rows of each of some other directions [m, d]; as `nearest`, and by the same numbers.

    Only products of the queries are computed. Peak memory: the queries in float32, four blocks of rows, one block of
    products, 16 bytes for each neighbour.
    """
    kept = min(k, n_rows)
    if kept < 1 or not len(queries):
        return Neighbors(np.zeros(len(queries) + 1, np.int64), np.empty(0, np.int64), np.empty(0))
    table = _Table(read, n_rows, plan)
    ids, scores = np.full((len(queries), kept), -1), np.full((len(queries), kept), -np.inf)
    for first in range(0, len(queries), plan.block_rows):
        part = slice(first, min(first + plan.block_rows, len(queries)))
        asked = _rows_of(queries[part], first)
        nobody = np.full(len(asked.rows), -1)
        ids[part], scores[part] = _search(table, asked, nobody, kept, np.full(len(asked.rows), -np.inf))
    return _listed(ids, scores)


def edges_of(neighbors: Neighbors, least: float) -> tuple[Array, Array, npt.NDArray[np.float64]]:
    """Return each pair of rows of which one is a neighbour of the other, once, where the cosine is at least `least`.

    Returns
    -------
    tuple
        Lower ids, higher ids, cosines; in the order of the ids.
    """
    near = neighbors.cosines >= least
    rows, ids, cosines = neighbors.rows()[near], neighbors.ids[near], neighbors.cosines[near]
    low, high = np.minimum(rows, ids), np.maximum(rows, ids)
    _, places = np.unique(low * max(1, neighbors.indptr.size) + high, return_index=True)
    return low[places], high[places], cosines[places]


@dataclass(frozen=True)
class _Rows:
    """Rows as they are compared."""

    first: int
    rows: Array
    """Prepared, float32 or float64 [n, d]."""
    narrow: Array
    """The same in float32."""
    scales: npt.NDArray[np.float32]
    """1 / length; NaN where there is no direction, so that no comparison with it holds."""
    squares: npt.NDArray[np.float64]
    """Sums of squares."""

    def part(self, start: int, stop: int) -> _Rows:
        span = slice(start, stop)
        return _Rows(self.first + start, self.rows[span], self.narrow[span], self.scales[span], self.squares[span])


def _rows_of(rows: Array, first: int) -> _Rows:
    ready = prepared(rows, first)
    squares = np.empty(len(ready))
    _square_rows(ready, squares)
    with np.errstate(divide="ignore"):
        scales = (1.0 / np.sqrt(squares)).astype(np.float32)
    scales[squares == 0] = np.nan
    return _Rows(first, ready, ready.astype(np.float32, copy=False), scales, squares)


class _Table:
    """All rows, of which one panel is held, and room for one block of products."""

    def __init__(self, read: Read, n_rows: int, plan: Plan) -> None:
        self._read, self._n_rows, self._block_rows = read, n_rows, plan.block_rows
        sample = prepared(read(0, 1))
        self.d = sample.shape[1]
        self._dtype = sample.dtype
        # float64 rows are held in float32 too.
        self._panel_rows = plan.panel_rows(self.d * (4 if self._dtype == np.float32 else 12))
        self._panel = _rows_of(sample[:0], 0)
        self._room = np.empty(min(plan.block_rows, n_rows) ** 2, np.float32)

    def products(self, one: _Rows, other: _Rows) -> Array:
        """Return float32 products [one, other], in the same memory each time."""
        shape = len(one.rows), len(other.rows)
        return np.dot(one.narrow, other.narrow.T, out=self._room[: shape[0] * shape[1]].reshape(shape))

    def take(self, ids: Array) -> _Rows:
        """Return rows by id."""
        return _rows_of(np.concatenate([self._read(int(i), int(i) + 1) for i in ids]), 0)

    def blocks(self, start: int = 0) -> Iterator[_Rows]:
        """Yield blocks from the one that starts at `start`; those of the panel in hand are not read again."""
        for first in range(start, self._n_rows, self._block_rows):
            stop = min(first + self._block_rows, self._n_rows)
            held = self._panel
            if held.first <= first and stop <= held.first + len(held.rows):
                yield held.part(first - held.first, stop - held.first)
            else:
                yield _rows_of(self._read(first, stop), first)

    def pairs(self) -> Iterator[tuple[_Rows, _Rows]]:
        """Yield every pair of blocks once, the earlier block first; a block with itself too."""
        for panel in self._panels():
            for other in self.blocks(panel.first):
                for start in range(0, min(len(panel.rows), other.first - panel.first + 1), self._block_rows):
                    yield panel.part(start, min(start + self._block_rows, len(panel.rows))), other

    def panels(self) -> Iterator[tuple[_Rows, _Rows]]:
        """Yield (rows, others) so that every row meets every other one, and itself."""
        for panel in self._panels():
            for other in self.blocks():
                yield panel, other

    def _panels(self) -> Iterator[_Rows]:
        for first in range(0, self._n_rows, self._panel_rows):
            stop = min(first + self._panel_rows, self._n_rows)
            if (self._panel.first, len(self._panel.rows)) != (first, stop - first):
                self._load(first, stop)
            yield self._panel

    def _load(self, first: int, stop: int) -> None:
        n = stop - first
        self._panel = self._panel.part(0, 0)
        rows = np.empty((n, self.d), self._dtype)
        narrow = rows if rows.dtype == np.float32 else np.empty((n, self.d), np.float32)
        panel = _Rows(first, rows, narrow, np.empty(n, np.float32), np.empty(n))
        for at in range(0, n, self._block_rows):
            block = _rows_of(self._read(first + at, min(first + at + self._block_rows, stop)), first + at)
            span = slice(at, at + len(block.rows))
            panel.rows[span], panel.narrow[span] = block.rows, block.narrow
            panel.scales[span], panel.squares[span] = block.scales, block.squares
        self._panel = panel


def _indptr(sizes: Array) -> npt.NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])


def _listed(ids: Array, scores: Array) -> Neighbors:
    """Make lists of tables whose unused places are at the end of a row, with id -1."""
    used = ids >= 0
    return Neighbors(_indptr(used.sum(axis=1)), ids[used], scores[used])


def _spans(n: int) -> list[tuple[int, int]]:
    bounds = np.linspace(0, n, N_THREADS + 1).astype(np.int64).tolist()
    return [(start, stop) for start, stop in pairwise(bounds) if start < stop]


def _merge(pool: Executor, found: Array, one: _Rows, other: _Rows, best: tuple[Array, Array]) -> None:
    """Offer a block of products to the candidates of both its sides; a block with itself to one."""
    products, ids = best
    sides = slice(one.first, one.first + len(one.rows)), slice(other.first, other.first + len(other.rows))
    scales = one.scales, other.scales
    waiting = [
        pool.submit(_offer_rows, found, scales, (one.first, other.first), (products[sides[0]], ids[sides[0]]), span)
        for span in _spans(found.shape[0])
    ]
    if one.first != other.first:
        best_other = products[sides[1]], ids[sides[1]]
        waiting += [
            pool.submit(_offer_columns, found, scales, one.first, best_other, span) for span in _spans(found.shape[1])
        ]
    for job in waiting:
        job.result()


def _score(pool: Executor, one: _Rows, other: _Rows, ids: Array, scores: Array) -> None:
    """Fill in the cosines of those candidates of `one` that are among `other`."""
    span = slice(one.first, one.first + len(one.rows))
    arguments = (one.rows, one.squares), (other.rows, other.squares), other.first, ids[span], scores[span]
    for job in [pool.submit(_score_rows, *arguments, part) for part in _spans(len(one.rows))]:
        job.result()


def _search(table: _Table, asked: _Rows, self_ids: Array, k: int, known: Array) -> tuple[Array, Array]:
    """Find the `k` nearest rows of each of some others by looking at everything that could be nearer than those found.

    Parameters
    ----------
    asked
        The others.
    self_ids
        Which row each of them is, or -1; a row is not its own neighbour.
    known
        Cosines that the last neighbour has at least, or minus infinity.
    """
    n = len(asked.rows)
    ids, scores = np.full((n, k), -1), np.full((n, k), -np.inf)
    error = product_error(table.d)
    for other in table.blocks():
        for start in range(0, n, len(other.rows)):
            part = asked.part(start, min(start + len(other.rows), n))
            span = slice(start, start + len(part.rows))
            found = table.products(part, other)
            _take_rows(
                (found, error, known[span]),
                (part.rows, part.scales, part.squares, self_ids[span]),
                (other.rows, other.scales, other.squares, other.first),
                (ids[span], scores[span]),
            )
    return ids, scores


@njit(cache=True, nogil=True)
def _dot(one: Array, other: Array, lanes: Array) -> float:
    """Return the sum of products of two rows; it runs in `LANES` lanes, float64, as in `kernels.directions`."""
    d = one.size
    whole = d - d % LANES
    lanes[:] = 0.0
    for start in range(0, whole, LANES):
        for lane in range(LANES):
            lanes[lane] += np.float64(one[start + lane]) * np.float64(other[start + lane])
    for lane in range(d - whole):
        lanes[lane] += np.float64(one[whole + lane]) * np.float64(other[whole + lane])
    half = LANES // 2
    while half > 0:
        for lane in range(half):
            lanes[lane] += lanes[lane + half]
        half //= 2
    return float(lanes[0])


@njit(cache=True, nogil=True)
def _cosine(one: Array, other: Array, square: float, other_square: float, lanes: Array) -> float:
    return float(min(1.0, max(-1.0, _dot(one, other, lanes) / np.sqrt(square * other_square))))


@njit(cache=True, nogil=True)
def _square_rows(rows: Array, out: Array) -> None:
    lanes = np.empty(LANES)
    for i in range(rows.shape[0]):
        out[i] = _dot(rows[i], rows[i], lanes)


@njit(cache=True, nogil=True)
def _score_rows(
    one: tuple[Array, Array], other: tuple[Array, Array], first: int, ids: Array, scores: Array, span: tuple[int, int]
) -> None:
    rows, squares = one
    others, other_squares = other
    lanes = np.empty(LANES)
    for i in range(span[0], span[1]):
        for place in range(ids.shape[1]):
            at = ids[i, place] - first
            if 0 <= at < others.shape[0] and ids[i, place] >= 0:
                scores[i, place] = _cosine(rows[i], others[at], squares[i], other_squares[at], lanes)


@njit(cache=True, nogil=True, inline="always")
def _replace_least(products: Array, ids: Array, product: float, row: int) -> None:
    """Put a candidate in the place of the least one, at the root of the heap, and restore the heap."""
    size = products.size
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and products[child + 1] < products[child]:
            child += 1
        if products[child] >= product:
            break
        products[place], ids[place] = products[child], ids[child]
        place = child
    products[place], ids[place] = product, row


@njit(cache=True, nogil=True)
def _any_above(row: Array, scales: Array, own: float, least: float) -> bool:
    """Whether any product is above a number; counting in 32 bits lets sixteen of them be compared at once."""
    hits = np.int32(0)
    for j in range(row.size):
        hits = np.int32(hits + np.int32(row[j] * scales[j] * own > least))
    return bool(hits > 0)


@njit(cache=True, nogil=True)
def _any_above_its(row: Array, scales: Array, own: float, least: Array) -> bool:
    """Whether any product is above the number beside it."""
    hits = np.int32(0)
    for j in range(row.size):
        hits = np.int32(hits + np.int32(row[j] * scales[j] * own > least[j]))
    return bool(hits > 0)


@njit(cache=True, nogil=True)
def _offer_rows(
    found: Array,
    scales: tuple[Array, Array],
    firsts: tuple[int, int],
    best: tuple[Array, Array],
    span: tuple[int, int],
) -> None:
    """Offer the products of each row; what is equal to the least one kept is not taken."""
    scale, other_scale = scales
    products, ids = best
    n_others = found.shape[1]
    for i in range(span[0], span[1]):
        own = scale[i]
        row, place = found[i], firsts[0] + i - firsts[1]
        for start in range(0, n_others, _CHUNK):
            stop = min(start + _CHUNK, n_others)
            if not _any_above(row[start:stop], other_scale[start:stop], own, products[i, 0]):
                continue
            for j in range(start, stop):
                near = row[j] * other_scale[j] * own
                if near > products[i, 0] and j != place:
                    _replace_least(products[i], ids[i], near, firsts[1] + j)


@njit(cache=True, nogil=True)
def _offer_columns(
    found: Array, scales: tuple[Array, Array], first: int, best: tuple[Array, Array], span: tuple[int, int]
) -> None:
    """Offer the products of each column to the rows of the other side."""
    scale, other_scale = scales
    products, ids = best
    least = products[:, 0].copy()
    for i in range(found.shape[0]):
        own = scale[i]
        row = found[i]
        for start in range(span[0], span[1], _CHUNK):
            stop = min(start + _CHUNK, span[1])
            if not _any_above_its(row[start:stop], other_scale[start:stop], own, least[start:stop]):
                continue
            for j in range(start, stop):
                near = row[j] * other_scale[j] * own
                if near > least[j]:
                    _replace_least(products[j], ids[j], near, first + i)
                    least[j] = products[j, 0]


@njit(cache=True, nogil=True)
def _take_rows(
    found: tuple[Array, float, Array],
    asked: tuple[Array, Array, Array, Array],
    other: tuple[Array, Array, Array, int],
    best: tuple[Array, Array],
) -> None:
    """Keep the nearest, in order; of equal cosines the lower id, which comes first."""
    products, error, known = found
    rows, scale, squares, self_ids = asked
    others, other_scale, other_squares, first = other
    ids, scores = best
    k = ids.shape[1]
    lanes = np.empty(LANES)
    for i in range(products.shape[0]):
        for j in range(products.shape[1]):
            least = max(known[i], scores[i, k - 1]) - error
            if not products[i, j] * other_scale[j] * scale[i] >= least or first + j == self_ids[i]:
                continue
            if scores[i, k - 1] >= 1.0:
                # Nothing is nearer than the same direction, and lower ids were here before.
                break
            cosine = _cosine(rows[i], others[j], squares[i], other_squares[j], lanes)
            if not cosine > scores[i, k - 1]:
                continue
            place = k - 1
            while place > 0 and scores[i, place - 1] < cosine:
                scores[i, place], ids[i, place] = scores[i, place - 1], ids[i, place - 1]
                place -= 1
            scores[i, place], ids[i, place] = cosine, first + j
