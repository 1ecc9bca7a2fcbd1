"""A reader of labels that knows docs/format.md and nothing of saeatlas: json and hashlib only."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

__all__ = ["current", "read_log"]


def read_log(prefix: Path) -> list[dict[str, Any]]:
    """Every event of a log, by id; events of which saeatlas has no right to speak are an assertion's business."""
    found: dict[str, dict[str, Any]] = {}
    without_id = []
    for path in sorted(prefix.glob("*.jsonl")):
        for line in path.read_bytes().split(b"\n")[:-1]:
            if line.endswith(b"\x18"):
                continue
            event = json.loads(line)
            checksum = event.pop("checksum")
            assert hashlib.sha256(line.replace(checksum.encode(), b"0" * 64)).hexdigest() == checksum
            assert event["schema"] == 1
            if "id" not in event:
                without_id.append(event)
                continue
            assert found.setdefault(event["id"], event) == event
    return [*without_id, *(event for _, event in sorted(found.items()))]


def current(events: list[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
    """Feature to the labels that hold, oldest first."""
    held: dict[int, list[dict[str, Any]]] = {}
    for event in events:
        if event["action"] not in {"label", "retract"}:
            continue
        named = event.get("supersedes", [])
        for feature in event["features"]:
            own = event["action"] == "label" or not named
            kept = [
                label
                for label in held.get(feature, [])
                if label["id"] not in named and not (own and label["by"] == event["by"])
            ]
            held[feature] = [*kept, event] if event["action"] == "label" else kept
    return {feature: labels for feature, labels in held.items() if labels}
