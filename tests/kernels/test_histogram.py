"""Histograms against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from saeatlas.kernels.histogram import Scale, histograms
from saeatlas.kernels.stats import sort_active

POSITIVE = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 40),
    elements=st.floats(0.0, 1e6, width=32) | st.sampled_from([-1.0, 0.0, 1.0, 2.0, 4.0]),
)


def of(values: np.ndarray, bins: int, scale: Scale) -> tuple[np.ndarray, np.ndarray]:
    edges, counts = histograms(sort_active(np.array([0, values.size]), values), bins, scale)
    return edges[0], counts[0]


@settings(deadline=None, max_examples=150)
@given(POSITIVE, st.integers(1, 12), st.sampled_from(["linear", "log"]))
def test_counts_are_those_between_the_recorded_edges(values: np.ndarray, bins: int, scale: Scale) -> None:
    edges, counts = of(values, bins, scale)
    active = values[values > 0].astype(np.float64)
    assert counts.sum() == active.size
    if active.size:
        assert (np.diff(edges) >= 0).all()
        place = np.minimum(np.searchsorted(edges[1:-1], active, "right"), bins - 1)
        assert counts.tolist() == np.bincount(place, minlength=bins).tolist()


def test_linear_bins_equal_numpy() -> None:
    values = np.random.default_rng(0).lognormal(size=5_000)
    edges, counts = of(values, 40, "linear")
    expected, expected_edges = np.histogram(values, 40, (0.0, values.max()))
    np.testing.assert_allclose(edges, expected_edges, rtol=1e-14)
    assert counts.tolist() == expected.tolist()


def test_log_bins_have_equal_ratios_from_least_to_largest() -> None:
    values = np.random.default_rng(0).lognormal(size=5_000)
    edges, _ = of(values, 40, "log")
    np.testing.assert_allclose(edges, np.geomspace(values.min(), values.max(), 41), rtol=1e-12)


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("value", [3.0, 5e-324, 1.7e308])
def test_equal_values_are_all_counted(value: float, scale: Scale) -> None:
    edges, counts = of(np.full(7, value), 40, scale)
    assert counts.sum() == 7
    assert edges[0] <= value <= edges[-1]
    assert np.isfinite(edges).all()


def test_values_next_to_each_other_are_all_counted() -> None:
    values = np.array([1.0, np.nextafter(1.0, 2.0)])
    assert of(values, 40, "log")[1].sum() == 2


def test_largest_value_is_in_the_last_bin() -> None:
    assert of(np.array([1.0, 2.0, 4.0]), 4, "linear")[1].tolist() == [0, 1, 1, 1]


def test_silent_feature_has_no_edges_and_counts_nothing() -> None:
    edges, counts = of(np.array([0.0, -1.0]), 3, "log")
    assert np.isnan(edges).all()
    assert counts.tolist() == [0, 0, 0]
