"""Moments by cell and intervals against NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as oracle

from saeatlas.kernels.token_families import (
    Cells,
    add_up,
    cell_moments,
    mean_interval,
    partial_correlation,
    t_quantile,
    welch_interval,
)


def random_case(seed: int, n: int = 60) -> tuple[np.ndarray, np.ndarray, Cells]:
    """Activations [documents, features], cells [documents, families], and what is found."""
    rng = np.random.default_rng(seed)
    dense = np.where(rng.random((n, 4)) < 0.4, rng.lognormal(size=(n, 4)), 0.0)
    dense[:, 3] = 0.0
    cells = np.column_stack([rng.integers(0, 3, n), rng.integers(3, 5, n)]).astype(np.int32)
    cells[: n // 10] = -1
    features, documents = np.nonzero(dense.T)
    indptr = np.searchsorted(features, np.arange(5)).astype(np.int64)
    counts = np.bincount(cells[cells >= 0], minlength=6).astype(np.int64)
    found = cell_moments(indptr, documents.astype(np.uint32), dense.T[features, documents], cells, counts)
    return dense, cells, found


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000))
def test_moments_equal_numpy_over_all_documents(seed: int) -> None:
    dense, cells, found = random_case(seed, n=20)
    for feature in range(4):
        for cell in range(6):
            mine = dense[(cells == cell).any(axis=1), feature]
            assert found.n_active[feature, cell] == (mine > 0).sum()
            if mine.size:
                assert found.mean[feature, cell] == pytest.approx(mine.mean(), abs=1e-12)
                active = mine[mine > 0]
                mean_active = found.mean_active[feature, cell]
                assert mean_active == pytest.approx(active.mean()) if active.size else np.isnan(mean_active)
            if mine.size > 1:
                assert found.std[feature, cell] == pytest.approx(mine.std(ddof=1), abs=1e-9)
            else:
                assert np.isnan(found.std[feature, cell])


def test_cells_add_up_to_the_whole() -> None:
    dense, cells, found = random_case(1)
    part = Cells(found.n_documents[:3], found.n_active[:, :3], found.sum[:, :3], found.squares[:, :3])
    whole, kept = add_up(part), dense[cells[:, 0] >= 0]
    np.testing.assert_allclose(whole.mean[:, 0], kept.mean(0))
    np.testing.assert_allclose(whole.std[:, 0], kept.std(0, ddof=1))


def test_equal_values_have_no_spread_and_no_interval() -> None:
    n = 7
    cells = np.zeros((n, 1), np.int32)
    found = cell_moments(
        np.array([0, n]), np.arange(n, dtype=np.uint32), np.full(n, 0.1), cells, np.array([n], np.int64)
    )
    assert found.std[0, 0] == 0.0
    assert np.isnan(mean_interval(found)[0][0, 0])


@pytest.mark.parametrize("degrees", [1, 2, 3.7, 9, 29.9, 30, 31.5, 100, 1e4, 1e9])
def test_quantile_equals_scipy(degrees: float) -> None:
    assert t_quantile(np.array([degrees]))[0] == pytest.approx(oracle.t.ppf(0.975, degrees), rel=1e-7)


def test_quantile_without_degrees_of_freedom_is_undefined() -> None:
    assert np.isnan(t_quantile(np.array([0.0, -1.0, np.nan]))).all()


def test_intervals_equal_scipy() -> None:
    dense, cells, found = random_case(3)
    low, high = mean_interval(found)
    absent = Cells(found.n_documents[:1], found.n_active[:, :1], found.sum[:, :1], found.squares[:, :1])
    present = Cells(found.n_documents[1:3], found.n_active[:, 1:3], found.sum[:, 1:3], found.squares[:, 1:3])
    of_delta = welch_interval(present, absent)
    for feature in range(3):
        groups = [dense[cells[:, 0] == cell, feature] for cell in range(3)]
        for cell, group in enumerate(groups):
            expected = oracle.t.interval(0.95, group.size - 1, group.mean(), oracle.sem(group))
            np.testing.assert_allclose([low[feature, cell], high[feature, cell]], expected)
            if cell:
                interval = oracle.ttest_ind(group, groups[0], equal_var=False).confidence_interval()
                np.testing.assert_allclose([of_delta[0][feature, cell - 1], of_delta[1][feature, cell - 1]], interval)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    n, n_features = 40, 3000
    values = rng.normal(10.0, 1.0, (n_features, n)) * (1.0 + (np.arange(n) >= 25))
    cells = (np.arange(n) >= 25).astype(np.int32)[:, None]
    found = cell_moments(
        np.arange(n_features + 1) * n,
        np.tile(np.arange(n, dtype=np.uint32), n_features),
        values.ravel(),
        cells,
        np.array([25, 15]),
    )
    low, high = mean_interval(found)
    for cell, truth in enumerate((10.0, 20.0)):
        assert 0.935 < ((low[:, cell] < truth) & (truth < high[:, cell])).mean() < 0.965
    parts = [
        Cells(found.n_documents[c : c + 1], *(a[:, c : c + 1] for a in (found.n_active, found.sum, found.squares)))
        for c in (0, 1)
    ]
    low, high = welch_interval(parts[1], parts[0])
    assert 0.935 < ((low < 10.0) & (high > 10.0)).mean() < 0.965


def test_partial_correlation_equals_that_of_residuals() -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=200)
    x, y = z + rng.normal(size=200), z + rng.normal(size=200)
    xy, xz, yz = (float(np.corrcoef(a, b)[0, 1]) for a, b in ((x, y), (x, z), (y, z)))
    rho, p = partial_correlation(np.array([xy]), np.array([xz]), yz, 200)
    residuals = [a - np.polyval(np.polyfit(z, a, 1), z) for a in (x, y)]
    assert rho[0] == pytest.approx(np.corrcoef(*residuals)[0, 1])
    t = rho[0] * np.sqrt(197 / (1 - rho[0] ** 2))
    assert p[0] == pytest.approx(2 * oracle.t.sf(abs(t), 197))


def test_partial_correlation_with_a_constant_is_the_plain_one() -> None:
    rho, p = partial_correlation(np.array([0.3, np.nan]), np.array([np.nan, 0.2]), 0.5, 50)
    assert rho[0] == 0.3
    assert p[0] == pytest.approx(oracle.t.sf(0.3 * np.sqrt(48 / 0.91), 48) * 2)
    assert np.isnan(rho[1]) and np.isnan(p[1])
    assert np.isnan(partial_correlation(np.array([0.3]), np.array([1.0]), 0.5, 50)[0][0])
