"""The space in which features are clustered: with all pairs in memory, or with the nearest neighbours of each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from saeatlas.extras import require
from saeatlas.kernels.ward import Linkage, pairs_of, squared_distances, ward

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from saeatlas.progress import Progress

__all__ = ["AllPairs", "NearestPairs", "Space"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_LEAST = 1e-9
"""Stands for distance 0 in a sparse matrix, where 0 says that there is no edge."""

_BLOCK = 1024


class Space(ABC):
    """Vectors to cluster. `members` are places of some of them, ascending, int64 [m]."""

    pairs: str
    """Which pairs may be joined: 'all', or such as 'nearest-30'."""

    def __init__(self, vectors: npt.NDArray[Any]) -> None:
        self.vectors = vectors
        self.n = vectors.shape[0]

    @abstractmethod
    def tree(self, members: Ints) -> Linkage:
        """Return Ward's tree over at least one member."""

    @abstractmethod
    def last_tree(self) -> Linkage:
        """Return Ward's tree over all vectors; nothing else may be asked after it."""

    @abstractmethod
    def density_graph(self, members: Ints, min_samples: int) -> csr_array[Any]:
        """Return distances between members, symmetric, in which a tree of least mutual reachability can be found.

        Each row lists itself and its `min_samples - 1` nearest, so that its core distance is in it.
        """


class AllPairs(Space):
    """Exact: every pair counts. Holds 8 bytes for each pair, once."""

    pairs = "all"

    def __init__(self, vectors: npt.NDArray[Any]) -> None:
        super().__init__(vectors)
        self._squared = squared_distances(vectors)

    def tree(self, members: Ints) -> Linkage:
        return ward(pairs_of(self._squared, self.n, members), members.size)

    def last_tree(self) -> Linkage:
        # In place: a copy would double the memory of the whole analysis.
        return ward(self._squared, self.n)

    def density_graph(self, members: Ints, min_samples: int) -> csr_array[Any]:
        from saeatlas.kernels.reachability import nearest_pairs, spanning_tree

        neighbors, near = nearest_pairs(self._squared, self.n, members, min_samples - 1)
        core = near[:, -1] if min_samples > 1 else np.zeros(members.size)
        left, right, apart = spanning_tree(self._squared, self.n, members, np.ascontiguousarray(core))
        rows = np.repeat(np.arange(members.size), neighbors.shape[1])
        return _symmetric(
            members.size,
            np.concatenate([rows, left]),
            np.concatenate([neighbors.ravel(), right]),
            np.sqrt(np.concatenate([near.ravel(), apart])),
        )


class NearestPairs(Space):
    """Approximate: only a vector and its nearest neighbours may be joined, for widths whose pairs do not fit."""

    def __init__(self, vectors: npt.NDArray[Any], k: int, progress: Progress, *, are_unit: bool) -> None:
        super().__init__(vectors)
        self.pairs = f"nearest-{k}"
        self._neighbors, self._distances = _all_nearest(vectors, min(k, self.n - 1), progress, are_unit=are_unit)

    def tree(self, members: Ints) -> Linkage:
        hierarchy = require("sklearn.cluster", extra="analyses", to="cluster features")
        if members.size == 1:
            return ward(np.empty(0), 1)
        graph = self._graph(members, 1)
        graph.data[:] = 1.0
        children, _, _, _, distance = hierarchy.ward_tree(
            self.vectors[members], connectivity=graph, return_distance=True
        )
        left, right = children.min(axis=1).astype(np.int64), children.max(axis=1).astype(np.int64)
        return Linkage(left, right, np.asarray(distance, np.float64), _sizes(left, right))

    def last_tree(self) -> Linkage:
        return self.tree(np.arange(self.n))

    def density_graph(self, members: Ints, min_samples: int) -> csr_array[Any]:
        return self._graph(members, min_samples - 1)

    def _graph(self, members: Ints, least: int) -> csr_array[Any]:
        """Join members to those of their neighbours that are members; at least `least` each, all connected."""
        place = np.full(self.n, -1, np.int64)
        place[members] = np.arange(members.size)
        other = place[self._neighbors[members]]
        inside = other >= 0
        rows = np.nonzero(inside)[0]
        edges = [(rows, other[inside], self._distances[members][inside])]
        lonely = np.flatnonzero(inside.sum(axis=1) < least)
        if lonely.size:
            vectors = self.vectors[members]
            found, distances = _nearest_neighbors(vectors, lonely, min(least, members.size - 1))
            edges.append((np.repeat(lonely, found.shape[1]), found.ravel(), distances.ravel()))
        graph = _symmetric(members.size, *(np.concatenate(part) for part in zip(*edges, strict=True)))
        return _connected(graph, self.vectors[members])


def _all_nearest(vectors: npt.NDArray[Any], k: int, progress: Progress, *, are_unit: bool) -> tuple[Ints, Floats]:
    """Return the k nearest of every vector; for vectors of length 1 the largest cosine is the least distance."""
    n = vectors.shape[0]
    with progress.task("nearest neighbours", total=n * (n + 1) / 2 if are_unit else n) as task:
        if not are_unit:
            return _nearest_neighbors(vectors, np.arange(n), k, task.advance)
        from saeatlas.kernels.neighbors import nearest

        found = nearest(lambda start, stop: vectors[start:stop], n, k, advance=task.advance)
    return found.ids.reshape(n, k), np.sqrt(np.maximum(2.0 - 2.0 * found.cosines, 0.0)).reshape(n, k)


def _nearest_neighbors(
    vectors: npt.NDArray[Any], rows: Ints, k: int, advance: Callable[[float], None] | None = None
) -> tuple[Ints, Floats]:
    """Return the k nearest of some vectors among all: places [rows, k], nearest first, and Euclidean distances.

    Candidates are found by products in the vectors' own precision, and measured in float64.
    """
    half = np.einsum("ij,ij->i", vectors, vectors) / 2
    neighbors, distances = np.empty((rows.size, k), np.int64), np.empty((rows.size, k))
    for start in range(0, rows.size, _BLOCK):
        part = rows[start : start + _BLOCK]
        nearness = vectors[part] @ vectors.T - half
        nearness[np.arange(part.size), part] = -np.inf
        found = np.sort(np.argpartition(nearness, nearness.shape[1] - k, axis=1)[:, nearness.shape[1] - k :], axis=1)
        apart = _distances(vectors, part, found)
        order = np.argsort(apart, axis=1, kind="stable")
        neighbors[start : start + part.size] = np.take_along_axis(found, order, axis=1)
        distances[start : start + part.size] = np.take_along_axis(apart, order, axis=1)
        if advance is not None:
            advance(part.size)
    return neighbors, distances


def _distances(vectors: npt.NDArray[Any], rows: Ints, others: Ints) -> Floats:
    out = np.empty(others.shape)
    for column in range(others.shape[1]):
        difference = vectors[rows].astype(np.float64) - vectors[others[:, column]]
        out[:, column] = np.sqrt(np.einsum("ij,ij->i", difference, difference))
    return out


def _symmetric(m: int, left: Ints, right: Ints, distance: Floats) -> csr_array[Any]:
    """Return edges both ways, each once, and every row's distance 0 to itself."""
    sparse = require("scipy.sparse", extra="analyses", to="cluster features")
    own = np.arange(m)
    keys = np.concatenate([left * m + right, right * m + left, own * m + own])
    values = np.concatenate([np.maximum(distance, _LEAST)] * 2 + [np.zeros(m)])
    unique, first = np.unique(keys, return_index=True)
    indptr = np.searchsorted(unique // m, np.arange(m + 1)).astype(np.int32)
    graph: csr_array[Any] = sparse.csr_array((values[first], (unique % m).astype(np.int32), indptr), shape=(m, m))
    return graph


def _connected(graph: csr_array[Any], vectors: npt.NDArray[Any]) -> csr_array[Any]:
    """Join each part but the largest to its nearest vector outside, until one part is left."""
    csgraph = require("scipy.sparse.csgraph", extra="analyses", to="cluster features")
    while True:
        n_parts, part = csgraph.connected_components(graph, directed=False)
        if n_parts == 1:
            return graph
        edges = [_bridge(vectors, part == name) for name in range(n_parts) if name != np.bincount(part).argmax()]
        left, right, distance = (np.array(column) for column in zip(*edges, strict=True))
        rows = np.repeat(np.arange(graph.shape[0]), np.diff(graph.indptr))
        known = rows != graph.indices
        graph = _symmetric(
            graph.shape[0],
            np.concatenate([rows[known], left]),
            np.concatenate([graph.indices[known].astype(np.int64), right]),
            np.concatenate([graph.data[known], distance]),
        )


def _bridge(vectors: npt.NDArray[Any], inside: npt.NDArray[np.bool_]) -> tuple[int, int, float]:
    """Return the nearest pair of a vector inside and one outside, and their distance."""
    members = np.flatnonzero(inside)
    half = np.einsum("ij,ij->i", vectors, vectors) / 2
    best = (0, 0, np.inf)
    for start in range(0, members.size, _BLOCK):
        part = members[start : start + _BLOCK]
        nearness = vectors[part] @ vectors.T - half
        nearness[:, inside] = -np.inf
        nearest = np.argmax(nearness, axis=1)
        apart = _distances(vectors, part, nearest[:, None])[:, 0]
        row = int(np.argmin(apart))
        if apart[row] < best[2]:
            best = (int(part[row]), int(nearest[row]), float(apart[row]))
    return best


def _sizes(left: Ints, right: Ints) -> Ints:
    """Return how many vectors are below each merge of named nodes."""
    n = left.size + 1
    sizes = np.ones(2 * n - 1, np.int64)
    for merge, (a, b) in enumerate(zip(left.tolist(), right.tolist(), strict=True)):
        sizes[n + merge] = sizes[a] + sizes[b]
    return sizes[n:]
