"""Where a map starts: each connected part of the graph by its slowest modes, the parts by the centres of their rows.

A start that is smooth over the graph is what lets the optimisation keep the order of things at large (Kobak, D. and
Linderman, G. C. (2021), Initialization is critical for preserving global data structure in both t-SNE and UMAP, Nature
Biotechnology 39, 156-157). Parts without connection know nothing of each other; their rows do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from saeatlas.kernels.directions import Read, blocks_of
from saeatlas.kernels.layout import Graph

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["part_centres", "principal_axes", "start_of", "to_start"]

Array = npt.NDArray[Any]

_DENSE = 400
"""Features up to which all modes are computed at once."""
_BASIS = 40
_RESTARTS = 40
"""Of the Lanczos iteration: a start need not be exact, and graphs that nearly fall apart take forever to be."""
_SIDE = 10.0
"""Length of each side of the start, as in umap-learn."""
_NOISE = 1e-4
"""Standard deviation, in the same unit, of what keeps equal rows from staying in one place, as in umap-learn."""


def start_of(graph: Graph, read: Read, rows: npt.NDArray[np.int64], n_axes: int, seed: int) -> dict[int, Array]:
    """Return a start in two dimensions and, for 3 axes, one in three, by their number; float32 [n, dim].

    Parameters
    ----------
    graph
        Over the features that are laid out.
    read, rows
        Gives rows of all features; which of them these are, ascending.
    n_axes
        2 or 3.
    seed
        Of the first vector of the iteration, and of the noise.

    Notes
    -----
    Deterministic for one build of the linear algebra library. Memory: 400 bytes per feature, 16 per edge, and one row
    in float64 for each part.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    n = rows.size
    matrix = csr_array((graph.weights.astype(np.float64), graph.ends, graph.indptr), shape=(n, n))
    n_parts, labels = connected_components(matrix, directed=False)
    order = np.argsort(labels, kind="stable")
    bounds = np.concatenate([[0], np.cumsum(np.bincount(labels, minlength=n_parts))])
    matrix = matrix[order][:, order] if n_parts > 1 else matrix
    axes = np.zeros((n, n_axes))
    for first, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        axes[order[first:stop]] = _slowest_modes(matrix[first:stop, first:stop], n_axes, seed)
    dims = range(2, n_axes + 1)
    if n_parts == 1:
        return {dim: to_start(axes[:, :dim], seed) for dim in dims}
    centres = principal_axes(part_centres(read, rows, labels, n_parts), n_axes, seed)
    return {dim: to_start(_apart(axes[:, :dim], labels, centres[:, :dim]), seed) for dim in dims}


def to_start(axes: Array, seed: int) -> npt.NDArray[np.float32]:
    """Bring coordinates to sides of equal length, with a little noise, as umap-learn does."""
    most = np.abs(axes).max(initial=0.0)
    scaled = axes * (_SIDE / most) if most > 0 else np.zeros(axes.shape)
    scaled = scaled + np.random.default_rng(seed).normal(scale=_NOISE, size=axes.shape)
    low, high = scaled.min(axis=0), scaled.max(axis=0)
    return np.asarray(_SIDE * (scaled - low) / np.where(high > low, high - low, 1.0), np.float32)


def part_centres(read: Read, rows: Array, labels: Array, n_parts: int) -> npt.NDArray[np.float64]:
    """Return the mean direction, of rows of length 1, of each part [n_parts, d]."""
    from scipy.sparse import csr_array

    sample = read(0, 1)
    centres = np.zeros((n_parts, sample.shape[1]))
    n_rows = int(rows[-1]) + 1
    for first, block in blocks_of(read, n_rows, 8 * sample.shape[1]):
        here = slice(*np.searchsorted(rows, [first, first + len(block)]).tolist())
        chosen = block[rows[here] - first]
        lengths = np.sqrt(np.einsum("ij,ij->i", chosen, chosen, dtype=np.float64))
        own = np.arange(lengths.size)
        centres += csr_array((1.0 / lengths, (labels[here], own)), shape=(n_parts, own.size)) @ chosen
    return centres / np.bincount(labels, minlength=n_parts)[:, None]


def principal_axes(points: npt.NDArray[np.float64], n_axes: int, seed: int) -> npt.NDArray[np.float64]:
    """Return the coordinates of points [n, d] along the axes of greatest variance, [n, n_axes]; 0 beyond their rank."""
    centred = points - points.mean(axis=0)
    if min(centred.shape) > _DENSE:
        from scipy.sparse.linalg import svds

        first = np.random.default_rng(seed).normal(size=min(centred.shape))
        left, sizes, _ = svds(centred, k=n_axes, v0=first, solver="arpack")
        left, sizes = left[:, ::-1], sizes[::-1]
    else:
        left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    found = np.zeros((len(points), n_axes))
    kept = min(n_axes, sizes.size)
    found[:, :kept] = left[:, :kept] * sizes[:kept]
    return _upright(found)


def _slowest_modes(matrix: sparse.csr_array, n_axes: int, seed: int) -> npt.NDArray[np.float64]:
    """Return the eigenvectors of D^-1/2 A D^-1/2 for its largest eigenvalues but the first, of a connected graph."""
    from scipy.sparse import diags_array
    from scipy.sparse.linalg import ArpackNoConvergence, eigsh

    n = matrix.shape[0]
    found = np.zeros((n, n_axes))
    if n == 1:
        return found
    roots = np.sqrt(matrix.sum(axis=0))
    scale = diags_array(1.0 / roots)
    normal = (scale @ matrix @ scale).tocsr()
    if n <= _DENSE:
        modes = np.linalg.eigh(normal.toarray())[1][:, ::-1]
    else:
        first = np.random.default_rng(seed).normal(size=n)
        try:
            values, modes = eigsh(normal, n_axes + 1, which="LA", ncv=_BASIS, tol=1e-3, v0=first, maxiter=_RESTARTS)
            modes = modes[:, np.argsort(-values, kind="stable")]
        except ArpackNoConvergence:
            modes = _smooth_noise(normal, roots, n_axes, seed)
    kept = min(n_axes, n - 1)
    found[:, :kept] = modes[:, 1 : kept + 1]
    return _upright(found)


def _smooth_noise(normal: sparse.csr_array, slowest: Array, n_more: int, seed: int) -> npt.NDArray[np.float64]:
    """Return the slowest mode and others orthogonal to it: noise that 200 steps along the edges have smoothed."""
    noise = np.random.default_rng(seed).normal(size=(slowest.size, n_more))
    vectors = np.column_stack([slowest, noise])
    for step in range(200):
        vectors = vectors + normal @ vectors
        if step % 10 == 9:
            vectors = np.linalg.qr(vectors)[0]
    return vectors


def _upright(axes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Turn each axis so that its coordinate of greatest size is positive: a decomposition leaves the sign open."""
    if not len(axes):
        return axes
    largest = axes[np.argmax(np.abs(axes), axis=0), np.arange(axes.shape[1])]
    return axes * np.where(largest < 0, -1.0, 1.0)


def _apart(axes: Array, labels: Array, centres: Array) -> Array:
    """Draw each part around its centre, half as wide as the way to the nearest other one."""
    from scipy.spatial import cKDTree

    distances = np.asarray(cKDTree(centres).query(centres, k=[2])[0])[:, 0]
    wide = np.where(distances > 0, distances / 2.0, np.abs(centres).max(initial=0.0) / 1000.0 or 1.0)
    most = np.zeros(len(centres))
    np.maximum.at(most, labels, np.abs(axes).max(axis=1))
    return centres[labels] + axes * (wide / np.where(most > 0, most, 1.0))[labels, None]
