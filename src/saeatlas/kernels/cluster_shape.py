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
_NEAR = 1e-6
"""Below this share of both squared lengths a squared distance is computed from the difference of the vectors."""
_TIE = 1e-9
"""Squared distances that differ by a smaller share are equal."""
_EPSILON = float(np.finfo(np.float64).eps)


def silhouettes(vectors: npt.NDArray[Any], labels: Ints) -> Floats:
    """Return the silhouette of each vector for squared Euclidean distances, NaN for those in no cluster.

    With a the mean distance to the others of its own cluster, and b the least mean distance to another cluster, it is
    (b - a) / max(a, b), and 0 alone in a cluster (P. Rousseeuw, 1987, Silhouettes, Journal of Computational and
    Applied Mathematics 20, 53-65); it is 0 where both are. For vectors of length 1 the squared distance is
    2 (1 - cosine), so these are the silhouettes for the cosine distance as well. The mean squared distance to a cluster
    is that to its mean and its scatter about it, so the time is that of vectors times clusters, not of all pairs.

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
    means = _means(vectors, labels, sizes)
    from_mean = _from_mean(vectors, labels, means)
    scatter = np.bincount(labels[labels >= 0], from_mean[labels >= 0], sizes.size) / sizes
    # What the rounding of a mean alone would make of equal vectors, as a share of their squared lengths.
    rounding = np.square(_EPSILON * (sizes + 2.0))
    squares = np.einsum("ij,ij->i", means, means)
    scatter[scatter <= rounding * squares] = 0.0
    for start, block in _blocks(vectors):
        own = labels[start : start + block.shape[0]]
        inside = own >= 0
        mean_to = _to_means(block, means, squares, rounding) + scatter
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
    far = _from_mean(vectors, labels, _means(vectors, labels, sizes))
    inside = labels >= 0
    least = np.full(sizes.size, np.inf)
    np.minimum.at(least, labels[inside], far[inside])
    # Of two vectors, both are equally near their mean, whatever rounding makes of it.
    nearest = np.flatnonzero(inside & (far <= least[np.maximum(labels, 0)] * (1 + _TIE)))
    found = np.full(sizes.size, labels.size)
    np.minimum.at(found, labels[nearest], nearest)
    return found


def _blocks(vectors: npt.NDArray[Any]) -> Iterator[tuple[int, Floats]]:
    for start in range(0, vectors.shape[0], _BLOCK):
        yield start, vectors[start : start + _BLOCK].astype(np.float64)


def _means(vectors: npt.NDArray[Any], labels: Ints, sizes: Ints) -> Floats:
    """Return the mean vector of each cluster."""
    sums = np.zeros((sizes.size, vectors.shape[1]))
    for start, block in _blocks(vectors):
        own = labels[start : start + block.shape[0]]
        inside = own >= 0
        np.add.at(sums, own[inside], block[inside])
    means: Floats = sums / sizes[:, None]
    return means


def _from_mean(vectors: npt.NDArray[Any], labels: Ints, means: Floats) -> Floats:
    """Return the squared distance of each vector from the mean of its cluster, infinite for those in none."""
    out = np.full(labels.size, np.inf)
    for start, block in _blocks(vectors):
        own = labels[start : start + block.shape[0]]
        rows = np.flatnonzero(own >= 0)
        difference = block[rows] - means[own[rows]]
        out[start + rows] = np.einsum("ij,ij->i", difference, difference)
    return out


def _to_means(block: Floats, means: Floats, squares: Floats, rounding: Floats) -> Floats:
    """Return the squared distance of each vector of a block from each mean, [vectors, means]."""
    both = np.einsum("ij,ij->i", block, block)[:, None] + squares
    found: Floats = both - 2.0 * (block @ means.T)
    near = found < _NEAR * both
    for mean in np.flatnonzero(near.any(axis=0)).tolist():
        rows = np.flatnonzero(near[:, mean])
        difference = block[rows] - means[mean]
        found[rows, mean] = np.einsum("ij,ij->i", difference, difference)
    found[found <= rounding * both] = 0.0
    return found
