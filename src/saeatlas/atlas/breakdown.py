"""How one feature fires across the levels of a metadata column."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from saeatlas.atlas.aggregates import document_sums
from saeatlas.atlas.properties import Kind, Property, associate, read_property
from saeatlas.atlas.tables import lines_of, served_rows, state_of
from saeatlas.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE
    from saeatlas.kernels.association import LevelSums
    from saeatlas.kernels.documents import DocumentSums

__all__ = ["Breakdown", "Level", "breakdown_of", "served_breakdowns"]

_ANALYSIS = "metadata-association"


@dataclass(frozen=True)
class Level:
    """One value or bin of the column, or the documents without a value."""

    level: str | None
    """What a person calls it; None for documents without a value."""
    lower: float | None
    """Least number of the level; None for categories."""
    upper: float | None
    """First number beyond it, or its last one where the level is one number or the last bin."""
    n_documents: int
    """Documents of the level that have rows."""
    n_documents_active: int
    """Those in which the feature is active."""
    n_rows: int
    """Their rows."""
    n_active: int
    """Active rows."""
    rate: float | None
    """n_active / n_rows."""
    mean: float | None
    """Mean of the active values, None without any."""


@dataclass(frozen=True)
class Breakdown:
    """How one feature fires across the levels of a metadata column. The unit of the test is the document."""

    sae: str
    """Name of the SAE."""
    feature: int
    """Feature id."""
    column: str
    """The metadata column."""
    kind: Kind
    """'categorical' or 'numeric'."""
    effect_name: Literal["cramers_v", "spearman_rho"]
    """Cramér's V of level and whether the feature fires; or Spearman's rho of the number and the document's mean
    activation over all its rows."""
    effect: float | None
    """Size of the effect; None where undefined: the feature fires in no document, or, for categories, in all."""
    effect_corrected: float | None
    """Cramér's V with Bergsma's correction of its bias; None for numbers."""
    p: float | None
    """Chance of at least such an effect if feature and column were independent."""
    q: float | None
    """Benjamini-Hochberg false discovery rate across all features; None until 'metadata-association' is computed."""
    q_reason: str
    """Why there is no q; empty when there is."""
    min_expected: float | None
    """Smallest expected count behind V: below 5, p is an exact bound, and careful; None for numbers."""
    n_documents: int
    """Documents with rows and a value."""
    n_missing: int
    """Documents with rows and no value: in no effect, and a level of their own below."""
    levels: tuple[Level, ...]
    """In the order of the names or numbers; documents without a value last, if there are any."""

    def table(self) -> pa.Table:
        """Return the levels, one line each."""
        import pyarrow as pa

        number, count = pa.float64(), pa.int64()
        schema = pa.schema(
            [
                ("level", pa.string()),
                *((name, number) for name in ("lower", "upper")),
                *((name, count) for name in ("n_documents", "n_documents_active", "n_rows", "n_active")),
                *((name, number) for name in ("rate", "mean")),
            ]
        )
        return pa.Table.from_pylist([asdict(level) for level in self.levels], schema)


_LEVEL = tuple(field.name for field in fields(Level))


def breakdown_of(sae: SAE, feature: int, column: str) -> Breakdown:
    """Break a feature down by a column; everything but q comes from its activations. See `Feature.breakdown`."""
    from saeatlas.kernels.association import rank_order

    prop = read_property(sae.corpus, column)
    if prop.reason:
        raise InvalidInput(
            f"Feature {feature} cannot be broken down by '{column}': {prop.reason}",
            hint=f"Columns: {', '.join(sae.corpus.metadata_columns)}",
        )
    sums = document_sums(sae, feature)
    found = associate(sums, rank_order(sums, sae.corpus.documents.lengths()), prop)
    q, reason = _served_q(sae, feature, column)
    return Breakdown(
        sae=sae.name,
        feature=feature,
        column=column,
        kind=prop.kind,
        effect_name=found.effect_name,
        effect=_defined(found.effect),
        effect_corrected=_defined(found.corrected),
        p=_defined(found.p),
        q=q,
        q_reason=reason,
        min_expected=_defined(found.min_expected),
        n_documents=prop.n_documents,
        n_missing=prop.n_missing,
        levels=(*_levels(prop, found.levels), *_missing(sae, prop, sums)),
    )


def served_breakdowns(sae: SAE, feature: int) -> tuple[list[Breakdown], dict[str, str]] | None:
    """Return the breakdowns of a feature by every column from the analysis 'metadata-association'.

    Returns
    -------
    tuple[list[Breakdown], dict[str, str]] | None
        In the order of the columns; and for each column that was not tested the reason. None when the analysis is not
        current. Numbers equal those of `breakdown_of`.
    """
    if not state_of(sae, _ANALYSIS).is_current:
        return None
    about = sae.lookup.tested_columns
    lines = {line["column"]: line for line in lines_of(sae, _ANALYSIS, feature).to_pylist()}
    levels: dict[str, list[Level]] = {}
    for line in lines_of(sae, _ANALYSIS, feature, "levels").to_pylist():
        levels.setdefault(line["column"], []).append(Level(**{name: line[name] for name in _LEVEL}))
    reasons = {name: line["reason"] for name, line in about.items() if not line["is_tested"]}
    reasons |= {name: "the analysis left it out" for name in sae.corpus.metadata_columns if name not in about}
    return [_served_breakdown(sae, feature, lines[name], about[name], levels[name]) for name in lines], reasons


def _served_breakdown(
    sae: SAE, feature: int, line: dict[str, Any], about: dict[str, Any], levels: list[Level]
) -> Breakdown:
    numbers = ("effect", "effect_corrected", "p", "q", "min_expected")
    return Breakdown(
        sae=sae.name,
        feature=feature,
        column=line["column"],
        kind=line["kind"],
        effect_name=line["effect_name"],
        **{name: line[name] for name in numbers},
        q_reason="" if line["q"] is not None else "the effect is not defined",
        n_documents=about["n_documents"],
        n_missing=about["n_missing"],
        levels=tuple(levels),
    )


def _levels(prop: Property, sums: LevelSums) -> list[Level]:
    return [
        _level(
            (name, prop.lower[i], prop.upper[i]),
            (int(prop.level_documents[i]), int(sums.n_documents_active[0, i])),
            (int(prop.level_rows[i]), int(sums.n_active[0, i]), float(sums.sum[0, i])),
        )
        for i, name in enumerate(prop.levels)
    ]


def _missing(sae: SAE, prop: Property, sums: DocumentSums) -> list[Level]:
    """Return the level of the documents that have rows and no value, or nothing when there are none."""
    from saeatlas.kernels.association import per_level

    if not prop.n_missing:
        return []
    lengths = sae.corpus.documents.lengths()
    is_missing = (prop.codes < 0) & (lengths > 0)
    found = per_level(sums, np.where(is_missing, 0, -1).astype(np.int32), 1)
    documents = (int(is_missing.sum()), int(found.n_documents_active[0, 0]))
    rows = (int(lengths[is_missing].sum()), int(found.n_active[0, 0]), float(found.sum[0, 0]))
    return [_level((None, None, None), documents, rows)]


def _level(
    name: tuple[str | None, float | None, float | None], documents: tuple[int, int], rows: tuple[int, int, float]
) -> Level:
    n_rows, n_active, total = rows
    return Level(
        *name,
        n_documents=documents[0],
        n_documents_active=documents[1],
        n_rows=n_rows,
        n_active=n_active,
        rate=n_active / n_rows if n_rows else None,
        mean=total / n_active if n_active else None,
    )


def _served_q(sae: SAE, feature: int, column: str) -> tuple[float | None, str]:
    """Return q of the current analysis; q needs every feature, so one feature alone cannot give it."""
    table = served_rows(sae, _ANALYSIS, feature, {})
    if table is None:
        return None, state_of(sae, _ANALYSIS).reason
    for line in table.to_pylist():
        if line["column"] == column:
            return line["q"], "" if line["q"] is not None else "the effect is not defined"
    return None, f"Analysis '{_ANALYSIS}' did not include the column '{column}'"


def _defined(numbers: np.ndarray[Any, np.dtype[np.float64]]) -> float | None:
    number = float(numbers[0])
    return None if math.isnan(number) else number
