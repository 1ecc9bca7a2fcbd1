"""How tight clusters are, and the vector in the middle of each, from sums instead of all pairs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["medoids", "silhouettes"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_BLOCK = 2048


def silhouettes(vectors: npt.NDArray[Any], labels: Ints) -> Floats:
    """Return the silhouette of each vector for squared Euclidean distances, NaN for those in no cluster.

    With a the mean distance to the others of its own cluster, and b the least mean distance to another cluster, it is
    (b - a) / max(a, b), and 0 alone in a cluster (P. Rousseeuw, 1987, Silhouettes, Journal of Computational and
    Applied Mathematics 20, 53-65). For vectors of length 1 the squared distance is 2 (1 - cosine), so these are the
    silhouettes for the cosine distance as well. Mean squared distances follow from the means of the clusters,
    so the time is that of vectors times clusters, not of all pairs.

    Parameters
    ----------
    vectors
        float32 or float64 [n, d].
    labels
        Cluster of each, from 0 without gaps; negative in none. int64 [n].

    Returns
    -------
    Floats
        float64 [n]; all NaN with fewer than 2 clusters, for which there is no other cluster.
    """
    out = np.full(labels.size, np.nan)
    sizes = np.bincount(labels[labels >= 0])
    if sizes.size < 2:
        return out
    means, squares = _means(vectors, labels, sizes)
    for start, block in _blocks(vectors):
        own = labels[start : start + block.shape[0]]
        inside = own >= 0
        lengths = np.einsum("ij,ij->i", block, block)
        mean_to = np.maximum(lengths[:, None] + squares - 2.0 * (block @ means.T), 0.0)
        rows = np.flatnonzero(inside)
        column = own[rows]
        # A vector is at distance 0 from itself: its own cluster's sum is over the others.
        a = mean_to[rows, column] * sizes[column] / np.maximum(sizes[column] - 1, 1)
        mean_to[rows, column] = np.inf
        b = mean_to[rows].min(axis=1)
        largest = np.maximum(a, b)
        found = np.divide(b - a, largest, out=np.zeros(rows.size), where=largest > 0)
        out[start + rows] = np.where(sizes[column] > 1, found, 0.0)
    return out


def medoids(vectors: npt.NDArray[Any], labels: Ints) -> Ints:
    """Return for each cluster the vector with the least sum of squared distances to the others, int64 [clusters].

    It is the one nearest the mean; of equally near ones the first.
    """
    sizes = np.bincount(labels[labels >= 0])
    if not sizes.size:
        return np.empty(0, np.int64)
    means, _ = _means(vectors, labels, sizes)
    far = np.full(labels.size, np.inf)
    for start, block in _blocks(vectors):
        own = labels[start : start + block.shape[0]]
        rows = np.flatnonzero(own >= 0)
        difference = block[rows] - means[own[rows]]
        far[start + rows] = np.einsum("ij,ij->i", difference, difference)
    order = np.lexsort((far, labels))
    order = order[labels[order] >= 0]
    firsts: Ints = order[np.cumsum(sizes) - sizes]
    return firsts


def _blocks(vectors: npt.NDArray[Any]) -> Iterator[tuple[int, Floats]]:
    for start in range(0, vectors.shape[0], _BLOCK):
        yield start, vectors[start : start + _BLOCK].astype(np.float64)


def _means(vectors: npt.NDArray[Any], labels: Ints, sizes: Ints) -> tuple[Floats, Floats]:
    """Return the mean vector of each cluster and the mean squared length of its vectors."""
    sums, squares = np.zeros((sizes.size, vectors.shape[1])), np.zeros(sizes.size)
    for start, block in _blocks(vectors):
        own = labels[start : start + block.shape[0]]
        inside = own >= 0
        np.add.at(sums, own[inside], block[inside])
        np.add.at(squares, own[inside], np.einsum("ij,ij->i", block, block)[inside])
    return sums / sizes[:, None], squares / sizes
