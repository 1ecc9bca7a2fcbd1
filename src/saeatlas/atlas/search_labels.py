"""Labels by their words: a small index in memory that follows the log, scored like the index on disk."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from saeatlas.format.search_index import Term
from saeatlas.kernels.words import words_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from saeatlas.atlas.sae import SAE

__all__ = ["LabelIndex", "LabelText", "label_index"]

_K1, _B = 1.2, 0.75
"""Parameters of BM25, as FTS5 has them."""


class LabelText(NamedTuple):
    """One label, and what it is about."""

    text: str
    """Text, category, tags and notes, a line each."""
    features: tuple[int, ...]


class LabelIndex:
    """The current labels of one SAE by their words.

    Parameters
    ----------
    labels
        What they say, each with its features.
    position
        Where the log stood.
    n_features
        Features of the SAE: a word that few of them have counts more.
    """

    def __init__(self, labels: Iterable[LabelText], position: int, n_features: int) -> None:
        self.position = position
        self._n_features = max(1, n_features)
        self._labels = list(labels)
        self._words = [words_of(label.text) for label in self._labels]
        self._mean = sum(map(len, self._words)) / max(1, len(self._words))
        self._of: dict[str, list[int]] = {}
        for number, words in enumerate(self._words):
            for word in dict.fromkeys(words):
                self._of.setdefault(word, []).append(number)
        self._sorted = sorted(self._of)
        self._by_feature: dict[int, list[int]] = {}
        for number, label in enumerate(self._labels):
            for feature in label.features:
                self._by_feature.setdefault(feature, []).append(number)

    def __len__(self) -> int:
        return len(self._labels)

    def has(self, term: Term) -> bool:
        """Whether any label has the last word of a term, or for a prefix a word that begins with it."""
        return any(True for _ in self._spellings(term)) or term.whole in self._of

    def near(self, word: str, distance: int) -> list[tuple[int, int, str]]:
        """Return what `SearchIndexReader.near` returns, of the words of labels."""
        from rapidfuzz.distance import OSA
        from rapidfuzz.process import extract

        best = extract(word, self._sorted, scorer=OSA.distance, processor=None, score_cutoff=distance, limit=50)
        return sorted((int(slips), -len(self._of[other]), other) for other, slips, _ in best)

    def texts_of(self, feature: int) -> list[str]:
        """Return what the labels of a feature say."""
        return [self._labels[number].text for number in self._by_feature.get(feature, ())]

    def matches(
        self, term: Term, weight: float, n_lines: Callable[[str], int]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return every feature with a label that has a term, ascending, and the BM25 of its best label, both [n].

        Parameters
        ----------
        weight
            How much a word counts.
        n_lines
            Gives how many other lines have a word.
        """
        found: dict[int, float] = {}
        for number, score in self._scored(term, n_lines).items():
            for feature in self._labels[number].features:
                found[feature] = max(found.get(feature, 0.0), score)
        features = sorted(found)
        return np.array(features, np.int64), weight * np.array([found[feature] for feature in features], np.float64)

    def _scored(self, term: Term, n_lines: Callable[[str], int]) -> Mapping[int, float]:
        """Return label → score."""
        spellings = set(self._spellings(term))
        scores: Counter[int] = Counter()
        exact = term.words[-1]
        ways = [(term.words, {exact}), (term.words, spellings)] if term.is_prefix else [(term.words, {exact})]
        if term.whole is not None:
            ways.append(((term.whole,), {term.whole}))
        for phrase, words in ways:
            # As in the index on disk, a whole word counts as itself and as its own beginning.
            numbers = sorted({number for word in words for number in self._of.get(word, ())})
            numbers = [number for number in numbers if _has_phrase(self._words[number], phrase, words)]
            others = sum(len(self._labels[number].features) for number in numbers)
            weight = _rarity(self._n_features, others + sum(map(n_lines, sorted(words))))
            for number in numbers:
                own = self._words[number]
                times = sum(word in words for word in own)
                length = 1 - _B + _B * len(own) / self._mean
                scores[number] += weight * times * (_K1 + 1) / (times + _K1 * length)  # type: ignore[assignment]
        return scores

    def _spellings(self, term: Term) -> Iterable[str]:
        word = term.words[-1]
        if not term.is_prefix:
            return [word] if word in self._of else []
        first = bisect_left(self._sorted, word)
        last = bisect_left(self._sorted, word + "\U0010ffff")
        return self._sorted[first:last]


def label_index(sae: SAE) -> LabelIndex | None:
    """Return the index of the labels as they are now; None where nothing is said about the SAE."""
    labels = sae.labels
    position = labels.position
    if not position:
        return None
    known = sae.label_index
    if known is None or known.position != position:
        known = LabelIndex(_texts(sae), position, sae.n_features)
        sae.label_index = known
    return known if len(known) else None


def _texts(sae: SAE) -> list[LabelText]:
    """Return one text for each label, whatever the number of its features."""
    texts: dict[str, str] = {}
    features: dict[str, list[int]] = {}
    names = ("feature", "id", "text", "category", "tags", "notes")
    columns = sae.labels.current.select(names).to_pydict()
    for feature, name, text, category, tags, notes in zip(*columns.values(), strict=True):
        if name not in texts:
            texts[name] = "\n".join(filter(None, (text, category, *(tags or ()), notes)))
        features.setdefault(name, []).append(feature)
    return [LabelText(text, tuple(features[name])) for name, text in texts.items()]


def _rarity(n: int, n_with: int) -> float:
    return max(math.log((n - n_with + 0.5) / (n_with + 0.5)) if n_with < n else 0.0, 1e-6)


def _has_phrase(words: list[str], phrase: tuple[str, ...], last: set[str]) -> bool:
    """Whether the words of a phrase stand side by side, the last one in any of its spellings."""
    n = len(phrase)
    if n == 1:
        return True
    before = list(phrase[:-1])
    return any(words[i : i + n - 1] == before and words[i + n - 1] in last for i in range(len(words) - n + 1))
