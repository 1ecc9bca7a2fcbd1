"""Answers of the server as the values that an atlas that is here gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from saeatlas.atlas.breakdown import Breakdown, Level
from saeatlas.atlas.contexts import ContextToken, Example
from saeatlas.atlas.statistics import FeatureStats, Histogram

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["breakdown_of", "example_of", "histogram_of", "plain", "stats_of"]


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
    """Return a row in its context.

    Where the answer does not hold the text of the document, the strings of the tokens stand for it, and
    `is_natural_text` says so.
    """
    n = len(found["tokens"])
    first = found["first_position"]
    starts, ends = (found.get(name) or [None] * n for name in ("starts", "ends"))
    tokens = tuple(
        ContextToken(string, first + index, value, start, end, visible)
        for index, (string, value, start, end, visible) in enumerate(
            zip(found["tokens"], found["values"], starts, ends, found["visible"], strict=True)
        )
    )
    facts = {name: found[name] for name in _names(Example) if name in found and name != "tokens"}
    if "text_before" not in found:
        facts |= _joined(tokens, found["position"] - first)
    return Example(feature=feature, tokens=tokens, **facts)


def _joined(tokens: tuple[ContextToken, ...], active: int) -> dict[str, Any]:
    if not tokens:
        return {**dict.fromkeys(("text_before", "text_active", "text_after")), "is_natural_text": False}
    strings = [token.string for token in tokens]
    return {
        "text_before": "".join(strings[:active]),
        "text_active": strings[active],
        "text_after": "".join(strings[active + 1 :]),
        "is_natural_text": False,
    }


def _names(cls: type) -> list[str]:
    """Names of the fields of a dataclass, without those that say what it is about."""
    fields: dict[str, object] = cls.__dataclass_fields__  # type: ignore[attr-defined]
    return [name for name in fields if name not in {"sae", "feature"}]
