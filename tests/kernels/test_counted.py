"""Numbers from counts, against NumPy over the numbers spelled out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saeatlas.kernels.counted import active_per_row, mean_and_std, quantile


@given(st.lists(st.integers(0, 60), min_size=1, max_size=200), st.floats(0, 1))
def test_numbers_equal_numpy(numbers: list[int], q: float) -> None:
    counts = np.bincount(numbers)
    mean, std = mean_and_std(counts)
    assert mean == pytest.approx(np.mean(numbers))
    assert std == pytest.approx(np.std(numbers), abs=1e-12)
    assert quantile(counts, q) == pytest.approx(np.quantile(numbers, q))


def test_sums_beyond_64_bits_are_exact() -> None:
    counts = np.zeros(100_001, np.int64)
    counts[[99_999, 100_000]] = 1 << 60
    assert mean_and_std(counts) == (99_999.5, 0.5)


def test_nothing_has_no_numbers() -> None:
    assert all(math.isnan(number) for number in (*mean_and_std(np.zeros(3, np.int64)), quantile(np.zeros(0, int), 0.5)))


def test_active_are_those_above_0_and_rows_may_be_empty() -> None:
    indptr = np.array([0, 0, 3, 3, 5, 5])
    assert active_per_row(indptr, np.array([1.0, 0.0, -2.0, 4.0, 5.0])).tolist() == [0, 1, 0, 2, 0]
