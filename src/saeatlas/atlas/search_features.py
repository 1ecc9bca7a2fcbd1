"""Search the features of one SAE: its index on disk and its labels in memory as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from saeatlas.atlas.search_labels import label_index
from saeatlas.atlas.search_snippets import Marked, Matcher, Segment, joined_tokens
from saeatlas.atlas.tables import state_of
from saeatlas.format.search_index import SearchIndexReader, Term

if TYPE_CHECKING:
    import numpy.typing as npt

    from saeatlas.atlas.sae import SAE

__all__ = ["FeatureHit", "FeatureSource", "open_index"]

_NAME, _FILE = "search", "search.sqlite"
_LABEL_WEIGHT = 8.0
_WEIGHTS = (4.0, 1.0)
"""Of explanations and tokens."""

Lines = list[tuple[int, float]]
_Matches = tuple["npt.NDArray[np.int64]", "npt.NDArray[np.float64]"]


@dataclass(frozen=True)
class FeatureHit:
    """A feature that was found."""

    sae: str
    feature: int
    score: float
    """BM25; higher is better."""
    where: Literal["label", "explanation", "token"]
    """Which of its texts says most of what was asked for."""
    snippet: tuple[Segment, ...]


def open_index(sae: SAE, analysis: str, file: str) -> SearchIndexReader | None:
    """Return the index that a current analysis stores, or None when there is no current one."""
    if not state_of(sae, analysis).is_current:
        return None
    if analysis not in sae.indexes:
        path = sae.atlas.entries[f"sae/{sae.name}/{analysis}"].path
        sae.indexes[analysis] = SearchIndexReader(sae.atlas.store, f"{path}/{file}")
    return sae.indexes[analysis]


class FeatureSource:
    """The features of one SAE, as far as they can be searched now."""

    def __init__(self, sae: SAE) -> None:
        self.sae = sae
        self._index = open_index(sae, _NAME, _FILE)
        self._labels = label_index(sae)

    @property
    def is_searchable(self) -> bool:
        """Whether there is an index, or a label."""
        return self._index is not None or self._labels is not None

    def lacks(self) -> str:
        """Return a sentence on what is not searched, or ''."""
        if self._index is None:
            return state_of(self.sae, _NAME).reason
        from saeatlas.atlas.explanations import explanation_sets

        inputs = self.sae.atlas.manifest(f"sae/{self.sae.name}/{_NAME}").inputs
        there = {"explanations": bool(explanation_sets(self.sae))}
        there["top-tokens"] = state_of(self.sae, "top-tokens").is_current
        lacking = [name for name, is_there in there.items() if is_there and name not in inputs]
        if not lacking:
            return ""
        return (
            f"The index of SAE '{self.sae.name}' was made without {' and '.join(lacking)}: "
            f"run 'saeatlas analyze {_NAME}' again"
        )

    def has(self, term: Term) -> bool:
        """Whether any feature has the last word of a term."""
        in_index = self._index is not None and self._index.has(term)
        return in_index or (self._labels is not None and self._labels.has(term))

    def near(self, word: str, distance: int) -> list[tuple[int, int, str]]:
        """Return words that are near: (distance, minus features, word), sorted."""
        found = self._index.near(word, distance) if self._index is not None else []
        return sorted(found + (self._labels.near(word, distance) if self._labels is not None else []))

    def find(self, terms: Sequence[Term], n: int, *, is_any: bool) -> tuple[int, Lines]:
        """Return how many features have all terms, or any, and the best ones with their scores."""
        labels = self._labels
        if self._index is not None and not (labels is not None and any(map(labels.has, terms))):
            # No label says any of this: the index alone knows which features have all of it.
            lines = self._index.best(terms, _WEIGHTS, n, is_any=is_any)
            return len(lines) if len(lines) < n else self._index.count(terms, is_any=is_any), lines
        found = [self._matches(term) for term in terms]
        features, times = np.unique(np.concatenate([one[0] for one in found]), return_counts=True)
        scores = np.zeros(features.size)
        for ids, own in found:
            scores[np.searchsorted(features, ids)] += own
        kept = times >= (1 if is_any else len(terms))
        features, scores = features[kept], scores[kept]
        order = np.lexsort((features, -scores))[:n]
        return features.size, list(zip(features[order].tolist(), scores[order].tolist(), strict=True))

    def hits(self, lines: Lines, matcher: Matcher) -> list[FeatureHit]:
        """Return features with the text that says most of what was asked for."""
        features = [line for line, _ in lines]
        said, fired = self._explanations(features), self._tokens(features)
        found = []
        for feature, score in lines:
            labels = self._labels.texts_of(feature) if self._labels is not None else []
            tokens = joined_tokens([(token, matcher.mark(token)) for token in fired.get(feature, [])])
            texts = [("label", matcher.mark(text)) for text in labels]
            texts += [("explanation", matcher.mark(text)) for text in said.get(feature, [])]
            where, marked = _fullest([*texts, ("token", tokens)])
            found.append(FeatureHit(self.sae.name, feature, score, where, marked.segments))
        return found

    def _matches(self, term: Term) -> _Matches:
        """Return every feature with a term in whatever text, ascending, and its score."""
        parts: list[_Matches] = []
        if self._index is not None:
            parts.append(self._index.matches(term, _WEIGHTS))
        if self._labels is not None:
            index = self._index
            parts.append(self._labels.matches(term, _LABEL_WEIGHT, index.frequency if index is not None else _nobody))
        ids = np.concatenate([one[0] for one in parts])
        lines, places = np.unique(ids, return_inverse=True)
        scores = np.zeros(lines.size)
        np.add.at(scores, places, np.concatenate([one[1] for one in parts]))
        return lines, scores

    def _explanations(self, features: list[int]) -> dict[int, list[str]]:
        import polars as pl

        chosen = self.sae.explanations.filter(pl.col("feature").is_in(features)).select("feature", "text")
        return _grouped(chosen.collect().iter_rows())

    def _tokens(self, features: list[int]) -> dict[int, list[str]]:
        import polars as pl

        from saeatlas.format.table import scan_table

        if not state_of(self.sae, "top-tokens").is_current:
            return {}
        path = self.sae.atlas.entries[f"sae/{self.sae.name}/top-tokens"].path
        lines = scan_table(self.sae.atlas.store, path).filter(pl.col("feature").is_in(features))
        return _grouped(lines.select("feature", "string").collect().iter_rows())


def _nobody(word: str) -> int:
    del word
    return 0


def _grouped(lines: object) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for feature, text in lines:  # type: ignore[attr-defined]
        found.setdefault(int(feature), []).append(text)
    return found


def _fullest(
    texts: list[tuple[str, Marked | None]],
) -> tuple[Literal["label", "explanation", "token"], Marked]:
    """Return the first of the texts with the most terms."""
    best = max(texts, key=lambda one: one[1].n_terms if one[1] is not None else 0)
    return best[0], best[1] or Marked((), 0)  # type: ignore[return-value]
