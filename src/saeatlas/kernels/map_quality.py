"""How faithful a map is: how near, in the space that it shows, are the neighbours that it shows.

Ranks are among all rows, by cosine. Rows are compared in float32 with cosines known in float64, block by block, so the
memory is that of a block; cosines closer than about 10^-6 may change places.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from saeatlas.kernels.cosine_blocks import (
    DEFAULT,
    N_THREADS,
    Plan,
    Rows,
    Table,
    rows_of,
    score,
    spans,
)
from saeatlas.kernels.directions import Read

__all__ = ["map_neighbors", "ranks_of", "recall", "trustworthiness"]

Array = npt.NDArray[Any]
Advance = Callable[[float], None]


def map_neighbors(positions: Array, ids: npt.NDArray[np.int64], k: int, asked: Array | None = None) -> Array:
    """Return the `k` nearest places of each place, by Euclidean distance, of equally far ones the lower id first.

    Parameters
    ----------
    positions
        [n, 2 or 3].
    ids
        Places to find the neighbours of, which are left out by id; or what `asked` are, -1 for none of the places.
    k
        At most n - 1, or n where nothing is left out.
    asked
        Other places, [m, 2 or 3].

    Returns
    -------
    int64 [m, k]
    """
    from scipy.spatial import cKDTree

    wanted = positions[ids] if asked is None else asked
    n_found = min(k + 1, len(positions))
    # A sequence of ranks gives one column for each, also when it is one only.
    answer = cKDTree(positions).query(wanted, k=np.arange(1, n_found + 1))
    distances, found = np.asarray(answer[0]), np.asarray(answer[1], np.int64)
    distances[found == ids[:, None]] = np.inf
    order = np.lexsort((found, distances), axis=1)
    return np.take_along_axis(found, order, 1)[:, :k]


def ranks_of(
    queries: Array | npt.NDArray[np.int64],
    others: npt.NDArray[np.int64],
    read: Read,
    n_rows: int,
    plan: Plan = DEFAULT,
    advance: Advance | None = None,
) -> npt.NDArray[np.int64]:
    """Return which neighbour each of some rows is, from 1: one more than the rows that are nearer, by cosine.

    Parameters
    ----------
    queries
        Ascending ids of rows [m], or other directions [m, d]. None of them may be zero.
    others
        [m, k] ids of rows, none twice in a line unless it is asked for twice; not the row itself, not zero.
    read, n_rows, plan
        All rows, and what is held at once.
    advance
        Called with the number of products computed since the last call; m times `n_rows` in all.

    Returns
    -------
    int64 [m, k]
        Of rows that are equally near, each has the rank of the first.
    """
    table = Table(read, n_rows, plan)
    table.hold()
    is_id = queries.ndim == 1
    asked = table.take(queries) if is_id else rows_of(queries, 0)
    own = queries if is_id else np.full(len(queries), -1)
    near = np.full(others.shape, -np.inf)
    with ThreadPoolExecutor(N_THREADS, thread_name_prefix="saeatlas-quality") as pool:
        for block in table.blocks():
            score(pool, asked, block, others, near)
        order = np.lexsort((others, -near), axis=1)
        ids, near = np.take_along_axis(others, order, 1), np.take_along_axis(near, order, 1)
        least, counts = near.astype(np.float32), np.zeros(others.shape, np.int64)
        for block in table.blocks():
            for start in range(0, len(own), len(block.rows)):
                part = slice(start, min(start + len(block.rows), len(own)))
                line = _Lines(own[part], ids[part], least[part], counts[part])
                _count(pool, table.products(asked.part(part.start, part.stop), block), asked.scales[part], block, line)
                if advance is not None:
                    advance((part.stop - part.start) * len(block.rows))
    ranks = np.empty(others.shape, np.int64)
    np.put_along_axis(ranks, order, 1 + counts + _ahead(ids, near), 1)
    return ranks


def trustworthiness(ranks: Array, n_others: int) -> npt.NDArray[np.float64]:
    """Return how much each row's neighbours on a map can be trusted to be neighbours, from their ranks [m, k].

    1 - 2 / (k (2 N - 3 k + 1)) times the sum of what ranks among N others exceed k by: 1 where all are neighbours, 0
    where they are the farthest. The trustworthiness of a map is the mean. NaN where k is not below half of all rows,
    for which the formula is not meant.

    Notes
    -----
    Venna, J. and Kaski, S. (2001), Neighborhood preservation in nonlinear projection methods, ICANN 2001, 485-491.
    There N = n - 1.
    """
    m, k = ranks.shape
    if not k or 2 * k >= n_others + 1:
        return np.full(m, np.nan)
    return np.asarray(1.0 - 2.0 * np.maximum(ranks - k, 0).sum(axis=1) / float(k * (2 * n_others - 3 * k + 1)))


def recall(ranks: Array) -> npt.NDArray[np.float64]:
    """Return the share of each row's k neighbours on a map of which fewer than k rows are nearer."""
    k = ranks.shape[1]
    return np.asarray((ranks <= k).sum(axis=1) / k if k else np.full(len(ranks), np.nan))


@dataclass(frozen=True)
class _Lines:
    """What is counted for some queries."""

    own: npt.NDArray[np.int64]
    """Their own ids, or -1."""
    ids: npt.NDArray[np.int64]
    """Rows whose ranks are wanted, nearest first."""
    least: npt.NDArray[np.float32]
    """Their cosines."""
    counts: npt.NDArray[np.int64]
    """Rows nearer than each that are not in the same line."""


def _ahead(ids: Array, near: Array) -> Array:
    """Return how many different rows in the same line are nearer than each; lines are sorted, copies side by side."""
    is_new = np.ones(ids.shape, np.int64)
    is_new[:, 1:] = ids[:, 1:] != ids[:, :-1]
    different = np.cumsum(is_new, axis=1) - is_new
    nearer = np.ones(near.shape, bool)
    nearer[:, 1:] = near[:, 1:] < near[:, :-1]
    start = np.maximum.accumulate(np.where(nearer, np.arange(ids.shape[1]), 0), axis=1)
    return np.take_along_axis(different, start, 1)


def _count(pool: Executor, found: Array, scales: Array, block: Rows, lines: _Lines) -> None:
    arguments = (found, scales, block.scales, block.first), (lines.own, lines.ids, lines.least, lines.counts)
    for job in [pool.submit(_count_nearer, *arguments, span) for span in spans(found.shape[0])]:
        job.result()


@njit(cache=True, nogil=True)
def _count_nearer(
    products: tuple[Array, Array, Array, int], lines: tuple[Array, Array, Array, Array], span: tuple[int, int]
) -> None:
    """Count the products above each cosine of a line; those of the line's own rows do not count."""
    found, scales, other_scales, first = products
    own, ids, least, counts = lines
    n_others, k = found.shape[1], ids.shape[1]
    near = np.empty(n_others, np.float32)
    for i in range(span[0], span[1]):
        row, scale = found[i], scales[i]
        for j in range(n_others):
            near[j] = row[j] * other_scales[j] * scale
        if 0 <= own[i] - first < n_others and own[i] >= 0:
            near[own[i] - first] = -np.inf
        for place in range(k):
            if 0 <= ids[i, place] - first < n_others:
                near[ids[i, place] - first] = -np.inf
        # Sixteen are compared at once: quicker than to look for the place of each.
        for place in range(k):
            counts[i, place] += _above(near, least[i, place])


@njit(cache=True, nogil=True)
def _above(near: Array, least: float) -> int:
    hits = np.int32(0)
    for j in range(near.size):
        hits = np.int32(hits + np.int32(near[j] > least))
    return int(hits)
