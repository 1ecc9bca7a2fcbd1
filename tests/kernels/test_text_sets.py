"""Sets of n-grams and words against Python's own sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saeatlas.kernels import text_sets
from saeatlas.kernels.text_sets import MAX_SIZE, TextSets, letters_of, word_sets

TEXTS = st.lists(st.text(alphabet="ab \n\u3042é😀\ufffd", max_size=12), max_size=6)


def character_ngrams(texts: list[str], size: int) -> TextSets:
    return text_sets.character_ngrams(letters_of(texts), size)


def grams(text: str, size: int) -> set[str]:
    found = {text[i : i + size] for i in range(len(text) - size + 1)}
    return {gram for gram in found if not any(c.isspace() or c == "\ufffd" for c in gram)}


def sizes_and_overlaps(sets: TextSets) -> list[list[int]]:
    parts = [set(sets.ids[a:b].tolist()) for a, b in zip(sets.indptr[:-1], sets.indptr[1:], strict=True)]
    return [[len(one & other) for other in parts] for one in parts]


@settings(deadline=None, max_examples=150)
@given(TEXTS, st.integers(1, MAX_SIZE))
def test_ngrams_are_those_of_python(texts: list[str], size: int) -> None:
    expected = [grams(text, size) for text in texts]
    found = character_ngrams(texts, size)
    assert found.sizes.tolist() == [len(one) for one in expected]
    assert sizes_and_overlaps(found) == [[len(one & other) for other in expected] for one in expected]


@settings(deadline=None, max_examples=60)
@given(TEXTS, st.integers(1, MAX_SIZE))
def test_ids_ascend_within_a_text(texts: list[str], size: int) -> None:
    found = character_ngrams(texts, size)
    for a, b in zip(found.indptr[:-1], found.indptr[1:], strict=True):
        assert (np.diff(found.ids[a:b]) > 0).all()


def test_ngrams_of_four_rare_characters_are_told_apart() -> None:
    # 80,000 different characters take 17 bits each, so four of them do not fit 64: a hash or a cut would err on some.
    random = np.random.default_rng(0)
    codes = random.permutation(np.arange(0x10000, 0x10FFFF))[:80_000].reshape(40, -1)
    texts = ["".join(map(chr, [*own.tolist(), *own[:50].tolist(), *codes[0, :9].tolist()])) for own in codes]
    found = character_ngrams(texts, 4)
    assert found.sizes.tolist() == [len(grams(text, 4)) for text in texts]
    assert np.unique(found.ids).size == len(set().union(*(grams(text, 4) for text in texts)))


def test_space_marks_of_a_tokenizer_would_count_and_spaces_do_not() -> None:
    # Source 0 joins raw tokens, so every word adds n-grams with the mark in it.
    raw, natural = character_ngrams(["\u2581a\u2581b"], 2), character_ngrams([" a b"], 2)
    assert (raw.sizes[0], natural.sizes[0]) == (3, 0)


@pytest.mark.parametrize(
    ("text", "words"),
    [("The cat, the cat!", 3), ("", 0), ("?!", 0), ("日本語 カナ", 5), ("a_b c3", 2), ("naïve naïve", 1)],
)
def test_words(text: str, words: int) -> None:
    assert word_sets([text]).sizes.tolist() == [words]


def test_equal_words_of_two_texts_have_one_number() -> None:
    assert sizes_and_overlaps(word_sets(["a cat", "the cat", "dog"])) == [[2, 1, 0], [1, 2, 0], [0, 0, 1]]


def test_no_texts_have_no_sets() -> None:
    assert word_sets([]).indptr.tolist() == character_ngrams([], 3).indptr.tolist() == [0]
