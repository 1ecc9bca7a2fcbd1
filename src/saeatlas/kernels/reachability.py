"""What density-based clustering reads of all pairs: nearest neighbours, and a tree of least mutual reachability."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["nearest_pairs", "spanning_tree"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def nearest_pairs(squared: Floats, n: int, members: Ints, k: int) -> tuple[Ints, Floats]:
    """Return the k nearest of each member among the members.

    Parameters
    ----------
    squared
        Squared distances of n vectors as `kernels.ward.squared_distances` gives them.
    members
        Some of the vectors, ascending, int64 [m].
    k
        From 0 to m - 1.

    Returns
    -------
    neighbors
        Places in `members`, nearest first, of equally near ones the lower first, int64 [m, k].
    distances
        Squared, float64 [m, k].
    """
    return _nearest(squared, n, members, k)


def spanning_tree(squared: Floats, n: int, members: Ints, core: Floats) -> tuple[Ints, Ints, Floats]:
    """Return a tree over the members whose mutual reachabilities have the least sum.

    The mutual reachability of two vectors is the largest of their squared distance and both squared core distances
    (R. Campello, D. Moulavi, J. Sander, 2013, Density-based clustering based on hierarchical density estimates,
    PAKDD, 160-172). Prim's algorithm over all pairs; of equal reachabilities the lower place wins.

    Parameters
    ----------
    squared, n, members
        As for `nearest_pairs`.
    core
        Squared core distance of each member, float64 [m].

    Returns
    -------
    left, right
        Places in `members`, int64 [m - 1].
    distances
        Squared distances of the pairs, not their reachabilities, float64 [m - 1].
    """
    return _prim(squared, n, members, core)


@njit(cache=True, nogil=True)
def _place(n: int, i: int, j: int) -> int:
    if i > j:
        i, j = j, i
    return n * i - i * (i + 1) // 2 + j - i - 1


@njit(cache=True, nogil=True)
def _insert(neighbors: Ints, distances: Floats, row: int, found: float, place: int) -> None:
    """Put a pair into the ordered list of a row, behind those that are equally near."""
    at = neighbors.shape[1] - 1
    if found >= distances[row, at]:
        return
    while at > 0 and distances[row, at - 1] > found:
        neighbors[row, at], distances[row, at] = neighbors[row, at - 1], distances[row, at - 1]
        at -= 1
    neighbors[row, at], distances[row, at] = place, found


@njit(cache=True, nogil=True)
def _nearest(squared: Floats, n: int, members: Ints, k: int) -> tuple[Ints, Floats]:
    m = members.size
    neighbors, distances = np.full((m, k), -1), np.full((m, k), np.inf)
    if k == 0:
        return neighbors, distances
    for a in range(m):
        for b in range(a + 1, m):
            found = squared[_place(n, members[a], members[b])]
            # Each row meets its others in ascending order, so of equally near ones the lower is kept.
            _insert(neighbors, distances, a, found, b)
            _insert(neighbors, distances, b, found, a)
    return neighbors, distances


@njit(cache=True, nogil=True)
def _prim(squared: Floats, n: int, members: Ints, core: Floats) -> tuple[Ints, Ints, Floats]:
    m = members.size
    left, right, distances = np.empty(m - 1, np.int64), np.empty(m - 1, np.int64), np.empty(m - 1)
    reach, source = np.full(m, np.inf), np.zeros(m, np.int64)
    inside = np.zeros(m, np.bool_)
    current = 0
    for step in range(m - 1):
        inside[current] = True
        following, least = -1, np.inf
        for b in range(m):
            if inside[b]:
                continue
            found = max(squared[_place(n, members[current], members[b])], core[current], core[b])
            if found < reach[b]:
                reach[b], source[b] = found, current
            if reach[b] < least or following < 0:
                following, least = b, reach[b]
        left[step], right[step] = source[following], following
        distances[step] = squared[_place(n, members[source[following]], members[following])]
        current = following
    return left, right, distances
