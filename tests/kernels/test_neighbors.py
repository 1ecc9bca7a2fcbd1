"""Nearest directions: equal to a plain oracle for any block, panel and type, with zeros, copies and ties."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from saeatlas.errors import InvalidInput
from saeatlas.kernels.directions import (
    LANES,
    cosines_to,
    nearest_to_one,
    prepared,
    product_error,
    square_sums,
)
from saeatlas.kernels.neighbors import Neighbors, Plan, edges_of, nearest, nearest_to

Array = npt.NDArray[Any]
Lists = list[tuple[list[int], list[float]]]

PLANS = [Plan(), Plan(block_rows=16, panel_bytes=1, spare=3), Plan(block_rows=7, panel_bytes=4000, spare=1)]


def oracle(rows: Array, k: int, queries: Array | None = None) -> Lists:
    """Every cosine in float64, sorted whole."""
    ready = prepared(rows)
    squares = square_sums(ready)
    asked = ready if queries is None else prepared(queries)
    own = square_sums(asked)
    lists: Lists = []
    for i, row in enumerate(asked):
        others = np.flatnonzero((squares > 0) & (np.arange(len(rows)) != (i if queries is None else -1)))
        if own[i] == 0:
            lists.append(([], []))
            continue
        cosines = cosines_to(ready[others], squares[others], row, own[i])
        order = np.lexsort((others, -cosines))[:k]
        lists.append((others[order].tolist(), cosines[order].tolist()))
    return lists


def lists_of(found: Neighbors) -> Lists:
    spans = [slice(a, b) for a, b in zip(found.indptr[:-1].tolist(), found.indptr[1:].tolist(), strict=True)]
    return [(found.ids[span].tolist(), found.cosines[span].tolist()) for span in spans]


def awkward(n: int, d: int, seed: int = 0) -> Array:
    """Rows with zeros, copies, multiples and opposites among them."""
    rows = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    rows[[3, n - 1]] = 0
    rows[20:45] = rows[10]
    rows[50:54] = rows[10] * 3
    rows[60] = -rows[10]
    return rows


def read(rows: Array) -> Any:
    return lambda start, stop: rows[start:stop]


@pytest.mark.parametrize("plan", PLANS, ids=["one block", "a block at a time", "two blocks kept"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 6, 99])
def test_equals_the_oracle_however_it_is_cut(plan: Plan, dtype: type, k: int) -> None:
    rows = awkward(100, 9).astype(dtype)
    assert lists_of(nearest(read(rows), 100, k, plan)) == oracle(rows, k)


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 24), st.integers(1, 5)), elements=st.integers(-2, 2)),
    st.integers(1, 8),
)
def test_equals_the_oracle_where_nearly_everything_is_tied(rows: Array, k: int) -> None:
    plan = Plan(block_rows=5, panel_bytes=1, spare=1)
    assert lists_of(nearest(read(rows), len(rows), k, plan)) == oracle(rows, k)


@settings(max_examples=30, deadline=None)
@given(
    hnp.arrays(np.float64, (6, 3), elements=st.floats(allow_nan=False, allow_infinity=False)),
)
def test_numbers_of_any_size_give_cosines(rows: Array) -> None:
    found = nearest(read(rows), len(rows), 5)
    assert np.isfinite(found.cosines).all()
    assert (np.abs(found.cosines) <= 1).all()
    assert lists_of(found) == oracle(rows, 5)


@pytest.mark.parametrize("scale", [1e-44, 1e-20, 1e30])
def test_length_does_not_matter(scale: float) -> None:
    rows = np.random.default_rng(1).integers(1, 9, (40, 4)).astype(np.float32)
    power = np.float32(2.0 ** np.floor(np.log2(scale)))
    assert lists_of(nearest(read(rows * power), 40, 5)) == lists_of(nearest(read(rows), 40, 5))


def test_a_row_is_left_out_by_its_id_not_by_its_place() -> None:
    rows = np.tile(np.float32([1, 2, 3]), (30, 1))
    found = lists_of(nearest(read(rows), 30, 3, Plan(block_rows=8, spare=1)))
    assert [ids for ids, _ in found] == [[i for i in range(4) if i != row][:3] for row in range(30)]
    assert all(cosines == [1.0, 1.0, 1.0] for _, cosines in found)


def test_zero_rows_are_near_to_nothing() -> None:
    rows = np.float32([[1, 0], [0, 0], [1, 1], [0, 0]])
    half = pytest.approx([2**-0.5])
    assert lists_of(nearest(read(rows), 4, 3)) == [([2], half), ([], []), ([0], half), ([], [])]


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_rows_have_few_neighbors(n: int) -> None:
    rows = np.eye(3, dtype=np.float32)[:n]
    assert lists_of(nearest(read(rows), n, 10)) == [([1 - i], [0.0]) if n == 2 else ([], []) for i in range(n)]


def test_a_cosine_is_the_same_from_both_sides() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 200)).astype(np.float32)
    found = nearest(read(rows), 60, 59)
    cosine = np.full((60, 60), np.nan)
    cosine[found.rows(), found.ids] = found.cosines
    np.fill_diagonal(cosine, 1)
    assert np.array_equal(cosine, cosine.T)
    unit = rows.astype(np.float64) / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    np.testing.assert_allclose(cosine, unit @ unit.T, atol=1e-14)


@pytest.mark.parametrize("d", [1, LANES - 1, LANES, LANES + 1, 3 * LANES + 5])
def test_compiled_sums_equal_those_of_numpy_to_the_last_bit(d: int) -> None:
    rows = np.random.default_rng(d).normal(size=(12, d)).astype(np.float32)
    assert lists_of(nearest(read(rows), 12, 11)) == oracle(rows, 11)


@pytest.mark.parametrize("k", [1, 6, 99])
@pytest.mark.parametrize("feature", [0, 3, 10, 44, 99])
def test_one_row_alone_has_the_same_neighbors(k: int, feature: int) -> None:
    rows = awkward(100, 9)
    ids, cosines = nearest_to_one(read(rows), 100, feature, k)
    assert (ids.tolist(), cosines.tolist()) == lists_of(nearest(read(rows), 100, k))[feature]


@pytest.mark.parametrize("plan", PLANS)
def test_other_directions_find_their_nearest_rows(plan: Plan) -> None:
    rows, queries = awkward(100, 9), np.concatenate([awkward(100, 9)[:12], np.zeros((1, 9), np.float32)])
    assert lists_of(nearest_to(queries, read(rows), 100, 6, plan)) == oracle(rows, 6, queries)


def test_directions_of_another_length_are_refused() -> None:
    with pytest.raises(InvalidInput, match="of 2 numbers"):
        nearest_to(np.ones((1, 2), np.float32), read(awkward(100, 9)), 100, 1)


def test_only_what_is_asked_for_is_multiplied() -> None:
    rows = np.random.default_rng(0).normal(size=(512, 16)).astype(np.float32)
    seen: list[int] = []

    def watched(start: int, stop: int) -> Array:
        seen.append(stop - start)
        return rows[start:stop]

    nearest_to(rows[:3], watched, 512, 5, Plan(block_rows=64))
    assert sum(seen) <= 512 + 1  # each row once, and one to learn the length
    seen.clear()
    nearest(watched, 512, 5, Plan(block_rows=64))
    assert sum(seen) <= 512 + 1


def test_near_ties_beyond_the_spare_candidates_are_looked_up_again() -> None:
    # All cosines with row 0 differ by less than a float32 product can tell.
    d, n = 400, 80
    rows = np.random.default_rng(2).normal(size=(1, d)) + 1e-9 * np.random.default_rng(3).normal(size=(n, d))
    rows = rows.astype(np.float64)
    assert lists_of(nearest(read(rows), n, 4, Plan(spare=1))) == oracle(rows, 4)


def test_progress_counts_every_pair_once() -> None:
    rows = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32)
    done: list[float] = []
    nearest(read(rows), 100, 3, Plan(block_rows=10), done.append)
    assert sum(done) == 100 * 101 / 2


def test_not_a_number_is_refused_by_id() -> None:
    rows = np.ones((5, 3), np.float32)
    rows[3, 1] = np.nan
    with pytest.raises(InvalidInput, match="feature 3 "):
        nearest(read(rows), 5, 2)
    with pytest.raises(InvalidInput, match="feature 3 "):
        nearest_to_one(read(rows), 5, 0, 2)


def test_float32_products_err_no_more_than_stated() -> None:
    rows = np.abs(np.random.default_rng(0).normal(size=(200, 3000))).astype(np.float32)
    unit = (rows.astype(np.float64) / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)).astype(np.float32)
    exact = unit.astype(np.float64) @ unit.astype(np.float64).T
    assert np.abs(unit @ unit.T - exact).max() < product_error(3000) < 2e-4


def test_edges_are_pairs_without_direction_once() -> None:
    rows = np.float32([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [0, 0]])
    found = nearest(read(rows), 5, 3)
    low, high, cosines = edges_of(found, 0.9)
    assert list(zip(low.tolist(), high.tolist(), strict=True)) == [(0, 1), (2, 3)]
    assert (cosines > 0.99).all()
    assert edges_of(found, -1)[0].size == 6
    assert edges_of(found.first(1), -1)[0].size == 2


def test_memory_stays_within_panel_blocks_and_candidates() -> None:
    n, d, plan = 6000, 64, Plan(block_rows=256, panel_bytes=64 * 4 * 1024)
    rows = np.random.default_rng(0).normal(size=(n, d)).astype(np.float32)
    nearest(read(rows[:300]), 300, 10, plan)
    tracemalloc.start()
    nearest(read(rows), n, 10, plan)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    candidates = 36 * n * (10 + plan.spare)
    assert peak < plan.panel_bytes + 16 * 256 * d * 4 + 4 * 256**2 + candidates + 1_000_000
