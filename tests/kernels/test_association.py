"""Effect sizes, p-values and false discovery rates against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as oracle

from saeatlas.kernels.association import (
    average_ranks,
    benjamini_hochberg,
    chi_square_tail,
    correlation_tail,
    cramers_v,
    per_level,
    rank_order,
    spearman,
)
from saeatlas.kernels.documents import DocumentSums, per_document


def sums_of(dense: np.ndarray) -> DocumentSums:
    """Sums where every document is one row: `dense` is [features, documents]."""
    indptr = np.concatenate([[0], np.cumsum((dense > 0).sum(1))])
    return per_document(indptr, np.nonzero(dense > 0)[1], dense[dense > 0], dense.shape[1])


@pytest.mark.parametrize("degrees", [1, 2, 4, 49, 999])
def test_chi_square_tail_equals_scipy(degrees: int) -> None:
    places = [0.0, 1e-9, 0.1, 1.0, 3.8, degrees * 0.5, degrees * 1.0, degrees * 1.5, degrees + 200.0, degrees + 1200.0]
    found = [chi_square_tail(place, degrees) for place in places]
    np.testing.assert_allclose(found, oracle.chi2.sf(places, degrees), rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize("n", [3, 4, 10, 500, 400_000])
def test_correlation_tail_equals_scipy(n: int) -> None:
    for r in (1e-6, 1e-3, 0.02, -0.3, 0.9, -0.999):
        t = abs(r) * np.sqrt((n - 2) / (1 - r * r))
        np.testing.assert_allclose(correlation_tail(r, n), 2 * oracle.t.sf(t, n - 2), rtol=2e-8, atol=1e-300)


def test_correlation_tail_ends_at_zero_and_one() -> None:
    assert correlation_tail(1.0, 10) == 0.0
    assert correlation_tail(0.0, 10) == 1.0


def exact_p(active: np.ndarray, totals: np.ndarray) -> float:
    """Twice the tail on the side of the mean where the count lies, of the level where that is least, for all levels."""
    n, m = int(totals.sum()), int(active.sum())
    tails = []
    for count, total in zip(active.tolist(), totals.tolist(), strict=True):
        chance = oracle.hypergeom(n, m, total)
        tails.append(chance.sf(count - 1) if count * n >= m * total else chance.cdf(count))
    return min(1.0, 2 * min(tails) * (totals.size if totals.size > 2 else 1))


@settings(deadline=None, max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=2, max_size=6))
def test_cramers_v_equals_scipy(cells: list[tuple[int, int]]) -> None:
    active, silent = np.array(cells).T
    found = cramers_v(active[None], active + silent)
    used = (active + silent) > 0
    if active.sum() == 0 or silent.sum() == 0 or used.sum() < 2:
        assert np.isnan(found.effect[0])
        assert np.isnan(found.p[0])
        return
    table = np.array([active[used], silent[used]])
    expected = oracle.chi2_contingency(table, correction=False)
    is_small = expected.expected_freq.min() < 5 - 1e-12
    p = exact_p(active[used], (active + silent)[used]) if is_small else expected.pvalue
    np.testing.assert_allclose(found.p[0], p, rtol=1e-9)
    np.testing.assert_allclose(found.effect[0], oracle.contingency.association(table, "cramer"), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.min_expected[0], expected.expected_freq.min(), rtol=1e-12)


@settings(deadline=None, max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 30)), min_size=2, max_size=6))
def test_corrected_v_equals_the_formula_of_bergsma(cells: list[tuple[int, int]]) -> None:
    active, silent = np.array(cells).T
    n, k, r = int((active + silent).sum()), len(cells), 2
    found = cramers_v(active[None], active + silent).corrected[0]
    if active.sum() == 0:
        assert np.isnan(found)
        return
    phi = oracle.chi2_contingency([active, silent], correction=False).statistic / n
    phi = max(0.0, phi - (k - 1) * (r - 1) / (n - 1))
    k_corrected, r_corrected = k - (k - 1) ** 2 / (n - 1), r - (r - 1) ** 2 / (n - 1)
    least = min(k_corrected - 1, r_corrected - 1)
    if least < 1e-9:
        assert np.isnan(found) or found <= 1.0
        return
    np.testing.assert_allclose(found, min(1.0, np.sqrt(phi / least)), rtol=1e-9, atol=1e-7)


def test_bias_correction_leaves_a_full_effect_full() -> None:
    found = cramers_v(np.array([[200, 0]]), np.array([200, 200]))
    assert found.effect[0] == found.corrected[0] == 1.0


def test_bias_correction_takes_away_what_chance_gives() -> None:
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 30, 300)
    totals = np.bincount(levels, minlength=30)
    active = np.stack([np.bincount(levels[rng.random(300) < 0.5], minlength=30) for _ in range(200)])
    found = cramers_v(active, totals)
    assert found.effect.mean() > 0.25
    assert found.corrected.mean() < 0.1


@settings(deadline=None, max_examples=80)
@given(st.lists(st.tuples(st.sampled_from([0.0, 0.0, 0.0, 0.5, 1.0, 2.0]), st.integers(0, 4)), min_size=3, max_size=30))
def test_spearman_equals_scipy_with_ties_and_zeros(pairs: list[tuple[float, int]]) -> None:
    value, number = np.array(pairs).T
    sums = sums_of(value[None])
    found = spearman(sums, *rank_order(sums, np.ones(value.size, np.int64)), average_ranks(number))
    if np.ptp(value) == 0 or np.ptp(number) == 0:
        assert np.isnan(found.rho[0])
        return
    expected = oracle.spearmanr(value, number)
    np.testing.assert_allclose(found.rho[0], expected.statistic, rtol=1e-9, atol=1e-12)
    if abs(expected.statistic) < 1 - 1e-9:
        np.testing.assert_allclose(found.p[0], expected.pvalue, rtol=1e-7, atol=1e-12)


def test_spearman_leaves_out_documents_without_a_number() -> None:
    rng = np.random.default_rng(1)
    dense = np.where(rng.random((4, 50)) < 0.4, rng.random((4, 50)), 0.0)
    number = rng.random(50)
    known = rng.random(50) < 0.7
    ranks = np.full(50, np.nan)
    ranks[known] = average_ranks(number[known])
    sums = sums_of(dense)
    found = spearman(sums, *rank_order(sums, np.ones(50, np.int64)), ranks)
    for feature in range(4):
        expected = oracle.spearmanr(dense[feature, known], number[known])
        np.testing.assert_allclose(found.rho[feature], expected.statistic, rtol=1e-9)
    assert found.n_documents_active.tolist() == (dense[:, known] > 0).sum(1).tolist()


def test_mean_of_a_document_counts_its_silent_rows() -> None:
    sums = per_document(np.array([0, 2]), np.array([0, 1]), np.array([2.0, 2.0]), 2)
    means, order = rank_order(sums, np.array([4, 1]))
    assert means.tolist() == [0.5, 2.0]
    assert order.tolist() == [0, 1]


def test_average_ranks_equal_scipy() -> None:
    numbers = np.random.default_rng(0).integers(0, 20, 200)
    np.testing.assert_array_equal(average_ranks(numbers), oracle.rankdata(numbers))


def test_per_level_adds_up_documents_of_the_level() -> None:
    sums = per_document(np.array([0, 3, 4]), np.array([0, 0, 2, 1]), np.array([1.0, 2.0, 4.0, 8.0]), 3)
    found = per_level(sums, np.array([1, -1, 1], np.int32), 2)
    assert found.n_active.tolist() == [[0, 3], [0, 0]]
    assert found.sum.tolist() == [[0.0, 7.0], [0.0, 0.0]]
    assert found.n_documents_active.tolist() == [[0, 2], [0, 0]]


def test_chance_gives_uniform_p_values_with_either_test() -> None:
    rng = np.random.default_rng(7)
    dense = np.where(rng.random((500, 300)) < 0.5, rng.random((500, 300)), 0.0)
    sums, levels, number = sums_of(dense), rng.integers(0, 4, 300).astype(np.int32), rng.random(300)
    by_level = per_level(sums, levels, 4).n_documents_active
    p = cramers_v(by_level, np.bincount(levels)).p
    assert oracle.kstest(p, "uniform").pvalue > 0.01
    p = spearman(sums, *rank_order(sums, np.ones(300, np.int64)), average_ranks(number)).p
    assert oracle.kstest(p, "uniform").pvalue > 0.01


@pytest.mark.parametrize("n_active", [1, 2, 6, 40, 300])
def test_chance_gives_no_small_p_values_where_features_and_levels_are_rare(n_active: int) -> None:
    # Most features are silent in most documents: the chi-square approximation gave p < 1e-4 to one in a hundred.
    rng = np.random.default_rng(n_active)
    levels = np.repeat(np.arange(3), [1940, 40, 20])
    active = np.stack(
        [np.bincount(levels[rng.choice(2000, n_active, replace=False)], minlength=3) for _ in range(3_000)]
    )
    found = cramers_v(active, np.bincount(levels))
    assert found.min_expected[0] < 5
    for level in (0.05, 0.01, 0.001):
        assert (found.p <= level).mean() <= level + 3 * np.sqrt(level / 3_000)
    assert (benjamini_hochberg(found.p) < 0.05).sum() <= 3


@pytest.mark.parametrize("n_active", [1, 2, 6, 40])
def test_chance_gives_no_small_p_values_where_a_feature_is_active_in_few_documents(n_active: int) -> None:
    rng = np.random.default_rng(n_active)
    dense = np.zeros((2_000, 500))
    for feature in range(2_000):
        dense[feature, rng.choice(500, n_active, replace=False)] = rng.lognormal(size=n_active)
    sums = sums_of(dense)
    p = spearman(sums, *rank_order(sums, np.ones(500, np.int64)), average_ranks(rng.random(500))).p
    for level in (0.01, 0.001):
        assert (p <= level).mean() <= level + 3 * np.sqrt(level / 2_000)


def test_effect_planted_in_a_rare_level_is_found() -> None:
    totals = np.array([1940, 40, 20])
    found = cramers_v(np.array([[0, 0, 8], [8, 0, 0]]), totals)
    assert found.p[0] < 1e-12
    assert found.p[1] > 0.5


def test_sign_of_the_correlation_is_that_of_the_effect() -> None:
    rising = np.arange(1.0, 31.0)
    sums = sums_of(np.stack([rising, rising[::-1]]))
    found = spearman(sums, *rank_order(sums, np.ones(30, np.int64)), average_ranks(np.arange(30)))
    np.testing.assert_allclose(found.rho, [1.0, -1.0])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(0.0, 1.0) | st.just(float("nan")), max_size=30))
def test_false_discovery_rate_equals_scipy_and_passes_over_the_undefined(p: list[float]) -> None:
    array = np.array(p, np.float64)
    tested = ~np.isnan(array)
    found = benjamini_hochberg(array)
    assert np.isnan(found[~tested]).all()
    if tested.any():
        np.testing.assert_allclose(found[tested], oracle.false_discovery_control(array[tested]), rtol=1e-12)
