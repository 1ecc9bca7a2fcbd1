"""A corpus: documents with their metadata, the tokens of their rows, and where each row stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from saeatlas.errors import InvalidInput, NotFound
from saeatlas.format.documents import DocumentsReader

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from saeatlas.atlas.atlas import Atlas
    from saeatlas.format.tokens import TokensReader

__all__ = ["Corpus", "Place"]

_ROWS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Place:
    """Where a row stands."""

    row: int
    """Row in the corpus."""
    document: str
    """Id of its document."""
    index: int
    """Index of the document."""
    position: int
    """Position in the document, from 0."""


class Corpus:
    """The documents and rows that one or more SAEs were run on, at one commit."""

    def __init__(self, atlas: Atlas, name: str) -> None:
        self.atlas = atlas
        self.name = name

    def __repr__(self) -> str:
        tokens = "with tokens" if self.tokens is not None else "without tokens"
        return f"Corpus({self.name!r}, {self.n_documents:,} documents, {self.n_rows:,} rows, {tokens})"

    @cached_property
    def documents(self) -> DocumentsReader:
        """Reader of the documents table, of the rows of each document, and of the texts."""
        logical = f"corpus/{self.name}/documents"
        manifest = self.atlas.manifest(logical)
        return DocumentsReader(self.atlas.store, self.atlas.entries[logical].path, manifest.attributes)

    @cached_property
    def tokens(self) -> TokensReader | None:
        """Reader of the tokens, or None when the corpus was imported without them."""
        from saeatlas.format.tokens import TokensReader

        logical = f"corpus/{self.name}/tokens"
        if logical not in self.atlas.entries:
            return None
        manifest = self.atlas.manifest(logical)
        return TokensReader(self.atlas.store, self.atlas.entries[logical].path, manifest.attributes)

    @cached_property
    def token_shares(self) -> npt.NDArray[np.float64]:
        """Share of each token of the vocabulary among the rows whose token is known, float64 [tokens]."""
        if self.tokens is None:
            raise NotFound(f"Corpus '{self.name}' was imported without tokens")
        counts = np.zeros(self.tokens.n_tokens + 1, np.int64)
        for start in range(0, self.n_rows, _ROWS_AT_ONCE):
            # Rows without a token hold the largest number there is, and are counted in the last place.
            place = np.minimum(
                self.tokens.read(start, min(self.n_rows, start + _ROWS_AT_ONCE)), np.uint32(self.tokens.n_tokens)
            )
            counts += np.bincount(place, minlength=counts.size)
        return np.asarray(counts[:-1] / max(int(counts[:-1].sum()), 1), np.float64)

    @property
    def n_documents(self) -> int:
        """Documents, those without rows included."""
        return self.documents.n_documents

    @property
    def n_rows(self) -> int:
        """Rows, which are token positions."""
        return self.documents.n_rows

    @property
    def metadata_columns(self) -> tuple[str, ...]:
        """Names of the columns that came with the documents."""
        return tuple(self.documents.attributes["metadata_columns"])

    def index_of(self, document: str | int) -> int:
        """Return the index of a document given by its id, or check an index.

        Raises
        ------
        NotFound
            When there is no such document.
        """
        if isinstance(document, str):
            return self.documents.index_of(document)
        if isinstance(document, bool) or not isinstance(document, int | np.integer):
            raise InvalidInput(f"A document is an id (text) or an index (whole number), found: {document!r}")
        if not 0 <= document < self.n_documents:
            raise NotFound(f"No document has the index {document}; the corpus has {self.n_documents:,}")
        return int(document)

    def rows_of(self, document: str | int, start: int | None = None, stop: int | None = None) -> npt.NDArray[np.int64]:
        """Return the rows of a document in the order of its positions.

        Parameters
        ----------
        document
            Its id or its index.
        start, stop
            Positions within the document, as in a slice: from `start`, up to but without `stop`.

        Raises
        ------
        InvalidInput
            When the span does not lie within the document.
        """
        rows = self.documents.rows_of(self.index_of(document))
        low, high = 0 if start is None else start, rows.size if stop is None else stop
        if not 0 <= low <= high <= rows.size:
            raise InvalidInput(
                f"Positions {low} to {high} do not lie within document '{document}', which has {rows.size} rows"
            )
        return rows[low:high]

    def locate(self, rows: Sequence[int] | npt.NDArray[np.integer[Any]]) -> list[Place]:
        """Return where rows stand, in the order given; `InvalidInput` when one is out of range."""
        wanted = np.asarray(rows, np.int64)
        where, positions = self.documents.locate(wanted)
        ids = self.documents.ids(where).to_pylist()
        return [Place(*place) for place in zip(wanted.tolist(), ids, where.tolist(), positions.tolist(), strict=True)]

    def text(self, document: str | int) -> str | None:
        """Return the text of a document, or None when there is none."""
        return self.documents.text(self.index_of(document))

    def table(self, columns: list[str] | None = None) -> pa.Table:
        """Return the documents: index, id, number of rows and metadata, or only some of these columns."""
        return self.documents.table(columns)

    def metadata(self, document: str | int) -> dict[str, Any]:
        """Return the metadata of one document by column; None where the source had nothing."""
        index = self.index_of(document)
        return {name: self._metadata.column(name)[index].as_py() for name in self.metadata_columns}

    @cached_property
    def _metadata(self) -> pa.Table:
        return self.documents.table(list(self.metadata_columns))
