"""Faithfulness of maps: equal to scikit-learn and to counting all ranks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.manifold import trustworthiness as sklearn_trustworthiness

from saeatlas.kernels.map_quality import map_neighbors, ranks_of, recall, trustworthiness
from saeatlas.kernels.neighbors import Plan, nearest

Array = Any


def read(rows: Array) -> Any:
    return lambda start, stop: rows[start:stop]


def planted(n: int = 150, d: int = 20) -> Array:
    random = np.random.default_rng(0)
    return (random.normal(size=(6, d))[np.arange(n) % 6] + 0.7 * random.normal(size=(n, d))).astype(np.float32)


def all_ranks(rows: Array) -> Array:
    unit = rows.astype(np.float64) / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    cosine = unit @ unit.T
    np.fill_diagonal(cosine, -np.inf)
    return 1 + (cosine[:, None, :] > cosine[:, :, None] + 1e-12).sum(axis=2)


@pytest.mark.parametrize("plan", [Plan(), Plan(block_rows=32, panel_bytes=1)])
def test_ranks_equal_those_of_a_full_sort(plan: Plan) -> None:
    rows = planted()
    random = np.random.default_rng(1)
    others = np.argsort(random.random((150, 150)) + 2 * np.eye(150), axis=1)[:, :9]
    ranks = ranks_of(np.arange(150), others, read(rows), 150, plan)
    np.testing.assert_array_equal(ranks, np.take_along_axis(all_ranks(rows), others, 1))


def test_ranks_of_some_rows_among_all() -> None:
    rows, ids = planted(), np.array([3, 77, 149])
    others = np.array([[5, 9], [3, 8], [0, 148]])
    ranks = ranks_of(ids, others, read(rows), 150, Plan(block_rows=32))
    np.testing.assert_array_equal(ranks, np.take_along_axis(all_ranks(rows)[ids], others, 1))


def test_exact_neighbors_have_the_first_ranks_and_may_be_named_twice() -> None:
    rows = planted()
    found = nearest(read(rows), 150, 8).ids.reshape(150, 8)
    ranks = ranks_of(np.arange(150), np.concatenate([found, found[:, ::-1]], axis=1), read(rows), 150)
    np.testing.assert_array_equal(ranks, np.tile(np.r_[1:9, 8:0:-1], (150, 1)))


def test_equally_near_rows_share_the_first_rank() -> None:
    rows = np.float32([[1, 0], [1, 1], [2, 2], [1, 1], [0, 1], [0, 0]])
    ranks = ranks_of(np.array([0]), np.array([[1, 2, 3, 4]]), read(rows), 6)
    assert ranks.tolist() == [[1, 1, 1, 4]]


def test_other_directions_are_ranked_among_the_rows() -> None:
    rows = planted()
    ranks = ranks_of(rows[:4], np.array([[0, 1], [1, 0], [2, 0], [3, 0]]), read(rows), 150)
    assert ranks[:, 0].tolist() == [1] * 4
    assert (ranks[:, 1] > 1).all()


@pytest.mark.parametrize("k", [1, 5, 20, 74])
def test_trustworthiness_equals_scikit_learn(k: int) -> None:
    rows = planted()
    positions = np.random.default_rng(2).normal(size=(150, 2)) + rows[:, :2]
    near = map_neighbors(positions, np.arange(150), k)
    ranks = ranks_of(np.arange(150), near, read(rows), 150)
    want = sklearn_trustworthiness(rows.astype(np.float64), positions, n_neighbors=k, metric="cosine")
    assert trustworthiness(ranks, 149).mean() == pytest.approx(want, abs=1e-6)


def test_trustworthiness_is_undefined_where_the_formula_is() -> None:
    assert np.isnan(trustworthiness(np.ones((150, 75), np.int64), 149)).all()
    assert trustworthiness(np.ones((0, 3), np.int64), 149).size == 0
    assert trustworthiness(np.ones((150, 74), np.int64), 149).tolist() == [1.0] * 150


def test_recall_is_the_share_of_true_neighbors() -> None:
    assert recall(np.array([[1, 2, 3], [4, 1, 9]])).tolist() == [1.0, 1 / 3]
    assert recall(np.empty((0, 4), np.int64)).size == 0


def test_neighbors_on_a_map_equal_a_full_sort() -> None:
    positions = np.random.default_rng(0).normal(size=(80, 3))
    apart = np.linalg.norm(positions[:, None] - positions, axis=2)
    np.fill_diagonal(apart, np.inf)
    ids = np.array([0, 5, 79])
    np.testing.assert_array_equal(map_neighbors(positions, ids, 10), np.argsort(apart[ids], axis=1)[:, :10])


def test_a_place_is_left_out_by_id_where_several_are_the_same() -> None:
    positions = np.zeros((4, 2))
    assert all(row not in near for row, near in enumerate(map_neighbors(positions, np.arange(4), 3).tolist()))


def test_places_elsewhere_have_neighbors_on_the_map() -> None:
    positions = np.array([[0.0, 0], [1, 0], [5, 0]])
    assert map_neighbors(positions, np.array([-1]), 2, np.array([[0.9, 0]])).tolist() == [[1, 0]]


def test_a_map_of_the_space_itself_is_wholly_faithful_and_a_random_one_is_not() -> None:
    rows = planted(d=2)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    ids = np.arange(150)
    for positions, low, high in ((unit, 0.999, 1.001), (np.random.default_rng(0).normal(size=(150, 2)), 0.4, 0.6)):
        ranks = ranks_of(ids, map_neighbors(positions, ids, 10), read(rows), 150)
        assert low < trustworthiness(ranks, 149).mean() < high
