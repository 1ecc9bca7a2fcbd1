"""Similarities within and between groups against scikit-learn, SciPy and plain loops."""

from __future__ import annotations

from itertools import combinations, pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy
from sklearn.metrics.pairwise import cosine_similarity

from saeatlas.kernels import pair_similarity
from saeatlas.kernels.pair_similarity import cross_cosines, cross_jaccard, pair_cosines, pair_jaccard, unit_vectors
from saeatlas.kernels.peak_tokens import count_tokens, entropy_bits, token_overlap
from saeatlas.kernels.text_sets import word_sets

SIZES = st.lists(st.integers(0, 6), min_size=1, max_size=5)


def groups(sizes: list[int], seed: int = 0, width: int = 4) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(sum(sizes), width)).astype(np.float32)
    vectors[random.random(sum(sizes)) < 0.2] = 0
    return np.cumsum([0, *sizes]), vectors


@settings(deadline=None, max_examples=60)
@given(SIZES, st.integers(0, 99))
def test_cosines_within_groups_are_those_of_scikit_learn(sizes: list[int], seed: int) -> None:
    indptr, vectors = groups(sizes, seed)
    found = pair_cosines(indptr, *unit_vectors(vectors))
    for group, (low, high) in enumerate(pairwise(indptr)):
        kept = vectors[low:high][vectors[low:high].any(axis=1)].astype(np.float64)
        n = len(kept)
        assert found.n_pairs[group] == n * (n - 1) // 2
        statistics = [found.mean[group], found.std[group], found.min[group], found.max[group]]
        if n < 2:
            assert np.isnan(statistics).all()
            continue
        pairs = cosine_similarity(kept)[np.triu_indices(n, 1)]
        expected = [pairs.mean(), np.std(pairs, ddof=0), pairs.min(), pairs.max()]
        np.testing.assert_allclose(statistics, expected, atol=1e-12)


@settings(deadline=None, max_examples=60)
@given(SIZES, st.integers(0, 99))
def test_cosines_between_groups_are_those_of_scikit_learn(sizes: list[int], seed: int) -> None:
    indptr, vectors = groups(sizes, seed)
    first, second = (np.array(ids) for ids in zip(*product(range(len(sizes)), repeat=2), strict=True))
    found = cross_cosines(indptr, *unit_vectors(vectors), first, second)
    for pair, (one, other) in enumerate(zip(first, second, strict=True)):
        ours, theirs = (
            vectors[low:high][vectors[low:high].any(axis=1)].astype(np.float64)
            for low, high in ((indptr[one], indptr[one + 1]), (indptr[other], indptr[other + 1]))
        )
        statistics = [found.mean[pair], found.best[pair], found.best_back[pair]]
        if not len(ours) or not len(theirs):
            assert np.isnan(statistics).all()
            continue
        table = cosine_similarity(ours, theirs)
        expected = [table.mean(), table.max(axis=1).mean(), table.max(axis=0).mean()]
        np.testing.assert_allclose(statistics, expected, atol=1e-12)


def test_answers_do_not_depend_on_how_many_groups_are_multiplied_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    indptr, vectors = groups([5, 3, 5, 5, 2, 5, 3], width=33)
    unit = unit_vectors(vectors)
    first, second = np.array([0, 2, 3, 5, 1]), np.array([2, 0, 5, 3, 6])
    whole, cross = pair_cosines(indptr, *unit), cross_cosines(indptr, *unit, first, second)
    monkeypatch.setattr(pair_similarity, "_NUMBERS_AT_ONCE", 1)
    again, cross_again = pair_cosines(indptr, *unit), cross_cosines(indptr, *unit, first, second)
    for field in ("mean", "std", "min", "max"):
        assert getattr(whole, field).tobytes() == getattr(again, field).tobytes()
    for field in ("mean", "best", "best_back"):
        assert getattr(cross, field).tobytes() == getattr(cross_again, field).tobytes()


def test_equal_vectors_have_cosine_one_and_no_spread() -> None:
    found = pair_cosines(np.array([0, 4]), *unit_vectors(np.full((4, 7), 0.3, np.float32)))
    np.testing.assert_allclose([found.mean[0], found.min[0], found.max[0]], 1, atol=1e-12)
    assert found.std[0] < 1e-12
    assert found.max[0] <= 1


def jaccard(one: str, other: str) -> float:
    ours, theirs = set(one.split()), set(other.split())
    return len(ours & theirs) / len(ours | theirs) if ours | theirs else 1.0


@settings(deadline=None, max_examples=80)
@given(st.lists(st.lists(st.sampled_from(["", "a", "b", "a b", "b c d", "e"]), max_size=5), min_size=1, max_size=4))
def test_jaccard_is_that_of_pythons_sets(texts: list[list[str]]) -> None:
    indptr = np.cumsum([0, *map(len, texts)])
    sets = word_sets([text for group in texts for text in group])
    found = pair_jaccard(indptr, sets)
    for group, own in enumerate(texts):
        pairs = [jaccard(*pair) for pair in combinations(own, 2)]
        np.testing.assert_allclose(found[group], np.mean(pairs) if pairs else np.nan)
    first, second = (np.array(ids) for ids in zip(*product(range(len(texts)), repeat=2), strict=True))
    cross = cross_jaccard(indptr, sets, first, second)
    for pair, (one, other) in enumerate(zip(first, second, strict=True)):
        every = [jaccard(*texts_) for texts_ in product(texts[one], texts[other])]
        np.testing.assert_allclose(cross[pair], np.mean(every) if every else np.nan)


def test_two_empty_sets_are_equal_and_an_empty_one_shares_nothing() -> None:
    assert pair_jaccard(np.array([0, 2]), word_sets(["", ""])).tolist() == [1]
    assert pair_jaccard(np.array([0, 2]), word_sets(["", "a"])).tolist() == [0]


@settings(deadline=None, max_examples=80)
@given(st.lists(st.lists(st.integers(0, 4), max_size=9), min_size=1, max_size=4))
def test_entropy_and_overlap_are_those_of_the_shares(tokens: list[list[int]]) -> None:
    indptr = np.cumsum([0, *map(len, tokens)])
    counts = count_tokens(indptr, np.array([token for group in tokens for token in group], np.uint32))
    found = entropy_bits(counts)
    shares = [np.bincount(group, minlength=5) / max(len(group), 1) for group in tokens]
    assert np.diff(counts.indptr).tolist() == [len(set(group)) for group in tokens]
    for group, share in zip(range(len(tokens)), shares, strict=True):
        np.testing.assert_allclose(found[group], scipy_entropy(share, base=2) if tokens[group] else np.nan, atol=1e-12)
    first, second = (np.array(ids) for ids in zip(*product(range(len(tokens)), repeat=2), strict=True))
    overlap = token_overlap(counts, first, second)
    for pair, (one, other) in enumerate(zip(first, second, strict=True)):
        has = bool(tokens[one] and tokens[other])
        np.testing.assert_allclose(overlap[pair], np.minimum(shares[one], shares[other]).sum() if has else np.nan)


def test_entropy_of_one_token_is_zero_and_not_negative_zero() -> None:
    found = entropy_bits(count_tokens(np.array([0, 3]), np.array([7, 7, 7])))
    assert found[0] == 0
    assert not np.signbit(found[0])
