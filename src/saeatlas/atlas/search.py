"""Find features by what is said about them and what they fire on, and documents by their text and metadata."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import TYPE_CHECKING, Any, Literal, Protocol

from saeatlas.atlas.search_documents import CorpusSource, DocumentHit
from saeatlas.atlas.search_features import FeatureHit, FeatureSource
from saeatlas.atlas.search_query import Query, parse_query
from saeatlas.atlas.search_snippets import Matcher
from saeatlas.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from saeatlas.atlas.atlas import Atlas
    from saeatlas.format.search_index import Term

__all__ = ["MAX_HITS", "Found", "Missing", "search"]

MAX_HITS = 1000
_NO_SLIP, _ONE_SLIP = 2, 5
"""Longest words that are never corrected, and that are corrected by one slip; longer ones by two."""

Kind = Literal["features", "documents"]


@dataclass(frozen=True)
class Missing:
    """What could not be searched, or not all of it."""

    kind: Kind
    name: str
    """The SAE or the corpus."""
    reason: str
    """A sentence that says what to run."""


@dataclass(frozen=True)
class Found:
    """The answer to a search."""

    query: str
    corrected: str | None
    """The query as it was searched for, where words that occur nowhere were taken for misspelt ones."""
    is_any: bool
    """Whether nothing has all words, so that these have some of them."""
    n_features: int
    """Features that were found, of which the best are in `features`."""
    n_documents: int
    features: tuple[FeatureHit, ...] = ()
    """Best first, of equal ones by SAE and feature."""
    documents: tuple[DocumentHit, ...] = ()
    """Best first, of equal ones by corpus and document."""
    missing: tuple[Missing, ...] = ()

    @property
    def total(self) -> int:
        """Features and documents that were found."""
        return self.n_features + self.n_documents


class _Source(Protocol):
    def has(self, term: Term) -> bool: ...

    def near(self, word: str, distance: int) -> list[tuple[int, int, str]]: ...

    def find(self, terms: Sequence[Term], n: int, *, is_any: bool) -> tuple[int, list[tuple[int, float]]]: ...

    def hits(self, lines: list[tuple[int, float]], matcher: Matcher) -> Sequence[Any]: ...


@dataclass
class _Sources:
    features: list[FeatureSource] = field(default_factory=list)
    documents: list[CorpusSource] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)

    @property
    def all(self) -> list[_Source]:
        return [*self.features, *self.documents]

    def add(self, source: FeatureSource | CorpusSource) -> None:
        kind: Kind = "features" if isinstance(source, FeatureSource) else "documents"
        name = source.sae.name if isinstance(source, FeatureSource) else source.corpus.name
        reason = source.lacks()
        if reason:
            self.missing.append(Missing(kind, name, reason))
        if source.is_searchable and isinstance(source, FeatureSource):
            self.features.append(source)
        elif source.is_searchable and isinstance(source, CorpusSource):
            self.documents.append(source)


def search(atlas: Atlas, query: str, *, sae: str | None = None, kind: Kind | None = None, limit: int = 20) -> Found:
    """Find features and documents by words.

    Every word must be found, as a word or as the beginning of one; "double quotes" ask for words side by side. A word
    that occurs nowhere is taken for a misspelt one; when nothing has all words, what has any of them is found instead,
    and both are said. Words in labels count most, then those of explanations, then tokens.

    Parameters
    ----------
    sae
        Only this SAE, and the documents of its corpus; None for all.
    kind
        Only 'features' or 'documents'; None for both.
    limit
        Hits of each kind.

    Raises
    ------
    InvalidInput
        When there is nothing to look for, or too much.
    NotFound
        When there is no such SAE, or nothing that can be searched; the message says what to run.
    """
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_HITS:
        raise InvalidInput(f"The number of hits is from 1 to {MAX_HITS:,}, found: {limit!r}")
    asked = parse_query(query)
    sources = _sources(atlas, sae, kind)
    if not sources.all:
        raise NotFound(
            sources.missing[0].reason if sources.missing else "There is nothing to search: the atlas is empty",
            hint="Search needs an index: 'saeatlas analyze search' for features, 'search-documents' for documents.",
        )
    spelt = _corrected(asked, sources.all)
    found = _find(sources, spelt, limit, is_any=False)
    if not found.total and len(spelt.asked) > 1:
        found = _find(sources, spelt, limit, is_any=True)
    return found


def _sources(atlas: Atlas, sae: str | None, kind: Kind | None) -> _Sources:
    found = _Sources()
    saes = [atlas.sae(name) for name in (atlas.saes if sae is None else [sae])]
    if kind != "documents":
        for one in saes:
            found.add(FeatureSource(one))
    if kind != "features":
        names = atlas.corpora if sae is None else [one.corpus.name for one in saes if one.has_activations]
        ran = [one for one in map(atlas.sae, atlas.saes) if one.has_activations]
        for name in names:
            found.add(CorpusSource(atlas.corpus(name), [one for one in ran if one.corpus.name == name]))
    return found


def _corrected(query: Query, sources: list[_Source]) -> Query:
    """Return the query with each word that occurs nowhere replaced by the most likely one that does."""
    words: dict[str, str] = {}
    for one in query.asked:
        word = one.term.words[0]
        slips = (len(word) > _NO_SLIP) + (len(word) > _ONE_SLIP)
        if not (one.is_correctable and slips) or any(source.has(one.term) for source in sources):
            continue
        near = [found for source in sources for found in source.near(word, slips)]
        if near:
            words[word] = min(near, key=lambda found: _likelihood(word, *found))[2]
    return query.corrected(words) if words else query


def _likelihood(word: str, slips: int, minus_lines: int, other: str) -> tuple[int, bool, int, str]:
    """Return what is smaller the likelier another word is meant: of near ones, the word without an ending first."""
    return slips, not word.startswith(other), minus_lines, other


def _find(sources: _Sources, query: Query, limit: int, *, is_any: bool) -> Found:
    n_features, features = _best(sources.features, query, limit, is_any=is_any)
    n_documents, documents = _best(sources.documents, query, limit, is_any=is_any)
    return Found(
        query=query.original,
        corrected=query.text if query.text != query.original else None,
        is_any=is_any and bool(n_features + n_documents),
        n_features=n_features,
        n_documents=n_documents,
        features=tuple(features),
        documents=tuple(documents),
        missing=tuple(sources.missing),
    )


def _best(sources: Sequence[_Source], query: Query, limit: int, *, is_any: bool) -> tuple[int, list[Any]]:
    """Return how many lines of all sources fit, and the best of them as hits."""
    total, every = 0, []
    for place, source in enumerate(sources):
        count, lines = source.find(query.terms, limit, is_any=is_any)
        total += count
        every += [(-score, place, line) for line, score in lines]
    chosen = nsmallest(limit, every)
    matcher = Matcher(query.terms)
    hits = {}
    for place, source in enumerate(sources):
        own = [(line, -score) for score, at, line in chosen if at == place]
        for (line, _), hit in zip(own, source.hits(own, matcher) if own else (), strict=True):
            hits[place, line] = hit
    return total, [hits[place, line] for _, place, line in chosen]
