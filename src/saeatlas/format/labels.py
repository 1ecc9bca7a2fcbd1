"""Labels as events: what someone said about features, what was taken back, and the categories that labels name."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal, cast

from saeatlas.errors import FormatError, InvalidInput
from saeatlas.format.canonical import Record, canonical_json
from saeatlas.format.event_id import check_event_id

__all__ = [
    "CATEGORIES",
    "LIMITS",
    "SCHEMA",
    "CategoryEvent",
    "LabelEvent",
    "Said",
    "check_line",
    "check_time",
    "labels_prefix",
    "time_now",
]

SCHEMA: Final = 1
"""Version of what an event says; a reader refuses events above the highest that it knows."""
CATEGORIES = "labels/_atlas"
"""Log of the categories, which all SAEs of an atlas share; no SAE's name begins with '_'."""
LIMITS: Final = {
    "text": 10_000,
    "notes": 100_000,
    "category": 100,
    "tag": 100,
    "by": 200,
    "source": 200,
    "description": 2_000,
}
"""Characters at most."""
MAX_TAGS = 50
MAX_EXTRA = 65_536
"""Bytes of everything that an event holds beside its own members, as JSON."""
MAX_SUPERSEDED = 100_000

# Controls, halves of surrogate pairs, and the separators that end a line for some programs and not for others.
_REFUSED = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_REFUSED_IN_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_MAY_HAVE_LINES = frozenset({"text", "notes", "description"})
_COLOUR = re.compile("#[0-9a-f]{6}")
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a label says; at least one of text, category, tags and notes."""

    text: str | None = None
    category: str | None = None
    tags: tuple[str, ...] = ()
    notes: str | None = None
    confidence: float | None = None
    """From 0 to 1, as the one who labels sees it."""
    source: str | None = None
    """Where it comes from, such as 'manual', a model's name or a file's format."""
    extra: Mapping[str, object] = field(default_factory=dict)
    """Members of another program, kept as they are."""

    def __post_init__(self) -> None:
        for name in ("text", "category", "notes", "source"):
            value = getattr(self, name)
            if value is not None:
                check_line(value, name)
        if len(self.tags) > MAX_TAGS or len(set(self.tags)) < len(self.tags):
            raise InvalidInput(f"A label has up to {MAX_TAGS} tags, each once, found: {', '.join(self.tags):.200}")
        for tag in self.tags:
            check_line(tag, "tag")
        confidence = self.confidence
        if confidence is not None and not (_is_number(confidence) and 0 <= confidence <= 1):
            raise InvalidInput(f"The confidence of a label is a number from 0 to 1, found: {confidence!r:.100}")
        if self.extra and len(canonical_json(self.extra)) > MAX_EXTRA:
            raise InvalidInput(f"A label keeps {MAX_EXTRA:,} bytes of foreign members at most")

    @property
    def is_empty(self) -> bool:
        """Whether nothing is said."""
        return self.text is None and self.category is None and self.notes is None and not self.tags

    def to_json(self) -> Record:
        """Return the members that say something."""
        record = {
            "text": self.text,
            "category": self.category,
            "tags": list(self.tags) or None,
            "notes": self.notes,
            "confidence": self.confidence,
            "source": self.source,
            "extra": dict(self.extra) or None,
        }
        return {name: value for name, value in record.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelEvent:
    """One line of an SAE's log: a label of one or many features, or the end of some labels."""

    id: str
    at: str
    """When it was said, in UTC."""
    action: Literal["label", "retract"]
    by: str
    sae: str
    identity: str
    """Digest of the facts about the SAE at that time."""
    features: tuple[int, ...]
    """Ascending."""
    said: Said
    supersedes: tuple[str, ...] = ()
    """Older events that this one replaces, or retracts, for these features; the author's own need not be named."""
    origin: str | None = None
    """Digest of what was imported, so that importing it again adds nothing."""
    unknown: Mapping[str, object] = field(default_factory=dict)
    """Members of a later version, kept as they are."""

    def __post_init__(self) -> None:
        check_event_id(self.id)
        check_time(self.at)
        if self.action not in {"label", "retract"}:
            raise InvalidInput(f"Not an action on labels: {self.action!r:.100}")
        check_line(self.by, "by")
        check_features(self.features)
        if len(self.supersedes) > MAX_SUPERSEDED:
            raise InvalidInput(f"An event supersedes {MAX_SUPERSEDED:,} others at most")
        for other in self.supersedes:
            check_event_id(other)
        for name in ("identity", "origin"):
            value = getattr(self, name)
            if not (value is None and name == "origin") and not (isinstance(value, str) and _DIGEST.fullmatch(value)):
                raise InvalidInput(f"Not a digest in the member '{name}' of an event: {value!r:.100}")
        if self.action == "label" and self.said.is_empty:
            raise InvalidInput(
                "A label says nothing: it has no text, category, tag or notes", hint="Give one, or retract the label."
            )

    def to_json(self) -> Record:
        """Return the event as its line holds it."""
        record: Record = {**self.unknown, "schema": SCHEMA, "action": self.action, "id": self.id, "at": self.at}
        record |= {"by": self.by, "sae": self.sae, "identity": self.identity, "features": list(self.features)}
        record |= self.said.to_json()
        if self.supersedes:
            record["supersedes"] = list(self.supersedes)
        if self.origin is not None:
            record["origin"] = self.origin
        return record

    @classmethod
    def from_json(cls, record: Mapping[str, object], what: str) -> LabelEvent:
        """Read what `to_json` gave; `what` names the line in messages.

        Raises
        ------
        FormatError
            Kind corrupt-artifact when a member is missing or wrong, unsupported-format when the event is newer.
        """
        check_schema(record, what)
        try:
            said = said_of(record)
            return cls(
                id=_text(record, "id"),
                at=_text(record, "at"),
                action=cast("Literal['label', 'retract']", _text(record, "action")),
                by=_text(record, "by"),
                sae=_text(record, "sae"),
                identity=_text(record, "identity"),
                features=tuple(cast("Sequence[int]", _array(record, "features"))),
                said=said,
                supersedes=tuple(cast("Sequence[str]", _array(record, "supersedes"))),
                origin=_optional(record, "origin"),
                unknown={name: record[name] for name in record.keys() - _MEMBERS},
            )
        except InvalidInput as error:
            raise _not_an_event(what, error) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class CategoryEvent:
    """One line of the log of categories: what a category is from now on, or that there is none of the name."""

    id: str
    at: str
    action: Literal["category", "drop-category"]
    by: str
    name: str
    colour: str | None = None
    """Such as '#e69f00'."""
    description: str | None = None
    parent: str | None = None
    """Name of the category that this one is a part of."""
    unknown: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_event_id(self.id)
        check_time(self.at)
        if self.action not in {"category", "drop-category"}:
            raise InvalidInput(f"Not an action on categories: {self.action!r:.100}")
        check_line(self.by, "by")
        check_line(self.name, "category")
        if self.parent is not None:
            check_line(self.parent, "category")
        if self.description is not None:
            check_line(self.description, "description")
        if self.colour is not None and not (isinstance(self.colour, str) and _COLOUR.fullmatch(self.colour)):
            raise InvalidInput(f"Not a colour: {self.colour!r:.100}", hint="Write it as #rrggbb, such as #e69f00.")

    def to_json(self) -> Record:
        """Return the event as its line holds it."""
        record = {name: getattr(self, name) for name in ("id", "at", "action", "by", "name", "colour", "description")}
        said = {name: value for name, value in {**record, "parent": self.parent}.items() if value is not None}
        return {**self.unknown, "schema": SCHEMA, **said}

    @classmethod
    def from_json(cls, record: Mapping[str, object], what: str) -> CategoryEvent:
        """Read what `to_json` gave; errors as of `LabelEvent.from_json`."""
        check_schema(record, what)
        known = ("colour", "description", "parent")
        try:
            required = {name: _text(record, name) for name in ("id", "at", "action", "by", "name")}
            unknown = {n: v for n, v in record.items() if n not in {*required, *known, "schema"}}
            optional = {name: _optional(record, name) for name in known}
            return cls(**required, **optional, unknown=unknown)  # type: ignore[arg-type]  # checked by __post_init__
        except InvalidInput as error:
            raise _not_an_event(what, error) from error


_MEMBERS = frozenset(
    {"schema", "id", "at", "action", "by", "sae", "identity", "features", "text", "category", "tags", "notes"}
    | {"confidence", "source", "extra", "supersedes", "origin"}
)


def labels_prefix(sae: str) -> str:
    """Return the prefix of the log of an SAE."""
    return f"labels/{sae}"


def time_now() -> str:
    """Return the time in UTC as events state it, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def check_time(text: object) -> str:
    """Return a time in UTC, written as `2025-01-31T12:00:00Z` with or without a fraction, else raise `InvalidInput`."""
    if isinstance(text, str) and text.endswith("Z") and len(text) <= 40:
        try:
            datetime.fromisoformat(text)
        except ValueError:
            pass
        else:
            return text
    raise InvalidInput(f"Not a time in UTC: {text!r:.100}", hint="Write it as 2025-01-31T12:00:00Z.")


def check_line(text: object, what: str) -> str:
    """Return a text that a label may hold, else raise `InvalidInput`; `what` is a member of `LIMITS`."""
    if not isinstance(text, str):
        raise InvalidInput(f"The {what} of a label is a text, found: {text!r:.100}")
    if not text.strip():
        raise InvalidInput(f"The {what} of a label is blank", hint="Leave out what is not said.")
    if len(text) > LIMITS[what]:
        raise InvalidInput(f"The {what} of a label has {len(text):,} characters, at most {LIMITS[what]:,} are kept")
    if text.isprintable():
        return text
    bad = (_REFUSED_IN_LINES if what in _MAY_HAVE_LINES else _REFUSED).search(text)
    if bad is not None:
        raise InvalidInput(
            f"The {what} of a label holds the control character U+{ord(bad[0]):04X} at {bad.start()}",
            hint="Remove it; line feeds and tabs are allowed in texts and notes.",
        )
    return text


def check_features(features: Sequence[object]) -> None:
    """Refuse what is no ascending list of feature ids."""
    if not features:
        raise InvalidInput("A label is about at least one feature, none is named")
    last = -1
    for feature in features:
        if not isinstance(feature, int) or isinstance(feature, bool) or not last < feature < 1 << 40:
            raise InvalidInput(f"The features of a label are ascending whole numbers from 0, found: {feature!r:.100}")
        last = feature


def check_schema(record: Mapping[str, object], what: str) -> None:
    """Refuse an event of a later version, and one that states none."""
    found = record.get("schema")
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise FormatError(f"'{what}' has no schema version, found: {found!r:.100}", kind="corrupt-artifact")
    if found > SCHEMA:
        raise FormatError(
            f"'{what}' has schema {found}, and this saeatlas reads up to {SCHEMA}: made by a newer saeatlas",
            hint="Upgrade: pip install --upgrade saeatlas",
            kind="unsupported-format",
        )


def said_of(record: Mapping[str, object]) -> Said:
    """Return what a record with the members of an event says; `InvalidInput` where one is of another type."""
    extra = record.get("extra")
    if extra is not None and not isinstance(extra, dict):
        raise InvalidInput(f"The member 'extra' of an event is an object, found: {extra!r:.100}")
    confidence = record.get("confidence")
    return Said(
        text=_optional(record, "text"),
        category=_optional(record, "category"),
        tags=tuple(cast("Sequence[str]", _array(record, "tags"))),
        notes=_optional(record, "notes"),
        confidence=float(confidence) if _is_number(confidence) else cast("None", confidence),  # type: ignore[arg-type]
        source=_optional(record, "source"),
        extra=extra or {},
    )


def _is_number(value: object) -> bool:
    if isinstance(value, int):
        # A whole number of any length is read from JSON, and not all of them are floats.
        return not isinstance(value, bool) and abs(value) < 1 << 53
    return isinstance(value, float) and math.isfinite(value)


def _text(record: Mapping[str, object], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str):
        raise InvalidInput(f"The member '{name}' of an event is a text, found: {value!r:.100}")
    return value


def _optional(record: Mapping[str, object], name: str) -> str | None:
    return None if record.get(name) is None else _text(record, name)


def _array(record: Mapping[str, object], name: str) -> list[object]:
    value = record.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidInput(f"The member '{name}' of an event is a list, found: {value!r:.100}")
    return value


def _not_an_event(what: str, error: InvalidInput) -> FormatError:
    return FormatError(
        f"'{what}' is not an event of labels: {error}",
        hint="Run 'saeatlas verify' to see what else is damaged, then restore the file from a copy.",
        kind="corrupt-artifact",
    )
