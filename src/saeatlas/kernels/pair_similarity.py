"""How alike the members of a group are, and the members of two groups: cosines of vectors, Jaccard of sets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from saeatlas.kernels.text_sets import TextSets

__all__ = [
    "CrossCosines",
    "PairCosines",
    "cross_cosines",
    "cross_jaccard",
    "jaccard",
    "pair_cosines",
    "pair_jaccard",
    "unit_vectors",
]

Floats = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]
Ids = npt.NDArray[Any]
"""Whole numbers of any width."""

_NUMBERS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class PairCosines:
    """Cosines of all pairs within each group; NaN for a group without pairs."""

    n_pairs: Int64
    """Pairs of members that both have a direction."""
    mean: Floats
    """Mean cosine of the pairs."""
    std: Floats
    """Population standard deviation of the cosines (divided by `n_pairs`)."""
    min: Floats
    """Smallest cosine."""
    max: Floats
    """Largest cosine."""


@dataclass(frozen=True)
class CrossCosines:
    """Cosines of all pairs of a member of one group and a member of another; NaN where either has no direction."""

    mean: Floats
    """Mean cosine of the pairs."""
    best: Floats
    """Mean, over the members of the first group, of the largest cosine to a member of the second."""
    best_back: Floats
    """The same from the second group to the first."""


def unit_vectors(vectors: npt.NDArray[Any]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return vectors scaled to length 1, float64 [n, width], and which have a direction: zero vectors stay zero."""
    wide = vectors.astype(np.float64)
    norms = np.sqrt(np.einsum("ij,ij->i", wide, wide))
    has_direction = norms > 0
    return wide / np.where(has_direction, norms, 1.0)[:, None], has_direction


def pair_cosines(indptr: Int64, unit: Floats, has_direction: npt.NDArray[np.bool_]) -> PairCosines:
    """Compare all members of each group with each other.

    Parameters
    ----------
    indptr
        Where each group starts and ends in `unit`, int64 [groups + 1], from 0.
    unit, has_direction
        As `unit_vectors` gives them; members without a direction are in no pair.

    Notes
    -----
    Groups of one size are multiplied together; holds 32 MB for them, and 16 bytes per pair of a group.
    """
    starts, members = _with_direction(indptr, has_direction)
    sizes = np.diff(starts)
    out = np.full((4, sizes.size), np.nan)
    for n, groups in _by_size(sizes[:, None]):
        if n[0] < 2:
            continue
        one, other = np.triu_indices(n[0], 1)
        for part in _parts(groups, n[0] * (unit.shape[1] + n[0])):
            vectors = unit[members[starts[part, None] + np.arange(n[0])]]
            # Contiguous, so that the order of summing does not depend on how many groups are summed at once.
            found = np.ascontiguousarray((vectors @ vectors.transpose(0, 2, 1))[:, one, other])
            np.clip(found, -1.0, 1.0, out=found)
            out[:, part] = found.mean(axis=1), found.std(axis=1), found.min(axis=1), found.max(axis=1)
    return PairCosines(sizes * (sizes - 1) // 2, *out)


def cross_cosines(
    indptr: Int64, unit: npt.NDArray[Any], has_direction: npt.NDArray[np.bool_], first: Int64, second: Int64
) -> CrossCosines:
    """Compare all members of one group with all of another, for pairs of groups.

    Parameters
    ----------
    indptr, unit, has_direction
        As in `pair_cosines`; `unit` may be float32.
    first, second
        Groups to compare, [pairs].

    Notes
    -----
    Holds 64 MB beside the answer.
    """
    starts, members = _with_direction(indptr, has_direction)
    sizes = np.diff(starts)
    out = np.full((3, first.size), np.nan)
    for n, pairs in _by_size(np.column_stack([sizes[first], sizes[second]])):
        if not n.all():
            continue
        for part in _parts(pairs, int(n.sum()) * unit.shape[1] + int(n.prod())):
            ours = unit[members[starts[first[part], None] + np.arange(n[0])]].astype(np.float64)
            theirs = unit[members[starts[second[part], None] + np.arange(n[1])]].astype(np.float64)
            found = np.clip(ours @ theirs.transpose(0, 2, 1), -1.0, 1.0)
            flat = np.ascontiguousarray(found.reshape(part.size, -1))
            best = np.ascontiguousarray(found.max(axis=2)), np.ascontiguousarray(found.max(axis=1))
            out[:, part] = flat.mean(axis=1), best[0].mean(axis=1), best[1].mean(axis=1)
    return CrossCosines(*out)


def pair_jaccard(indptr: Int64, sets: TextSets) -> Floats:
    """Return the mean Jaccard similarity of all pairs within each group, NaN for one with fewer than two members.

    The Jaccard similarity of two sets is the size of their intersection over that of their union; 1 where both are
    empty, and so 0 where one is.

    Parameters
    ----------
    indptr
        Which sets are of each group, int64 [groups + 1], from 0.
    sets
        The sets.
    """
    return _pair_jaccard(indptr, sets.indptr, sets.ids)


def cross_jaccard(indptr: Int64, sets: TextSets, first: Int64, second: Int64) -> Floats:
    """Return the mean Jaccard similarity of a set of one group and a set of another, [pairs]; NaN where one has none.

    Parameters
    ----------
    indptr, sets
        As in `pair_jaccard`.
    first, second
        Groups to compare, [pairs].
    """
    return _cross_jaccard(indptr, sets.indptr, sets.ids, first, second)


def _with_direction(indptr: Int64, has_direction: npt.NDArray[np.bool_]) -> tuple[Int64, Int64]:
    """Return where each group starts among the members that have a direction, and which those are."""
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(has_direction)])
    return before[indptr], np.flatnonzero(has_direction)


def _by_size(sizes: Int64) -> Iterator[tuple[Int64, Int64]]:
    """Yield each different line of `sizes`, and the places that have it."""
    different, which = np.unique(sizes, axis=0, return_inverse=True)
    order = np.argsort(which.ravel(), kind="stable")
    edges = np.searchsorted(which.ravel()[order], np.arange(len(different) + 1))
    for index, line in enumerate(different):
        yield line, order[edges[index] : edges[index + 1]]


def _parts(places: Int64, numbers: int) -> Iterator[Int64]:
    """Yield places so many at a time that `numbers` each stay within bounds."""
    at_once = max(1, _NUMBERS_AT_ONCE // max(int(numbers), 1))
    for start in range(0, places.size, at_once):
        yield places[start : start + at_once]


@njit(cache=True, nogil=True)
def jaccard(indptr: Int64, ids: Ids, one: int, other: int) -> float:
    """Return the Jaccard similarity of two of many sets, whose members ascend; 1 for two empty ones."""
    i, end = indptr[one], indptr[one + 1]
    j, other_end = indptr[other], indptr[other + 1]
    total = (end - i) + (other_end - j)
    if total == 0:
        return 1.0
    shared = 0
    while i < end and j < other_end:
        a, b = ids[i], ids[j]
        if a == b:
            shared += 1
        i += a <= b
        j += b <= a
    return float(shared / (total - shared))


@njit(cache=True, nogil=True)
def _pair_jaccard(groups: Int64, indptr: Int64, ids: Int64) -> Floats:
    out = np.full(groups.size - 1, np.nan)
    for group in range(groups.size - 1):
        low, high = groups[group], groups[group + 1]
        n = high - low
        if n < 2:
            continue
        total = 0.0
        for one in range(low, high):
            for other in range(one + 1, high):
                total += jaccard(indptr, ids, one, other)
        out[group] = total / (n * (n - 1) // 2)
    return out


@njit(cache=True, nogil=True)
def _cross_jaccard(groups: Int64, indptr: Int64, ids: Int64, first: Int64, second: Int64) -> Floats:
    out = np.full(first.size, np.nan)
    for pair in range(first.size):
        low, high = groups[first[pair]], groups[first[pair] + 1]
        other_low, other_high = groups[second[pair]], groups[second[pair] + 1]
        n = (high - low) * (other_high - other_low)
        if n == 0:
            continue
        total = 0.0
        for one in range(low, high):
            for other in range(other_low, other_high):
                total += jaccard(indptr, ids, one, other)
        out[pair] = total / n
    return out
