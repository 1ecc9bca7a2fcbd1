"""Texts of all documents, some at a time, however long they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from saeatlas.format.documents import DocumentsReader

__all__ = ["text_batches"]

_CHARACTERS = 4_000_000
_DOCUMENTS = 4_000


def text_batches(documents: DocumentsReader) -> Iterator[tuple[int, list[str | None]]]:
    """Yield the first document and the texts of batches of about 4 million characters, by those that came before."""
    start, size = 0, 64
    while start < documents.n_documents:
        stop = min(documents.n_documents, start + size)
        texts = documents.texts(start, stop)
        yield start, texts
        mean = 1 + sum(len(text or "") for text in texts) // len(texts)
        start, size = stop, max(1, min(_DOCUMENTS, _CHARACTERS // mean))
