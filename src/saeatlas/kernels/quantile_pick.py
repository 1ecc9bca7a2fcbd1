"""Choose examples of every strength: the unit of choice, where its quantiles lie, and two ways to choose by them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from saeatlas.kernels.examples import PICKS, Quota, pick_examples
from saeatlas.kernels.stats import Counts, Floats, SortedActive, Values, float32_or_64, sort_active

__all__ = [
    "NO_STRATUM",
    "Chosen",
    "Units",
    "draw_strata",
    "find_units",
    "quantile_boundaries",
    "sort_units",
    "top_parts",
]

NO_STRATUM = -1
"""Stratum of an example that was not chosen by strength."""


@dataclass(frozen=True)
class Units:
    """What examples of neighbouring features are chosen from: some of the features' entries."""

    indptr: Counts
    """Where each feature starts and ends in `entry`, n_features + 1 numbers from 0."""
    entry: Counts
    """Positions in the block's `rows` and `values`, ascending within a feature."""

    @property
    def n_units(self) -> Counts:
        """Units per feature."""
        return np.diff(self.indptr)


@dataclass(frozen=True)
class Chosen:
    """Chosen units, by feature and in the order of choice."""

    feature: Counts
    """Feature, counted from the first of the block."""
    stratum: npt.NDArray[np.int32]
    """0 for the strongest part of the units; `NO_STRATUM` where there are no parts."""
    unit: Counts
    """Position in the units."""


def find_units(
    indptr: Counts,
    documents: npt.NDArray[np.uint32],
    values: Values,
    usable: npt.NDArray[np.bool_],
    *,
    per_document: bool,
) -> Units:
    """Return the active entries in usable documents: all of them, or the strongest of each feature and document.

    Of equal values of one feature in one document the first is kept.

    Parameters
    ----------
    indptr
        int64 [n_features + 1], from 0.
    documents
        Document of each entry.
    values
        Value of each entry; those above 0 are active.
    usable
        Whether entries of a document count, [n_documents].
    per_document
        Whether a document gives a feature one unit at most.

    Notes
    -----
    Holds 8 bytes per unit, and 8 per document where it gives one unit at most.
    """
    values = float32_or_64(values)
    documents = np.ascontiguousarray(documents, np.uint32)
    find = _strongest_entries if per_document else _active_entries
    found_indptr, entry = find(np.ascontiguousarray(indptr, np.int64), documents, values, usable)
    return Units(found_indptr, entry)


def sort_units(units: Units, values: Values) -> SortedActive:
    """Return the values of the units, sorted within each feature."""
    return sort_active(units.indptr, float32_or_64(values)[units.entry])


def quantile_boundaries(active: SortedActive, n_parts: int) -> Floats:
    """Return the values that cut each feature's units into parts of equal size, weakest first, [n_features, parts - 1].

    Quantiles p / n_parts with linear interpolation between order statistics at (n - 1) q, as NumPy's default; NaN for a
    feature without units.
    """
    n = active.n_active[:, None]
    # Whole numbers up to the division, so that a place that is whole is not missed by rounding.
    place = (n - 1) * np.arange(1, n_parts, dtype=np.int64)
    left, over = place // n_parts, (place % n_parts) / n_parts
    out = np.full((n.shape[0], n_parts - 1), np.nan)
    has = n[:, 0] > 0
    low = active.values[(active.indptr[:-1, None] + left)[has]].astype(np.float64)
    high = active.values[(active.indptr[:-1, None] + np.minimum(left + 1, n - 1))[has]].astype(np.float64)
    out[has] = low + (high - low) * over[has]
    return out


def draw_strata(
    units: Units, active: SortedActive, rows: npt.NDArray[Any], values: Values, quota: Quota, *, first_feature: int
) -> Chosen:
    """Draw from parts of equal size: see `pick_examples`, whose 'quantile' picks these are, over units.

    Parts are by rank, not by value, so ties do not empty any; with at least strata * per_stratum units exactly so many
    are chosen, and otherwise all.

    Parameters
    ----------
    units, active
        What to choose from, and their values sorted.
    rows, values
        Of the block's entries.
    quota
        Its strata, draws per stratum and seed count.
    first_feature
        Id of the first feature.
    """
    strengths = float32_or_64(values)[units.entry]
    only = Quota(top=0, strata=quota.strata, per_stratum=quota.per_stratum, random=0, seed=quota.seed)
    picks = pick_examples(active, rows[units.entry], strengths, only, first_feature, indptr=units.indptr)
    drawn = picks.pick == PICKS.index("quantile")
    return Chosen(picks.feature[drawn] - first_feature, picks.stratum[drawn], picks.entry[drawn])


def top_parts(units: Units, values: Values, boundaries: Floats, per_part: int) -> Chosen:
    """Choose the strongest units of each part that the boundaries cut out, the weakest part first.

    Parts are by value: at or below the first boundary, above it and at or below the second, and so on. A feature with
    fewer units than parts gives all of them in their order, without a stratum. Units that tie with a boundary are all
    on one side of it, so parts can be of any size, and empty: this is how source 0 chooses, kept to repeat its numbers.

    Parameters
    ----------
    units, values
        What to choose from, and the values of the block's entries.
    boundaries
        Of each feature, [n_features, parts - 1], ascending.
    per_part
        Units of a part at most; of equal values the first.
    """
    n_parts = boundaries.shape[1] + 1
    strengths = values[units.entry].astype(np.float64)
    features, strata, chosen = [], [], []
    for feature, (low, high) in enumerate(pairwise(units.indptr.tolist())):
        n = high - low
        if n < n_parts:
            mine, stratum = np.arange(n), np.full(n, NO_STRATUM)
        else:
            own = strengths[low:high]
            part = np.searchsorted(boundaries[feature], own, "left")
            order = np.lexsort((-own, part))
            starts = np.searchsorted(part[order], np.arange(n_parts))
            mine = order[np.arange(n) - starts[part[order]] < per_part]
            stratum = n_parts - 1 - part[mine]
        features.append(np.full(mine.size, feature))
        strata.append(stratum)
        chosen.append(mine + low)
    nothing = [np.zeros(0, np.int64)]
    return Chosen(
        np.concatenate(features + nothing),
        np.concatenate(strata + nothing).astype(np.int32),
        np.concatenate(chosen + nothing),
    )


@njit(cache=True, nogil=True)
def _active_entries(
    indptr: Counts, documents: npt.NDArray[np.uint32], values: Values, usable: npt.NDArray[np.bool_]
) -> tuple[Counts, Counts]:
    n_features = indptr.size - 1
    found_indptr = np.zeros(n_features + 1, np.int64)
    entry = np.empty(values.size, np.int64)
    at = 0
    for feature in range(n_features):
        for i in range(indptr[feature], indptr[feature + 1]):
            if values[i] > 0 and usable[documents[i]]:
                entry[at] = i
                at += 1
        found_indptr[feature + 1] = at
    return found_indptr, entry[:at]


@njit(cache=True, nogil=True)
def _strongest_entries(
    indptr: Counts, documents: npt.NDArray[np.uint32], values: Values, usable: npt.NDArray[np.bool_]
) -> tuple[Counts, Counts]:
    n_features = indptr.size - 1
    found_indptr = np.zeros(n_features + 1, np.int64)
    entry = np.empty(values.size, np.int64)
    best = np.full(usable.size, -1, np.int64)
    at = 0
    for feature in range(n_features):
        start = indptr[feature]
        for i in range(start, indptr[feature + 1]):
            # An entry of an earlier feature counts as none, which saves clearing the table.
            known = best[documents[i]]
            if values[i] > 0 and (known < start or values[i] > values[known]):
                best[documents[i]] = i
        for i in range(start, indptr[feature + 1]):
            if values[i] > 0 and best[documents[i]] == i and usable[documents[i]]:
                entry[at] = i
                at += 1
        found_indptr[feature + 1] = at
    return found_indptr, entry[:at]
