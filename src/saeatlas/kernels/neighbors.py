"""Nearest directions: exact, by blocks of float32 products that float64 decides, in bounded memory.

Products of float32 directions err by no more than `product_error`. They choose candidates; cosines in float64, summed
in an order of their own, rank them. A row whose last neighbour might have been missed by that error is looked up again
among everything that could be nearer. So neither the size of a block, nor the number of threads, nor the processor's
way to multiply matrices shows in the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from saeatlas.errors import InvalidInput
from saeatlas.kernels.cosine_blocks import (
    CHUNK,
    DEFAULT,
    N_THREADS,
    Plan,
    Rows,
    Table,
    any_above,
    cosine,
    rows_of,
    score,
    spans,
)
from saeatlas.kernels.directions import LANES, Read, product_error

__all__ = ["Neighbors", "Plan", "edges_of", "nearest", "nearest_to"]

Array = npt.NDArray[Any]
Advance = Callable[[float], None]


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
        Called with the pairs that were compared since the last call; n (n + 1) / 2 in all.

    Notes
    -----
    Products above the diagonal serve both their rows, so half of them are computed. Peak memory: one panel (or all
    rows, if less), four blocks of rows, one block of products, and 36 bytes for each of k + `spare` candidates of each
    row.
    """
    size = min(k + plan.spare, n_rows - 1)
    if size < 1:
        return Neighbors(np.zeros(n_rows + 1, np.int64), np.empty(0, np.int64), np.empty(0))
    table = Table(read, n_rows, plan)
    products, ids = np.full((n_rows, size), -np.inf, np.float32), np.full((n_rows, size), -1)
    with ThreadPoolExecutor(N_THREADS, thread_name_prefix="saeatlas-neighbors") as pool:
        for one, other in table.pairs():
            found = table.products(one, other)
            _merge(pool, found, one, other, (products, ids))
            if advance is not None:
                n = len(one.rows)
                advance(n * (n + 1) / 2 if one.first == other.first else found.size)
        floor = products[:, 0].astype(np.float64)
        del products
        # Ascending ids, so that a stable sort leaves the lower id first.
        ids.sort(axis=1)
        scores = np.full(ids.shape, -np.inf)
        for one, other in table.panels():
            span = slice(one.first, one.first + len(one.rows))
            score(pool, one, other, ids[span], scores[span])
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
    table = Table(read, n_rows, plan)
    if queries.shape[1] != table.d:
        raise InvalidInput(f"Directions of {queries.shape[1]} numbers cannot be compared with those of {table.d}")
    ids, scores = np.full((len(queries), kept), -1), np.full((len(queries), kept), -np.inf)
    for first in range(0, len(queries), plan.block_rows):
        part = slice(first, min(first + plan.block_rows, len(queries)))
        asked = rows_of(queries[part], first)
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


def _indptr(sizes: Array) -> npt.NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])


def _listed(ids: Array, scores: Array) -> Neighbors:
    """Make lists of tables whose unused places are at the end of a row, with id -1."""
    used = ids >= 0
    return Neighbors(_indptr(used.sum(axis=1)), ids[used], scores[used])


def _merge(pool: Executor, found: Array, one: Rows, other: Rows, best: tuple[Array, Array]) -> None:
    """Offer a block of products to the candidates of both its sides; a block with itself to one."""
    products, ids = best
    sides = slice(one.first, one.first + len(one.rows)), slice(other.first, other.first + len(other.rows))
    scales = one.scales, other.scales
    waiting = [
        pool.submit(_offer_rows, found, scales, (one.first, other.first), (products[sides[0]], ids[sides[0]]), span)
        for span in spans(found.shape[0])
    ]
    if one.first != other.first:
        best_other = products[sides[1]], ids[sides[1]]
        waiting += [
            pool.submit(_offer_columns, found, scales, one.first, best_other, span) for span in spans(found.shape[1])
        ]
    for job in waiting:
        job.result()


def _search(table: Table, asked: Rows, self_ids: Array, k: int, known: Array) -> tuple[Array, Array]:
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
        for start in range(0, n_others, CHUNK):
            stop = min(start + CHUNK, n_others)
            if not any_above(row[start:stop], other_scale[start:stop], own, products[i, 0]):
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
        for start in range(span[0], span[1], CHUNK):
            stop = min(start + CHUNK, span[1])
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
            near = cosine(rows[i], others[j], squares[i], other_squares[j], lanes)
            if not near > scores[i, k - 1]:
                continue
            place = k - 1
            while place > 0 and scores[i, place - 1] < near:
                scores[i, place], ids[i, place] = scores[i, place - 1], ids[i, place - 1]
                place -= 1
            scores[i, place], ids[i, place] = near, first + j
