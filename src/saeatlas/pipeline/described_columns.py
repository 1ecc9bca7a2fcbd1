"""The columns of the table of features with what each means, in the words of the analysis that makes it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from saeatlas.errors import InvalidInput
from saeatlas.pipeline.registries import analyses

if TYPE_CHECKING:
    import polars as pl

    from saeatlas.atlas.sae import SAE

__all__ = ["DescribedColumn", "Kind", "described_columns", "description_of"]

Kind = Literal["number", "integer", "text", "boolean", "list"]


@dataclass(frozen=True)
class DescribedColumn:
    """One column of the table of features."""

    name: str
    """`<analysis>.<column>`, as conditions and `columns` take it."""
    analysis: str
    """What made it: an analysis, or 'explanations' or 'labels'."""
    column: str
    """Its name there."""
    type: Kind
    """What its values are."""
    description: str | None
    """What it means, in a sentence; None where its analysis does not say, or is not installed here."""


def described_columns(sae: SAE) -> list[DescribedColumn]:
    """Return the columns beside `feature`, in the order of the table.

    Imports the analyses that made them, and no other.
    """
    from saeatlas.atlas.feature_columns import DESCRIPTIONS, column_types

    types = column_types(sae)
    said = _descriptions({name.rpartition(".")[0] for name in types if name not in DESCRIPTIONS})
    found = []
    for name, kind in types.items():
        analysis, _, column = name.rpartition(".")
        description = DESCRIPTIONS.get(name) or description_of(column, said.get(analysis, {}))
        found.append(DescribedColumn(name, analysis, column, _kind(kind), description))
    return found


def description_of(column: str, descriptions: Mapping[str, str]) -> str | None:
    """Return what the descriptions of an analysis say about a column; its own name goes before a pattern."""
    if column in descriptions:
        return descriptions[column]
    return next((text for pattern, text in descriptions.items() if fnmatchcase(column, pattern)), None)


def _descriptions(names: Iterable[str]) -> dict[str, Mapping[str, str]]:
    """Return analysis → its descriptions, for those that can be imported here."""
    registry = analyses()
    found = {}
    for name in set(names).intersection(registry):
        try:
            found[name] = registry[name].descriptions  # type: ignore[attr-defined]
        except (ImportError, AttributeError, InvalidInput):
            # A plug-in that is broken here is so for those who run it; its table in the atlas is served all the same.
            continue
    return found


def _kind(kind: pl.DataType) -> Kind:
    import polars as pl

    if kind.is_nested():
        return "list"
    if kind == pl.Boolean:
        return "boolean"
    if kind.is_integer():
        return "integer"
    return "number" if kind.is_numeric() else "text"
