"""Conditions and lists of columns and ids, as requests write them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter, ValidationError

from saeatlas.atlas.feature_columns import LABELS
from saeatlas.atlas.predicates import AnyOf, Operator, Predicate, columns_in
from saeatlas.atlas.sae import SAE
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.server.live import MAX_ID

__all__ = [
    "AnyClause",
    "Clause",
    "Clauses",
    "Where",
    "asked",
    "id_list",
    "labels_position",
    "name_list",
    "predicates_of",
    "read_where",
    "whole_number",
]

_MOST_NAMES = 500


class Clause(BaseModel):
    """A condition on one column; a missing value fulfils 'missing' and nothing else."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"column": "stats.max", "op": "gt", "value": 5.0}]}
    )

    column: str = Field(max_length=300, description="Column of the table of features, or 'feature'.")
    op: Operator = Field(description="How it is compared; 'between' includes both ends.")
    value: bool | int | float | str | list[bool | int | float | str] | None = Field(
        default=None, description="Of the column's type; a list for 'between' and 'in', none for 'missing', 'present'."
    )


class AnyClause(BaseModel):
    """Holds where at least one of its conditions does."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"any": [{"column": "stats.max", "op": "missing"}]}]}
    )

    any: list[Clause] = Field(min_length=1, max_length=200, description="The conditions.")


def _form(condition: Any) -> str:  # noqa: ANN401  # whatever JSON holds
    """Tell which form a condition has, so that what is wrong with it is said about that form."""
    return (
        "any"
        if isinstance(condition, AnyClause) or (isinstance(condition, dict) and "any" in condition)
        else "condition"
    )


Condition = Annotated[
    Annotated[Clause, Tag("condition")] | Annotated[AnyClause, Tag("any")],
    Discriminator(_form),
]
Clauses = Annotated[list[Condition], Field(max_length=200, description="Conditions that all hold.")]
_ADAPTER: TypeAdapter[list[Clause | AnyClause]] = TypeAdapter(Clauses)

Where = Annotated[
    str,
    Query(
        description='JSON list of conditions that all hold: `[{"column": "stats.max", "op": "gt", "value": 5}]`, '
        "with op one of eq, ne, lt, le, gt, ge, between, in, contains, missing, present; "
        '`{"any": […]}` holds where one of its conditions does.',
        examples=['[{"column":"feature","op":"lt","value":100}]'],
        max_length=16_000,
    ),
]
"""The query parameter `where`."""


def read_where(where: str) -> tuple[Predicate | AnyOf, ...]:
    """Read the query parameter `where`; empty means no condition."""
    if not where:
        return ()
    try:
        return predicates_of(_ADAPTER.validate_json(where))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(
            f"'where' is no list of conditions: {place or 'as a whole'}: {first['msg']}",
            hint='Write: [{"column": "stats.max", "op": "gt", "value": 5}]',
        ) from error


def predicates_of(clauses: list[Clause | AnyClause] | None) -> tuple[Predicate | AnyOf, ...]:
    """Return the conditions of a body as the atlas takes them."""
    return tuple(
        AnyOf(tuple(_predicate(part) for part in one.any)) if isinstance(one, AnyClause) else _predicate(one)
        for one in clauses or ()
    )


def _predicate(clause: Clause) -> Predicate:
    value: Any = tuple(clause.value) if isinstance(clause.value, list) else clause.value
    return Predicate(clause.column, clause.op, value)


def name_list(text: str) -> tuple[str, ...]:
    """Read names with commas between them; each is given once."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if len(names) > _MOST_NAMES:
        raise InvalidInput(f"At most {_MOST_NAMES} columns are given at once, found: {len(names)}")
    return names


def id_list(text: str) -> tuple[int, ...]:
    """Read ids of features with commas between them."""
    return tuple(whole_number(word, "A feature id", hint="Write them as 1,2,3.") for word in text.split(","))


def whole_number(text: str, what: str, *, hint: str = "") -> int:
    """Read a whole number from 0 that every reader of JSON takes as it is."""
    digits = text.strip()
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 16 and int(digits) <= MAX_ID):
        raise InvalidInput(f"{what} is a whole number from 0, found: '{digits:.50}'", hint=hint)
    return int(digits)


def labels_position(sae: SAE, names: Iterable[str], predicates: Sequence[Predicate | AnyOf]) -> int | None:
    """Return the place in the log of labels when one of the columns that an answer depends on comes from labels."""
    of_labels = any(name.startswith(f"{LABELS}.") for name in (*names, *columns_in(predicates)))
    return sae.labels.position if of_labels else None


@contextmanager
def asked() -> Iterator[None]:
    """Turn what a query names and the atlas does not have into a wrong query: the path itself is right."""
    try:
        yield
    except NotFound as error:
        raise InvalidInput(error.message, hint=error.hint) from error
