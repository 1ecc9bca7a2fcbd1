"""Summaries against NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats as oracle

from saeatlas.kernels.moments import wilson
from saeatlas.kernels.stats import Summary, sort_active, summarise

VALUES = hnp.arrays(
    st.sampled_from([np.float16, np.float32, np.float64]),
    st.integers(0, 60),
    elements=st.sampled_from([-2.5, -1.0, 0.0, 0.125, 0.5, 0.5, 1.0, 1.5, 3.0, 8.0, 1000.0]),
)


def of(values: np.ndarray, floor: float = 0.0) -> Summary:
    return summarise(sort_active(np.array([0, values.size]), values, floor))


@settings(deadline=None, max_examples=150)
@given(VALUES)
def test_summary_equals_numpy_and_scipy(values: np.ndarray) -> None:
    found, active = of(values), values[values > 0].astype(np.float64)
    assert found.n_active[0] == active.size
    assert found.sum[0] == active.sum()
    if not active.size:
        return
    expected = [active.mean(), active.std(), active.min(), *np.quantile(active, [0.25, 0.5, 0.75]), active.max()]
    numbers = [found.mean, found.std, found.min, found.q25, found.median, found.q75, found.max]
    np.testing.assert_allclose(np.concatenate(numbers), expected, rtol=1e-12, atol=1e-300)
    if active.min() < active.max():
        np.testing.assert_allclose(found.skewness, oracle.skew(active), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.kurtosis, oracle.kurtosis(active), rtol=1e-9, atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(st.lists(VALUES, min_size=1, max_size=6))
def test_feature_does_not_depend_on_its_neighbours(parts: list[np.ndarray]) -> None:
    parts = [part.astype(np.float32) for part in parts]
    indptr = np.concatenate([[0], np.cumsum([part.size for part in parts])])
    together = summarise(sort_active(indptr, np.concatenate(parts)))
    for place, part in enumerate(parts):
        alone = of(part)
        for name in ("n_active", "sum", "mean", "std", "median", "skewness", "kurtosis"):
            np.testing.assert_array_equal(getattr(together, name)[place], getattr(alone, name)[0])


def test_float16_gives_the_numbers_of_float32_and_float64() -> None:
    values = np.random.default_rng(0).lognormal(size=500).astype(np.float16)
    half, single, double = (of(values.astype(dtype)) for dtype in (np.float16, np.float32, np.float64))
    assert half.kurtosis[0] == single.kurtosis[0] == double.kurtosis[0]


def test_nothing_active_leaves_numbers_undefined_and_the_sum_zero() -> None:
    found = of(np.array([0.0, -1.0, 0.0]))
    assert found.sum[0] == 0.0
    assert all(np.isnan(getattr(found, name)[0]) for name in ("mean", "std", "min", "median", "max", "skewness"))


def test_one_value_has_spread_zero_and_no_shape() -> None:
    found = of(np.array([0.0, 2.5]))
    assert (found.mean[0], found.std[0], found.median[0]) == (2.5, 0.0, 2.5)
    assert np.isnan(found.skewness[0])
    assert np.isnan(found.kurtosis[0])


def test_equal_values_have_spread_exactly_zero() -> None:
    found = of(np.full(10_007, 0.1))
    assert (found.mean[0], found.std[0]) == (0.1, 0.0)
    assert np.isnan(found.kurtosis[0])


def test_large_offset_does_not_cost_the_spread_its_digits() -> None:
    # The one-pass formula E[x²] - E[x]² gives 0 or a negative variance here.
    values = 1e9 + np.random.default_rng(1).normal(size=10_000)
    found = of(values)
    exact = values - 1e9  # no rounding: the operands are close
    np.testing.assert_allclose(found.std[0], exact.std(), rtol=1e-9)
    np.testing.assert_allclose(found.skewness[0], oracle.skew(exact), rtol=1e-9)


def test_spread_is_of_the_population() -> None:
    assert of(np.array([1.0, 3.0])).std[0] == 1.0


def test_value_at_the_floor_is_silent() -> None:
    assert of(np.array([0.5, 0.75, 1.0]), floor=0.5).n_active[0] == 2


def test_input_is_left_as_it_was() -> None:
    values = np.array([3.0, 1.0, 2.0], np.float32)
    sort_active(np.array([0, 3]), values)
    assert values.tolist() == [3.0, 1.0, 2.0]


@pytest.mark.parametrize(("count", "n"), [(0, 10), (10, 10), (1, 10), (3, 7), (17, 1_000_000), (999_999, 1_000_000)])
def test_wilson_equals_scipy(count: int, n: int) -> None:
    expected = oracle.binomtest(count, n).proportion_ci(0.95, method="wilson")
    low, high = wilson(np.array([count]), n)
    np.testing.assert_allclose([low[0], high[0]], [expected.low, expected.high], rtol=1e-9, atol=1e-12)


def test_wilson_of_no_rows_is_undefined() -> None:
    low, high = wilson(np.array([0, 0]), 0)
    assert np.isnan(low).all()
    assert np.isnan(high).all()
