"""N-grams against counting them one by one."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saeatlas.kernels.ngrams import BREAK, Contexts, Side, count_ngrams, spell_out, strongest_entries

CONTEXT = st.tuples(st.lists(st.sampled_from([0, 1, 2, BREAK]), min_size=1, max_size=9), st.integers(0, 3))


def contexts_of(features: list[list[tuple[list[int], int]]], origins: list[list[int]]) -> Contexts:
    every = [context for contexts in features for context in contexts]
    return Contexts(
        np.cumsum([0, *(len(contexts) for contexts in features)]).astype(np.int64),
        np.cumsum([0, *(len(symbols) for symbols, _ in every)]).astype(np.int64),
        np.array([symbol for symbols, _ in every for symbol in symbols], np.uint32),
        np.array([origin for of in origins for origin in of], np.int64),
        np.array([document for _, document in every], np.uint32),
    )


def naive(contexts: list[tuple[list[int], int]], origins: list[int], size: int, side: Side) -> dict[Any, Any]:
    """Occurrences, contexts, documents and offsets of every n-gram."""
    found: dict[Any, Any] = defaultdict(lambda: ([], set(), set()))
    for number, ((symbols, document), origin) in enumerate(zip(contexts, origins, strict=True)):
        starts = {"anywhere": range(len(symbols)), "left": [origin - size], "right": [origin + 1]}[side]
        for start in starts:
            gram = tuple(symbols[start : start + size]) if start >= 0 else ()
            if len(gram) == size and BREAK not in gram:
                found[gram][0].append(start - origin)
                found[gram][1].add(number)
                found[gram][2].add(document)
    return found


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.lists(CONTEXT, max_size=6), max_size=4),
    st.integers(1, 4),
    st.sampled_from(["anywhere", "left", "right"]),
    st.integers(1, 5),
    st.integers(1, 3),
    st.randoms(use_true_random=False),
)
def test_ngrams_equal_counting(features: Any, size: int, side: Side, n: int, least: int, random: Any) -> None:
    features = [sorted(contexts, key=lambda context: context[1]) for contexts in features]
    origins = [[random.randrange(len(symbols)) for symbols, _ in contexts] for contexts in features]
    found = count_ngrams(contexts_of(features, origins), size, side, n, least)
    for feature, contexts in enumerate(features):
        expected = naive(contexts, origins[feature], size, side)
        order = sorted(expected, key=lambda gram: (-len(expected[gram][1]), -len(expected[gram][0]), gram))
        order = [gram for gram in order if len(expected[gram][1]) >= least][:n]
        part = range(found.indptr[feature], found.indptr[feature + 1])
        assert [tuple(found.symbols[at].tolist()) for at in part] == order
        for at, gram in zip(part, order, strict=True):
            offsets, in_contexts, in_documents = expected[gram]
            assert found.count[at] == len(offsets)
            assert found.n_contexts[at] == len(in_contexts)
            assert found.n_documents[at] == len(in_documents)
            places = slice(found.offset_indptr[at], found.offset_indptr[at + 1])
            counted = dict(zip(found.offset[places].tolist(), found.offset_count[places].tolist(), strict=True))
            assert counted == Counter(offsets)
            assert list(counted) == sorted(counted)


def test_ngrams_of_one_hash_cell_are_not_mixed_up() -> None:
    rng = np.random.default_rng(0)
    symbols = rng.integers(0, 40, 4000)
    contexts = Contexts(
        np.array([0, 40]),
        np.arange(41) * 100,
        symbols.astype(np.uint32),
        np.full(40, 50),
        np.arange(40, dtype=np.uint32),
    )
    found = count_ngrams(contexts, 2, "anywhere", 5000, 1)
    pairs = Counter((int(a), int(b)) for row in symbols.reshape(40, 100) for a, b in pairwise(row))
    assert {tuple(gram): count for gram, count in zip(found.symbols.tolist(), found.count.tolist(), strict=True)} == (
        pairs
    )


def test_characters_run_on_from_token_to_token_and_stop_at_gaps() -> None:
    # The vocabulary is 'ab', ' c' and 'd'; its space is a gap.
    letters, indptr = np.array([97, 98, BREAK, 99, 100], np.uint32), np.array([0, 2, 4, 5])
    bounds, symbols, origin = spell_out(np.array([[0, 2, 1], [BREAK, 1, 2]], np.uint32), letters, indptr)
    assert bounds.tolist() == [0, 5, 9]
    assert symbols.tolist() == [97, 98, 100, BREAK, 99, BREAK, BREAK, 99, 100]
    assert origin.tolist() == [2, 1]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.lists(st.sampled_from([-1.0, 0.0, 1.0, 2.0, 3.0]), max_size=12), max_size=4), st.integers(0, 6))
def test_strongest_entries_are_the_first_of_a_sort(features: list[list[float]], n: int) -> None:
    indptr = np.cumsum([0, *(len(values) for values in features)]).astype(np.int64)
    bounds, entries = strongest_entries(indptr, np.array([v for values in features for v in values]), n)
    for feature, values in enumerate(features):
        order = [at for at in sorted(range(len(values)), key=lambda at: (-values[at], at)) if values[at] > 0]
        expected = sorted(order[:n] if n else order)
        found = entries[bounds[feature] : bounds[feature + 1]] - indptr[feature]
        assert found.tolist() == expected


@pytest.mark.parametrize("side", ["anywhere", "left", "right"])
def test_features_without_contexts_have_no_ngrams(side: Side) -> None:
    found = count_ngrams(contexts_of([[], []], [[], []]), 2, side, 5, 1)
    assert (found.indptr.tolist(), found.symbols.shape, found.offset.size) == ([0, 0, 0], (0, 2), 0)
