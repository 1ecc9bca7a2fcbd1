"""Conditions on the columns of features as data, not as text: what a program or a page asks with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from saeatlas.errors import InvalidInput

if TYPE_CHECKING:
    import polars as pl

__all__ = ["AnyOf", "Operator", "Predicate", "Scalar", "columns_in", "condition"]

Operator = Literal["eq", "ne", "lt", "le", "gt", "ge", "between", "in", "contains", "missing", "present"]
Scalar = bool | int | float | str
_NO_VALUE = frozenset({"missing", "present"})
_COMPARED = frozenset({"lt", "le", "gt", "ge", "between"})
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class Predicate:
    """A condition on one column. A missing value fulfils 'missing' and nothing else, not even 'ne'."""

    column: str
    op: Operator
    """'between' includes both ends; 'contains' looks for the text itself, whatever its case.

    In a column of lists of texts, 'contains' holds where one of them is exactly the value.
    """
    value: Scalar | tuple[Scalar, ...] | None = None
    """A value of the column's type; two for 'between', any number for 'in', None for 'missing' and 'present'."""


@dataclass(frozen=True)
class AnyOf:
    """Holds where at least one part does."""

    parts: tuple[Predicate, ...]


def columns_in(predicates: Sequence[Predicate | AnyOf]) -> list[str]:
    """Return the columns that predicates name, each once."""
    parts = [part for one in predicates for part in (one.parts if isinstance(one, AnyOf) else (one,))]
    return list(dict.fromkeys(part.column for part in parts))


def condition(predicates: Sequence[Predicate | AnyOf], types: Mapping[str, pl.DataType]) -> pl.Expr:
    """Return the expression that holds where all predicates do.

    Raises
    ------
    InvalidInput
        When a value does not fit the type of its column.
    """
    import polars as pl

    parts = [_any_of(one, types) if isinstance(one, AnyOf) else _one(one, types) for one in predicates]
    return pl.all_horizontal(parts) if parts else pl.lit(value=True)


def _any_of(one: AnyOf, types: Mapping[str, pl.DataType]) -> pl.Expr:
    import polars as pl

    if not one.parts:
        raise InvalidInput("'any' of no conditions holds nowhere", hint="Leave it out, or put conditions in it.")
    return pl.any_horizontal([_one(part, types) for part in one.parts])


def _one(one: Predicate, types: Mapping[str, pl.DataType]) -> pl.Expr:
    import polars as pl

    column = pl.col(one.column)
    if one.op in _NO_VALUE:
        if one.value is not None:
            raise _unfit(one, "takes no value")
        return column.is_null() if one.op == "missing" else column.is_not_null()
    found = _compare(one, column, types[one.column])
    # What is missing is unknown, which 'any' must not take for a third truth value.
    return found.fill_null(value=False)


def _compare(one: Predicate, column: pl.Expr, kind: pl.DataType) -> pl.Expr:
    import polars as pl

    if kind.is_nested():
        return _has_member(one, column, kind)
    if one.op == "in":
        return column.is_in(_values_in(one, kind))
    if one.op == "between":
        low, high = _two(one, kind)
        return column.is_between(pl.lit(low), pl.lit(high), closed="both")
    if isinstance(one.value, tuple) or one.value is None:
        raise _unfit(one, "takes one value")
    value = _fitting(one, one.value, kind)
    if one.op == "contains":
        if not isinstance(value, str):
            raise _unfit(one, "is no text")
        return column.str.to_lowercase().str.contains(value.lower(), literal=True)
    literal = pl.lit(value)
    compared = {
        "eq": column == literal,
        "ne": column != literal,
        "lt": column < literal,
        "le": column <= literal,
        "gt": column > literal,
        "ge": column >= literal,
    }
    return compared[one.op]


def _has_member(one: Predicate, column: pl.Expr, kind: pl.DataType) -> pl.Expr:
    import polars as pl

    if one.op != "contains" or kind != pl.List(pl.String):
        also = ", and 'contains' for one of its texts" if kind == pl.List(pl.String) else ""
        raise _unfit(one, f"is a list for each feature: only 'missing' and 'present' can be asked{also}")
    if not isinstance(one.value, str):
        raise _unfit(one, "holds texts")
    return column.list.contains(pl.lit(one.value))


def _values_in(one: Predicate, kind: pl.DataType) -> pl.Series:
    import polars as pl

    if not isinstance(one.value, tuple):
        raise _unfit(one, "takes a list")
    values = [_fitting(one, value, kind) for value in one.value]
    if kind.is_integer():
        # A number that is not whole, or that the type does not hold, is none of the column's.
        values = [int(value) for value in values if float(value).is_integer() and abs(int(value)) <= _LARGEST]
        return pl.Series(values, dtype=pl.Int64)
    return pl.Series(values, dtype=pl.Float64 if kind.is_float() else kind)


def _two(one: Predicate, kind: pl.DataType) -> tuple[Scalar, Scalar]:
    if not isinstance(one.value, tuple) or len(one.value) != 2:
        raise _unfit(one, "takes a list of two values")
    low, high = (_fitting(one, value, kind) for value in one.value)
    return low, high


def _fitting(one: Predicate, value: Scalar, kind: pl.DataType) -> Scalar:
    """Return the value as the column's type compares it."""
    import polars as pl

    if kind == pl.Boolean:
        if not isinstance(value, bool) or one.op in _COMPARED:
            raise _unfit(one, "is true or false: ask with 'eq' or 'in'")
        return value
    if kind.is_numeric():
        if isinstance(value, bool | str) or not math.isfinite(_as_float(value)):
            raise _unfit(one, "holds numbers")
        return value if abs(value) <= _LARGEST else float(value)
    if not isinstance(value, str):
        raise _unfit(one, "holds texts")
    return value


def _as_float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _unfit(one: Predicate, what: str) -> InvalidInput:
    subject = f"'{one.op}'" if what.startswith("takes") else f"Column '{one.column}'"
    return InvalidInput(
        f"{subject} {what}: asked for '{one.column}' {one.op} {one.value!r:.200}",
        hint="Numbers are compared with numbers, texts with texts; see docs/reference/http.md.",
    )
