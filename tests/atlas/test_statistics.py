"""Statistics and histograms of a feature against NumPy and SciPy on dense arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from saeatlas.errors import InvalidInput


@pytest.mark.parametrize("seed", range(4))
def test_stats_equal_numpy_and_scipy(make: Any, seed: int) -> None:
    source, atlas = make(seed, n_rows=300)
    for feature in range(atlas.sae().n_features):
        got = atlas.sae().feature(feature).stats()
        values = source.dense[source.active(feature), feature]
        assert (got.n_rows, got.n_active, got.n_listed) == (300, values.size, int(source.listed(feature).sum()))
        assert got.density == values.size / 300
        interval = scipy_stats.binomtest(values.size, 300).proportion_ci(method="wilson")
        assert (got.density_low, got.density_high) == pytest.approx((interval.low, interval.high), abs=1e-12)
        if not values.size:
            continue
        assert (got.min, got.max, got.sum) == (values.min(), values.max(), values.sum())
        assert (got.mean, got.std) == pytest.approx((values.mean(), values.std()))
        assert [got.q25, got.median, got.q75] == np.percentile(values, [25, 50, 75]).tolist()
        if values.std() > 0:
            assert got.skewness == pytest.approx(scipy_stats.skew(values), abs=1e-10)
            assert got.kurtosis == pytest.approx(scipy_stats.kurtosis(values), abs=1e-10)


def test_silent_feature_has_no_mean_rather_than_zero(atlas: Any) -> None:
    got = atlas.sae().feature(5).stats()
    assert (got.n_active, got.density, got.sum) == (0, 0.0, 0.0)
    assert [got.mean, got.std, got.min, got.max, got.median, got.skewness, got.kurtosis] == [None] * 7


def test_equal_values_have_no_skewness(source: Any, remake: Any) -> None:
    _, atlas = remake(source, dense=np.where(source.dense > 0, 0.3, source.dense))
    got = atlas.sae().feature(9).stats()
    assert (got.std, got.skewness, got.kurtosis) == (0.0, None, None)


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("bins", [1, 7, 40])
def test_histogram_counts_every_active_row_and_says_the_inactive(
    source: Any, atlas: Any, scale: Any, bins: int
) -> None:
    for feature in range(atlas.sae().n_features):
        got = atlas.sae().feature(feature).histogram(bins, scale)
        values = source.dense[source.active(feature), feature]
        assert (got.n_active, got.n_inactive) == (values.size, 60 - values.size)
        assert len(got.counts) == bins
        if values.size:
            assert list(got.counts) == np.histogram(values, np.array(got.edges))[0].tolist()
        else:
            assert got.edges == ()


@pytest.mark.parametrize(("bins", "scale"), [(0, "linear"), (10_001, "log"), (True, "log"), (5, "cubic")])
def test_histogram_refuses_what_it_cannot_draw(atlas: Any, bins: Any, scale: Any) -> None:
    with pytest.raises(InvalidInput):
        atlas.sae().feature(0).histogram(bins, scale)
