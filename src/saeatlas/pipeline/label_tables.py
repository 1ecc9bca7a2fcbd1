"""Files of labels that are tables, as spreadsheets read and write them."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from functools import lru_cache

from saeatlas.errors import SaeatlasError, SourceError
from saeatlas.format.canonical import Record
from saeatlas.format.delimited import read_cell
from saeatlas.format.identity import SaeIdentity
from saeatlas.format.labels import said_of
from saeatlas.pipeline.label_statement import MEMBERS, LabelFile, feature_id, object_or_none, said_at, statement

__all__ = ["read_csv", "read_tsv"]

_DIGEST = re.compile("[0-9a-f]{64}")


def read_csv(text: str, found: LabelFile) -> None:
    """Read cells between commas."""
    _read_table(text, found, ",")


def read_tsv(text: str, found: LabelFile) -> None:
    """Read cells between tabs."""
    _read_table(text, found, "\t")


_COLUMNS = {"feature_id": "feature", "display_name": "text"}


def _read_table(text: str, found: LabelFile, delimiter: str) -> None:
    # Within quotes, too, CRLF is what unix2dos or git make of a line feed; no label holds a carriage return.
    reader = csv.reader(io.StringIO(text.replace("\r\n", "\n"), newline=""), delimiter=delimiter, strict=True)
    columns: list[str] = []
    start = 1
    try:
        for cells in reader:
            place, start = f"line {start}", reader.line_num + 1
            if not any(cell.strip() for cell in cells):
                continue
            if not columns:
                columns = _header(cells, delimiter)
                continue
            found.n_lines += 1
            if len(cells) != len(columns):
                raise SourceError(f"{place} has {len(cells)} cells, and the table {len(columns)} columns")
            record = {name: _cell(cell) for name, cell in zip(columns, cells, strict=True)}
            _add_line(found, place, record)
    except csv.Error as error:
        is_cut = "unexpected end" in str(error)
        kind = "truncated-source" if is_cut else "source-error"
        hint = "" if columns else _other_delimiter(text.strip().split("\n", 1)[0], delimiter)
        raise SourceError(f"line {start} is not a line of a table: {error}", hint=hint, kind=kind) from error


def _header(cells: list[str], delimiter: str) -> list[str]:
    columns = [_COLUMNS.get(cell.strip(), cell.strip()) for cell in cells]
    if "feature" not in columns or len(set(columns)) < len(columns) or not all(columns):
        raise SourceError(
            f"the first line must name the columns, each once, with 'feature' among them, found: {cells!r:.200}",
            hint=_other_delimiter(delimiter.join(cells), delimiter)
            or "Columns: feature, text, category, tags, notes, confidence, by, at, source, sae.",
            kind="wrong-file-type",
        )
    return columns


def _other_delimiter(heading: str, delimiter: str) -> str:
    """Return what to do about a table whose cells stand between something else; '' where that is not the matter."""
    hints = {
        ";": "Its cells stand between ';': save it with commas or tabs between them.",
        ",": "Its cells stand between ',': say --format csv.",
        "\t": "Its cells stand between tabs: say --format tsv.",
    }
    for other, hint in hints.items():
        names = {name.strip().strip('"') for name in heading.split(other)}
        if other != delimiter and len(names) > 1 and names & {"feature", "feature_id"}:
            return hint
    return ""


def _cell(cell: str) -> str | None:
    if not cell.strip():
        return None
    return read_cell(cell)


def _add_line(found: LabelFile, place: str, record: dict[str, str | None]) -> None:
    known = {*MEMBERS, "feature", "sae", "by", "at", "id", "identity"}
    members: Record = {name: record.get(name) for name in ("text", "category", "notes", "source")}
    if members["category"] == "none" and "id" not in record:
        members["category"] = None
    members["tags"] = _tags(record.get("tags"), place)
    members["confidence"] = _number(record.get("confidence"), place)
    kept = object_or_none(record.get("extra") or "{}")
    if kept is None:
        raise SourceError(f"{place} has an 'extra' that is no JSON object: {record['extra']!r:.60}")
    members["extra"] = {**kept, **{n: v for n, v in record.items() if n not in known and v is not None}}
    said = said_at(place, lambda: said_of(members))
    if said.is_empty:
        found.n_without_label += 1
        return
    feature = (feature_id((record["feature"] or "").strip(), place),)
    one = statement(place, record.get("sae"), feature, said, record)
    found.statements.append(replace(one, identity=_identity(record.get("identity"), place, found)))


def _identity(cell: str | None, place: str, found: LabelFile) -> str | None:
    """Return the digest of what a line says about its SAE: the facts in JSON, or the digest where nobody has them."""
    if cell is None or _DIGEST.fullmatch(cell):
        return cell
    try:
        digest, facts = _described(cell)
    except SaeatlasError as error:
        raise SourceError(
            f"{place} has an 'identity' that says of no SAE what it is: {cell!r:.100}: {error.message}",
            hint="Leave the column as it was exported, or out: the labels are then about the SAE that is here.",
        ) from error
    found.identities[digest] = facts
    return digest


# A table of many labels is about few SAEs.
@lru_cache(maxsize=16)
def _described(cell: str) -> tuple[str, dict[str, object]]:
    """Return the digest and the facts of an identity in JSON."""
    facts = object_or_none(cell)
    if facts is None:
        raise SourceError("it is no JSON object")
    identity = SaeIdentity.from_json(facts)
    return identity.digest(), identity.to_json()


def _tags(cell: str | None, place: str) -> list[str]:
    """Read tags as we write them, a list in JSON, or as people do, between commas."""
    if cell is None:
        return []
    if not cell.startswith("["):
        return list(dict.fromkeys(tag.strip() for tag in cell.split(",") if tag.strip()))
    try:
        tags = json.loads(cell)
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{place} has tags that are no list: {cell!r:.60}") from error
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise SourceError(f"{place} has tags that are no list of texts: {cell!r:.60}")
    return tags


def _number(cell: str | None, place: str) -> float | None:
    if cell is None:
        return None
    try:
        return float(cell)
    except ValueError as error:
        raise SourceError(f"{place} has a confidence that is no number: {cell!r:.60}") from error
