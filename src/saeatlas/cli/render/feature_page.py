"""One feature on one page: numbers, distribution, tokens, contexts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from saeatlas.cli.render import screen
from saeatlas.cli.render.bars import write_histogram
from saeatlas.cli.render.examples import write_examples
from saeatlas.cli.render.numbers import count, number, percent
from saeatlas.cli.render.tables import columns_of, write_facts, write_heading, write_rows

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.feature import Feature
    from saeatlas.atlas.statistics import FeatureStats

__all__ = ["explanations_of_feature", "write_feature"]

_JOINED, _TOKENS, _EXAMPLES, _NEIGHBORS = 4, 8, 5, 5


def write_feature(feature: Feature) -> None:
    """Write everything that is asked first about a feature: what it fires on, what was said of it, what is near it."""
    if feature.sae.has_activations:
        _write_activations(feature)
    else:
        write_facts({"feature": f"{feature.sae.name}/{feature.id}"})
    said = explanations_of_feature(feature)
    if said.num_rows:
        write_heading("What was said of it")
        write_rows(columns_of(said), said)
    if feature.sae.weights is not None:
        write_heading("Nearest by decoder")
        near = feature.similar(_NEIGHBORS)
        write_rows(columns_of(near), near)
    # Asked of the rows themselves it may take a while; the analysis answers at once.
    if not feature.sae.why_no_table("coactivation"):
        write_heading("Fires together with")
        partners = feature.coactive(_NEIGHBORS).select(["feature", "count", "lift", "pearson"])
        write_rows(columns_of(partners), partners)


def explanations_of_feature(feature: Feature) -> pa.Table:
    """Return what was said of a feature: `text`, `explainer`, `method`, `set`."""
    import polars as pl

    lines = feature.sae.explanations.filter(pl.col("feature") == feature.id)
    return lines.select("text", "explainer", "method", "set").collect().to_arrow()


def _write_activations(feature: Feature) -> None:
    stats = feature.stats()
    write_facts(_facts(stats) if screen.is_terminal() else vars(stats))
    if not stats.n_active:
        return
    write_heading("Distribution of the active values")
    # The bins that the analysis has by default are served without computing, and joined they fit the page.
    histogram = feature.histogram()
    write_histogram(histogram.edges, histogram.counts, join=_JOINED)
    if feature.sae.corpus.tokens is not None:
        write_heading("Top tokens")
        table = feature.top_tokens(_TOKENS)
        write_rows(columns_of(table), table)
    write_heading("Strongest contexts")
    write_examples(feature.examples(n=_EXAMPLES))


def _facts(stats: FeatureStats) -> dict[str, object]:
    """Return the numbers as sentences for a person."""
    interval = f"95% interval {percent(stats.density_low)} to {percent(stats.density_high)}"
    facts: dict[str, object] = {
        "feature": f"{stats.sae}/{stats.feature}",
        "active": f"{count(stats.n_active)} of all {count(stats.n_rows)} rows, {percent(stats.density)} ({interval})",
    }
    if stats.n_listed != stats.n_active:
        facts["listed"] = f"{count(stats.n_listed)} rows, zeros and negatives included"
    if stats.n_active:
        spread = f"quartiles {number(stats.q25)}, {number(stats.median)}, {number(stats.q75)}"
        facts["values"] = f"mean {number(stats.mean)}, {spread}, largest {number(stats.max)}"
    return facts
