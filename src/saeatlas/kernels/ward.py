"""Ward's hierarchical clustering of vectors from all pairs, and the clusters at any height of the tree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["Linkage", "cut", "ordered_by_size", "pairs_of", "squared_distances", "ward"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_BLOCK = 1024
_NEAR = 1e-6
"""Below this share of both squared lengths a squared distance is computed from the difference of the vectors."""


@dataclass(frozen=True)
class Linkage:
    """A tree over n vectors: line i joins two nodes into node n + i; nodes below n are the vectors."""

    left: Ints
    """The lower node of each merge, int64 [n - 1]."""
    right: Ints
    """The higher node of each merge, int64 [n - 1]."""
    distance: Floats
    """Height of each merge, ascending when every pair may merge, float64 [n - 1]."""
    size: Ints
    """Vectors below each merge, int64 [n - 1]."""

    @property
    def n(self) -> int:
        """Number of vectors."""
        return int(self.left.size) + 1


def squared_distances(vectors: npt.NDArray[Any]) -> Floats:
    """Return squared Euclidean distances of all pairs i < j, by i and then by j.

    Computed as products of blocks in float64. Where two vectors nearly coincide that difference of large numbers has
    no digits left, so such pairs are computed from the difference of the vectors: equal vectors have distance 0.

    Parameters
    ----------
    vectors
        float32 or float64 [n, d].

    Returns
    -------
    Floats
        float64 [n (n - 1) / 2].

    Notes
    -----
    Holds the result and about 30 MB for vectors of 2,304 numbers.
    """
    n = vectors.shape[0]
    out = np.empty(n * (n - 1) // 2)
    for i in range(0, n, _BLOCK):
        one = vectors[i : i + _BLOCK].astype(np.float64)
        own = np.einsum("ij,ij->i", one, one)
        for j in range(i, n, _BLOCK):
            other = one if j == i else vectors[j : j + _BLOCK].astype(np.float64)
            lengths = own if j == i else np.einsum("ij,ij->i", other, other)
            products = one @ other.T
            _store(out, n, (i, j), (one, own), (other, lengths), products)
    return out


def pairs_of(squared: Floats, n: int, members: Ints) -> Floats:
    """Return the pairs of some of n vectors, `members` ascending, in the order of `squared_distances`."""
    out = np.empty(members.size * (members.size - 1) // 2)
    _part(squared, n, members, out)
    return out


def ward(squared: Floats, n: int) -> Linkage:
    """Join n vectors into a tree, each time the two clusters whose union has the least added variance.

    The nearest-neighbour chain (F. Murtagh, 1983, A survey of recent advances in hierarchical clustering algorithms,
    The Computer Journal 26(4), 354-359) with the recurrence of Lance and Williams for squared distances. The height
    of a merge of A and B is sqrt(2 |A| |B| / (|A| + |B|)) times the distance of their means, which for two vectors
    is their distance: the convention of SciPy and scikit-learn. Of equal distances the lower index wins.

    Parameters
    ----------
    squared
        Squared distances, float64 [n (n - 1) / 2]. They are overwritten, so that nothing of that size is copied.
    n
        Number of vectors, at least 1.
    """
    left, right, height = _chain(squared, n)
    order = np.argsort(height, kind="stable")
    return Linkage(*_label(left[order], right[order], n), np.sqrt(height[order]), _sizes(left[order], right[order], n))


def cut(linkage: Linkage, *, n_clusters: int | None = None, distance: float = np.inf) -> Ints:
    """Return the cluster of each vector, int64 [n], when the tree is cut at a number of clusters or at a height.

    Parameters
    ----------
    n_clusters
        Clusters, from 1; vectors fewer than that are each their own.
    distance
        Otherwise merges up to this height, with all below them, are made.

    Returns
    -------
    Ints
        Numbered by descending size; of equally large clusters the one with the lowest vector comes first.
    """
    n = linkage.n
    if n_clusters is not None:
        n_merges = n - min(n_clusters, n)
    else:
        # Where only some pairs may merge, a merge can be lower than one below it.
        n_merges = int(np.searchsorted(np.maximum.accumulate(linkage.distance), distance, side="right"))
    return ordered_by_size(_roots(linkage.left, linkage.right, n, n_merges))


def ordered_by_size(labels: npt.NDArray[Any]) -> Ints:
    """Return labels renumbered by descending size, of equal ones by their first place; negative ones become -1."""
    labels = np.asarray(labels, np.int64)
    kept = labels >= 0
    ids, first, inverse, counts = np.unique(labels[kept], return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(ids.size, np.int64)
    rank[np.lexsort((first, -counts))] = np.arange(ids.size)
    out = np.full(labels.size, -1, np.int64)
    out[kept] = rank[inverse]
    return out


@njit(cache=True, nogil=True)
def _row_start(n: int, i: int) -> int:
    """Return where pair (i, j) would stand for j = 0, so that adding j gives its place."""
    return n * i - i * (i + 1) // 2 - i - 1


@njit(cache=True, nogil=True)
def _store(
    out: Floats,
    n: int,
    corner: tuple[int, int],
    one: tuple[Floats, Floats],
    other: tuple[Floats, Floats],
    products: Floats,
) -> None:
    """Write distances of a block of rows to a block of columns, each given as vectors and squared lengths."""
    i, j = corner
    rows, own = one
    columns, lengths = other
    for a in range(rows.shape[0]):
        start = _row_start(n, i + a)
        for b in range(a + 1 if i == j else 0, columns.shape[0]):
            both = own[a] + lengths[b]
            found = both - 2.0 * products[a, b]
            if found < _NEAR * both:
                found = 0.0
                for c in range(rows.shape[1]):
                    difference = rows[a, c] - columns[b, c]
                    found += difference * difference
            out[start + j + b] = found


@njit(cache=True, nogil=True)
def _part(squared: Floats, n: int, members: Ints, out: Floats) -> None:
    at = 0
    for a in range(members.size):
        start = _row_start(n, members[a])
        for b in range(a + 1, members.size):
            out[at] = squared[start + members[b]]
            at += 1


@njit(cache=True, nogil=True)
def _place(n: int, i: int, j: int) -> int:
    return _row_start(n, i) + j if i < j else _row_start(n, j) + i


@njit(cache=True, nogil=True)
def _chain(squared: Floats, n: int) -> tuple[Ints, Ints, Floats]:
    """Merge mutual nearest neighbours as a chain finds them; a merge is named by one vector of either side."""
    left, right, height = np.empty(n - 1, np.int64), np.empty(n - 1, np.int64), np.empty(n - 1)
    active, n_active = np.arange(n), n
    size = np.ones(n)
    chain, length = np.empty(n, np.int64), 0
    for merge in range(n - 1):
        if length == 0:
            chain[0] = active[0]
            length = 1
        while True:
            x = chain[length - 1]
            nearest, least = -1, np.inf
            if length > 1:
                # The one before wins a tie, so that the chain cannot run in a circle.
                nearest = chain[length - 2]
                least = squared[_place(n, x, nearest)]
            for at in range(n_active):
                i = active[at]
                if i != x:
                    found = squared[_place(n, i, x)]
                    if found < least:
                        nearest, least = i, found
            if length > 1 and nearest == chain[length - 2]:
                break
            chain[length] = nearest
            length += 1
        length -= 2
        gone, kept = min(x, nearest), max(x, nearest)
        left[merge], right[merge], height[merge] = gone, kept, least
        _merge(squared, n, active[:n_active], size, (gone, kept, least))
        at = np.searchsorted(active[:n_active], gone)
        active[at : n_active - 1] = active[at + 1 : n_active].copy()
        n_active -= 1
    return left, right, height


@njit(cache=True, nogil=True)
def _merge(squared: Floats, n: int, active: Ints, size: Floats, merged: tuple[int, int, float]) -> None:
    """Replace the distances of `kept` by those of its union with `gone` (Lance and Williams)."""
    gone, kept, between = merged
    for i in active:
        if i not in (gone, kept):
            place = _place(n, i, kept)
            total = size[i] + size[gone] + size[kept]
            found = (
                (size[i] + size[gone]) * squared[_place(n, i, gone)]
                + (size[i] + size[kept]) * squared[place]
                - size[i] * between
            ) / total
            squared[place] = max(found, 0.0)
    size[kept] += size[gone]


@njit(cache=True, nogil=True)
def _find(parent: Ints, node: int) -> int:
    root = node
    while parent[root] != root:
        root = parent[root]
    while parent[node] != root:
        parent[node], node = root, parent[node]
    return root


@njit(cache=True, nogil=True)
def _label(left: Ints, right: Ints, n: int) -> tuple[Ints, Ints]:
    """Name the sides of ordered merges by node instead of by a vector of theirs."""
    parent = np.arange(2 * n - 1)
    low, high = np.empty(n - 1, np.int64), np.empty(n - 1, np.int64)
    for merge in range(n - 1):
        a, b = _find(parent, left[merge]), _find(parent, right[merge])
        low[merge], high[merge] = min(a, b), max(a, b)
        parent[a] = parent[b] = n + merge
    return low, high


@njit(cache=True, nogil=True)
def _sizes(left: Ints, right: Ints, n: int) -> Ints:
    parent, size = np.arange(n), np.ones(n, np.int64)
    out = np.empty(n - 1, np.int64)
    for merge in range(n - 1):
        a, b = _find(parent, left[merge]), _find(parent, right[merge])
        parent[b] = a
        size[a] += size[b]
        out[merge] = size[a]
    return out


@njit(cache=True, nogil=True)
def _roots(left: Ints, right: Ints, n: int, n_merges: int) -> Ints:
    parent = np.arange(2 * n - 1)
    for merge in range(n_merges):
        parent[left[merge]] = parent[right[merge]] = n + merge
    out = np.empty(n, np.int64)
    for i in range(n):
        out[i] = _find(parent, i)
    return out
