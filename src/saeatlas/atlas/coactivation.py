"""The features that fire together with one feature, from the analysis when it is current, else from the rows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from saeatlas.atlas.tables import served_rows
from saeatlas.errors import InvalidInput
from saeatlas.kernels.pair_measures import Measure, PairMeasures, Totals, measure, order_of, totals_of

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from saeatlas.atlas.activations import Activations
    from saeatlas.atlas.sae import SAE

__all__ = ["coactive_of", "live_coactive"]

_BRIDGED = 8192
"""Entries between two rows that are read and dropped, because one longer read is quicker than two."""
_AT_ONCE = 4_000_000
"""Entries of one read, about."""
_BATCH = 1_000_000
"""Entries that are added up together."""
_NAMES = {
    "rank": "rank",
    "partner": "feature",
    "count": "count",
    "p_partner_given_feature": "p_other_given_this",
    "p_feature_given_partner": "p_this_given_other",
    "lift": "lift",
    "pmi": "pmi",
    "jaccard": "jaccard",
    "pearson": "pearson",
}
"""Columns of the analysis, and what they are called when the first feature is the one that was asked for."""


def coactive_of(sae: SAE, feature: int, n: int, by: Measure, min_count: int) -> pa.Table:
    """Return the features that fire together with one; see `Feature.coactive`.

    Raises
    ------
    InvalidInput
        When `n` is not a whole number from 0, `min_count` not one from 1, or `by` is no measure.
    """
    import pyarrow as pa

    for name, value, least in (("The number of features", n, 0), ("The least count", min_count, 1)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise InvalidInput(f"{name} must be a whole number from {least}, found: {value!r}")
    if by not in get_args(Measure):
        raise InvalidInput(f"Partners are ordered by one of {', '.join(get_args(Measure))}, found: '{by}'")
    table = served_rows(sae, "coactivation", feature, {"by": by, "min_count": min_count}, at_least={"k": n})
    # Numbers from a draw of rows are never given as those of the corpus.
    if table is not None and table.num_rows and table["is_exact"][0].as_py():
        return pa.table({new: table[name] for name, new in _NAMES.items()}).slice(0, n)
    return live_coactive(sae, feature, n, by, min_count)


def live_coactive(sae: SAE, feature: int, n: int, by: Measure, min_count: int) -> pa.Table:
    """Compute the features that fire together with one from the rows where it is active.

    Notes
    -----
    Reads those rows, and all rows of the features in the answer: their sums, of which the correlation is made, are
    added in the order of the rows, as the analysis adds them, so that both give the same bits.
    """
    activations = sae.activations
    count, dot = _together(activations, feature)
    count[feature] = 0
    partners = np.flatnonzero(count)
    own, rough = _summaries(activations, np.array([feature])), _summaries(activations, partners)
    chosen = _chosen(
        count[partners], dot[partners], (own.at(np.zeros(partners.size, np.int64)), rough), by, min_count, n
    )
    partners = partners[chosen]
    count, dot = count[partners], dot[partners]
    others = _totals(activations, partners)
    this = _totals(activations, np.array([feature])).at(np.zeros(partners.size, np.int64))
    found = measure(count, dot, this, others)
    order = order_of(count, _score(found, count, by), partners, min_count)[:n]
    return _table(partners[order], count[order], measure(count[order], dot[order], this.at(order), others.at(order)))


def _together(activations: Activations, feature: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return for each feature in how many rows it is active with one, and the sum of the products there."""
    count, dot = np.zeros(activations.n_features, np.int64), np.zeros(activations.n_features)
    rows, values = activations.feature(feature)
    active = values > 0
    waiting: list[tuple[npt.NDArray[Any], ...]] = []
    n_waiting = 0
    for batch in _entries(activations, rows[active].astype(np.int64), values[active].astype(np.float64)):
        waiting.append(batch)
        n_waiting += batch[0].size
        if n_waiting >= _BATCH:
            _add(waiting, count, dot)
            waiting, n_waiting = [], 0
    _add(waiting, count, dot)
    return count, dot


def _add(batches: list[tuple[npt.NDArray[Any], ...]], count: npt.NDArray[Any], dot: npt.NDArray[Any]) -> None:
    if batches:
        ids, products = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        # One after the other, in the order of the rows: `bincount` of a batch would add them up by themselves first.
        np.add.at(dot, ids, products)
        np.add.at(count, ids, 1)


def _entries(
    activations: Activations, rows: npt.NDArray[np.int64], values: npt.NDArray[np.float64]
) -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[np.float64]]]:
    """Yield the active features of rows, and the product of each with the value of its row."""
    gap, reach = (max(1, n * activations.n_rows // max(1, activations.n_listed)) for n in (_BRIDGED, _AT_ONCE))
    breaks = np.flatnonzero((np.diff(rows) > gap) | (np.diff(rows // reach) > 0)) + 1
    for low, high in pairwise([0, *breaks.tolist(), rows.size] if rows.size else []):
        first = int(rows[low])
        indptr, features, found = activations.rows(first, int(rows[high - 1]) + 1)
        own = rows[low:high] - first
        starts, lengths = indptr[own], np.diff(indptr)[own]
        weights = np.repeat(values[low:high], lengths)
        if features.size > weights.size:
            # Rows between those that were asked for were read too.
            places = np.repeat(starts - (np.cumsum(lengths) - lengths), lengths) + np.arange(weights.size)
            features, found = features[places], found[places]
        active = found > 0
        yield features[active].astype(np.int64), weights[active] * found[active].astype(np.float64)


def _summaries(activations: Activations, features: npt.NDArray[np.int64]) -> Totals:
    """Return totals from what segments store: the sums of several segments differ in the last bits from `_totals`."""
    n_active = activations.active_counts
    total, squares = np.zeros(activations.n_features), np.zeros(activations.n_features)
    for segment in activations.segments:
        summary = segment.summary()
        total[: segment.info.n_features] += summary["sum"]
        squares[: segment.info.n_features] += summary["sum_squares"]
    return Totals(activations.n_rows, n_active, total, squares).at(features)


def _totals(activations: Activations, features: npt.NDArray[np.int64]) -> Totals:
    found = [totals_of(activations.n_rows, activations.feature(int(feature))[1]) for feature in features]
    n_active, total, squares = (
        (np.array(column) for column in zip(*found, strict=True)) if found else (np.empty(0),) * 3
    )
    return Totals(activations.n_rows, n_active.astype(np.int64), total, squares)


def _chosen(
    count: npt.NDArray[np.int64],
    dot: npt.NDArray[np.float64],
    totals: tuple[Totals, Totals],
    by: Measure,
    min_count: int,
    n: int,
) -> npt.NDArray[np.int64]:
    """Return the places of all pairs that may be among the best `n`, given totals that are right but for rounding."""
    if n >= count.size:
        return np.arange(count.size)
    if n == 0:
        return np.empty(0, np.int64)
    score = _score(measure(count, dot, *totals), count, by)
    order = order_of(count, score, np.arange(count.size), min_count)
    if by != "pearson":
        return order[:n]
    last = order[n - 1]
    near = (count < min_count) == (count[last] < min_count)
    if not np.isnan(score[last]):
        near &= score >= score[last] - _margin(*totals)
    return np.union1d(order[:n], np.flatnonzero(near))


def _margin(a: Totals, b: Totals) -> float:
    """Return more than what the order of addition can do to any of the correlations that are defined."""
    shares = np.maximum(a.rounding, b.rounding)
    return 8.0 * float(shares[shares < 1e-2].max(initial=0.0) + np.finfo(np.float64).eps * a.n_rows)


def _score(found: PairMeasures, count: npt.NDArray[np.int64], by: Measure) -> npt.NDArray[np.float64]:
    return count.astype(np.float64) if by == "count" else getattr(found, by)


def _table(partners: npt.NDArray[np.int64], count: npt.NDArray[np.int64], found: PairMeasures) -> pa.Table:
    import pyarrow as pa

    return pa.table(
        {
            "rank": np.arange(partners.size, dtype=np.int32),
            "feature": partners.astype(np.uint32),
            "count": count,
            "p_other_given_this": found.b_given_a,
            "p_this_given_other": found.a_given_b,
            "lift": found.lift,
            "pmi": found.pmi,
            "jaccard": found.jaccard,
            "pearson": pa.array(found.pearson, pa.float64(), mask=np.isnan(found.pearson)),
        }
    )
