"""A reader of atlases that knows docs/format.md and nothing of saeatlas: json, zarr and pyarrow only."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import zarr

__all__ = ["Found", "read"]


@dataclass(frozen=True)
class Found:
    """What stands in an atlas for one SAE, by rows of the corpus."""

    by_row: dict[tuple[int, int], float]
    """(row, feature) to value, from the row-major arrays."""
    by_feature: dict[tuple[int, int], float]
    """The same from the feature-major arrays."""
    place: dict[int, tuple[str, int]]
    """Row to the document's id and the position in it."""
    texts: dict[str, str]
    words: dict[int, str]
    tables: dict[str, dict[str, list[Any]]]


def read(atlas: Path, sae: str, corpus: str) -> Found:
    """Read the newest commit, checking every file against its digest on the way."""
    assert json.loads((atlas / "atlas.json").read_text())["format"] == 1
    newest = max((atlas / "commits").glob("*.json"))
    entries = {name: atlas / entry["path"] for name, entry in json.loads(newest.read_text())["entries"].items()}
    for folder in entries.values():
        for file in json.loads((folder / "artifact.json").read_text())["files"]:
            assert hashlib.sha256((folder / file["path"]).read_bytes()).hexdigest() == file["sha256"]
    by_row: dict[tuple[int, int], float] = {}
    by_feature: dict[tuple[int, int], float] = {}
    for name in sorted(n for n in entries if n.startswith(f"sae/{sae}/segment/")):
        _segment(entries[name], by_row, by_feature)
    place, texts, words = _corpus(entries[f"corpus/{corpus}/documents"], entries.get(f"corpus/{corpus}/tokens"))
    tables = {
        name.rsplit("/", 1)[1]: pq.read_table(folder / "data.parquet").to_pydict()
        for name, folder in entries.items()
        if name.startswith(f"sae/{sae}/") and (folder / "data.parquet").exists()
    }
    return Found(by_row, by_feature, place, texts, words, tables)


def _segment(folder: Path, by_row: dict[tuple[int, int], float], by_feature: dict[tuple[int, int], float]) -> None:
    facts = json.loads((folder / "artifact.json").read_text())["attributes"]
    group = zarr.open_group(folder, mode="r")
    first, n_rows = facts["first_row"], facts["n_rows"]
    features, values = group["row/feature"][:].reshape(-1), group["row/value"][:].reshape(-1)
    lengths = np.diff(group["row/indptr"][:]) if facts["k"] is None else np.full(n_rows, facts["k"])
    rows = np.repeat(np.arange(n_rows), lengths) + first
    by_row |= {(int(r), int(f)): float(v) for r, f, v in zip(rows, features, values, strict=True)}
    counts = np.diff(group["feature/indptr"][:])
    ids = np.repeat(np.arange(counts.size), counts)
    columns = zip(group["feature/row"][:], ids, group["feature/value"][:], strict=True)
    by_feature |= {(int(r) + first, int(f)): float(v) for r, f, v in columns}


def _corpus(documents: Path, tokens: Path | None) -> tuple[dict[int, tuple[str, int]], dict[str, str], dict[int, str]]:
    group = zarr.open_group(documents, mode="r")
    ids = pq.read_table(documents / "data.parquet")["id"].to_pylist()
    starts, of, at = (group[f"run/{n}"][:] for n in ("first_row", "document", "position"))
    place = {
        int(row): (ids[of[run]], int(at[run] + row - starts[run]))
        for run in range(of.size)
        for row in range(starts[run], starts[run + 1])
    }
    texts: dict[str, str] = {}
    if (documents / "text").exists():
        offsets, letters = group["text/offset"][:], group["text/utf8"][:].tobytes()
        present = group["text/present"][:]
        texts = {d: letters[offsets[i] : offsets[i + 1]].decode() for i, d in enumerate(ids) if present[i]}
    words: dict[int, str] = {}
    if tokens is not None:
        strings = pq.read_table(tokens / "vocabulary.parquet")["string"].to_pylist()
        numbers = zarr.open_group(tokens, mode="r")["row/token"][:]
        words = {row: strings[t] for row, t in enumerate(numbers) if t != 0xFFFFFFFF}
    return place, texts, words
