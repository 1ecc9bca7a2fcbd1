"""Silhouettes and medoids from sums against all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import silhouette_samples

from saeatlas.kernels.cluster_shape import medoids, silhouettes


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(5).integers(-1, 6, 120)


@pytest.mark.parametrize("block", [7, 2048])
def test_silhouettes_are_those_of_scikit_learn(labels: np.ndarray, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saeatlas.kernels.cluster_shape._BLOCK", block)
    vectors = np.random.default_rng(0).normal(size=(120, 8)) + 2 * np.eye(8)[labels % 8]
    found, inside = silhouettes(vectors, labels), labels >= 0
    assert np.isnan(found[~inside]).all()
    assert np.allclose(found[inside], silhouette_samples(vectors[inside], labels[inside], metric="sqeuclidean"))


def test_silhouettes_of_directions_are_those_for_the_cosine_distance(labels: np.ndarray) -> None:
    vectors = np.random.default_rng(0).normal(size=(120, 8))
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    inside = labels >= 0
    expected = silhouette_samples(vectors[inside], labels[inside], metric="cosine")
    assert np.allclose(silhouettes(unit, labels)[inside], expected, atol=1e-6)


@pytest.mark.parametrize("copies", [3, 8, 1000])
def test_equal_clusters_cannot_be_told_apart(copies: int) -> None:
    """A difference of large sums would leave rounding, of which a ratio is anything from -1 to 1."""
    directions = np.random.default_rng(0).normal(size=(3, 64))
    unit = (directions / np.linalg.norm(directions, axis=1, keepdims=True)).astype(np.float32)
    # Two clusters on the first direction, one on each of the others.
    vectors, labels = np.repeat(unit[[0, 0, 1, 2]], copies, axis=0), np.repeat(np.arange(4), copies)
    assert silhouettes(vectors, labels).tolist() == [0.0] * (2 * copies) + [1.0] * (2 * copies)


@pytest.mark.parametrize("spread", [1e-3, 1e-5, 1e-7])
def test_silhouettes_of_near_vectors_keep_their_digits(labels: np.ndarray, spread: float) -> None:
    random, inside = np.random.default_rng(0), labels >= 0
    vectors = 50 + spread * (random.normal(size=(120, 2)) + 4 * (labels % 2)[:, None])
    expected = silhouette_samples(vectors[inside] - 50, labels[inside], metric="sqeuclidean")
    assert np.allclose(silhouettes(vectors, labels)[inside], expected, atol=1e-5)


def test_one_cluster_has_no_other_to_be_told_from() -> None:
    assert np.isnan(silhouettes(np.ones((4, 2)), np.array([0, 0, -1, 0]))).all()


def test_medoid_has_the_least_sum_of_distances(labels: np.ndarray) -> None:
    vectors = np.random.default_rng(1).normal(size=(120, 4))
    for cluster, found in enumerate(medoids(vectors, labels).tolist()):
        members = np.flatnonzero(labels == cluster)
        sums = cdist(vectors[members], vectors[members], "sqeuclidean").sum(axis=0)
        assert found == members[np.argmin(sums)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_of_two_the_first_is_the_medoid(dtype: type[np.floating]) -> None:
    """Both have the same sum of distances, though one may be a rounding nearer to their mean."""
    vectors = np.random.default_rng(0).normal(size=(400, 64)).astype(dtype)
    assert medoids(vectors, np.repeat(np.arange(200), 2)).tolist() == list(range(0, 400, 2))


def test_no_clusters_have_no_medoids() -> None:
    assert medoids(np.ones((3, 2)), np.full(3, -1)).size == 0
