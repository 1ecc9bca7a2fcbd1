"""New features on a map that is there already: near their exact neighbours, and nothing else moves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from saeatlas.analyses._umap_graph import Shape, edges_to, n_epochs_of
from saeatlas.errors import InvalidInput

if TYPE_CHECKING:
    from saeatlas.analyses._umap_quality import Map
    from saeatlas.kernels.directions import Read

__all__ = ["Existing", "place"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Existing:
    """The features that are on the maps."""

    read: Read
    """Gives directions of all features of their SAE."""
    rows: npt.NDArray[np.int64]
    """Which of them are on the maps, ascending; the rest have no direction."""
    n_rows: int
    """Features of that SAE."""
    maps: Mapping[int, Map]
    """By number of dimensions."""


def place(
    directions: Array, existing: Existing, shape: Shape, *, n_epochs: int = 0, seed: int = 42
) -> dict[int, npt.NDArray[np.float64]]:
    """Return positions of new features on each map, [m, dim], in the unit of the map.

    Parameters
    ----------
    directions
        [m, d], none of them zero.
    existing
        What is on the maps.
    shape
        The parameters that the maps were drawn with.
    n_epochs
        As for a map of all; a third of them are used, as umap-learn's `transform` does.
    seed
        Of the random others that push.

    Notes
    -----
    A new feature starts at the mean of its exact nearest neighbours, weighted as umap-learn weighs them, and settles
    by attraction to them and repulsion from random others, which all stay where they are. New features do not see each
    other: each comes to lie where it would alone.
    """
    from saeatlas.kernels.layout import settle
    from saeatlas.kernels.neighbors import nearest_to

    n = existing.rows.size
    if not n:
        raise InvalidInput("There is nothing on the map that new features could be placed beside")
    if not len(directions):
        return {dim: np.empty((0, dim)) for dim in existing.maps}
    found = nearest_to(directions, existing.read, existing.n_rows, min(shape.n_neighbors, n))
    steps = max(1, n_epochs_of(n_epochs, n) // 3)
    edges, shares = edges_to(found, steps)
    # Edges lead to features; the map knows those with a direction only, and a neighbour always has one.
    ends = np.searchsorted(existing.rows, edges.ends).astype(np.int32)
    edges = type(edges)(edges.indptr, ends, edges.weights)
    near = np.searchsorted(existing.rows, found.ids).reshape(shares.shape)
    curve = shape.curve()
    placed = {}
    for dim, one in existing.maps.items():
        fixed = (one.positions / one.scale).astype(np.float32)
        start = np.einsum("mk,mkd->md", shares, fixed[near].astype(np.float64)).astype(np.float32)
        settled = settle(start, fixed, edges, curve, steps, seed)
        placed[dim] = settled.astype(np.float64) * one.scale
    return placed
