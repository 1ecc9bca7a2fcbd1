"""Joins the ids of activation rows with a metadata file and writes the documents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from saeatlas.errors import SourceError
from saeatlas.format.documents import RESERVED_COLUMNS, DocumentsWriter
from saeatlas.importers._columns import check_unique, ids_from_numpy
from saeatlas.importers._hdf5 import IdRuns
from saeatlas.importers._metadata import Metadata
from saeatlas.progress import Progress

__all__ = ["DocumentSource", "write_source_documents"]

_RUNS_AT_ONCE = 400_000
_FIRST = 5


@dataclass(frozen=True, kw_only=True)
class DocumentSource:
    """What the documents are made from."""

    runs: Callable[[], Iterator[IdRuns]]
    """Gives the ids of the rows, in order."""
    n_rows: int
    """Rows in all."""
    declared: npt.NDArray[Any] | None
    """Ids that the activations' file lists beside the rows, or None."""
    metadata: Metadata | None
    """The metadata, or None when there are only ids."""
    id_column: str
    """Column of the metadata that holds the ids."""
    text_column: str
    """Column of the metadata that holds the texts; empty when there is none."""


def write_source_documents(directory: Path, source: DocumentSource, progress: Progress) -> dict[str, Any]:
    """Write the documents and return their attributes; what is on one side only is counted there and told.

    Peak memory: one block of row ids, the ids and metadata columns of all documents, 4 bytes for each run of rows.
    """
    known = _metadata_ids(source)
    with DocumentsWriter(directory) as writer:
        ids = _write_runs(writer, source, known, progress)
        n_undeclared = _check_declared(source, ids)
        if source.declared is not None:
            declared = ids_from_numpy(source.declared, "The list of document ids")
            ids = pa.concat_arrays([ids, declared.filter(pc.invert(pc.is_in(declared, ids)))])
        texts = _write_texts(writer, source, progress)
        columns, renamed = _columns(source)
        facts: dict[str, Any] = {
            "ids_without_metadata": len(ids) - len(known) if source.metadata is not None else 0,
            "first_ids_without_metadata": ids.slice(len(known), _FIRST).to_pylist()
            if source.metadata is not None
            else [],
            "ids_not_declared": n_undeclared,
            "id_column": source.id_column if source.metadata is not None else "",
            "renamed_columns": renamed,
            **texts,
        }
        attributes = writer.finish(ids, columns, facts)
    without_rows = _first_without_rows(directory)
    attributes["first_documents_without_rows"] = without_rows
    for sentence in _sentences(attributes):
        progress.say(sentence)
    return attributes


def _metadata_ids(source: DocumentSource) -> pa.Array:
    if source.metadata is None:
        return pa.array([], pa.string())
    ids = pa.concat_arrays([pa.array([], pa.string()), *source.metadata.read(source.id_column, as_text=True)])
    if not len(ids):
        raise SourceError("The metadata has no documents", hint="Give one row for each document.", kind="empty-source")
    check_unique(ids, f"The column '{source.id_column}' of the metadata")
    return ids


def _write_runs(writer: DocumentsWriter, source: DocumentSource, known: pa.Array, progress: Progress) -> pa.Array:
    """Write the runs of rows and return the ids of all documents: those of the metadata, then new ones as they come."""
    ids = known
    n_matched = 0
    with progress.task("documents", total=source.n_rows, unit="rows") as task:
        for block in _gathered(source.runs()):
            names = pa.concat_arrays([_names(part) for part in block])
            lengths = np.concatenate([part.lengths for part in block])
            index = pc.index_in(names, ids)
            n_matched += len(index) - index.null_count
            if index.null_count:
                ids = pa.concat_arrays([ids, pc.unique(names.filter(pc.is_null(index)))])
                index = pc.index_in(names, ids)
            writer.append_runs(index.to_numpy(), lengths)
            task.advance(int(lengths.sum()))
    if len(known) and not n_matched:
        raise SourceError(
            f"None of the {len(known)} ids in the metadata is the id of a row: "
            f"the metadata has '{known[0]}', the rows have '{ids[len(known)]}'",
            hint=f"Check that the file belongs to these activations, and the column '{source.id_column}' to these ids.",
            kind="missing-metadata",
        )
    return ids


def _names(runs: IdRuns) -> pa.Array:
    rows = runs.first_row + np.cumsum(runs.lengths) - runs.lengths
    return ids_from_numpy(runs.ids, "The dataset of document ids", map(int, rows))


def _gathered(runs: Iterator[IdRuns]) -> Iterator[list[IdRuns]]:
    """Join small blocks, because every look-up hashes all ids anew."""
    held: list[IdRuns] = []
    n_held = 0
    for block in runs:
        held.append(block)
        n_held += block.lengths.size
        if n_held >= _RUNS_AT_ONCE:
            yield held
            held, n_held = [], 0
    if held:
        yield held


def _check_declared(source: DocumentSource, ids: pa.Array) -> int:
    """Check the ids listed beside the rows; return how many ids of rows or metadata the list lacks."""
    if source.declared is None:
        return 0
    declared = ids_from_numpy(source.declared, "The list of document ids")
    check_unique(declared, "The list of document ids")
    return int(pc.sum(pc.invert(pc.is_in(ids, declared))).as_py() or 0)


def _write_texts(writer: DocumentsWriter, source: DocumentSource, progress: Progress) -> dict[str, int]:
    """Write the texts as they are, and count those that are likely to stand for a missing one."""
    counts = {"n_blank_text": 0, "n_nan_text": 0}
    if source.metadata is None or not source.text_column:
        return counts
    with progress.task("texts", total=source.metadata.n_rows, unit="documents") as task:
        for texts in source.metadata.read(source.text_column, as_text=True):
            writer.append_texts(texts)
            trimmed = pc.utf8_trim_whitespace(texts)
            counts["n_blank_text"] += pc.sum(pc.equal(trimmed, "")).as_py() or 0
            counts["n_nan_text"] += pc.sum(pc.equal(pc.utf8_lower(trimmed), "nan")).as_py() or 0
            task.advance(len(texts))
    return counts


def _columns(source: DocumentSource) -> tuple[pa.Table | None, dict[str, str]]:
    """Return the further columns; one that is named like a column of ours gets 'metadata_' before its name."""
    if source.metadata is None:
        return None, {}
    columns: dict[str, pa.ChunkedArray] = {}
    renamed: dict[str, str] = {}
    others = [name for name in source.metadata.names if name not in {source.id_column, source.text_column}]
    for name in others:
        kept = name
        while kept in RESERVED_COLUMNS or (kept != name and kept in others):
            kept = f"metadata_{kept}"
        if kept != name:
            renamed[name] = kept
        columns[kept] = pa.chunked_array(list(source.metadata.read(name)))
    return (pa.table(columns) if columns else None), renamed


def _first_without_rows(directory: Path) -> list[str]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(directory / "data.parquet") as file:
        for batch in file.iter_batches(columns=["id", "n_rows"]):
            empty = batch.column("id").filter(pc.equal(batch.column("n_rows"), 0))
            if len(empty):
                return empty.slice(0, _FIRST).to_pylist()  # type: ignore[no-any-return]
    return []


def _sentences(facts: dict[str, Any]) -> Iterator[str]:
    def first(key: str) -> str:
        return ", ".join(f"'{name}'" for name in facts[key])

    if facts["ids_without_metadata"]:
        yield (
            f"{facts['ids_without_metadata']} documents have no metadata; "
            f"the first: {first('first_ids_without_metadata')}"
        )
    if facts["documents_without_rows"]:
        count = facts["documents_without_rows"]
        yield f"{count} documents have no rows; the first: {first('first_documents_without_rows')}"
    if facts["ids_not_declared"]:
        yield f"{facts['ids_not_declared']} document ids are missing in the file's own list of ids"
    if not facts["contiguous"]:
        yield f"Documents are not contiguous: {facts['n_documents']} documents lie in {facts['n_runs']} runs of rows"
    if facts["has_text"] and facts["n_without_text"]:
        yield f"{facts['n_without_text']} documents have no text"
    if facts["n_blank_text"] or facts["n_nan_text"]:
        yield (
            f"{facts['n_blank_text']} texts are blank and {facts['n_nan_text']} are the word 'nan'; "
            "they are kept as they are"
        )
    for name, kept in facts["renamed_columns"].items():
        yield f"The metadata column '{name}' is called '{kept}', since '{name}' is taken"
