"""Pair sums against the dense product, and the choice of partners against sorting all of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saeatlas.kernels import cooccurrence
from saeatlas.kernels import partners as lists
from saeatlas.kernels.cooccurrence import NO_LABEL, ActiveRows, PairSums, active_rows, add_totals, ranges_of
from saeatlas.kernels.pair_measures import MEASURES, Measure, Totals, measure, order_of
from saeatlas.kernels.partners import Partners

N_ROWS, N_FEATURES = 200, 12


def dense(seed: int, n_features: int = N_FEATURES, dtype: Any = np.float32) -> np.ndarray:
    """Values of which a third are listed; some of these are zeros and negatives."""
    random = np.random.default_rng(seed)
    table = random.lognormal(0, 1, (N_ROWS, n_features)).astype(dtype)
    table[random.random(table.shape) < 0.1] *= -1
    return np.where(random.random(table.shape) < 0.6, 0, table)


def listed(table: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows, features = np.nonzero(table)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(table)))])
    return indptr, features.astype(np.uint32), table[rows, features]


def rows_of(table: np.ndarray) -> ActiveRows:
    labels = np.arange(table.shape[1], dtype=np.uint32)
    return active_rows(*listed(table), labels, np.ones(len(table), np.bool_))


def own_sums(table: np.ndarray, cuts: list[int] | None = None) -> PairSums:
    n = table.shape[1]
    sums = PairSums(n, [(0, n)], is_own=True, n_rows=len(table))
    sums.begin(0, n)
    for part in np.split(table, cuts or []):
        block = rows_of(part)
        sums.add(block, block)
    return sums


def totals(table: np.ndarray) -> Totals:
    n = table.shape[1]
    found = Totals(len(table), np.zeros(n, np.int64), np.zeros(n), np.zeros(n))
    add_totals(rows_of(table), found.n_active, found.sum, found.squares)
    return found


@given(st.integers(0, 10_000), st.sampled_from([np.float32, np.float64]))
@settings(max_examples=25, deadline=None)
def test_pairs_of_the_same_features_are_the_upper_triangle_of_the_product(seed: int, dtype: Any) -> None:
    table = dense(seed, dtype=dtype)
    active = np.maximum(table, 0).astype(np.float64)
    sums = own_sums(table)
    upper = np.triu_indices(N_FEATURES, 1)
    assert np.array_equal(sums.counts, ((active > 0).astype(int).T @ (active > 0))[upper])
    assert np.allclose(sums.dots, (active.T @ active)[upper], rtol=1e-13)


@pytest.mark.parametrize("cuts", [[1], [50, 51, 180], list(range(1, N_ROWS))])
def test_blocks_of_rows_do_not_show_in_the_bits(cuts: list[int]) -> None:
    table = dense(1)
    assert np.array_equal(own_sums(table, cuts).dots, own_sums(table).dots)


def test_threads_do_not_show_in_the_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = own_sums(dense(2))
    monkeypatch.setattr(cooccurrence, "_SMALL", 0)
    assert np.array_equal(own_sums(dense(2)).dots, alone.dots)


def test_pairs_of_two_sets_of_features_are_the_product() -> None:
    left, right = dense(3), dense(4, 7)
    sums = PairSums(7, [(2, 9)], is_own=False, n_rows=N_ROWS)
    sums.begin(2, 9)
    sums.add(rows_of(left), rows_of(right))
    expected = np.maximum(left, 0).astype(float).T @ np.maximum(right, 0)
    assert np.allclose(sums.dots.reshape(7, 7), expected[2:9])


def test_ranges_together_hold_every_pair_once() -> None:
    table, whole = dense(5), own_sums(dense(5))
    ranges = ranges_of(N_FEATURES, N_FEATURES, 20, is_own=True)
    sums = PairSums(N_FEATURES, ranges, is_own=True, n_rows=N_ROWS)
    found = []
    for first, stop in ranges:
        sums.begin(first, stop)
        sums.add(rows_of(table), rows_of(table))
        found.append(sums.dots.copy())
    assert len(ranges) > 2
    assert np.array_equal(np.concatenate(found), whole.dots)


@given(n_left=st.integers(0, 60), n_right=st.integers(1, 60), most=st.integers(1, 500), is_own=st.booleans())
def test_ranges_cover_the_features_and_none_holds_much_more_than_allowed(
    n_left: int, n_right: int, most: int, *, is_own: bool
) -> None:
    n_right = n_left if is_own else n_right
    ranges = ranges_of(n_left, n_right, most, is_own=is_own)
    assert [feature for first, stop in ranges for feature in range(first, stop)] == list(range(n_left))
    sums = PairSums(n_right, ranges, is_own=is_own, n_rows=1)
    for first, stop in ranges:
        sums.begin(first, stop)
        assert sums.counts.size <= most + n_right


def test_nonzero_gives_each_pair_that_fires_together_with_its_place() -> None:
    sums = own_sums(dense(6) * (np.arange(N_FEATURES) != 3))
    left, right, places = sums.nonzero(2, 7)
    assert set(left) == {2, 4, 5, 6}
    assert 3 not in right
    assert (right > left).all()
    assert np.array_equal(places, sums.offsets[left] + right)
    assert sums.counts[places].all()


def test_labels_leave_features_out_and_rows_that_are_not_drawn_are_empty() -> None:
    labels = np.array([0, NO_LABEL, 1, 2], np.uint32)
    values = np.array([1, 2, 3, 4, 5, -6], np.float32)
    features = np.array([0, 1, 2, 3, 0, 3], np.uint32)
    found = active_rows(np.array([0, 3, 4, 6]), features, values, labels, np.array([True, False, True]))
    assert found.n_drawn == 2
    assert found.indptr.tolist() == [0, 2, 2, 3]
    assert found.features.tolist() == [0, 1, 0]
    assert found.values.tolist() == [1, 3, 5]


@pytest.mark.parametrize("small", [0, 50_000])
@given(seed=st.integers(0, 10_000), by=st.sampled_from(MEASURES), k=st.integers(1, 13), min_count=st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_partners_are_the_first_of_all_in_order(small: int, seed: int, by: Measure, k: int, min_count: int) -> None:
    # Whole numbers and few rows make ties of every kind.
    table = np.round(dense(seed)[:40])
    table[:, 4] = 2.0
    sums, known = own_sums(table), totals(table)
    partners = Partners(N_FEATURES, k, by, min_count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lists, "_SMALL", small)
        partners.take(sums, known, known, partners)
    feature, partner, count, dot = partners.lines(0, N_FEATURES)
    active = np.maximum(table, 0).astype(float)
    together, products = (active > 0).astype(int).T @ (active > 0), active.T @ active
    for a in range(N_FEATURES):
        b = np.flatnonzero(together[a] * (np.arange(N_FEATURES) != a))
        found = measure(together[a, b], products[a, b], known.at(np.full(b.size, a)), known.at(b))
        score = together[a, b] if by == "count" else getattr(found, by)
        best = b[order_of(together[a, b], score, b, min_count)][:k]
        assert partner[feature == a].tolist() == best.tolist()
        assert count[feature == a].tolist() == together[a, best].tolist()
        assert np.allclose(dot[feature == a], products[a, best])
        assert partners.n_partners[a] == b.size


@pytest.mark.parametrize("small", [0, 50_000])
def test_partners_of_two_sets_of_features_are_found_both_ways(small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "_SMALL", small)
    left, right = dense(8), dense(9, 7)
    sums = PairSums(7, [(0, N_FEATURES)], is_own=False, n_rows=N_ROWS)
    sums.begin(0, N_FEATURES)
    sums.add(rows_of(left), rows_of(right))
    one, two = Partners(N_FEATURES, 3, "count", 1), Partners(7, 4, "count", 1)
    one.take(sums, totals(left), totals(right), two)
    together = (left > 0).astype(int).T @ (right > 0)
    for table, found, k in ((together, one, 3), (together.T, two, 4)):
        feature, partner, count, _ = found.lines(0, len(table))
        for a, line in enumerate(table):
            best = np.lexsort((np.arange(line.size), -line))[:k]
            assert partner[feature == a].tolist() == best.tolist()
            assert count[feature == a].tolist() == line[best].tolist()
