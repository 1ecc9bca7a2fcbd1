"""UMAP's optimisation of a map: attraction along the edges of a graph, repulsion from random others.

It follows the reference implementation (McInnes, L., Healy, J. and Melville, J. (2018), UMAP, arXiv:1802.03426, and the
package umap-learn): the same schedule of edges, the same gradients, each coordinate of each limited to 4, both ends of
an edge pulled, five repulsions for each attraction, a rate that falls linearly to 0. Three things differ, for speed and
so that the result does not depend on threads: gradients are read from a table (relative error below 0.0005), the five
repulsions of an attraction start from the same place and their sum is limited to 4 too, and the generator of random
numbers is one of its own, seeded by feature and epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["Curve", "Graph", "optimise", "settle"]

Array = npt.NDArray[Any]
Scalar = Any
"""A number whose width only the compiler knows: float32 or uint64."""

_REPULSIONS = 5
_BITS = 6
"""Bits of the mantissa that number the segments of an octave."""
_LOWEST, _HIGHEST = -40, 24
"""Exponents of 2 between which squared distances are tabulated; beyond, the ends are used."""
_SHIFT = 23 - _BITS
_FRACTION = np.float32(1.0 / (1 << _SHIFT))
_OFFSET = (127 + _LOWEST) << _BITS
_LIMIT = np.float32(4.0)


@dataclass(frozen=True)
class Graph:
    """Weighted edges in both directions, row by row."""

    indptr: npt.NDArray[np.int64]
    """[n + 1] where each feature's edges start and end."""
    ends: npt.NDArray[np.int32]
    """Where each edge leads."""
    weights: npt.NDArray[np.float32]
    """Above 0; how often an edge pulls, relative to the largest."""


@dataclass(frozen=True)
class Curve:
    """How nearness on the map falls with distance r: 1 / (1 + a r^(2 b)), and how strong repulsion is."""

    a: float
    b: float
    repulsion: float = 1.0

    def tables(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return gradients per difference of coordinates: attraction, repulsion; at the segments' ends."""
        part = 1.0 + np.arange(1 << _BITS) / (1 << _BITS)
        squares = np.append((2.0 ** np.arange(_LOWEST, _HIGHEST)[:, None] * part).ravel(), 2.0**_HIGHEST)
        falling = 1.0 + self.a * squares**self.b
        attraction = -2.0 * self.a * self.b * squares ** (self.b - 1.0) / falling
        repulsion = 2.0 * self.repulsion * self.b / ((0.001 + squares) * falling)
        return attraction.astype(np.float32), repulsion.astype(np.float32)


def optimise(
    start: npt.NDArray[np.float32],
    graph: Graph,
    curve: Curve,
    n_epochs: int,
    seed: int,
    advance: Callable[[float], None] | None = None,
) -> npt.NDArray[np.float32]:
    """Return positions, float32 [n, dim], after `n_epochs` from a start [n, dim] of 1 to 3 coordinates.

    Runs in one thread, without the interpreter's lock; the same input gives the same bits. Memory: 16 bytes per
    feature and 8 per edge beside the input. `advance` is called with 1 after each epoch.
    """
    positions = np.zeros((len(start), 4), np.float32)
    positions[:, : start.shape[1]] = start
    attraction, repulsion = curve.tables()
    most = graph.weights.max() if graph.weights.size else np.float32(1.0)
    every = np.asarray(most / graph.weights, np.float32)
    due = every.copy()
    for epoch in range(n_epochs):
        rate = np.float32(1.0 - epoch / n_epochs)
        _epoch(positions, (graph.indptr, graph.ends, every, due), (attraction, repulsion), rate, (epoch, seed))
        if advance is not None:
            advance(1)
    return positions[:, : start.shape[1]].copy()


def settle(
    start: npt.NDArray[np.float32],
    fixed: npt.NDArray[np.float32],
    graph: Graph,
    curve: Curve,
    n_epochs: int,
    seed: int,
) -> npt.NDArray[np.float32]:
    """Return positions of new features among others that stay where they are.

    Parameters
    ----------
    start
        float32 [m, dim] where the new ones start.
    fixed
        float32 [n, dim] positions of the others.
    graph
        Edges from each of the new ones to others.
    curve, n_epochs, seed
        As for `optimise`. The rate starts at 1 / 4, as in umap-learn's `transform`.

    Notes
    -----
    New features do not see each other, so each would settle in the same place alone. Each edge pulls twice for its five
    repulsions, as it does for a feature on a map of all; umap-learn's `transform` pulls once, and leaves new ones at
    the borders of groups.
    """
    positions, others = (np.zeros((len(points), 4), np.float32) for points in (start, fixed))
    positions[:, : start.shape[1]], others[:, : fixed.shape[1]] = start, fixed
    attraction, repulsion = curve.tables()
    # Relative to 1, not to the largest of all: how often one is pulled must not depend on those placed with it.
    every = (1.0 / graph.weights).astype(np.float32)
    due = every.copy()
    for epoch in range(n_epochs):
        rate = np.float32(0.25 * (1.0 - epoch / n_epochs))
        edges = graph.indptr, graph.ends, every, due
        _settle_epoch((positions, others), edges, (attraction, repulsion), rate, (epoch, seed))
    return positions[:, : start.shape[1]].copy()


@njit(cache=True, nogil=True, inline="always")
def _read(table: Array, square: Scalar) -> Scalar:
    """Return a gradient, linear between the ends of the segment that the bits of the squared distance name."""
    bits = np.float32(square).view(np.int32)
    segment = (bits >> _SHIFT) - _OFFSET
    if segment < 0:
        return table[0]
    if segment >= table.size - 1:
        return table[table.size - 1]
    part = np.float32(bits & ((1 << _SHIFT) - 1)) * _FRACTION
    return table[segment] + part * (table[segment + 1] - table[segment])


@njit(cache=True, nogil=True, inline="always")
def _limited(number: Scalar) -> Scalar:
    return min(_LIMIT, max(-_LIMIT, number))


@njit(cache=True, nogil=True, inline="always")
def _seeded(seed: int, epoch: int, row: int) -> Scalar:
    """Mix three numbers into a state (the finalizer of SplitMix64, Steele, Lea and Flood 2014)."""
    state = np.uint64(seed) * np.uint64(0x2545F4914F6CDD1D)
    state += np.uint64(row) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(epoch) * np.uint64(0xD1B54A32D192ED03)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


@njit(cache=True, nogil=True, inline="always")
def _repelled(
    place: tuple[Scalar, Scalar, Scalar], others: Array, own: int, table: Array, state: Scalar
) -> tuple[Scalar, Scalar, Scalar, Scalar]:
    """Return the push of five random others on a place, and the state of the generator after drawing them."""
    x, y, z = place
    n = np.uint64(others.shape[0])
    push_x: Scalar = np.float32(0.0)
    push_y: Scalar = np.float32(0.0)
    push_z: Scalar = np.float32(0.0)
    for _ in range(_REPULSIONS):
        state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
        k = np.int64(((state >> np.uint64(32)) * n) >> np.uint64(32))
        apart_x, apart_y, apart_z = x - others[k, 0], y - others[k, 1], z - others[k, 2]
        force = _read(table, apart_x * apart_x + apart_y * apart_y + apart_z * apart_z)
        if k == own:
            force = np.float32(0.0)
        push_x += _limited(force * apart_x)
        push_y += _limited(force * apart_y)
        push_z += _limited(force * apart_z)
    return _limited(push_x), _limited(push_y), _limited(push_z), state


@njit(cache=True, nogil=True)
def _epoch(
    positions: Array,
    edges: tuple[Array, Array, Array, Array],
    tables: tuple[Array, Array],
    rate: Scalar,
    when: tuple[int, int],
) -> None:
    """Pull both ends of every edge that is due, one after the other."""
    indptr, ends, every, due = edges
    attraction, repulsion = tables
    epoch, seed = when
    for i in range(positions.shape[0]):
        state = _seeded(seed, epoch, i)
        x, y, z = positions[i, 0], positions[i, 1], positions[i, 2]
        for edge in range(indptr[i], indptr[i + 1]):
            if due[edge] > epoch:
                continue
            due[edge] += every[edge]
            k = ends[edge]
            apart_x, apart_y, apart_z = x - positions[k, 0], y - positions[k, 1], z - positions[k, 2]
            force = _read(attraction, apart_x * apart_x + apart_y * apart_y + apart_z * apart_z)
            move_x = _limited(force * apart_x) * rate
            move_y = _limited(force * apart_y) * rate
            move_z = _limited(force * apart_z) * rate
            positions[k, 0] -= move_x
            positions[k, 1] -= move_y
            positions[k, 2] -= move_z
            x, y, z = x + move_x, y + move_y, z + move_z
            push_x, push_y, push_z, state = _repelled((x, y, z), positions, i, repulsion, state)
            x, y, z = x + push_x * rate, y + push_y * rate, z + push_z * rate
        positions[i, 0], positions[i, 1], positions[i, 2] = x, y, z


@njit(cache=True, nogil=True)
def _settle_epoch(
    points: tuple[Array, Array],
    edges: tuple[Array, Array, Array, Array],
    tables: tuple[Array, Array],
    rate: Scalar,
    when: tuple[int, int],
) -> None:
    """Pull every new feature along those of its edges that are due."""
    positions, others = points
    indptr, ends, every, due = edges
    attraction, repulsion = tables
    epoch, seed = when
    for i in range(positions.shape[0]):
        # All are drawn alike: where one settles must not depend on which others are placed with it.
        state = _seeded(seed, epoch, 0)
        x, y, z = positions[i, 0], positions[i, 1], positions[i, 2]
        for edge in range(indptr[i], indptr[i + 1]):
            if due[edge] > epoch:
                continue
            due[edge] += every[edge]
            k = ends[edge]
            # On a map of all, an edge is there both ways and each of them pulls both ends.
            for _ in range(2):
                apart_x, apart_y, apart_z = x - others[k, 0], y - others[k, 1], z - others[k, 2]
                force = _read(attraction, apart_x * apart_x + apart_y * apart_y + apart_z * apart_z)
                x += _limited(force * apart_x) * rate
                y += _limited(force * apart_y) * rate
                z += _limited(force * apart_z) * rate
            push_x, push_y, push_z, state = _repelled((x, y, z), others, -1, repulsion, state)
            x, y, z = x + push_x * rate, y + push_y * rate, z + push_z * rate
        positions[i, 0], positions[i, 1], positions[i, 2] = x, y, z
