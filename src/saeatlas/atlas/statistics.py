"""Exact numbers about one feature over the whole corpus: summary and histogram, served when current, else computed."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from saeatlas.atlas.tables import lines_of, served_rows, state_of
from saeatlas.errors import InvalidInput
from saeatlas.kernels.moments import moments_of, wilson

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE

__all__ = [
    "FeatureStats",
    "Histogram",
    "Scale",
    "histogram_of",
    "live_histogram",
    "live_stats",
    "served_stats",
    "stats_of",
]

Scale = Literal["linear", "log"]
_MOST_BINS = 10_000
_QUICK = 1_000_000
"""Values that are summed up in the time (35 ms) that it takes to load what reads tables, and to read one."""
_UNDEFINED_WHEN_SILENT = ("mean", "std", "min", "q25", "median", "q75", "max", "skewness", "kurtosis")
_DENSITY = ("density", "density_low", "density_high")


@dataclass(frozen=True)
class FeatureStats:
    """How often and how strongly one feature fires, over every row. A number that is not defined is None."""

    sae: str
    """Name of the SAE."""
    feature: int
    """Feature id."""
    n_rows: int
    """Rows of the corpus."""
    n_listed: int
    """Rows that list the feature, zeros and negatives included."""
    n_active: int
    """Rows where its value is above 0."""
    density: float | None
    """n_active / n_rows."""
    density_low: float | None
    """Lower end of the 95 % Wilson score interval of the density, taking rows as independent."""
    density_high: float | None
    """Upper end of that interval."""
    sum: float
    """Sum of the active values."""
    mean: float | None
    """Mean of the active values."""
    std: float | None
    """Population standard deviation of the active values: divided by n_active."""
    min: float | None
    """Smallest active value."""
    q25: float | None
    """First quartile of the active values, linear interpolation."""
    median: float | None
    """Median of the active values, linear interpolation."""
    q75: float | None
    """Third quartile of the active values, linear interpolation."""
    max: float | None
    """Largest active value."""
    skewness: float | None
    """Third standardised moment of the active values (population); None also when they are all equal."""
    kurtosis: float | None
    """Fourth standardised moment less 3 (excess, population); None also when they are all equal."""


@dataclass(frozen=True)
class Histogram:
    """Active values of one feature in bins: bin i holds edges[i] <= value < edges[i + 1], the last one both ends."""

    sae: str
    """Name of the SAE."""
    feature: int
    """Feature id."""
    scale: Scale
    """'linear': bins of equal width from 0; 'log': of equal ratio from the smallest active value."""
    edges: tuple[float, ...]
    """Borders of the bins, one more than there are bins; empty without active values."""
    counts: tuple[int, ...]
    """Active rows per bin; they sum to n_active."""
    n_active: int
    """Rows where the value is above 0."""
    n_inactive: int
    """All other rows: not listed, or listed with a value of 0 or less."""
    n_rows: int
    """Rows of the corpus."""


def stats_of(sae: SAE, feature: int) -> FeatureStats:
    """Return the numbers of a feature: computed, or from the analysis 'stats' where that is current and quicker.

    Both give the same numbers, to the last bit.
    """
    if sae.activations.count(feature) <= _QUICK:
        return live_stats(sae, feature)
    return served_stats(sae, feature) or live_stats(sae, feature)


def served_stats(sae: SAE, feature: int) -> FeatureStats | None:
    """Return the numbers of a feature from the analysis 'stats', or None where it cannot answer."""
    table = served_rows(sae, "stats", feature, {"floor": 0.0})
    return None if table is None else _stats(sae, feature, table.to_pylist()[0])


def live_stats(sae: SAE, feature: int) -> FeatureStats:
    """Compute the summary of a feature from its activations."""
    _, values = sae.activations.feature(feature)
    found = moments_of(values)
    low, high = (float(end) for end in wilson(found.n_active, sae.n_rows))
    density = found.n_active / sae.n_rows if sae.n_rows else None
    numbers: dict[str, Any] = asdict(found) | {"n_listed": values.size, "density": density}
    return _stats(sae, feature, numbers | {"density_low": low, "density_high": high})


def _stats(sae: SAE, feature: int, found: dict[str, Any]) -> FeatureStats:
    numbers = {name: _defined(found[name]) for name in (*_UNDEFINED_WHEN_SILENT, *_DENSITY)}
    return FeatureStats(
        sae=sae.name,
        feature=feature,
        n_rows=sae.n_rows,
        n_listed=int(found["n_listed"]),
        n_active=int(found["n_active"]),
        sum=float(found["sum"]),
        **numbers,
    )


def _defined(number: float | None) -> float | None:
    return None if number is None or math.isnan(number) else float(number)


def histogram_of(sae: SAE, feature: int, bins: int, scale: Scale) -> Histogram:
    """Count the active values of a feature, from the analysis 'histogram' when it is current and has these bins.

    Raises
    ------
    InvalidInput
        When `bins` is not from 1 to 10,000, or `scale` is neither 'linear' nor 'log'.
    """
    if isinstance(bins, bool) or not isinstance(bins, int) or not 1 <= bins <= _MOST_BINS:
        raise InvalidInput(f"The number of bins must be from 1 to {_MOST_BINS:,}, found: {bins!r}")
    if scale not in ("linear", "log"):
        raise InvalidInput(f"The scale must be 'linear' or 'log', found: '{scale}'")
    return served_histogram(sae, feature, bins, scale) or live_histogram(sae, feature, bins, scale)


def served_histogram(
    sae: SAE, feature: int, bins: int, scale: Scale, *, more_than: int | None = None
) -> Histogram | None:
    """Return the histogram of a feature from the analysis 'histogram', or None where it cannot answer.

    Parameters
    ----------
    sae, feature, bins, scale
        As of `histogram_of`.
    more_than
        Answer only for features with more active rows than this, and keep in memory only what that takes: the edges
        and counts of 65,536 features are 85 MB.
    """
    state = state_of(sae, "histogram")
    if not state.is_current or state.params["bins"] != bins:
        return None
    below = None if more_than is None else ("n_inactive", sae.n_rows - more_than)
    lines = lines_of(sae, "histogram", feature, below=below).to_pylist()
    if not lines:
        return None
    return _histogram(sae, feature, scale, lines[0][f"{scale}_edges"] or [], lines[0][f"{scale}_counts"])


def live_histogram(sae: SAE, feature: int, bins: int, scale: Scale) -> Histogram:
    """Count the active values of a feature from its activations."""
    from saeatlas.kernels.histogram import histograms
    from saeatlas.kernels.stats import sort_active

    _, values = sae.activations.feature(feature)
    active = sort_active(np.array([0, values.size]), values)
    edges, counts = histograms(active, bins, scale)
    return _histogram(sae, feature, scale, edges[0].tolist(), counts[0].tolist())


def _histogram(sae: SAE, feature: int, scale: Scale, edges: list[float], counts: list[int]) -> Histogram:
    n_active = sum(counts)
    return Histogram(
        sae=sae.name,
        feature=feature,
        scale=scale,
        edges=tuple(edges) if n_active else (),
        counts=tuple(counts),
        n_active=n_active,
        n_inactive=sae.n_rows - n_active,
        n_rows=sae.n_rows,
    )
