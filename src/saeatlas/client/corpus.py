"""A corpus behind a server."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from saeatlas.client.answers import plain

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.client.atlas import RemoteAtlas

__all__ = ["RemoteCorpus"]


class RemoteCorpus:
    """The documents and rows that one or more SAEs were run on, at the commit of its atlas."""

    def __init__(self, atlas: RemoteAtlas, name: str) -> None:
        self.atlas = atlas
        self.name = name

    def __repr__(self) -> str:
        return f"RemoteCorpus({self.name!r}, {self.n_documents:,} documents, {self.n_rows:,} rows)"

    @cached_property
    def detail(self) -> dict[str, Any]:
        """What is known about the corpus as a whole."""
        return self.atlas.connection.get(self.atlas.path("corpora", self.name))

    @property
    def n_documents(self) -> int:
        """Documents, those without rows included."""
        return int(self.detail["n_documents"])

    @property
    def n_rows(self) -> int:
        """Rows, which are token positions."""
        return int(self.detail["n_rows"])

    @property
    def metadata_columns(self) -> tuple[str, ...]:
        """Names of the columns that came with the documents."""
        return tuple(self.detail["metadata_columns"])

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the documents: index, id, number of rows and metadata, or only some of these columns."""
        path = self.atlas.path("corpora", self.name, "documents")
        return plain(self.atlas.connection.table(path, {"columns": None if columns is None else tuple(columns)}).table)

    def vocabulary(self) -> pa.Table:
        """Return the tokens: `token` (as other answers give it), `id` (the tokenizer's, or null) and `string`."""
        return plain(self.atlas.connection.table(self.atlas.path("corpora", self.name, "vocabulary")).table)

    def document(
        self,
        document: str | int,
        *,
        sae: str | None = None,
        features: Sequence[int] | None = None,
        start: int | None = None,
        stop: int | None = None,
    ) -> dict[str, Any]:
        """Return a document, given by its id or index: tokens, rows, text, metadata, and features that fire in it."""
        path = self.atlas.path("corpora", self.name, "documents", str(document))
        span = {"start": start, "stop": stop, "by": "id" if isinstance(document, str) else "index"}
        wanted = None if features is None else tuple(features)
        return self.atlas.connection.get(path, {"sae": sae, "features": wanted, **span})
