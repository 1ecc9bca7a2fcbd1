"""What umap-learn makes of exact neighbours: the weighted graph whose edges a map keeps short, and its curve."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from saeatlas.extras import require

if TYPE_CHECKING:
    from saeatlas.kernels.layout import Curve, Graph
    from saeatlas.kernels.neighbors import Neighbors

__all__ = ["Shape", "edges_to", "graph_among", "n_epochs_of"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Shape:
    """How a map is to look: umap-learn's own parameters."""

    n_neighbors: int
    """Neighbours that a feature is kept near to, itself among them."""
    min_dist: float
    spread: float
    repulsion_strength: float

    def curve(self) -> Curve:
        """Fit how nearness on the map falls with distance."""
        from saeatlas.kernels.layout import Curve

        a, b = _umap().find_ab_params(self.spread, self.min_dist)
        return Curve(float(a), float(b), self.repulsion_strength)


def n_epochs_of(asked: int, n_features: int) -> int:
    """Return the epochs asked for, or for 0 those of umap-learn: 500 up to 10,000 features, 200 above."""
    return asked or (500 if n_features <= 10_000 else 200)


def graph_among(found: Neighbors, n_epochs: int) -> Graph:
    """Return the fuzzy graph of features with the same number of neighbours each, both ways, without faint edges.

    Parameters
    ----------
    found
        Neighbours of all features, k of each.
    n_epochs
        Edges that would pull less than once in so many epochs are left out, as umap-learn does.
    """
    from saeatlas.kernels.layout import Graph

    n = found.indptr.size - 1
    k = found.ids.size // n
    ids = np.concatenate([np.arange(n)[:, None], found.ids.reshape(n, k)], axis=1).astype(np.int32)
    distances = np.concatenate([np.zeros((n, 1)), _distances(found, n, k)], axis=1).astype(np.float32)
    # Only its length is asked for where the neighbours are given.
    rows = np.broadcast_to(np.float32(0), (n, 1))
    graph = _umap().fuzzy_simplicial_set(rows, k + 1, None, "cosine", knn_indices=ids, knn_dists=distances)[0].tocsr()
    graph.data[graph.data < graph.data.max() / n_epochs] = 0
    graph.eliminate_zeros()
    graph.sort_indices()
    return Graph(graph.indptr.astype(np.int64), graph.indices.astype(np.int32), graph.data.astype(np.float32))


def edges_to(found: Neighbors, n_epochs: int) -> tuple[Graph, npt.NDArray[np.float64]]:
    """Return weighted edges from new features to their neighbours among others, and weights that sum to 1, [m, k].

    As umap-learn's `transform` weighs them: no neighbour counts in full merely for being the nearest.
    """
    from saeatlas.kernels.layout import Graph

    m = found.indptr.size - 1
    k = found.ids.size // m
    distances = _distances(found, m, k).astype(np.float32)
    umap = _umap()
    sigmas, rhos = umap.smooth_knn_dist(distances, float(k), local_connectivity=0.0)
    ids = found.ids.reshape(m, k).astype(np.int32)
    strengths = umap.compute_membership_strengths(ids, distances, sigmas, rhos, bipartite=True)[2].reshape(m, k)
    kept = strengths >= strengths.max(axis=1, keepdims=True) / n_epochs
    graph = Graph(np.concatenate([[0], np.cumsum(kept.sum(axis=1))]), ids[kept], strengths[kept].astype(np.float32))
    shares = strengths.astype(np.float64)
    return graph, shares / shares.sum(axis=1, keepdims=True)


def _distances(found: Neighbors, n: int, k: int) -> Array:
    return np.maximum(0.0, 1.0 - found.cosines.reshape(n, k))


def _umap() -> ModuleType:
    with warnings.catch_warnings():
        # It warns that TensorFlow is missing, which only its parametric variant needs.
        warnings.simplefilter("ignore", ImportWarning)
        return require("umap.umap_", extra="analyses", to="draw a map")
