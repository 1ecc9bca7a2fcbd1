"""Neighbours and shared words against plain NumPy and sets, and p-values under the null."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from saeatlas.kernels.coherence import (
    agreement,
    nearest_in_space,
    neighbourhoods,
    node_jackknife,
    shuffles,
)


def table(texts: list[set[int]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    indptr = np.concatenate([[0], np.cumsum([len(text) for text in texts])]).astype(np.int64)
    return indptr, np.array([word for text in texts for word in sorted(text)], np.int32)


def jaccard(one: set[int], other: set[int]) -> float:
    return len(one & other) / len(one | other)


def random_texts(n: int, seed: int, n_words: int = 30) -> list[set[int]]:
    random = np.random.default_rng(seed)
    return [set(random.integers(0, n_words, random.integers(1, 6)).tolist()) for _ in range(n)]


def naive_nearest(distance: npt.NDArray[np.float64], k: int) -> npt.NDArray[np.int64]:
    distance = distance.copy()
    np.fill_diagonal(distance, np.inf)
    return np.argsort(distance, axis=1, kind="stable")[:, :k]


@settings(deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(3, 40), k=st.integers(1, 4), levels=st.integers(1, 6))
def test_nearest_in_space_equals_sorting_all_distances(seed: int, n: int, k: int, levels: int) -> None:
    k = min(k, n - 1)
    # Few levels make many equal distances and points at one place.
    points = np.random.default_rng(seed).integers(0, levels, (n, 3)).astype(np.float64)
    distance = np.square(points[:, None] - points[None]).sum(2)
    assert nearest_in_space(points, k).tolist() == naive_nearest(distance, k).tolist()


def test_duplicates_are_neighbours_and_nobody_is_its_own() -> None:
    points = np.repeat(np.arange(4.0)[:, None], 3, axis=0)
    found = nearest_in_space(points, 2)
    assert found[:3].tolist() == [[1, 2], [0, 2], [0, 1]]
    assert not (found == np.arange(12)[:, None]).any()


@settings(deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(4, 25))
def test_agreement_equals_sets(seed: int, n: int) -> None:
    texts = random_texts(n, seed)
    near = nearest_in_space(np.random.default_rng(seed).normal(size=(n, 3)), 3)
    orders = list(shuffles(n, 4, seed))
    found = agreement(*table(texts), near, orders)

    def mean(order: npt.NDArray[np.int32]) -> float:
        return float(np.mean([jaccard(texts[order[i]], texts[order[j]]) for i in range(n) for j in near[i]]))

    assert found.observed == pytest.approx(mean(np.arange(n, dtype=np.int32)))
    assert found.permuted == pytest.approx([mean(order) for order in orders])


def test_shuffles_are_permutations_and_come_again_from_their_seed() -> None:
    once, again = list(shuffles(50, 5, 3)), list(shuffles(50, 5, 3))
    assert all(sorted(order.tolist()) == list(range(50)) for order in once)
    assert [order.tolist() for order in once] == [order.tolist() for order in again]
    assert len({tuple(order.tolist()) for order in once}) == 5


def test_random_texts_give_uniform_p() -> None:
    p = []
    for seed in range(300):
        near = nearest_in_space(np.random.default_rng(seed).normal(size=(40, 3)), 3)
        found = agreement(*table(random_texts(40, seed)), near, shuffles(40, 99, seed))
        p.append((1 + (found.permuted >= found.observed).sum()) / 100)
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert 0.02 < np.mean(np.array(p) <= 0.05) < 0.09


def test_neighbourhood_expects_what_all_others_give() -> None:
    texts = random_texts(12, 5, n_words=8)
    near = nearest_in_space(np.random.default_rng(5).normal(size=(12, 3)), 3)
    found = neighbourhoods(*table(texts), near, 200_000, 0)
    for i in range(12):
        others = [jaccard(texts[i], texts[j]) for j in range(12) if j != i]
        sums = np.array([sum(chosen) for chosen in combinations(others, 3)]) / 3
        observed = np.mean([jaccard(texts[i], texts[j]) for j in near[i]])
        assert found.observed[i] == pytest.approx(observed)
        # A share of draws differs from the exact one by 4 standard errors once in 16,000.
        exact = float((sums >= observed - 1e-9).mean())
        error = 4 * np.sqrt(exact * (1 - exact) / found.n_draws[i]) + 0.25 * exact + 2 / found.n_draws[i]
        assert abs(found.p[i] - exact) < error
        if found.n_draws[i] > 5_000:
            assert found.expected[i] == pytest.approx(sums.mean(), abs=0.01)


def test_neighbourhoods_of_random_texts_are_rarely_significant() -> None:
    p = []
    for seed in range(60):
        near = nearest_in_space(np.random.default_rng(seed).normal(size=(40, 3)), 3)
        p.append(neighbourhoods(*table(random_texts(40, seed)), near, 1000, seed).p)
    all_p = np.concatenate(p)
    for level in (0.01, 0.05, 0.2):
        assert (all_p <= level).mean() < level * 1.3 + 0.002
    assert (all_p > 0).all() and (all_p <= 1).all()


def test_text_without_anything_shared_stops_after_the_least_draws() -> None:
    texts = [{i} for i in range(10)]
    near = nearest_in_space(np.random.default_rng(0).normal(size=(10, 3)), 3)
    found = neighbourhoods(*table(texts), near, 10_000, 0)
    assert found.n_draws.tolist() == [200] * 10
    assert found.p.tolist() == [1.0] * 10
    assert found.spread.tolist() == [0.0] * 10


def test_jackknife_equals_leaving_texts_out_one_by_one() -> None:
    n = 15
    texts = random_texts(n, 2)
    near = nearest_in_space(np.random.default_rng(2).normal(size=(n, 3)), 3)
    pairs = [(i, int(j), jaccard(texts[i], texts[int(j)])) for i in range(n) for j in near[i]]
    left = np.array([np.mean([s for i, j, s in pairs if out not in (i, j)]) for out in range(n)])
    expected = np.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum())
    assert node_jackknife(*table(texts), near) == pytest.approx(expected)


def test_jackknife_is_undefined_where_one_text_is_in_every_pair() -> None:
    near = np.array([[1], [0]], np.int32)
    assert np.isnan(node_jackknife(*table([{1}, {1, 2}]), near))
