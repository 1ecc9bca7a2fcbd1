"""The optimisation of a map: the forces of UMAP, the same bits each time, and others that stay where they are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from scipy.sparse import coo_array

from saeatlas.kernels import layout
from saeatlas.kernels.layout import Curve, Graph, optimise, settle
from saeatlas.kernels.layout_start import part_centres, principal_axes, start_of, to_start

Array = Any
CURVE = Curve(1.86, 0.81, 1.5)


def graph_of(pairs: Any, n: int, weight: float = 1.0) -> Graph:
    one, other = np.asarray(pairs).T
    matrix = coo_array((np.full(2 * one.size, weight), (np.r_[one, other], np.r_[other, one])), shape=(n, n)).tocsr()
    matrix.sort_indices()
    return Graph(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(np.float32))


def groups(n_groups: int, size: int) -> Graph:
    """Each group fully connected, none with another."""
    pairs = [(a + g * size, b + g * size) for g in range(n_groups) for a in range(size) for b in range(a)]
    return graph_of(pairs, n_groups * size)


@pytest.mark.parametrize("curve", [CURVE, Curve(0.115, 1.93, 1.0), Curve(1.58, 0.9, 0.1)])
def test_gradients_from_the_table_are_those_of_the_formula(curve: Curve) -> None:
    squares = np.exp(np.random.default_rng(0).uniform(np.log(1e-8), np.log(1e5), 3000)).astype(np.float32)
    wide = squares.astype(np.float64)
    falling = 1 + curve.a * wide**curve.b
    wanted = (
        -2 * curve.a * curve.b * wide ** (curve.b - 1) / falling,
        2 * curve.repulsion * curve.b / ((0.001 + wide) * falling),
    )
    for table, want in zip(curve.tables(), wanted, strict=True):
        got = np.array([layout._read(table, square) for square in squares])
        np.testing.assert_allclose(got, want, rtol=5e-4)


def test_distances_beyond_the_table_use_its_ends() -> None:
    table = CURVE.tables()[0]
    for square, end in ((0.0, 0), (1e-30, 0), (1e12, -1), (np.inf, -1)):
        assert layout._read(table, np.float32(square)) == table[end]


def test_groups_come_together_and_apart_from_each_other() -> None:
    start = np.random.default_rng(0).uniform(0, 10, (60, 2)).astype(np.float32)
    found = optimise(start, groups(3, 20), CURVE, 200, 1)
    centres = found.reshape(3, 20, 2).mean(axis=1)
    within = np.linalg.norm(found.reshape(3, 20, 2) - centres[:, None], axis=2).max()
    between = np.linalg.norm(centres[:, None] - centres, axis=2)[~np.eye(3, dtype=bool)].min()
    assert between > 3 * within


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_same_input_gives_the_same_bits_in_any_thread(dim: int) -> None:
    start = np.random.default_rng(0).uniform(0, 10, (60, dim)).astype(np.float32)
    run = lambda seed: optimise(start.copy(), groups(3, 20), CURVE, 30, seed)  # noqa: E731
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(run, [7, 7, 7]))
    assert all(np.array_equal(result, results[0]) for result in results)
    assert results[0].shape == (60, dim)
    assert np.isfinite(results[0]).all()
    assert not np.array_equal(results[0], run(8))


def test_input_is_not_changed() -> None:
    start = np.random.default_rng(0).uniform(0, 10, (40, 3)).astype(np.float32)
    before = start.copy()
    optimise(start, groups(2, 20), CURVE, 5, 1)
    assert np.array_equal(start, before)


def test_heavy_edges_pull_more_often_than_light_ones() -> None:
    graph = graph_of([(0, 1), (0, 2)], 60)
    light = Graph(graph.indptr, graph.ends, np.where(graph.ends == 2, 0.02, graph.weights).astype(np.float32))
    # Row 2 has one edge as well, and it is as light.
    light.weights[graph.indptr[2] : graph.indptr[3]] = 0.02
    start = np.random.default_rng(3).uniform(0, 3, (60, 3)).astype(np.float32)
    found = optimise(start, light, CURVE, 100, 1)
    assert np.linalg.norm(found[0] - found[1]) < np.linalg.norm(found[0] - found[2])


def test_equal_places_do_not_make_numbers_undefined() -> None:
    assert np.isfinite(optimise(np.zeros((20, 2), np.float32), groups(1, 20), CURVE, 50, 1)).all()


def test_a_new_feature_settles_where_it_would_alone_and_moves_nothing() -> None:
    fixed = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    before = fixed.copy()
    ends = np.array([1, 2, 3, 4, 5, 6], np.int32)
    weights = np.array([0.9, 0.5, 0.3, 0.2, 0.8, 0.1], np.float32)
    both = Graph(np.array([0, 3, 6]), ends, weights)
    start = np.float32([[1, 1, 1], [4, 4, 4]])
    together = settle(start, fixed, both, CURVE, 60, 5)
    for i, span in enumerate((slice(0, 3), slice(3, 6))):
        alone = settle(start[i : i + 1], fixed, Graph(np.array([0, 3]), ends[span], weights[span]), CURVE, 60, 5)
        assert np.array_equal(alone[0], together[i])
    assert np.array_equal(fixed, before)
    assert np.linalg.norm(together[1] - fixed[[4, 5, 6]].mean(axis=0)) < np.linalg.norm(start[1])


def read(rows: Array) -> Any:
    return lambda start, stop: rows[start:stop]


@pytest.mark.parametrize(("n", "reach"), [(300, 1), (900, 40)], ids=["all modes", "by iteration"])
def test_a_start_orders_a_band_by_its_slowest_mode(n: int, reach: int) -> None:
    pairs = [(i, i + step) for step in range(1, reach + 1) for i in range(n - step)]
    starts = start_of(graph_of(pairs, n), read(np.eye(3)), np.arange(n), 3, 0)
    along = starts[2][:, 0]
    assert abs(np.corrcoef(np.argsort(np.argsort(along)), np.arange(n))[0, 1]) > 0.95
    assert {dim: start.shape for dim, start in starts.items()} == {2: (n, 2), 3: (n, 3)}
    for start in starts.values():
        assert start.dtype == np.float32
        np.testing.assert_allclose(start.min(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(start.max(axis=0), 10, atol=1e-5)


def test_parts_without_connection_start_apart_by_their_rows() -> None:
    # Parts 0 and 1 point nearly alike, part 2 elsewhere.
    centre = np.array([[1.0, 0, 0, 0], [0.9, 0.2, 0, 0], [0, 0, 1.0, 0]])
    rows = np.repeat(centre, 20, axis=0) + 0.01 * np.random.default_rng(0).normal(size=(60, 4))
    start = start_of(groups(3, 20), read(rows.astype(np.float32)), np.arange(60), 3, 0)[3]
    middle = start.reshape(3, 20, 3).mean(axis=1)
    apart = np.linalg.norm(middle[:, None] - middle, axis=2)
    assert apart[0, 1] < apart[0, 2]
    assert apart[0, 1] < apart[1, 2]
    assert np.linalg.norm(start[:20] - middle[0], axis=1).max() < apart[0, 1]


def test_rows_without_a_place_do_not_count_for_a_part() -> None:
    rows = np.zeros((9, 2), np.float32)
    rows[[1, 4, 6, 8]] = [[2, 0], [0, 3], [5, 0], [0, 1]]
    centres = part_centres(read(rows), np.array([1, 4, 6, 8]), np.array([0, 1, 0, 1]), 2)
    assert centres.tolist() == [[1, 0], [0, 1]]


def test_a_graph_that_nearly_falls_apart_still_gives_a_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saeatlas.kernels.layout_start._RESTARTS", 1)
    pairs = [(a + g * 50, b + g * 50) for g in range(12) for a in range(50) for b in range(a)]
    weak = graph_of([*pairs, *((g * 50, g * 50 + 50) for g in range(11))], 600)
    first, second = (start_of(weak, read(np.eye(3)), np.arange(600), 3, 0)[3] for _ in range(2))
    assert np.isfinite(first).all()
    assert np.array_equal(first, second)


def test_equal_axes_start_with_noise_only() -> None:
    start = to_start(np.zeros((5, 2)), 0)
    assert np.unique(start, axis=0).shape[0] == 5


@pytest.mark.parametrize("shape", [(6, 4), (500, 450)])
def test_principal_axes_equal_those_of_a_decomposition(shape: tuple[int, int]) -> None:
    points = np.random.default_rng(0).normal(size=shape) * np.r_[9.0, 7.0, 5.0, np.ones(shape[1] - 3)]
    left, sizes, _ = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(np.abs(principal_axes(points, 3, 0)), np.abs(left[:, :3] * sizes[:3]), atol=1e-6)
