"""What clusters are called: the terms that their features' tokens and texts have more than those of other clusters."""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from saeatlas.analyses._words import is_placeholder
from saeatlas.kernels.ctfidf import class_terms

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE

__all__ = ["Words", "words_of"]

Ints = npt.NDArray[np.int64]

_GRAMMAR = """
a about above across after again against ago all almost along already also although always am among an and another any
anybody anyone anything are aren't around as at away back be became because become becomes been before behind being
below beneath beside besides between beyond both but by came can can't cannot could couldn't did didn't do does
doesn't doing don't done down during each either else enough even ever every everybody everyone everything except few
for from further get gets getting given go goes going gone got had hadn't has hasn't have haven't having he hence her
here hers herself him himself his how however i if in indeed inside instead into is isn't it it's its itself just last
later least less let like likely made many may maybe me merely might mine more moreover most mostly much must my
myself near nearly neither never nevertheless no nobody none nor not nothing now nowhere of off often on once one ones
only onto or other others otherwise ought our ours ourselves out outside over own per perhaps put quite rather really
same say says seem seemed seems several shall she should shouldn't since so some somebody someone something sometimes
still such take taken than that that's the their theirs them themselves then there therefore these they thing things
this those though through throughout thus to together too toward towards under unless until up upon us use used uses
using very via was wasn't we well were weren't what whatever when where whereas wherever whether which while who
whoever whole whom whose why will with within without won't would wouldn't yes yet you your yours yourself yourselves
ain't i'm i've i'll i'd you're you've you'll he's she's they're we're n't ll ve re
"""
_OF_ANY_EXPLANATION = """
activate activates activation activations context contexts expression expressions feature features indicate indicates
indicating instance instances mention mentioned mentions neuron neurons occurrence occurrences particularly phrase
phrases refer reference references referring related relating specific specifically term terms text texts token tokens
various word words
"""
_FUNCTION_WORDS = frozenset([*_GRAMMAR.split(), *_OF_ANY_EXPLANATION.split()])
"""Words that say nothing about what a cluster is about, and words of all explanations; lower case."""

_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")


@dataclass(frozen=True)
class Words:
    """Terms of features: one entry for each feature and term that it has."""

    feature: Ints
    """int64 [entries]."""
    term: Ints
    """Place in `vocabulary`, int64 [entries]."""
    weight: npt.NDArray[np.float64]
    """Share of the term in what is known of the feature: up to 1 from its tokens, and 1 from its texts."""
    vocabulary: tuple[str, ...]
    """Sorted, so that of equal scores the term that sorts first wins."""
    is_content: npt.NDArray[np.bool_]
    """Whether a term is a word with a meaning of its own, [terms]; only where a cluster has none others name it."""

    def names(self, cluster: Ints, n_clusters: int, n: int) -> list[list[tuple[str, float]]]:
        """Return the best terms of each cluster and their scores, best first; none where nothing is known.

        Parameters
        ----------
        cluster
            Cluster of each feature, negative in none; the features in none are a class more, which other clusters
            are told apart from, and which is not named.
        n_clusters
            How many there are.
        n
            Terms of each at most.
        """
        found = self._best(cluster, n_clusters, n, self.is_content)
        if all(found):
            return found
        others = self._best(cluster, n_clusters, n, ~self.is_content)
        return [one or other for one, other in zip(found, others, strict=True)]

    def _best(
        self, cluster: Ints, n_clusters: int, n: int, terms: npt.NDArray[np.bool_]
    ) -> list[list[tuple[str, float]]]:
        kept = terms[self.term]
        classes = cluster[self.feature[kept]]
        classes = np.where(classes < 0, n_clusters, classes)
        best = class_terms(classes, self.term[kept], self.weight[kept], n_clusters + 1, n)
        return [
            [(self.vocabulary[best.term[i]], float(best.score[i])) for i in range(*best.indptr[c : c + 2].tolist())]
            for c in range(n_clusters)
        ]


def words_of(sae: SAE) -> Words:
    """Collect the terms of every feature from the analysis 'top-tokens' and from explanations, where there are any."""
    places: dict[str, int] = {}
    parts = [_from_tokens(sae, places), _from_texts(sae, places)]
    feature, term, weight = (np.concatenate(column) for column in zip(*parts, strict=True))
    vocabulary = sorted(places)
    moved = np.empty(len(places), np.int64)
    moved[[places[name] for name in vocabulary]] = np.arange(len(places))
    is_content = np.array([_is_content(name) for name in vocabulary], np.bool_)
    return Words(feature, moved[term], weight, tuple(vocabulary), is_content)


_Entries = tuple[Ints, Ints, npt.NDArray[np.float64]]
_NONE: _Entries = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))


def _from_tokens(sae: SAE, places: dict[str, int]) -> _Entries:
    """Return features, terms and weights; the share of a token is shared by its words."""
    table = sae.table("top-tokens")
    if table is None:
        return _NONE
    strings = table["string"].combine_chunks().dictionary_encode()
    terms = [
        [places.setdefault(term, len(places)) for term in _terms_of_token(string or "")]
        for string in strings.dictionary.to_pylist()
    ]
    sizes = np.array([len(part) for part in terms], np.int64)
    starts = np.cumsum(sizes) - sizes
    flat = np.array([term for part in terms for term in part], np.int64)
    line = strings.indices.fill_null(0).to_numpy()
    repeats = np.where(strings.is_valid().to_numpy(zero_copy_only=False), sizes[line], 0)
    which = np.repeat(np.arange(line.size), repeats)
    offset = np.arange(which.size) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    share = table["share"].to_numpy() / np.maximum(repeats, 1)
    return table["feature"].to_numpy().astype(np.int64)[which], flat[starts[line[which]] + offset], share[which]


def _terms_of_token(string: str) -> list[str]:
    """Return the words of a token, or the token itself when it is a mark or goes on a word ('##ing')."""
    mark = string.strip()
    words = [] if mark.startswith("##") else _WORD.findall(mark.lower())
    return words or ([mark] if mark else [])


def _from_texts(sae: SAE, places: dict[str, int]) -> _Entries:
    """Return features, terms and weights: each text of a feature has the same weight, in all 1."""
    lines = sae.explanations.select("feature", "text").collect()
    texts: dict[int, list[list[int]]] = {}
    for feature, text in lines.iter_rows():
        if not is_placeholder(text):
            words = [places.setdefault(word, len(places)) for word in _WORD.findall(text.lower())]
            texts.setdefault(feature, []).append(words)
    features, terms, weights = array("q"), array("q"), array("d")
    for feature, own in texts.items():
        for words in own:
            features.extend([feature] * len(words))
            terms.extend(words)
            weights.extend([1.0 / max(len(words), 1) / len(own)] * len(words))
    return np.array(features, np.int64), np.array(terms, np.int64), np.array(weights, np.float64)


def _is_content(term: str) -> bool:
    term = term.replace("\u2019", "'")
    return bool(_WORD.fullmatch(term)) and term not in _FUNCTION_WORDS and not (len(term) == 1 and term.isascii())
