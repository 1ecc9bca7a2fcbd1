"""Files of labels with one JSON object in a line: our own log, simple ones, and those of sparse feature circuits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from saeatlas.errors import FormatError, SourceError
from saeatlas.format.canonical import Record, read_document
from saeatlas.format.labels import CategoryEvent, LabelEvent, said_of
from saeatlas.pipeline.label_statement import (
    MEMBERS,
    LabelFile,
    Statement,
    blank,
    each_once,
    feature_id,
    no_constant,
    said_at,
    short_reason,
    statement,
)

__all__ = ["read_circuits", "read_jsonl"]


def _lines(text: str) -> Iterator[tuple[int, str, dict[str, Any]]]:
    """Yield number, text and object of each line that is not blank."""
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line, object_pairs_hook=each_once, parse_constant=no_constant)
        except (ValueError, RecursionError) as error:
            is_last = not any(rest.strip() for rest in lines[number:])
            kind = "truncated-source" if is_last and not text.endswith("\n") else "source-error"
            raise SourceError(f"line {number} is not JSON: {short_reason(error)}", kind=kind) from error
        if not isinstance(found, dict):
            raise SourceError(f"line {number} is not a JSON object")
        yield number, line, found


def read_jsonl(text: str, found: LabelFile) -> None:
    """Read our own log, whose events keep their ids, or lines that only have the members of a label."""
    for number, line, record in _lines(text):
        found.n_lines += 1
        place = f"line {number}"
        if "action" in record:
            _read_event(line, record, place, found)
        else:
            found.statements.append(_of_record(record, place))


def _read_event(line: str, record: Record, place: str, found: LabelFile) -> None:
    """Take one line of a log as it is."""
    try:
        if "checksum" in record:
            record = read_document(line.rstrip("\r").encode(), place)
        action = record["action"]
        if action in {"label", "retract"}:
            found.events.append((place, LabelEvent.from_json(record, place)))
        elif action in {"category", "drop-category"}:
            found.categories.append(CategoryEvent.from_json(record, place))
        elif action == "identity" and isinstance(record.get("facts"), dict):
            found.identities[str(record.get("identity"))] = record["facts"]  # type: ignore[assignment]
        else:
            raise SourceError(f"{place} has an action that this version does not know: {action!r:.60}")
    except FormatError as error:
        raise SourceError(error.message, hint=error.hint) from error


def _of_record(record: Record, place: str) -> Statement:
    """Read a line with the members of an event, but without an id."""
    known = {*MEMBERS, "feature", "features", "sae", "by", "at"}
    unknown = {name: value for name, value in record.items() if name not in known}
    features = record.get("features", [record.get("feature")])
    if not isinstance(features, list) or not features or ("features" in record) == ("feature" in record):
        raise SourceError(f"{place} names no feature: it needs a member 'feature', or a list 'features'")
    extra = record.get("extra")
    merged = {**(extra if isinstance(extra, dict) else {}), **unknown}
    tags = record.get("tags")
    own = {
        **record,
        "tags": [tags] if isinstance(tags, str) else tags,
        "extra": merged if extra is None or merged else extra,
    }
    said = said_at(place, lambda: said_of(own))
    ids = tuple(sorted({feature_id(one, place) for one in features}))
    return statement(place, _name(record.get("sae"), place), ids, said, record)


def read_circuits(text: str, found: LabelFile) -> None:
    """Read lines whose `Name` is 'hook/feature' and whose `Annotation` is the label."""
    for number, _, record in _lines(text):
        found.n_lines += 1
        place = f"line {number}"
        name = record.get("Name")
        if name == "Name":
            found.n_headings += 1
            continue
        hook, slash, feature = name.rpartition("/") if isinstance(name, str) else ("", "", "")
        if not slash or not hook:
            raise SourceError(f"{place} names no feature: 'Name' must be like 'resid_5/3036', found: {name!r:.100}")
        id = feature_id(feature, place)  # noqa: A001 - the field's own word
        if record.get("Feature") not in {None, "", feature}:
            raise SourceError(f"{place} names two features: '{name}' and '{record['Feature']!r:.40}'")
        extra = {n: v for n, v in record.items() if n not in {"Name", "Annotation", "notes", "Notes", "Feature"}}
        text_of, notes = blank(record.get("Annotation")), blank(record.get("notes", record.get("Notes")))
        if text_of is None and notes is None:
            found.n_without_label += 1
            continue
        members = {"text": text_of, "notes": notes, "source": "feature-circuits", "extra": extra}
        said = said_at(place, lambda members=members: said_of(members))  # type: ignore[misc]
        found.statements.append(statement(place, hook, (id,), said, {"by": "feature-circuits"}))


def _name(value: object, place: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise SourceError(f"{place} has an SAE whose name is no text: {value!r:.60}")
