"""The `documents` artifact: ids, metadata and texts of a corpus, and which rows are whose, in runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from saeatlas.errors import InternalError, InvalidInput, NotFound
from saeatlas.format.array import ArrayReader, ArrayWriter, write_array, write_group

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.format.codecs import Profile
    from saeatlas.storage.store import Store

__all__ = ["RESERVED_COLUMNS", "DocumentsReader", "DocumentsWriter", "Runs"]

Int64 = npt.NDArray[np.int64]
UInt32 = npt.NDArray[np.uint32]

RESERVED_COLUMNS: frozenset[str] = frozenset({"document", "id", "n_rows"})
"""Columns of `data.parquet` that are not metadata."""

_MERGE_FROM = 20_000  # Below this many rows a binary search beats loading the compiled merge.
_SORT_RUNS = 8_000_000


class DocumentsWriter:
    """Writes a `documents` artifact from streams.

    Use it in a `with` block. Runs come in row order and texts in document order; both may be fed in pieces of any
    size. Peak memory is one piece, 4 bytes for each run, and the ids and metadata given to `finish`.

    Parameters
    ----------
    directory
        Empty directory to write in.
    profile
        How arrays are stored; 'compact' is stored as 'balanced', since texts gain nothing from it.
    """

    def __init__(self, directory: Path, *, profile: Profile = "fast") -> None:
        self._directory = directory
        self._profile: Profile = "fast" if profile == "fast" else "balanced"
        self._stack = ExitStack()
        for group in ("", "run", "document"):
            write_group(directory, group)
        self._run_arrays = {
            "first_row": self._array("run/first_row", np.int64),
            "document": self._array("run/document", np.uint32),
            "position": self._array("run/position", np.uint32),
        }
        self._text_arrays: dict[str, ArrayWriter] = {}
        self._run_documents: list[UInt32] = []
        self._seen = np.zeros(0, np.int64)
        self._pending: tuple[Int64, Int64] = (np.zeros(0, np.int64), np.zeros(0, np.int64))
        self._n_rows = 0
        self._n_texts = 0
        self._n_bytes = 0
        self._n_present = 0

    def __enter__(self) -> DocumentsWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def append_runs(self, documents: npt.NDArray[np.integer[Any]], lengths: npt.NDArray[np.integer[Any]]) -> None:
        """Add the next rows.

        Parameters
        ----------
        documents
            Document of each run, [runs]. Equal neighbours are joined into one run.
        lengths
            Rows of each run, [runs]; runs of no rows are left out.
        """
        documents = np.concatenate([self._pending[0], np.asarray(documents, np.int64)[lengths > 0]])
        lengths = np.concatenate([self._pending[1], np.asarray(lengths, np.int64)[lengths > 0]])
        if not documents.size:
            return
        first = np.flatnonzero(np.concatenate([[True], documents[1:] != documents[:-1]]))
        of, rows = documents[first].astype(np.int64), np.add.reduceat(lengths, first).astype(np.int64)
        self._pending = (of[-1:], rows[-1:])
        self._flush(of[:-1], rows[:-1])

    def _flush(self, documents: Int64, lengths: Int64) -> None:
        if not documents.size:
            return
        most = int(documents.max()) + 1
        if most > self._seen.size:
            self._seen = np.concatenate(
                [self._seen, np.zeros(max(most, 2 * self._seen.size) - self._seen.size, np.int64)]
            )
        order = np.argsort(documents, kind="stable")
        ordered, before = documents[order], np.cumsum(lengths[order]) - lengths[order]
        group = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
        base = self._seen[ordered[group]] - before[group]
        position = np.empty(documents.size, np.int64)
        position[order] = before + np.repeat(base, np.diff(np.append(group, ordered.size)))
        self._seen[ordered[group]] += np.add.reduceat(lengths[order], group)
        first_row = self._n_rows + np.cumsum(lengths) - lengths
        self._n_rows += int(lengths.sum())
        self._run_arrays["first_row"].append(first_row)
        self._run_arrays["document"].append(documents.astype(np.uint32))
        self._run_arrays["position"].append(position.astype(np.uint32))
        self._run_documents.append(documents.astype(np.uint32))

    def append_texts(self, texts: pa.Array | Sequence[str | None]) -> None:
        """Add the texts of the next documents; None is a missing text."""
        import pyarrow as pa
        import pyarrow.compute as pc

        texts = texts if isinstance(texts, pa.Array) else pa.array(texts, pa.large_string())
        if not self._text_arrays:
            write_group(self._directory, "text")
            self._text_arrays = {
                "offset": self._array("text/offset", np.int64),
                "utf8": self._array("text/utf8", np.uint8),
                "present": self._array("text/present", np.uint8),
            }
            self._text_arrays["offset"].append(np.zeros(1, np.int64))
        if not len(texts):
            return
        present = np.asarray(pc.is_valid(texts).to_numpy(zero_copy_only=False), np.uint8)
        filled = pc.fill_null(texts.cast(pa.large_string()), "")
        offsets = np.frombuffer(filled.buffers()[1], np.int64)[filled.offset : filled.offset + len(filled) + 1]
        utf8 = np.frombuffer(filled.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
        self._text_arrays["offset"].append(self._n_bytes + offsets[1:] - offsets[0])
        self._text_arrays["utf8"].append(utf8)
        self._text_arrays["present"].append(present)
        self._n_texts += len(texts)
        self._n_bytes += utf8.size
        self._n_present += int(present.sum())

    def finish(
        self, ids: pa.Array | Sequence[str], columns: pa.Table | None = None, facts: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Write what is left and return the attributes.

        Parameters
        ----------
        ids
            Id of every document, [documents], each once.
        columns
            Metadata of the first documents; documents beyond its rows have none.
        facts
            More attributes, such as what the source lacked.
        """
        import pyarrow as pa

        ids = ids if isinstance(ids, pa.Array) else pa.array(ids, pa.string())
        n_documents = len(ids)
        self._flush(*self._pending)
        if self._text_arrays:
            self.append_texts([None] * (n_documents - self._n_texts))
        if self._seen[n_documents:].any() or self._n_texts > n_documents:
            raise InternalError(f"Rows or texts go beyond the {n_documents} documents that have an id")
        lengths = np.zeros(n_documents, np.int64)
        lengths[: min(n_documents, self._seen.size)] = self._seen[:n_documents]
        runs = np.concatenate([*self._run_documents, np.zeros(0, np.uint32)])
        self._run_documents.clear()
        self._run_arrays["first_row"].append(np.array([self._n_rows], np.int64))
        self._stack.close()
        n_runs_of = self._write_document_runs(runs, n_documents)
        names = self._write_columns(ids, lengths, columns)
        attributes: dict[str, Any] = {
            "n_documents": n_documents,
            "n_rows": self._n_rows,
            "n_runs": int(runs.size),
            "contiguous": bool((n_runs_of <= 1).all()),
            "metadata_columns": names,
            "has_text": bool(self._text_arrays),
            "ids_without_metadata": 0,
            "documents_without_rows": int((lengths == 0).sum()),
            "n_without_text": n_documents - self._n_present,
        }
        return attributes | dict(facts or {})

    def _write_document_runs(self, runs: UInt32, n_documents: int) -> Int64:
        """Write the runs of each document in row order; return how many each has."""
        count = np.zeros(n_documents, np.int64)
        for start in range(0, runs.size, _SORT_RUNS):
            # In parts, because counting holds 8 bytes for each run that it is given.
            count += np.bincount(runs[start : start + _SORT_RUNS], minlength=n_documents)
        indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(count)])
        write_array(self._directory, "document/indptr", indptr, self._profile)
        with ArrayWriter(self._directory, "document/run", dtype=np.uint32, profile=self._profile) as out:
            first = 0
            while first < n_documents:
                # Ranges of documents bound the memory of the sort when every row is a run of its own.
                last = max(first + 1, int(np.searchsorted(indptr, indptr[first] + _SORT_RUNS, "right")) - 1)
                mine = np.flatnonzero((runs >= first) & (runs < last))
                out.append(mine[np.argsort(runs[mine], kind="stable")].astype(np.uint32))
                first = last
        return count

    def _write_columns(self, ids: pa.Array, lengths: Int64, columns: pa.Table | None) -> list[str]:
        import pyarrow as pa

        from saeatlas.format.table import write_table

        table = pa.table(
            {"document": np.arange(lengths.size, dtype=np.uint32), "id": ids.cast(pa.string()), "n_rows": lengths}
        )
        names = [] if columns is None else list(columns.column_names)
        for name, column in zip(names, columns.columns if columns is not None else [], strict=True):
            beyond = pa.chunked_array([*column.chunks, pa.nulls(lengths.size - len(column), column.type)], column.type)
            table = table.append_column(name, beyond)
        write_table(self._directory, table, table.schema)
        return names

    def _array(self, path: str, dtype: npt.DTypeLike) -> ArrayWriter:
        return self._stack.enter_context(ArrayWriter(self._directory, path, dtype=dtype, profile=self._profile))


@dataclass(frozen=True)
class Runs:
    """Neighbouring rows of one document, in row order."""

    first_row: Int64
    """First row of each run, and behind it the number of rows: [n_runs + 1]."""
    document: UInt32
    """Document of each run."""
    position: UInt32
    """Position in the document at which each run starts."""


@dataclass(frozen=True)
class _Order:
    """The runs sorted by document; `key` is the place of their first row when all documents lie end to end."""

    indptr: Int64
    run: UInt32
    offset: Int64
    key: Int64


class DocumentsReader:
    """Reads a `documents` artifact; arrays load when first needed and stay.

    Parameters
    ----------
    store, prefix
        Where the artifact is.
    attributes
        What its manifest says.
    """

    def __init__(self, store: Store, prefix: str, attributes: Mapping[str, Any]) -> None:
        self._store = store
        self._prefix = prefix
        self.attributes = attributes
        self.n_documents = int(attributes["n_documents"])
        self.n_rows = int(attributes["n_rows"])

    def locate(self, rows: npt.NDArray[np.integer[Any]]) -> tuple[UInt32, UInt32]:
        """Return the document of each row and its position in it, both [rows].

        Sorted rows are found by one merge with the runs when there are many.
        """
        rows = np.asarray(rows)
        runs = self.runs
        if rows.size >= _MERGE_FROM and not (rows[1:] < rows[:-1]).any():
            from saeatlas.kernels.locate import places_in

            self._check_rows(rows[[0, -1]])
            return places_in(runs.first_row, runs.document, runs.position, rows)
        self._check_rows(rows)
        run = np.searchsorted(runs.first_row, rows, "right") - 1
        position = runs.position[run] + (rows - runs.first_row[run])
        return runs.document[run], position.astype(np.uint32)

    def rows_of(self, document: int) -> Int64:
        """Return the rows of a document in order."""
        self._check_document(document)
        order, runs = self._order, self.runs
        mine = order.run[order.indptr[document] : order.indptr[document + 1]]
        pieces = [np.arange(runs.first_row[r], runs.first_row[r + 1], dtype=np.int64) for r in mine]
        return np.concatenate([*pieces, np.zeros(0, np.int64)])

    def rows_at(self, documents: npt.NDArray[np.integer[Any]], positions: npt.NDArray[np.integer[Any]]) -> Int64:
        """Return the row at each (document, position), [n]; -1 where the document has no such position."""
        if not self.n_rows:
            return np.full(np.shape(documents), -1, np.int64)
        order, runs = self._order, self.runs
        positions = np.asarray(positions, np.int64)
        inside = (positions >= 0) & (positions < self._lengths[documents])
        key = np.where(inside, order.offset[documents] + positions, 0)
        at = np.searchsorted(order.key, key, "right") - 1
        return np.where(inside, runs.first_row[order.run[at]] + key - order.key[at], -1)

    def row_documents(self, start: int, stop: int) -> UInt32:
        """Return the document of each row from `start` to `stop`, [stop - start]."""
        self._check_rows(np.array([start, max(start, stop - 1)]) if stop > start else np.zeros(0, np.int64))
        runs = self.runs
        first = int(np.searchsorted(runs.first_row, start, "right")) - 1
        last = int(np.searchsorted(runs.first_row, stop, "left"))
        edges = np.clip(runs.first_row[first : last + 1], start, stop)
        return np.repeat(runs.document[first:last], np.diff(edges))

    def lengths(self) -> Int64:
        """Return the number of rows of each document, [documents]."""
        return self._lengths.copy()

    def text(self, document: int) -> str | None:
        """Return the text of a document, or None when it has none."""
        self._check_document(document)
        return self.texts(document, document + 1)[0]

    def texts(self, start: int, stop: int) -> list[str | None]:
        """Return the texts of consecutive documents; None where there is none."""
        if not self.attributes["has_text"]:
            return [None] * (stop - start)
        offset = self._array("text/offset").read(start, stop + 1)
        utf8 = self._array("text/utf8").read(int(offset[0]), int(offset[-1])).tobytes()
        present = self._array("text/present").read(start, stop)
        edges = (offset - offset[0]).tolist()
        return [utf8[edges[i] : edges[i + 1]].decode() if present[i] else None for i in range(stop - start)]

    def ids(self, documents: npt.NDArray[np.integer[Any]] | None = None) -> pa.Array:
        """Return the ids of some documents in the order asked, or of all, as an Arrow string array."""
        return self._ids if documents is None else self._ids.take(np.asarray(documents, np.int64))

    def index_of(self, document_id: str) -> int:
        """Return the index of the document with an id; `NotFound` when there is none."""
        import pyarrow as pa
        import pyarrow.compute as pc

        index = int(pc.index(self._ids, pa.scalar(document_id, self._ids.type)).as_py())
        if index < 0:
            raise NotFound(
                f"No document has the id '{document_id}'",
                hint=f"Ids look like: {', '.join(self._ids.slice(0, 3).to_pylist())}",
            )
        return index

    def table(
        self, columns: Sequence[str] | None = None, start: int | None = None, stop: int | None = None
    ) -> pa.Table:
        """Return the documents table: `document`, `id`, `n_rows` and the metadata columns, or those named.

        With `start` and `stop` only those documents; then only their part of the file is read.
        """
        from saeatlas.format.table import read_table, scan_table, scanning

        known = ["document", "id", "n_rows", *self.attributes["metadata_columns"]]
        unknown = [name for name in columns or () if name not in known]
        if unknown:
            raise NotFound(f"The documents have no column '{unknown[0]}'", hint=f"Columns: {', '.join(known)}")
        wanted = None if columns is None else list(columns)
        if start is None and stop is None:
            return read_table(self._store, self._prefix, columns=wanted)
        import polars as pl

        low = start or 0
        high = self.n_documents if stop is None else max(low, stop)
        lines = scan_table(self._store, self._prefix).slice(low, high - low).select(wanted or known)
        with scanning(f"{self._prefix}/data.parquet"):
            found = lines.collect()
        return found.to_arrow(compat_level=pl.CompatLevel.oldest())

    @cached_property
    def runs(self) -> Runs:
        """Where each run of neighbouring rows of one document starts."""
        return Runs(*(self._whole(f"run/{name}") for name in ("first_row", "document", "position")))

    @cached_property
    def _lengths(self) -> Int64:
        runs = self.runs
        # Sums of whole numbers below 2**53 are exact in the float64 that bincount gives.
        length = np.bincount(runs.document, np.diff(runs.first_row), minlength=self.n_documents)
        return length.astype(np.int64)

    @cached_property
    def _order(self) -> _Order:
        runs = self.runs
        indptr, run = self._whole("document/indptr"), self._whole("document/run")
        offset = np.cumsum(self._lengths) - self._lengths
        return _Order(indptr, run, offset, offset[runs.document[run]] + runs.position[run])

    @cached_property
    def _ids(self) -> pa.Array:
        return self.table(["id"]).column("id").combine_chunks()

    @cached_property
    def _arrays(self) -> dict[str, ArrayReader]:
        return {}

    def _array(self, path: str) -> ArrayReader:
        if path not in self._arrays:
            self._arrays[path] = ArrayReader(self._store, f"{self._prefix}/{path}")
        return self._arrays[path]

    def _whole(self, path: str) -> npt.NDArray[Any]:
        array = self._array(path)
        return array.read(0, array.shape[0])

    def _check_rows(self, rows: npt.NDArray[np.integer[Any]]) -> None:
        if rows.size and (int(rows.min()) < 0 or int(rows.max()) >= self.n_rows):
            raise InvalidInput(
                f"Rows must be from 0 to {self.n_rows - 1}, found: {int(rows.min())} to {int(rows.max())}"
            )

    def _check_document(self, document: int) -> None:
        if not 0 <= document < self.n_documents:
            raise NotFound(f"There is no document {document}: they are 0 to {self.n_documents - 1}")
