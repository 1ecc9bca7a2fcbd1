"""Write labels to files: all events, tables for spreadsheets, and the shapes of other programs."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from saeatlas.errors import InvalidInput
from saeatlas.format.delimited import write_delimited
from saeatlas.format.event_log import log_line
from saeatlas.format.export import check_place, replace_file
from saeatlas.format.labels import SCHEMA

if TYPE_CHECKING:
    from saeatlas.atlas.label_fold import Label
    from saeatlas.atlas.sae import SAE

__all__ = ["EXPORT_SHAPES", "export_labels"]

_COLUMNS = ["sae", "feature", "text", "category", "tags", "notes", "confidence", "by", "at", "source"]
_COLUMNS += ["id", "identity", "extra"]
_OTHER_COLUMNS = ["feature_id", "display_name", "category", "confidence", "source", "notes"]


def export_labels(saes: Sequence[SAE], path: Path, *, shape: str = "", names: Mapping[str, str] | None = None) -> int:
    """Write the labels of SAEs to a file, whole or not at all, and return how many lines or entries it has.

    Parameters
    ----------
    saes
        Whose labels.
    path
        A file of that name is replaced.
    shape
        One of `EXPORT_SHAPES`; 'jsonl', 'csv' or 'tsv' by the ending of the name where it is empty. 'jsonl' holds every
        event with its history and can be imported without loss; all others hold what is current.
    names
        SAE → what the file is to call it, such as 'resid_5'; its own name where it is not there.

    Raises
    ------
    InvalidInput
        When the format is not known, or holds labels of one SAE only and several are given.
    """
    shape = shape or path.suffix.lower().removeprefix(".")
    if shape not in EXPORT_SHAPES:
        raise InvalidInput(
            f"No format of labels is known by the ending of '{path.name}'",
            hint=f"Say --format: {', '.join(EXPORT_SHAPES)}",
        )
    check_place(path, "label", (path.suffix.lower(),))
    if shape in {"dashboard", "consolidated", "display-csv"} and len(saes) != 1:
        raise InvalidInput(f"A file '{shape}' holds labels of one SAE, asked for {len(saes)}", hint="Name one.")
    data, n = EXPORT_SHAPES[shape](saes, names or {})
    replace_file(path, lambda file: file.write(data))
    return n


def _jsonl(saes: Sequence[SAE], names: Mapping[str, str]) -> tuple[bytes, int]:
    """Return the events of categories, the identities, and all events, as the log has them."""
    from saeatlas.atlas.label_categories import Categories

    lines = [log_line(event.to_json()) for event in (Categories(saes[0].atlas.store).events() if saes else [])]
    for sae in saes:
        known = sae.labels.identities()
        lines += [
            log_line({"schema": SCHEMA, "action": "identity", "identity": digest, "facts": dict(known[digest])})
            for digest in sorted(known)
        ]
        lines += [log_line({**event.to_json(), "sae": names.get(sae.name, event.sae)}) for event in sae.labels.events()]
    return b"".join(lines), len(lines)


def _csv(saes: Sequence[SAE], names: Mapping[str, str]) -> tuple[bytes, int]:
    return _table(saes, names, ",")


def _tsv(saes: Sequence[SAE], names: Mapping[str, str]) -> tuple[bytes, int]:
    return _table(saes, names, "\t")


def _table(saes: Sequence[SAE], names: Mapping[str, str], delimiter: str) -> tuple[bytes, int]:
    lines = []
    for sae in saes:
        # The oldest of a feature first: what is imported later is newer.
        current = sorted(sae.labels.current.to_pylist(), key=lambda line: (line["feature"], line["id"]))
        about = _identities(sae)
        for line in current:
            tags = json.dumps(line["tags"], ensure_ascii=False) if line["tags"] else None
            line |= {"sae": names.get(sae.name, sae.name), "tags": tags, "identity": about[line["id"]]}
            lines.append([line[column] for column in _COLUMNS])
    return _cells(_COLUMNS, lines, delimiter), len(lines)


def _identities(sae: SAE) -> dict[str, str]:
    """Return event → what its SAE was: the facts that were known, in JSON, or the digest where the log lacks them.

    The facts and not their digest: it differs, too, where one of two atlases has learned more about the same SAE.
    """
    texts = {
        digest: json.dumps({n: v for n, v in facts.items() if v is not None}, ensure_ascii=False)
        for digest, facts in sae.labels.identities().items()
    }
    return {event.id: texts.get(event.identity, event.identity) for event in sae.labels.events()}


def _cells(columns: Sequence[str], lines: Sequence[Sequence[object]], delimiter: str) -> bytes:
    import pyarrow as pa

    kinds = {"feature": pa.int64(), "feature_id": pa.int64(), "confidence": pa.float64()}
    cells: list[list[object]] = [[line[place] for line in lines] for place in range(len(columns))]
    arrays = [pa.array(one, kinds.get(name, pa.string())) for name, one in zip(columns, cells, strict=True)]
    file = io.BytesIO()
    write_delimited(pa.table(arrays, list(columns)), file, delimiter)
    return file.getvalue()


def _shown(sae: SAE) -> dict[int, Label]:
    """Return feature → the label that stands for it: the newest with a text, or the newest."""
    found: dict[int, Label] = {}
    for feature in sorted(set(sae.labels.current.column("feature").to_pylist())):
        current = sae.labels.of(feature).current
        found[feature] = next((label for label in current if label.said.text is not None), current[0])
    return found


def _display_csv(saes: Sequence[SAE], names: Mapping[str, str]) -> tuple[bytes, int]:
    del names
    lines = [
        [feature, one.said.text, one.said.category or "none", one.said.confidence, one.said.source, one.said.notes]
        for feature, one in _shown(saes[0]).items()
    ]
    return _cells(_OTHER_COLUMNS, lines, ","), len(lines)


def _dashboard(saes: Sequence[SAE], names: Mapping[str, str]) -> tuple[bytes, int]:
    del names
    entries = {
        str(feature): {
            **one.said.extra,
            "name": one.said.text or "",
            "category": one.said.category or "none",
            "notes": one.said.notes or "",
            "timestamp": one.at,
        }
        for feature, one in _shown(saes[0]).items()
    }
    return _object(entries)


def _consolidated(saes: Sequence[SAE], names: Mapping[str, str]) -> tuple[bytes, int]:
    del names
    model = saes[0].identity.model
    entries = {
        str(feature): {
            "model_type": model,
            **one.said.extra,
            "feature_id": feature,
            "display_name": one.said.text or "",
            "dashboard_category": one.said.category or "none",
            "dashboard_notes": one.said.notes or "",
            "hypothesis_confidence": one.said.confidence,
            "source": one.said.source or one.by,
            "last_updated": one.at,
        }
        for feature, one in _shown(saes[0]).items()
    }
    return _object(entries)


def _object(entries: Mapping[str, object]) -> tuple[bytes, int]:
    return (json.dumps(entries, indent=2) + "\n").encode(), len(entries)


def _circuits(saes: Sequence[SAE], names: Mapping[str, str]) -> tuple[bytes, int]:
    lines = []
    for sae in saes:
        hook = names.get(sae.name, sae.name)
        for feature, one in _shown(sae).items():
            record = {**one.said.extra, "Feature": str(feature), "Name": f"{hook}/{feature}"}
            said = {"Annotation": one.said.text, "notes": one.said.notes}
            record |= {name: value for name, value in said.items() if value is not None}
            lines.append(json.dumps(record) + "\n")
    return "".join(lines).encode(), len(lines)


EXPORT_SHAPES: dict[str, Callable[[Sequence[SAE], Mapping[str, str]], tuple[bytes, int]]] = {
    "jsonl": _jsonl,
    "csv": _csv,
    "tsv": _tsv,
    "dashboard": _dashboard,
    "consolidated": _consolidated,
    "display-csv": _display_csv,
    "feature-circuits": _circuits,
}
"""What labels can be written as."""
