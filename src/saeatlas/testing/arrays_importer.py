"""An importer whose source is arrays in memory: what tests import, and what an author of an importer can read first."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from saeatlas.errors import SourceError
from saeatlas.format.identity import SaeIdentity
from saeatlas.pipeline.importer import Importer, Part, RowBatch, Survey
from saeatlas.progress import Progress

if TYPE_CHECKING:
    from saeatlas.format.documents import DocumentsReader

__all__ = ["ArraysImporter", "FaultyImporter", "SparseArrays"]


@dataclass(frozen=True, eq=False, kw_only=True)
class SparseArrays:
    """Activations of rows, and the documents that the rows belong to."""

    features: npt.NDArray[np.integer[Any]]
    """Feature of each slot, [slots]."""
    values: npt.NDArray[np.floating[Any]]
    """Value of each slot, [slots]."""
    indptr: npt.NDArray[np.int64]
    """Where each row starts in the slots, [rows + 1]."""
    documents: npt.NDArray[np.integer[Any]]
    """Document of each row, [rows]; a document's rows need not be neighbours."""
    ids: tuple[str, ...]
    """Id of each document."""
    texts: tuple[str | None, ...] = ()
    """Text of each document, or none at all."""
    columns: Mapping[str, Sequence[object]] = field(default_factory=dict)
    """Metadata: one value for each document."""
    tokens: npt.NDArray[np.integer[Any]] | None = None
    """Index of each row's token in `vocabulary`, [rows]."""
    spans: npt.NDArray[np.integer[Any]] | None = None
    """First character of each row's token and the one after its last, [rows, 2]."""
    vocabulary: tuple[str, ...] = ()
    """What each token reads as."""

    @property
    def n_rows(self) -> int:
        """Rows in all."""
        return self.indptr.size - 1

    def dense(self, n_features: int) -> npt.NDArray[np.float64]:
        """Return the values as a table, [rows, features]; NaN where a feature is not listed."""
        table = np.full((self.n_rows, n_features), np.nan)
        table[np.repeat(np.arange(self.n_rows), np.diff(self.indptr)), self.features] = self.values
        return table

    def fingerprint(self, *names: str) -> str:
        """Return a digest of some of the fields."""
        digest = hashlib.sha256()
        for name in names:
            value = getattr(self, name)
            if isinstance(value, np.ndarray):
                digest.update(f"{name} {value.dtype} {value.shape}".encode())
                digest.update(np.ascontiguousarray(value).tobytes())
            else:
                digest.update(f"{name} {value!r}".encode())
        return digest.hexdigest()


_PARTS: dict[Part, tuple[str, ...]] = {
    "activations": ("features", "values", "indptr"),
    "documents": ("documents", "ids", "texts", "columns"),
    "tokens": ("documents", "tokens", "spans", "vocabulary"),
}


@dataclass(frozen=True, kw_only=True)
class ArraysImporter(Importer):
    """Imports arrays."""

    version: ClassVar[int] = 1
    ignored: ClassVar[frozenset[str]] = frozenset({"data", "identity", "n_features"})

    source: str = field(default="arrays", kw_only=False)
    """A name for messages."""
    data: SparseArrays = field(repr=False)
    """What to import."""
    n_features: int | None = None
    """Declared width."""
    identity: Mapping[str, Any] = field(default_factory=dict)
    """Facts about the SAE, by name."""
    batch_rows: int = 64
    """Rows in a batch."""

    def survey(self, progress: Progress) -> Survey:
        """Say what the arrays hold."""
        del progress
        lengths = np.unique(np.diff(self.data.indptr))
        return Survey(
            n_rows=self.data.n_rows,
            k=int(lengths[0]) if lengths.size == 1 else None,
            n_features=self.n_features,
            identity=SaeIdentity(name=self.sae, **self.identity),
            corpus=self.corpus or f"{self.sae}-corpus",
            fingerprints={part: self.data.fingerprint(*names) for part, names in _PARTS.items()},
            has_tokens=self.data.tokens is not None,
        )

    def params(self, part: Part) -> dict[str, Any]:
        """Return nothing: the fingerprints cover all, and batches do not show in the result."""
        del part
        return {}

    def rows(self, shard: range, progress: Progress) -> Iterator[RowBatch]:
        """Yield slices of the arrays."""
        del progress
        for start in range(shard.start, shard.stop, self.batch_rows):
            indptr = self.data.indptr[start : min(shard.stop, start + self.batch_rows) + 1]
            slots = slice(int(indptr[0]), int(indptr[-1]))
            yield RowBatch(start, self.data.features[slots], self.data.values[slots], indptr - indptr[0])

    def write_documents(self, directory: Path, progress: Progress) -> dict[str, Any]:
        """Write documents, texts and metadata."""
        import pyarrow as pa

        from saeatlas.format.documents import DocumentsWriter

        del progress
        columns = pa.table(dict(self.data.columns)) if self.data.columns else None
        with DocumentsWriter(directory) as writer:
            writer.append_runs(self.data.documents, np.ones(self.data.documents.size, np.int64))
            if self.data.texts:
                writer.append_texts(list(self.data.texts))
            return writer.finish(list(self.data.ids), columns)

    def write_tokens(self, directory: Path, documents: DocumentsReader, progress: Progress) -> dict[str, Any] | None:
        """Write the tokens of every row."""
        from saeatlas.format.tokens import OK, TokensWriter

        del progress
        if self.data.tokens is None:
            return None
        spans = None if self.data.spans is None else self.data.spans.astype(np.uint32)
        with TokensWriter(directory, documents, has_spans=spans is not None) as writer:
            writer.put(np.arange(self.data.n_rows), self.data.tokens.astype(np.uint32), spans)
            writer.status[documents.lengths() > 0] = OK
            return writer.finish(list(range(len(self.data.vocabulary))), list(self.data.vocabulary))


@dataclass(frozen=True, kw_only=True)
class FaultyImporter(ArraysImporter):
    """Imports arrays until it comes to a row, where something happens: to test what survives it."""

    at_row: int = 0
    """Row whose batch is not given."""
    fault: Literal["source", "bug", "kill", "interrupt"] = "source"
    """A `SourceError`, another exception, SIGKILL to its own process, or what Ctrl-C raises."""

    @classmethod
    def of(cls, importer: ArraysImporter, **changes: Any) -> FaultyImporter:  # noqa: ANN401 - values of fields
        """Return a faulty importer of the same data."""
        same = {field.name: getattr(importer, field.name) for field in fields(importer)}
        return cls(**{**same, **changes})

    def rows(self, shard: range, progress: Progress) -> Iterator[RowBatch]:
        """Yield slices until the row comes."""
        for batch in super().rows(shard, progress):
            if batch.first_row <= self.at_row < batch.first_row + batch.indptr.size - 1:
                self._stop()
            yield batch

    def _stop(self) -> None:
        match self.fault:
            case "source":
                raise SourceError(f"Row {self.at_row} cannot be read, as a test asked", kind="truncated-source")
            case "bug":
                raise ZeroDivisionError("as a test asked")
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "interrupt":
                raise KeyboardInterrupt
