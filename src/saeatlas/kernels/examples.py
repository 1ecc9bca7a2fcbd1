"""Choose example rows of a feature: the strongest, some of each stratum of strength, and some at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from saeatlas.kernels.splitmix import mixed
from saeatlas.kernels.stats import Counts, SortedActive, Values, float32_or_64

__all__ = ["PICKS", "Picks", "Quota", "pick_examples"]

PICKS = ("top", "quantile", "random")
"""The ways to choose, in the order of their numbers."""


@dataclass(frozen=True)
class Quota:
    """How many examples of each kind to choose from one feature."""

    top: int = 20
    """Strongest rows."""
    strata: int = 4
    """Parts of equal size into which the active rows, by descending value, are cut."""
    per_stratum: int = 5
    """Rows drawn at random from each stratum."""
    random: int = 10
    """Rows drawn at random from all active ones."""
    seed: int = 0
    """Seed of both draws."""


@dataclass(frozen=True)
class Picks:
    """Chosen entries, by feature, then pick, then stratum, then rank."""

    feature: npt.NDArray[np.int64]
    """Feature id."""
    pick: npt.NDArray[np.uint8]
    """Index into `PICKS`."""
    stratum: npt.NDArray[np.int32]
    """0 for the strongest stratum; -1 for the picks that have none."""
    rank: npt.NDArray[np.int32]
    """From 0: by strength for 'top', in the order of drawing for the others, so that the first n are a draw of n."""
    entry: npt.NDArray[np.int64]
    """Position in the block's `rows` and `values`."""


def pick_examples(
    active: SortedActive, rows: npt.NDArray[Any], values: Values, quota: Quota, first_feature: int, *, indptr: Counts
) -> Picks:
    """Choose examples among the active entries of neighbouring features.

    Active entries are ordered by descending value, of equal ones the lower row first; 'top' takes the first
    ones. With n active entries, stratum s holds the places s n // strata up to (s + 1) n // strata of that
    order, so strata differ by one entry at most and none is in two. Draws take the entries whose hash of
    (seed, pick, feature, row) is least: without replacement, the same however the corpus is cut into blocks.

    Parameters
    ----------
    active
        Sorted active values of the same entries; the smallest of a feature is the least that counts as active.
    rows
        Global rows, ascending within a feature.
    values
        Values of the entries.
    quota
        How many to choose.
    first_feature
        Id of the first feature.
    indptr
        int64 [n_features + 1]: where each feature starts and ends in `rows` and `values`.

    Notes
    -----
    Holds 8 bytes per chosen entry while choosing and 25 to 70 for the answer; no copy of the values.
    """
    indptr, values = np.ascontiguousarray(indptr, np.int64), float32_or_64(values)
    salts = _feature_salts(quota.seed, first_feature, indptr.size - 1)
    n_top = np.minimum(active.n_active, quota.top)
    top = np.empty(int(n_top.sum()), np.int64)
    _pick_top(indptr, values, active.indptr, active.values, n_top, top)
    found = [_picks(0, n_top[:, None], top)]
    entries = (rows, values, active.indptr, active.values)
    for pick, n_strata, wanted in ((1, quota.strata, quota.per_stratum), (2, 1, quota.random)):
        borders = active.n_active[:, None] * np.arange(n_strata + 1) // n_strata
        sizes = np.minimum(np.diff(borders), wanted)
        drawn = np.empty(int(sizes.sum()), np.int64)
        if drawn.size:
            _pick_strata(indptr, entries, salts[pick], wanted, borders, drawn)
        found.append(_picks(pick, sizes, drawn))
    feature, pick_of, stratum, rank, entry = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(feature, kind="stable")
    return Picks(feature[order] + first_feature, pick_of[order], stratum[order], rank[order], entry[order])


def _feature_salts(seed: int, first_feature: int, n_features: int) -> npt.NDArray[np.uint64]:
    """Return a random number for each pick and feature, uint64 [3, n_features], from the seed and the feature id."""
    features = np.arange(first_feature, first_feature + n_features, dtype=np.uint64)
    own = mixed(mixed(np.array([seed & 0xFFFFFFFFFFFFFFFF], np.uint64)) ^ features)
    return np.stack([mixed(own ^ np.uint64(pick)) for pick in range(len(PICKS))])


def _picks(pick: int, sizes: Counts, entry: Counts) -> tuple[npt.NDArray[Any], ...]:
    """Spell out feature, pick, stratum and rank of entries that stand by feature, then stratum, then rank."""
    n_features, n_strata = sizes.shape
    flat = sizes.ravel()
    place = np.repeat(np.arange(flat.size), flat)
    rank = np.arange(entry.size) - np.repeat(np.cumsum(flat) - flat, flat)
    stratum = place % n_strata if PICKS[pick] == "quantile" else np.full(entry.size, -1)
    return (
        place // n_strata if n_features else place,
        np.full(entry.size, pick, np.uint8),
        stratum.astype(np.int32),
        rank.astype(np.int32),
        entry,
    )


@njit(cache=True, nogil=True)
def _draw(keys: npt.NDArray[np.uint64], entries: Counts, n: int, key: np.uint64, entry: int) -> int:
    """Put an entry among the `n` of least key so far, ascending; of equal keys the first stays. Returns the new n."""
    if n == keys.size:
        if key >= keys[n - 1]:
            return n
        n -= 1
    at = n
    while at > 0 and keys[at - 1] > key:
        keys[at], entries[at] = keys[at - 1], entries[at - 1]
        at -= 1
    keys[at], entries[at] = key, entry
    return n + 1


@njit(cache=True, nogil=True)
def _count_above(ordered: Values, value: float) -> int:
    """Return how many of the ascending numbers are above `value`."""
    low, high = 0, ordered.size
    while low < high:
        middle = (low + high) // 2
        if np.float64(ordered[middle]) <= value:
            low = middle + 1
        else:
            high = middle
    return int(ordered.size - low)


@njit(cache=True, nogil=True)
def _pick_top(
    indptr: Counts, values: Values, active_indptr: Counts, active_values: Values, sizes: Counts, entries: Counts
) -> None:
    """Fill in the entries of each feature, largest first, of equal ones the lower row first."""
    start = 0
    for feature in range(sizes.size):
        ordered = active_values[active_indptr[feature] : active_indptr[feature + 1]]
        size = sizes[feature]
        if size == 0:
            continue
        limit = np.float64(ordered[ordered.size - size])
        equal_left = size - _count_above(ordered, limit)
        stop = start
        for i in range(indptr[feature], indptr[feature + 1]):
            value = np.float64(values[i])
            if value < limit or (value == limit and equal_left == 0):
                continue
            if value == limit:
                equal_left -= 1
            at = stop
            while at > start and np.float64(values[entries[at - 1]]) < value:
                entries[at] = entries[at - 1]
                at -= 1
            entries[at] = i
            stop += 1
        start = stop


@njit(cache=True, nogil=True)
def _pick_strata(
    indptr: Counts,
    entries: tuple[npt.NDArray[Any], Values, Counts, Values],
    salts: npt.NDArray[np.uint64],
    wanted: int,
    borders: Counts,
    out: Counts,
) -> None:
    """Fill in the entries of each feature and stratum in the order of drawing."""
    rows, values, active_indptr, active_values = entries
    n_features, n_strata = borders.shape[0], borders.shape[1] - 1
    keys = np.empty((n_strata, wanted), np.uint64)
    drawn = np.empty((n_strata, wanted), np.int64)
    n_drawn = np.zeros(n_strata, np.int64)
    edge = np.empty(n_strata, np.float64)
    place = np.empty(n_strata, np.int64)
    start = 0
    for feature in range(n_features):
        ordered = active_values[active_indptr[feature] : active_indptr[feature + 1]]
        n = ordered.size
        if n == 0:
            continue
        least = ordered[0]
        n_drawn[0] = 0
        for s in range(1, n_strata):
            edge[s] = np.float64(ordered[n - 1 - borders[feature, s]])
            # Place in the whole order of the next entry that equals the edge: all above it come first.
            place[s] = _count_above(ordered, edge[s])
            n_drawn[s] = 0
        for i in range(indptr[feature], indptr[feature + 1]):
            if values[i] < least:
                continue
            value, stratum = np.float64(values[i]), 0
            for s in range(1, n_strata):
                if value < edge[s]:
                    stratum = s
                elif value == edge[s]:
                    stratum = s if place[s] >= borders[feature, s] else stratum
                    place[s] += 1
            key = mixed(salts[feature] ^ np.uint64(rows[i]))
            n_drawn[stratum] = _draw(keys[stratum], drawn[stratum], n_drawn[stratum], key, i)
        for s in range(n_strata):
            for j in range(n_drawn[s]):
                out[start + j] = drawn[s, j]
            start += n_drawn[s]
