"""TF-IDF and a truncated SVD against scikit-learn's own pieces and a dense decomposition."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from saeatlas.embedders import lsa
from saeatlas.embedders.lsa import TERM, Lsa
from saeatlas.errors import InvalidInput, MissingExtra
from saeatlas.progress import SILENT

WORDS = np.array(["cat", "dog", "sat", "mat", "bank", "river", "money", "loan", "the", "a"])


def random_texts(n: int, seed: int = 0) -> list[str]:
    random = np.random.default_rng(seed)
    return sorted({" ".join(random.choice(WORDS, random.integers(1, 9))) for _ in range(n)})


def cosines(vectors: np.ndarray) -> np.ndarray:
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-30)
    return unit @ unit.T


def test_with_all_directions_cosines_are_those_of_tf_idf() -> None:
    texts = random_texts(60)
    weights = TfidfVectorizer(token_pattern=TERM, sublinear_tf=True).fit_transform(texts).toarray()
    np.testing.assert_allclose(cosines(Lsa().embed(texts)), weights @ weights.T, atol=1e-6)


def test_with_few_directions_cosines_are_those_of_the_dense_decomposition() -> None:
    texts = random_texts(60)
    weights = TfidfVectorizer(token_pattern=TERM, sublinear_tf=True).fit_transform(texts).toarray()
    left, scale, _ = np.linalg.svd(weights, full_matrices=False)
    expected = cosines(left[:, :4] * scale[:4])
    np.testing.assert_allclose(cosines(Lsa(n_components=4).embed(texts)), expected, atol=1e-5)


@pytest.mark.parametrize("n_words", [12, 900])
def test_many_texts_of_few_directions_are_placed_as_their_words_are(n_words: int) -> None:
    # 12 or 900 words that occur in 700 texts, always in one of three groups: three directions in all.
    groups = [" ".join(f"w{word}" for word in range(group, n_words, 3)) for group in range(3)]
    texts = [f"{groups[number % 3]} " + " " * number for number in range(700)]
    vectors = Lsa(n_components=5).embed(texts)
    np.testing.assert_allclose(cosines(vectors[:6]), np.tile(np.eye(3), (2, 2)), atol=1e-6)


def test_sparse_and_dense_decomposition_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [f"{text} x{number % 50}" for number, text in enumerate(random_texts(200))]
    dense = Lsa(n_components=4).embed(texts)
    monkeypatch.setattr(lsa, "_SMALL", 10)
    np.testing.assert_allclose(Lsa(n_components=4).embed(texts), dense, atol=1e-5)


def test_width_is_the_same_for_few_texts_and_for_none() -> None:
    for texts in ([], ["one"], ["one two", "three"], random_texts(40)):
        vectors = Lsa(n_components=6).embed(texts)
        assert vectors.shape == (len(texts), 6)
        assert vectors.dtype == np.float32


def test_vectors_have_length_one_or_zero() -> None:
    norms = np.linalg.norm(Lsa().embed(["cat sat", "", "   \n", "dog", "!?", "…"]), axis=1)
    np.testing.assert_allclose(norms, [1, 0, 0, 1, 1, 1], atol=1e-6)


@pytest.mark.parametrize("texts", [[""], ["", "  "], ["\n"]])
def test_texts_without_terms_are_zero(texts: list[str]) -> None:
    assert not Lsa(n_components=3).embed(texts).any()


def test_terms_in_too_few_texts_do_not_count() -> None:
    vectors = Lsa(n_components=3, min_texts=2).embed(["cat rare", "cat", "alone"])
    np.testing.assert_allclose(cosines(vectors)[0, 1], 1, atol=1e-6)
    assert not vectors[2].any()
    assert not Lsa(n_components=3, min_texts=9).embed(["cat", "dog"]).any()


def test_words_that_share_texts_are_near_though_they_never_meet() -> None:
    # "automobile" and "car" are in no text together; both are with "engine" and "wheel".
    texts = ["car engine wheel", "automobile engine wheel", "car", "automobile", "flower garden", "flower", "garden"]
    found = cosines(Lsa(n_components=2).embed(texts))
    assert found[2, 3] > 0.9
    assert abs(found[2, 5]) < 0.1


def test_same_texts_give_the_same_bytes_in_any_order() -> None:
    texts = random_texts(50)
    order = np.random.default_rng(1).permutation(len(texts))
    first, again = Lsa(n_components=5).embed(texts), Lsa(n_components=5).embed([texts[i] for i in order])
    assert first[order].tobytes() == again.tobytes()


def test_sign_of_a_direction_is_that_of_its_largest_entry() -> None:
    texts = [f"word{i} common" for i in range(30)]
    embedder = Lsa(n_components=3)
    weights = TfidfVectorizer(token_pattern=TERM, sublinear_tf=True).fit_transform(texts)
    directions = embedder._directions(weights)
    assert (directions[np.arange(3), np.abs(directions).argmax(axis=1)] > 0).all()


def test_more_texts_than_fitted_are_placed_among_those_fitted() -> None:
    texts = random_texts(200)
    embedder = Lsa(n_components=4, max_fit=50)
    assert len(embedder._drawn(texts)) == 50
    vectors = embedder.embed(texts)
    assert vectors.shape == (len(texts), 4)
    assert np.array_equal(vectors, embedder.encode(texts, SILENT))
    assert not np.array_equal(vectors, Lsa(n_components=4, max_fit=50, seed=1).embed(texts))


def test_ideographs_and_signs_are_terms_of_their_own() -> None:
    found = TfidfVectorizer(token_pattern=TERM).fit(["日本語 two_words, e-mail カナ réfund 한국어"])
    assert sorted(found.vocabulary_) == sorted(
        ["日", "本", "語", "two_words", ",", "e", "-", "mail", "カ", "ナ", "réfund", "한국어"]
    )


@pytest.mark.parametrize("field", ["n_components", "min_texts", "max_terms", "max_fit"])
def test_numbers_begin_at_one(field: str) -> None:
    with pytest.raises(InvalidInput, match=f"'{field}' of lsa must be from 1"):
        Lsa(**{field: 0})


def test_fingerprint_says_which_libraries() -> None:
    assert set(Lsa().facts()) == {"numpy", "scikit-learn", "scipy"}
    assert Lsa().fingerprint() != Lsa(n_components=2).fingerprint()


def test_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn.feature_extraction.text", None)
    with pytest.raises(MissingExtra) as caught:
        Lsa().embed(["a"])
    assert "saeatlas[analyses]" in caught.value.hint


@pytest.mark.parametrize("n", [300, 4_000])
def test_memory_stays_within_what_was_said(n: int) -> None:
    random = np.random.default_rng(0)
    words = np.array([f"w{number}" for number in range(5_000)])
    texts = [" ".join(random.choice(words, 25)) for _ in range(n)]
    embedder = Lsa(n_components=32)
    embedder.encode(texts[:10], SILENT)
    tracemalloc.start()
    embedder.encode(texts, SILENT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < embedder.peak_bytes(n, sum(map(len, texts))) - 200_000_000
