"""Files of labels that are one JSON object from feature to label, as dashboards and their consolidation write them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from saeatlas.errors import SourceError
from saeatlas.format.labels import said_of
from saeatlas.pipeline.label_statement import (
    LabelFile,
    blank,
    each_once,
    feature_id,
    no_constant,
    said_at,
    short_reason,
    statement,
    time_of,
)

__all__ = ["read_consolidated", "read_dashboard"]


def read_dashboard(text: str, found: LabelFile) -> None:
    """Read id → name, category, notes, timestamp."""
    for feature, entry in _entries(text):
        found.n_lines += 1
        place = f"feature '{feature:.40}'"
        known = {"name": "text", "category": "category", "notes": "notes"}
        members = {ours: blank(entry.get(theirs)) for theirs, ours in known.items()}
        _add_foreign(
            found, place, feature, members, (entry, {*known, "timestamp"}, entry.get("timestamp")), "dashboard"
        )


def read_consolidated(text: str, found: LabelFile) -> None:
    """Read id → names of several origins, of which `display_name` counts, and what else is known."""
    for feature, entry in _entries(text):
        found.n_lines += 1
        place = f"feature '{feature:.40}'"
        if entry.get("feature_id") is not None and feature_id(entry["feature_id"], place) != feature_id(feature, place):
            raise SourceError(f"{place} says that it is feature {entry['feature_id']!r:.40}")
        names = ("display_name", "research_label", "dashboard_name")
        shown = next((name for name in names if blank(entry.get(name)) is not None), "display_name")
        members: dict[str, object] = {
            "text": blank(entry.get(shown)),
            "category": blank(entry.get("dashboard_category")),
            "notes": blank(entry.get("dashboard_notes")),
            "confidence": entry.get("hypothesis_confidence"),
        }
        used = {shown, "feature_id", "dashboard_category", "dashboard_notes", "hypothesis_confidence", "last_updated"}
        source = blank(entry.get("source"))
        if source != "none":
            members["source"] = source
            used.add("source")
        by = source if isinstance(source, str) and source != "none" else "consolidated"
        _add_foreign(found, place, feature, members, (entry, used, entry.get("last_updated")), by)


def _add_foreign(
    found: LabelFile,
    place: str,
    feature: str,
    members: dict[str, object],
    entry: tuple[dict[str, Any], set[str], object],
    by: str,
) -> None:
    """Add an entry of another program; what has no place in a label is kept beside it."""
    whole, used, timestamp = entry
    if members.get("category") == "none":
        members["category"] = None
    extra = {name: value for name, value in whole.items() if name not in used and value not in (None, "")}
    at = time_of(timestamp, place)
    if at is None and timestamp not in (None, ""):
        raise SourceError(f"{place} has no time that is understood: {timestamp!r:.60}")
    if members["text"] is None and members["category"] is None and members["notes"] is None:
        found.n_without_label += 1
        return
    said = said_at(place, lambda: said_of({"source": found.shape, **members, "extra": extra}))
    found.statements.append(statement(place, None, (feature_id(feature, place),), said, {"by": by, "at": at}))


def _entries(text: str) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        whole = json.loads(text, object_pairs_hook=each_once, parse_constant=no_constant)
    except json.JSONDecodeError as error:
        is_cut = error.pos >= len(text.rstrip()) or "Unterminated" in error.msg
        kind = "truncated-source" if is_cut else "source-error"
        raise SourceError(f"line {error.lineno} is not JSON: {error.msg}", kind=kind) from error
    except (ValueError, RecursionError) as error:
        raise SourceError(f"it is not JSON that can be read: {short_reason(error)}") from error
    if not isinstance(whole, dict):
        raise SourceError("it is not a JSON object from feature to label", kind="wrong-file-type")
    for feature, entry in whole.items():
        if not isinstance(entry, dict):
            raise SourceError(f"feature '{feature:.40}' is not a JSON object, found: {entry!r:.60}")
        yield feature, entry
