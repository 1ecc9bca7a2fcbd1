"""Measures of pairs against NumPy over dense columns, and where they are undefined."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saeatlas.kernels.pair_measures import PairMeasures, Totals, measure, order_of, totals_of


def of_columns(x: np.ndarray, y: np.ndarray) -> PairMeasures:
    """Measure one pair, given the values of both in every row."""
    one, two = (Totals(x.size, *(np.array([number]) for number in totals_of(x.size, column))) for column in (x, y))
    both = (x > 0) & (y > 0)
    return measure(np.array([both.sum()]), np.array([np.cumsum(np.append(0.0, (x * y)[both]))[-1]]), one, two)


@given(st.integers(0, 10_000))
@settings(max_examples=50, deadline=None)
def test_measures_equal_numpy_over_all_rows(seed: int) -> None:
    random = np.random.default_rng(seed)
    x, y = (random.lognormal(0, 1, 300) * (random.random(300) < share) for share in (0.3, 0.6))
    a, b = x > 0, y > 0
    found = of_columns(x, y)
    assert np.isclose(found.b_given_a[0], (a & b).sum() / a.sum())
    assert np.isclose(found.a_given_b[0], (a & b).sum() / b.sum())
    assert np.isclose(found.lift[0], (a & b).mean() / (a.mean() * b.mean()))
    assert np.isclose(found.pmi[0], np.log2((a & b).mean() / (a.mean() * b.mean())))
    assert np.isclose(found.jaccard[0], (a & b).sum() / (a | b).sum())
    assert np.isclose(found.pearson[0], np.corrcoef(x, y)[0, 1], atol=1e-12)


def test_correlation_is_over_all_rows_not_over_those_where_both_fire() -> None:
    # Where both fire one falls as the other rises; but they fire together, and nowhere else.
    x = np.append([1.0, 2.0, 3.0], np.zeros(97))
    y = np.append([3.0, 2.0, 1.0], np.zeros(97))
    assert np.corrcoef(x[:3], y[:3])[0, 1] == pytest.approx(-1)
    assert of_columns(x, y).pearson[0] == pytest.approx(np.corrcoef(x, y)[0, 1])
    assert of_columns(x, y).pearson[0] > 0.6


def test_a_frequent_feature_does_not_win_by_being_frequent() -> None:
    random = np.random.default_rng(0)
    x = (np.arange(1000) < 50).astype(float)
    usual, partner = (random.random(1000) < 0.9).astype(float), x * (random.random(1000) < 0.6)
    often, own = of_columns(x, usual), of_columns(x, partner)
    assert often.b_given_a[0] > own.b_given_a[0]
    assert often.lift[0] == pytest.approx(1, abs=0.2)
    assert own.lift[0] > 15


@pytest.mark.parametrize("constant", [1.0, 0.1, 1e-3, 12345.678])
def test_correlation_with_a_constant_is_undefined(constant: float) -> None:
    x = np.full(1000, constant, np.float32).astype(np.float64)
    y = np.random.default_rng(1).lognormal(0, 1, 1000) * (np.arange(1000) % 3 == 0)
    assert np.isnan(of_columns(x, y).pearson[0])
    assert np.isnan(of_columns(x, x).pearson[0])
    assert of_columns(x, y).lift[0] == pytest.approx(1)


def test_correlation_is_kept_where_features_fire_always_and_vary() -> None:
    x = 100 + np.random.default_rng(2).normal(0, 1, 5000)
    y = 50 + x / 3 + np.random.default_rng(3).normal(0, 1, 5000)
    assert of_columns(x, y).pearson[0] == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-9)


def test_bound_of_rounding_grows_with_the_mean_beside_the_spread() -> None:
    bounds = []
    for mean in (1.0, 1e3, 1e6):
        x = mean + np.random.default_rng(4).normal(0, 0.1, 500)
        one = Totals(500, *(np.array([number]) for number in totals_of(500, x)))
        bounds.append(one.rounding[0])
    assert bounds[0] < 1e-9 < bounds[1] < 1e-3 < bounds[2]


def test_pairs_that_never_fire_together_have_no_lift_and_a_correlation() -> None:
    x = np.array([1.0, 2.0, 0.0, 0.0])
    found = of_columns(x, x[::-1].copy())
    assert np.isnan([found.lift[0], found.pmi[0], found.jaccard[0], found.b_given_a[0]]).all()
    assert found.pearson[0] == pytest.approx(np.corrcoef(x, x[::-1])[0, 1])


def test_zeros_and_negatives_are_silence() -> None:
    assert totals_of(5, np.array([-1.0, 0.0, 2.0])) == (1, 2.0, 4.0)
    assert totals_of(5, np.array([-1.0, 0.0])) == (0, 0.0, 0.0)


def test_order_is_frequent_enough_then_score_then_id() -> None:
    count = np.array([9, 2, 9, 9, 2])
    score = np.array([0.1, 0.9, 0.5, np.nan, 0.9])
    assert order_of(count, score, np.array([3, 8, 1, 0, 5]), min_count=5).tolist() == [2, 0, 3, 4, 1]
