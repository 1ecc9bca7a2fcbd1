"""A full-text index of the documents of a corpus: their texts, their metadata, their ids."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import numpy.typing as npt
    import polars as pl
    import pyarrow as pa

    from saeatlas.atlas.corpus import Corpus
    from saeatlas.atlas.sae import SAE

    Counts = npt.NDArray[np.int32]

__all__ = ["SearchDocuments", "plugin"]

_FILE = "documents.sqlite"
_NAME = "search-documents"
_DOCUMENTS_AT_ONCE = 256
_ROWS_AT_ONCE = 200_000
_AT_ONCE = 65_536


@dataclass(frozen=True, kw_only=True)
class SearchDocuments(Analysis):
    """Index documents for 'saeatlas search --documents': by their text, their metadata and their id.

    SAEs of one corpus share the file: the index of another SAE is taken over where it is current.

    Examples
    --------
    saeatlas analyze search-documents
    """

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.DOCUMENT
    needs: ClassVar[frozenset[str]] = frozenset({"documents"})

    def schema(self) -> dict[str, pa.Schema]:
        """Return the schema; see docs/reference/analyses/search-documents.md for each column."""
        import pyarrow as pa

        names = ("text_words", "metadata_words")
        document = pa.field("document", pa.uint32(), nullable=False)
        return {"data": pa.schema([document, *(pa.field(name, pa.int32(), nullable=False) for name in names)])}

    def files(self) -> tuple[str, ...]:
        """Return the index."""
        return (_FILE,)

    def compute(
        self, sae: SAE, progress: Progress
    ) -> dict[str, pa.Table | Iterator[pa.RecordBatch] | Callable[[Path], None]]:
        """Write one line for each document, or take over what another SAE has; memory as `peak_bytes` says."""
        from saeatlas.format.table import read_table

        shared = self._shared(sae)
        if shared is not None:
            store = sae.atlas.store
            return {"data": read_table(store, shared), _FILE: lambda path: _take_over(sae, shared, path)}
        counts = np.zeros((sae.corpus.n_documents, 2), np.int32)  # Filled while the file is written.
        return {"data": self._counted(counts), _FILE: lambda path: _write(sae.corpus, path, counts, progress)}

    def peak_bytes(self, sae: SAE) -> int:
        """Return 500 MB for the program and the index, 100 bytes per document and the texts that are read at once."""
        return 500_000_000 + 100 * sae.corpus.n_documents + 40 * min(sae.corpus.n_rows, _ROWS_AT_ONCE)

    def _shared(self, sae: SAE) -> str | None:
        """Return where another SAE of the commit has the same index."""
        from saeatlas.atlas.currency import inputs_of

        atlas = sae.atlas
        wanted = inputs_of(atlas.store, atlas.entries, sae.name, type(self).needs)
        for name in atlas.saes:
            logical = f"sae/{name}/{_NAME}"
            if name == sae.name or logical not in atlas.entries:
                continue
            manifest = atlas.manifest(logical)
            if (manifest.step_version, manifest.inputs, manifest.params) == (type(self).version, wanted, self.params()):
                return atlas.entries[logical].path
        return None

    def _counted(self, counts: Counts) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        schema = self.schema()["data"]
        for start in range(0, len(counts), _AT_ONCE):
            part = counts[start : start + _AT_ONCE]
            numbers = np.arange(start, start + len(part), dtype=np.uint32)
            yield pa.record_batch([pa.array(numbers), pa.array(part[:, 0]), pa.array(part[:, 1])], schema)


def _take_over(sae: SAE, shared: str, path: Path) -> None:
    """Make the file of another artifact ours too: as the same file where the file system can, else as a copy."""
    blob = sae.atlas.store.open(f"{shared}/{_FILE}")
    if blob.path is None:
        path.write_bytes(blob.read(0, blob.size))
        return
    try:
        os.link(blob.path, path)
    except OSError:
        # Another file system, or one without hard links.
        shutil.copyfile(blob.path, path)


def _write(corpus: Corpus, path: Path, counts: Counts, progress: Progress) -> None:
    from saeatlas.format.search_index import SearchIndexWriter
    from saeatlas.kernels.words import words_of

    def words(values: list[str | None]) -> list[str]:
        return [word for value in values if value for word in words_of(value, has_punctuation=False)]

    with (
        SearchIndexWriter(path, ("text", "metadata", "id")) as index,
        progress.task("Indexing documents", total=corpus.n_documents, unit="documents") as task,
    ):
        lines = _metadata(corpus)
        for start, stop in _ranges(corpus):
            for document, text in enumerate(corpus.documents.texts(start, stop), start):
                identifier, *values = next(lines)
                columns = words([text]), words(values), words([identifier])
                index.add(document, columns)
                counts[document] = len(columns[0]), len(columns[1])
            task.advance(stop - start)


def _metadata(corpus: Corpus) -> Iterator[tuple[str | None, ...]]:
    """Yield id and metadata of each document; texts and whole numbers only: others are measured, not named."""
    import polars as pl

    from saeatlas.format.table import scan_table

    atlas = corpus.atlas
    table = scan_table(atlas.store, atlas.entries[f"corpus/{corpus.name}/documents"].path)
    schema = table.collect_schema()
    chosen = [name for name in corpus.metadata_columns if schema[name].is_integer() or _is_text(schema[name])]
    lines = table.select(pl.col("id"), *(pl.col(name).cast(pl.String) for name in chosen))
    for start in range(0, corpus.n_documents, _AT_ONCE):
        yield from lines.slice(start, _AT_ONCE).collect().iter_rows()


def _is_text(kind: pl.DataType) -> bool:
    import polars as pl

    return kind == pl.String or isinstance(kind, pl.Categorical | pl.Enum)


def _ranges(corpus: Corpus) -> Iterator[tuple[int, int]]:
    """Yield ranges of documents that hold few enough rows to be read at once."""
    lengths = corpus.documents.lengths()
    start = 0
    while start < lengths.size:
        within = np.cumsum(lengths[start : start + _DOCUMENTS_AT_ONCE]) <= _ROWS_AT_ONCE
        stop = start + max(1, int(within.sum()))
        yield start, stop
        start = stop


plugin = SearchDocuments
