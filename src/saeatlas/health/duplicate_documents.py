"""No document repeats the text of another: copies are no further evidence."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from saeatlas.health._check import CorpusCheck, Finding
from saeatlas.health._texts import text_batches

if TYPE_CHECKING:
    from saeatlas.atlas.corpus import Corpus
    from saeatlas.progress import Progress

__all__ = ["DuplicateDocuments", "plugin"]

_SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class DuplicateDocuments(CorpusCheck):
    """No two documents have the same text, character for character."""

    def examine(self, corpus: Corpus, progress: Progress) -> Iterable[Finding]:
        """Read every text once; 25 bytes stay of each document, and as many while they are sorted."""
        documents = corpus.documents
        if not documents.attributes["has_text"]:
            yield Finding("not-applicable", "The documents have no texts")
            return
        digests, has_text = _digests(corpus, progress)
        present = np.flatnonzero(has_text)
        _, first, counts = np.unique(digests[present], axis=0, return_index=True, return_counts=True)
        n_copies = int(present.size - counts.size)
        largest = int(counts.max()) if counts.size else 0
        numbers = {
            "n_documents": documents.n_documents,
            "n_texts": int(present.size),
            "n_duplicate": n_copies,
            "share": n_copies / present.size if present.size else None,
            "largest_group": largest,
        }
        if not n_copies:
            yield Finding("ok", f"All {present.size:,} texts are different", "", numbers)
            return
        repeated = np.sort(present[first[counts > 1]])[:_SHOWN]
        names = ", ".join(f"'{name}'" for name in documents.ids(repeated).to_pylist())
        yield Finding(
            "suspect",
            f"{n_copies:,} of {present.size:,} documents ({n_copies / present.size:.2%}) repeat the text of another, "
            f"such as of {names}; one text occurs {largest:,} times",
            "Count each text once before you trust intervals or p-values over documents, and keep copies in one split.",
            numbers,
        )


def _digests(corpus: Corpus, progress: Progress) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
    """Return 128 bits of each text, uint64 [documents, 2], and which documents have a text that is not blank."""
    n_documents = corpus.n_documents
    digests, has_text = np.zeros((n_documents, 2), np.uint64), np.zeros(n_documents, np.bool_)
    with progress.task("Reading texts", total=n_documents, unit="documents") as task:
        for start, texts in text_batches(corpus.documents):
            for number, text in enumerate(texts, start):
                if text and not text.isspace():
                    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
                    digests[number] = np.frombuffer(digest, np.uint64)
                    has_text[number] = True
            task.advance(len(texts))
    return digests, has_text


plugin = DuplicateDocuments
