"""Answers of the server as the values that an atlas that is here gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from saeatlas.atlas.breakdown import Breakdown, Level
from saeatlas.atlas.contexts import ContextToken, Example
from saeatlas.atlas.search import Found, Missing
from saeatlas.atlas.search_documents import DocumentHit
from saeatlas.atlas.search_features import FeatureHit
from saeatlas.atlas.search_snippets import Segment
from saeatlas.atlas.statistics import FeatureStats, Histogram

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["breakdown_of", "example_of", "found_of", "histogram_of", "plain", "stats_of"]


def plain(table: pa.Table) -> pa.Table:
    """Return a table whose texts stand in every line, which travel once each."""
    import pyarrow as pa

    for index, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(index, field.name, table.column(index).cast(field.type.value_type))
    return table


def stats_of(sae: str, feature: int, found: dict[str, Any]) -> FeatureStats:
    """Return the numbers of a feature."""
    return FeatureStats(sae=sae, feature=feature, **{name: found[name] for name in _names(FeatureStats)})


def histogram_of(sae: str, feature: int, found: dict[str, Any]) -> Histogram:
    """Return the histogram of a feature."""
    return Histogram(
        sae=sae,
        feature=feature,
        scale=found["scale"],
        edges=tuple(found["edges"]),
        counts=tuple(found["counts"]),
        n_active=found["n_active"],
        n_inactive=found["n_inactive"],
        n_rows=found["basis"]["n_rows"],
    )


def breakdown_of(sae: str, feature: int, found: dict[str, Any]) -> Breakdown:
    """Return how a feature fires across the levels of a column."""
    levels = tuple(Level(**{name: level[name] for name in Level.__dataclass_fields__}) for level in found["levels"])
    facts = {name: found[name] for name in _names(Breakdown) if name != "levels"}
    return Breakdown(sae=sae, feature=feature, levels=levels, **facts)


def example_of(feature: int, found: dict[str, Any]) -> Example:
    """Return a row in its context, from an answer that has its texts."""
    text = found["text"] or {"before": None, "active": None, "after": None, "spans": None}
    spans = text["spans"] or [(None, None)] * len(found["tokens"])
    lines = zip(found["tokens"], found["values"], found["visible"], spans, strict=True)
    tokens = tuple(
        ContextToken(string, found["first_position"] + index, value, start, end, visible)
        for index, (string, value, visible, (start, end)) in enumerate(lines)
    )
    return Example(
        feature=feature,
        tokens=tokens,
        **{f"text_{part}": text[part] for part in ("before", "active", "after")},
        **{name: found[name] for name in _names(Example) if name in found and name != "tokens"},
    )


def found_of(found: dict[str, Any]) -> Found:
    """Return the answer to a search."""
    hits: dict[str, list[Any]] = {"features": [], "documents": []}
    for hit in found["hits"]:
        cls = FeatureHit if hit["kind"] == "features" else DocumentHit
        facts = {name: hit[name] for name in cls.__dataclass_fields__ if name != "snippet"}
        hits[hit["kind"]].append(cls(snippet=tuple(Segment(**part) for part in hit["snippet"]), **facts))
    return Found(
        features=tuple(hits["features"]),
        documents=tuple(hits["documents"]),
        missing=tuple(Missing(**one) for one in found["missing"]),
        **{name: found[name] for name in ("query", "corrected", "is_any", "n_features", "n_documents")},
    )


def _names(cls: type) -> list[str]:
    """Names of the fields of a dataclass, without those that say what it is about."""
    fields: dict[str, object] = cls.__dataclass_fields__  # type: ignore[attr-defined]
    return [name for name in fields if name not in {"sae", "feature"}]
