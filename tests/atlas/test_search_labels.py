"""The index of labels in memory finds what a look at every label finds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from saeatlas.atlas.search_labels import LabelIndex, LabelText
from saeatlas.format.search_index import Term
from saeatlas.kernels.words import words_of

_texts = st.lists(st.lists(st.sampled_from(["cat", "cats", "dog", "mat"]), min_size=1, max_size=4), max_size=6)


def nobody(word: str) -> int:
    del word
    return 0


def index_of(*texts: str, n_features: int = 100) -> LabelIndex:
    labels = [LabelText(text, (number, number + 10)) for number, text in enumerate(texts)]
    return LabelIndex(labels, 1, n_features)


@given(texts=_texts, word=st.sampled_from(["cat", "ca", "dog", "x"]), is_prefix=st.booleans())
def test_features_are_those_of_the_labels_with_the_word(texts: list[list[str]], word: str, *, is_prefix: bool) -> None:
    index = index_of(*map(" ".join, texts))
    term = Term((word,), is_prefix)
    numbers = [
        number
        for number, words in enumerate(texts)
        if any(one.startswith(word) if is_prefix else one == word for one in words)
    ]
    features, scores = index.matches(term, 8.0, nobody)
    assert features.tolist() == sorted({feature for number in numbers for feature in (number, number + 10)})
    assert (scores > 0).all()
    assert index.has(term) == bool(numbers)


def test_phrases_stand_side_by_side() -> None:
    index = index_of("the cat sat", "cat the sat", "日本語")
    assert index.matches(Term(("the", "cat")), 1.0, nobody)[0].tolist() == [0, 10]
    assert index.matches(Term(("日本", "本語")), 1.0, nobody)[0].tolist() == [2, 12]
    assert words_of("日本語")[:2] == ["日本", "本語"]


def test_whole_words_and_rare_words_and_short_labels_count_more() -> None:
    index = index_of("cat", "cats", "cat and very many other words beside it", "dog", "dog", "dog")
    _, scores = index.matches(Term(("cat",), is_prefix=True), 1.0, nobody)
    assert scores[0] > scores[1]
    assert scores[0] > scores[2]
    assert index.matches(Term(("cats",)), 1.0, nobody)[1][0] > index.matches(Term(("dog",)), 1.0, nobody)[1][0]
    common = index.matches(Term(("cats",)), 1.0, lambda _: 90)[1][0]
    assert common < index.matches(Term(("cats",)), 1.0, nobody)[1][0]


def test_an_identifier_counts_beside_its_parts() -> None:
    index = index_of("a value and an error", "raises ValueError", "valueerror")
    term = Term(("error",), is_prefix=True, whole="valueerror")
    features, scores = index.matches(term, 1.0, nobody)
    assert features.tolist() == [0, 1, 2, 10, 11, 12]
    assert scores[1] > scores[0]
    assert index.has(Term(("none",), whole="valueerror"))


def test_near_words_of_labels() -> None:
    assert index_of("refund", "refunds").near("refnud", 1) == [(1, -1, "refund")]


def test_no_labels_find_nothing() -> None:
    index = index_of()
    assert len(index) == 0
    assert index.matches(Term(("cat",)), 1.0, nobody)[0].tolist() == []
    assert index.near("cat", 1) == []
