"""How the numbers of features are spread: one histogram per column, what is missing counted beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from saeatlas.atlas.feature_columns import column_types, load_columns
from saeatlas.atlas.feature_table import FeatureQuery, check_columns, matching_features
from saeatlas.atlas.predicates import AnyOf, Predicate
from saeatlas.errors import InvalidInput

if TYPE_CHECKING:
    import numpy.typing as npt

    from saeatlas.atlas.sae import SAE

__all__ = ["MAX_BINS", "ColumnHistogram", "column_histograms"]

MAX_BINS = 1_000
_EXACT = 2**52
"""Below this, a number and the next whole one are different."""


@dataclass(frozen=True)
class ColumnHistogram:
    """Counts of one column over all features, and over those that fulfil conditions."""

    column: str
    edges: npt.NDArray[np.float64]
    """float64 [bins + 1]; bin i holds edge i <= value < edge i + 1, the last its right edge. Empty without values."""
    counts: npt.NDArray[np.int64]
    """int64 [bins]."""
    counts_where: npt.NDArray[np.int64] | None
    """The same of the features that fulfil the conditions; None without conditions."""
    n_missing: int
    """Features without a finite value."""
    n_missing_where: int | None
    """Those of them that fulfil the conditions; None without conditions."""
    n_present: int
    """Features with a finite value."""
    total: int
    """All features."""


def column_histograms(
    sae: SAE, columns: Sequence[str], bins: int = 40, predicates: tuple[Predicate | AnyOf, ...] = ()
) -> list[ColumnHistogram]:
    """Count the values of columns between equally spaced edges, whole table.

    Whole numbers that lie closer than the bins have one bin each.

    Raises
    ------
    NotFound
        When there is no such column.
    InvalidInput
        When a column holds no numbers, or the bins are not from 1 to 1,000.
    """
    import polars as pl

    if not 1 <= bins <= MAX_BINS:
        raise InvalidInput(f"The number of bins is from 1 to {MAX_BINS:,}, found: {bins}")
    check_columns(sae, columns)
    types = column_types(sae)
    for name in columns:
        if name != "feature" and not (types[name].is_numeric() or types[name] == pl.Boolean):
            raise InvalidInput(f"Only numbers have a histogram, and '{name}' holds {types[name]}")
    chosen = matching_features(sae, FeatureQuery(predicates=predicates)) if predicates else None
    table = load_columns(sae, columns)
    return [_histogram(name, table[name].cast(pl.Float64).to_numpy(), bins, chosen) for name in columns]


def _histogram(
    name: str, values: npt.NDArray[np.float64], bins: int, chosen: npt.NDArray[np.int64] | None
) -> ColumnHistogram:
    is_present = np.isfinite(values)
    present = values[is_present]
    edges = _edges(present, bins)
    n_missing = int(values.size - present.size)
    counts = _counts(present, edges)
    if chosen is None:
        return ColumnHistogram(name, edges, counts, None, n_missing, None, int(present.size), int(values.size))
    inside = values[chosen]
    known = inside[np.isfinite(inside)]
    n_unknown = int(inside.size - known.size)
    some = _counts(known, edges)
    return ColumnHistogram(name, edges, counts, some, n_missing, n_unknown, int(present.size), int(values.size))


def _edges(values: npt.NDArray[np.float64], bins: int) -> npt.NDArray[np.float64]:
    if not values.size:
        return np.empty(0, np.float64)
    low, high = float(values.min()), float(values.max())
    if high - low < bins and max(-low, high) < _EXACT and (values == np.floor(values)).all():
        return np.arange(low, high + 2, dtype=np.float64)
    if low == high:
        # One value has no spread: a bin around it, as wide as the number is large.
        half = max(abs(low) / 2, np.finfo(np.float64).tiny)
        return np.array([low - half, low + half])
    # Halves: the distance of two numbers may be more than any number.
    part = np.arange(bins + 1) / bins
    edges = low + (high - low) * part if high - low < np.inf else (low / 2 + (high / 2 - low / 2) * part) * 2
    edges[-1] = high
    return np.unique(edges)


def _counts(values: npt.NDArray[np.float64], edges: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    if not edges.size:
        return np.empty(0, np.int64)
    place = np.searchsorted(edges, values, side="right") - 1
    return np.bincount(np.clip(place, 0, edges.size - 2), minlength=edges.size - 1).astype(np.int64)
