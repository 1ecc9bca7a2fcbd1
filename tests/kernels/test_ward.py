"""Ward's tree against SciPy and scikit-learn, and the clusters at any height of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score

from saeatlas.kernels.ward import Linkage, cut, ordered_by_size, pairs_of, squared_distances, ward


def unit(n: int, d: int, seed: int = 0) -> npt.NDArray[np.float32]:
    vectors = np.random.default_rng(seed).normal(size=(n, d))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def tree(vectors: npt.NDArray[np.float32]) -> Linkage:
    return ward(squared_distances(vectors), len(vectors))


@settings(deadline=None, max_examples=25)
@given(n=st.integers(2, 80), d=st.integers(1, 9), seed=st.integers(0, 10**6))
def test_tree_is_that_of_scipy(n: int, d: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    expected, found = linkage(vectors.astype(np.float64), "ward"), tree(vectors)
    assert np.array_equal(np.column_stack([found.left, found.right]), expected[:, :2])
    assert np.allclose(found.distance, expected[:, 2], rtol=1e-10, atol=0)
    assert np.array_equal(found.size, expected[:, 3])


@pytest.mark.parametrize("k", [10, 30, 90])
def test_cuts_equal_those_of_scikit_learn(k: int) -> None:
    vectors = unit(700, 40)
    expected = AgglomerativeClustering(k, linkage="ward").fit_predict(vectors)
    assert adjusted_rand_score(cut(tree(vectors), n_clusters=k), expected) == 1.0


def test_cut_at_a_height_equals_that_of_scipy() -> None:
    vectors = unit(200, 6)
    reference = linkage(vectors.astype(np.float64), "ward")
    for height in (0.0, 0.3, 0.9, 2.0, 100.0):
        expected = fcluster(reference, height, "distance")
        assert adjusted_rand_score(cut(tree(vectors), distance=height), expected) == 1.0


def test_cuts_are_nested() -> None:
    found = tree(unit(150, 5))
    fine, coarse = cut(found, n_clusters=40), cut(found, n_clusters=7)
    assert all(np.unique(coarse[fine == c]).size == 1 for c in range(40))


def test_clusters_are_numbered_by_size_and_then_by_their_first_member() -> None:
    assert ordered_by_size(np.array([7, 3, 3, -2, 9, 9, 5])).tolist() == [2, 0, 0, -1, 1, 1, 3]


def test_more_clusters_than_vectors_leave_each_alone() -> None:
    assert sorted(cut(tree(unit(6, 3)), n_clusters=90).tolist()) == list(range(6))


def test_equal_vectors_are_at_distance_0_whatever_their_length() -> None:
    vectors = unit(40, 2000) * np.float32(1e3)
    vectors[30:] = vectors[0]
    squared = squared_distances(vectors)
    assert np.count_nonzero(squared == 0.0) == 11 * 10 // 2
    assert np.count_nonzero(tree(vectors).distance == 0.0) == 10


def test_nearly_equal_vectors_keep_their_digits_where_a_difference_of_products_has_none() -> None:
    one = np.random.default_rng(3).normal(size=64)
    vectors = np.stack([one, one + 1e-9])
    products = 2 * (one @ one) - 2 * (vectors[0] @ vectors[1]) + (vectors[1] @ vectors[1] - one @ one)
    exact = float(pdist(vectors)[0] ** 2)
    assert squared_distances(vectors)[0] == pytest.approx(exact, rel=1e-9, abs=0)
    assert abs(products / exact - 1) > 1e-3


def test_blocks_do_not_show_in_the_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = unit(70, 12)
    whole = squared_distances(vectors)
    monkeypatch.setattr("saeatlas.kernels.ward._BLOCK", 16)
    assert np.allclose(squared_distances(vectors), whole, rtol=1e-12)
    assert np.allclose(whole, pdist(vectors.astype(np.float64), "sqeuclidean"), rtol=1e-12)


def test_pairs_of_some_are_their_own_distances() -> None:
    vectors, members = unit(50, 8), np.array([0, 3, 4, 17, 49])
    assert np.array_equal(pairs_of(squared_distances(vectors), 50, members), squared_distances(vectors[members]))


def test_one_vector_is_a_tree_without_merges() -> None:
    found = ward(np.empty(0), 1)
    assert found.n == 1
    assert cut(found, n_clusters=3).tolist() == [0]


def test_all_equal_vectors_merge_at_height_0() -> None:
    found = tree(np.ones((9, 4), np.float32))
    assert found.distance.tolist() == [0.0] * 8
    assert found.size[-1] == 9
