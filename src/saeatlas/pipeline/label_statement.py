"""What one line of a file of labels says, and how the values of such lines are read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, TypeVar

from saeatlas.errors import InvalidInput, SourceError
from saeatlas.format.canonical import canonical_json, digest_bytes
from saeatlas.format.labels import CategoryEvent, LabelEvent, Said
from saeatlas.pipeline.label_words import neat_name, neat_said

__all__ = [
    "MEMBERS",
    "LabelFile",
    "Statement",
    "blank",
    "each_once",
    "feature_id",
    "no_constant",
    "object_or_none",
    "said_at",
    "short_reason",
    "statement",
    "time_of",
]

MEMBERS = frozenset(one.name for one in fields(Said))
"""What a label has beside its feature; whatever else a line has is kept in 'extra'."""
_MAX_ID = 10**12
_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What a file says about some features."""

    place: str
    """Where in the file, such as 'line 12'."""
    sae: str | None
    """What the file calls the SAE; None where it says nothing about it."""
    features: tuple[int, ...]
    said: Said
    by: str | None = None
    at: str | None = None
    id: str | None = None
    """Id of the event that the line was written from."""
    identity: str | None = None
    """Digest of the facts about the SAE that it is about; None where the file does not say."""

    def digest(self) -> str:
        """Return what is the same for the same statement, wherever in a file it stands."""
        facts = {"sae": self.sae, "features": self.features, "by": self.by, "at": self.at, **self.said.to_json()}
        return digest_bytes(canonical_json(facts))


@dataclass
class LabelFile:
    """What a file of labels holds."""

    shape: str
    statements: list[Statement] = field(default_factory=list)
    events: list[tuple[str, LabelEvent]] = field(default_factory=list)
    """Place and event, of a file that has events with their ids."""
    identities: dict[str, Mapping[str, object]] = field(default_factory=dict)
    """Digest → facts about an SAE that statements or events are about."""
    categories: list[CategoryEvent] = field(default_factory=list)
    n_lines: int = 0
    n_without_label: int = 0
    """Lines that name a feature and say nothing about it."""
    n_headings: int = 0
    """Lines of column names among the data."""


def object_or_none(text: str) -> dict[str, Any] | None:
    """Return the JSON object that a text is, or None."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Make an object from its members, and refuse a name that stands twice: one of both would be lost."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice!r:.60} stands twice in one object")
    return found


def no_constant(name: str) -> object:
    """Refuse NaN and infinities, which are not JSON."""
    raise ValueError(f"{name} is not a JSON number")


def feature_id(value: object, place: str) -> int:
    """Return the id that a number or its digits are."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 12:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MAX_ID:
        return value
    raise SourceError(f"{place} names no feature: an id is a whole number from 0, found: {value!r:.60}")


def blank(value: object) -> object:
    """Return None for what says nothing; anything else is checked where it is kept."""
    return None if value is None or (isinstance(value, str) and not value.strip()) else value


def time_of(value: object, place: str) -> str | None:
    """Return a time in UTC; one that names no zone is taken as UTC, and other members are refused by the caller."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return _utc(datetime.fromtimestamp(value, UTC))
        except (ValueError, OverflowError, OSError) as error:
            raise SourceError(f"{place} has a time out of range: {value!r:.60}") from error
    if not isinstance(value, str) or len(value) > 60:
        return None
    text = value.strip()
    try:
        found = datetime.fromisoformat(text)
        # A time as we write it stays to the last digit.
        return text if text.endswith("Z") else _utc(found)
    except (ValueError, OverflowError):
        return None


def _utc(moment: datetime) -> str:
    known = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return known.astimezone(UTC).isoformat().replace("+00:00", "Z")


def said_at(place: str, read: Callable[[], _T]) -> _T:
    """Return what `read` gives; what cannot be kept is an error of the file, at this place."""
    try:
        return read()
    except InvalidInput as error:
        raise SourceError(f"{place}: {error.message}", hint=error.hint) from error


def statement(
    place: str, sae: str | None, features: tuple[int, ...], said: Said, record: Mapping[str, object]
) -> Statement:
    """Make a statement of what a line says and of the members `by`, `at` and `id` of its record."""
    if said.is_empty:
        raise SourceError(f"{place} says nothing: it has no text, category, tags or notes")
    by, at, id = record.get("by"), record.get("at"), record.get("id")  # noqa: A001 - the field's own word
    if by is not None and not isinstance(by, str):
        raise SourceError(f"{place} has an author who is no text: {by!r:.60}")
    time = time_of(at, place)
    if at is not None and time is None:
        raise SourceError(f"{place} has no time that is understood: {at!r:.60}", hint="Write 2025-01-31T12:00:00Z.")
    id = id if isinstance(id, str) else None  # noqa: A001 - the field's own word
    neat = said_at(place, lambda: neat_said(said))
    author = by and said_at(place, lambda: neat_name(by, "by"))
    return Statement(place=place, sae=sae, features=features, said=neat, by=author, at=time, id=id)


def short_reason(error: Exception) -> str:
    """Return the beginning of what an exception says."""
    return str(error)[:200] or type(error).__name__
