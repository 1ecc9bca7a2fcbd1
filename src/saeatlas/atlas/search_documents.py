"""Search the documents of one corpus: their texts, metadata and ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from saeatlas.atlas.search_features import open_index
from saeatlas.atlas.search_snippets import Marked, Matcher, Segment
from saeatlas.atlas.tables import state_of

if TYPE_CHECKING:
    from saeatlas.atlas.corpus import Corpus
    from saeatlas.atlas.sae import SAE
    from saeatlas.format.search_index import Term

__all__ = ["CorpusSource", "DocumentHit"]

_NAME, _FILE = "search-documents", "documents.sqlite"
_WEIGHTS = (1.0, 2.0, 2.0)
"""Of texts, metadata and ids."""


@dataclass(frozen=True)
class DocumentHit:
    """A document that was found."""

    corpus: str
    document: str
    """Its id."""
    index: int
    score: float
    """BM25; higher is better."""
    where: Literal["text", "metadata"]
    """Which part of it says most of what was asked for; an id is metadata."""
    snippet: tuple[Segment, ...]


class CorpusSource:
    """The documents of one corpus, found by the index of any SAE that ran on it."""

    def __init__(self, corpus: Corpus, saes: Sequence[SAE]) -> None:
        self.corpus = corpus
        self._saes = list(saes)
        found = (open_index(sae, _NAME, _FILE) for sae in self._saes)
        self._index = next((index for index in found if index is not None), None)

    @property
    def is_searchable(self) -> bool:
        """Whether there is an index."""
        return self._index is not None

    def lacks(self) -> str:
        """Return a sentence on what is not searched, or ''."""
        if self._index is not None:
            return ""
        if not self._saes:
            return f"No SAE of the atlas ran on corpus '{self.corpus.name}', so there is nothing to index it with"
        return state_of(self._saes[0], _NAME).reason

    def has(self, term: Term) -> bool:
        """Whether any document has the last word of a term."""
        return self._index is not None and self._index.has(term)

    def near(self, word: str, distance: int) -> list[tuple[int, int, str]]:
        """Return words that are near: (distance, minus documents, word), sorted."""
        return self._index.near(word, distance) if self._index is not None else []

    def find(self, terms: Sequence[Term], n: int, *, is_any: bool) -> tuple[int, list[tuple[int, float]]]:
        """Return how many documents have all terms, or any, and the best ones with their scores."""
        if self._index is None:
            return 0, []
        lines = self._index.best(terms, _WEIGHTS, n, is_any=is_any)
        return len(lines) if len(lines) < n else self._index.count(terms, is_any=is_any), lines

    def hits(self, lines: list[tuple[int, float]], matcher: Matcher) -> list[DocumentHit]:
        """Return documents with the part that says most of what was asked for."""
        return [self._hit(index, score, matcher) for index, score in lines]

    def _hit(self, index: int, score: float, matcher: Matcher) -> DocumentHit:
        identifier = str(self.corpus.documents.ids([index])[0])  # type: ignore[arg-type]
        marked = [("text", matcher.mark(self.corpus.text(index) or ""))]
        for name, value in self.corpus.metadata(index).items():
            found = matcher.mark(str(value)) if isinstance(value, str | int) else None
            if found is not None:
                segments = (Segment(f"{name}: ", is_match=False), *found.segments)
                marked.append(("metadata", Marked(segments, found.n_terms)))
        marked.append(("metadata", matcher.mark(identifier)))
        where, best = max(marked, key=lambda one: one[1].n_terms if one[1] is not None else 0)
        part: Literal["text", "metadata"] = "text" if where == "text" else "metadata"
        return DocumentHit(self.corpus.name, identifier, index, score, part, best.segments if best is not None else ())
