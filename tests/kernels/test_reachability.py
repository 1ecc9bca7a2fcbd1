"""Nearest pairs and spanning trees of all pairs against naive ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial.distance import cdist

from saeatlas.kernels.reachability import nearest_pairs, spanning_tree
from saeatlas.kernels.ward import squared_distances


@pytest.mark.parametrize("seed", range(4))
def test_nearest_are_those_of_a_full_sort(seed: int) -> None:
    random = np.random.default_rng(seed)
    # Whole numbers, so that many are equally near.
    vectors = random.integers(0, 4, (60, 3)).astype(np.float64)
    members = np.sort(random.choice(60, 40, replace=False))
    neighbors, near = nearest_pairs(squared_distances(vectors), 60, members, 7)
    full = cdist(vectors[members], vectors[members], "sqeuclidean")
    np.fill_diagonal(full, np.inf)
    expected = np.argsort(full, axis=1, kind="stable")[:, :7]
    assert np.array_equal(neighbors, expected)
    assert np.allclose(near, np.take_along_axis(full, expected, 1))


@pytest.mark.parametrize("seed", range(4))
def test_tree_has_the_least_sum_of_reachabilities(seed: int) -> None:
    random = np.random.default_rng(seed)
    vectors, members = random.normal(size=(80, 5)), np.arange(0, 80, 2)
    full = cdist(vectors[members], vectors[members], "sqeuclidean")
    core = np.sort(full, axis=1)[:, 4]
    left, right, apart = spanning_tree(squared_distances(vectors), 80, members, core)
    assert np.allclose(apart, full[left, right])
    reach = np.maximum(full, np.maximum(core[:, None], core[None, :]))
    found = np.maximum(apart, np.maximum(core[left], core[right]))
    assert np.allclose(np.sort(found), np.sort(minimum_spanning_tree(reach).data))


def test_no_neighbours_are_asked_for_and_none_are_given() -> None:
    neighbors, near = nearest_pairs(np.ones(3), 3, np.arange(3), 0)
    assert neighbors.shape == near.shape == (3, 0)
