from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saeatlas.kernels import sparse

Array = npt.NDArray[Any]
Matrix = tuple[Array, Array, Array]


@st.composite
def matrices(draw: st.DrawFn) -> Matrix:
    n_rows = draw(st.integers(0, 12))
    rows = [sorted(draw(st.sets(st.integers(0, 6)))) for _ in range(n_rows)]
    indptr = np.cumsum([0, *map(len, rows)]).astype(np.int64)
    features = np.array([feature for row in rows for feature in row], np.uint16)
    found = [draw(st.floats(-4, 4, width=16)) for _ in range(features.size)]
    return indptr, features, np.array(found, draw(st.sampled_from(["float16", "float32", "float64"])))


def by_feature(indptr: Array, features: Array, values: Array, n_features: int) -> Matrix:
    rows = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
    order = np.lexsort((rows, features))
    bounds = np.concatenate([[0], np.cumsum(np.bincount(features, minlength=n_features))])
    return bounds, rows[order], values[order]


@settings(deadline=None, max_examples=60)
@given(matrix=matrices(), cut=st.integers(0, 12))
def test_merged_parts_equal_the_whole(matrix: Matrix, cut: int) -> None:
    indptr, features, values = matrix
    cut = min(cut, indptr.size - 1)
    at = int(indptr[cut])
    pieces = []
    for part, offset in (
        ((indptr[: cut + 1], features[:at], values[:at]), 0),
        ((indptr[cut:] - at, features[at:], values[at:]), cut),
    ):
        pieces.append((*by_feature(*part, 7), offset))
    for found, expected in zip(sparse.merge_features(pieces, np.float64), by_feature(*matrix, 7), strict=True):
        np.testing.assert_array_equal(found, expected)


@settings(deadline=None, max_examples=60)
@given(values=st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_value_facts_equal_numpy(values: Array) -> None:
    array = np.array(values, np.float64)
    with np.errstate(over="ignore"):
        half, single = array.astype(np.float16), array.astype(np.float32)
    facts = sparse.value_facts(array)
    assert facts.fits_float16 == bool(np.all(half == array))
    assert facts.fits_float32 == bool(np.all(single == array))
    assert (facts.n_active, facts.min, facts.max) == (
        int((array > 0).sum()),
        array.min(initial=np.inf),
        array.max(initial=-np.inf),
    )


@pytest.mark.parametrize("value", np.array([0x0001, 0x03FF, 0x0400, 0x7BFF, 0x8000, 0x8001], np.uint16).view("f2"))
def test_borders_of_float16_survive(value: float) -> None:
    assert sparse.value_facts(np.array([value], np.float32)).fits_float16


@pytest.mark.parametrize("value", [65504.01, 65536.0, 2.0**-25, 1 + 2.0**-11, 2.0**-14 + 2.0**-25])
def test_values_between_two_of_float16_do_not_survive(value: float) -> None:
    assert not sparse.value_facts(np.array([value], np.float32)).fits_float16


def test_all_of_float16_survives() -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    assert sparse.value_facts(every[np.isfinite(every)].astype(np.float32)).fits_float16


@pytest.mark.parametrize(
    ("ids", "expected"),
    [([0, 3, 1, 2], -1), ([0, 0, 1, 2], 0), ([0, 3, 2, 1], 1), ([0, 3, 1, 4], 1), ([3, 0, 1, 2], 0)],
)
def test_the_first_group_that_is_not_sorted_is_found(ids: list[int], expected: int) -> None:
    assert sparse.first_unsorted(np.array([7, 9, 11]), np.array(ids, np.uint32), 4) == expected


@settings(deadline=None, max_examples=100)
@given(
    values=st.lists(st.sampled_from([-1.5, -0.0, 0.0, 0.5, 0.5, 2.0, 7.25]), max_size=30),
    n=st.integers(0, 8),
    cut=st.integers(0, 30),
)
def test_summary_of_pieces_equals_the_slow_way(values: Array, n: int, cut: int) -> None:
    array = np.array(values, np.float32)
    rows = np.arange(array.size, dtype=np.uint32) * 3
    summary = sparse.FeatureSummary.empty(1, n, np.float32)
    for span in (slice(0, cut), slice(cut, None)):
        summary.add(np.array([0, array[span].size]), rows[span], array[span])
    active = array[array > 0].astype(np.float64)
    assert (summary.count[0], summary.active[0]) == (array.size, active.size)
    assert summary.sum[0] == active.sum()
    assert summary.sum_squares[0] == (active**2).sum()
    np.testing.assert_equal(float(summary.max[0]) + 0.0, float(array.max()) + 0.0 if array.size else np.nan)
    order = np.lexsort((rows, -array))[:n]
    indptr, top_rows, top_values = summary.top()
    assert indptr.tolist() == [0, min(n, array.size)]
    np.testing.assert_array_equal(top_rows, rows[order])
    np.testing.assert_array_equal(top_values, array[order])


def test_top_values_prefer_the_lower_row_among_equal_ones() -> None:
    rows, values = sparse.top_values(np.arange(5, dtype=np.uint32), np.array([1, 2, 2, 1, 2], np.float64), 2)
    assert (rows.tolist(), values.tolist()) == ([1, 2], [2.0, 2.0])


MASK = (1 << 64) - 1


def mix(z: int) -> int:
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    return z ^ (z >> 31)


def entry_hash(row: int, feature: int, value: float) -> int:
    bits = int(np.array(value + 0.0, np.float64).view(np.uint64))
    low = mix(mix((mix((row + 0x9E3779B97F4A7C15) & MASK) + feature) & MASK) ^ bits)
    high = mix(mix((mix((row + 0xD1B54A32D192ED03) & MASK) + feature + 0xA0761D6478BD642F) & MASK) ^ bits)
    return (high << 64) | low


@settings(deadline=None, max_examples=60)
@given(matrix=matrices(), first_row=st.sampled_from([0, 9, 2**33]))
def test_fingerprint_is_as_documented(matrix: Matrix, first_row: int) -> None:
    indptr, features, values = matrix
    rows = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
    expected = sum(
        entry_hash(first_row + int(row), int(feature), float(value))
        for row, feature, value in zip(rows, features, values, strict=True)
    )
    assert sparse.fingerprint(first_row, indptr, features, values) == expected % (1 << 128)


@settings(deadline=None, max_examples=60)
@given(matrix=matrices(), first_row=st.sampled_from([0, 2**33]))
def test_fingerprint_is_the_same_by_feature(matrix: Matrix, first_row: int) -> None:
    by_row_sums, by_feature_sums = np.zeros(7, np.uint64), np.zeros(7, np.uint64)
    by_row = sparse.fingerprint(first_row, *matrix, by_row_sums)
    assert sparse.feature_fingerprint(first_row, 0, *by_feature(*matrix, 7), by_feature_sums) == by_row
    np.testing.assert_array_equal(by_row_sums, by_feature_sums)


def test_fingerprint_does_not_tell_the_zeros_apart() -> None:
    one, other = (sparse.fingerprint(0, np.array([0, 1]), np.array([3], np.uint16), np.array([z])) for z in (0.0, -0.0))
    assert one == other


def test_fingerprint_tells_a_last_bit() -> None:
    one, other = (
        sparse.fingerprint(0, np.array([0, 1]), np.array([3], np.uint16), np.array([x]))
        for x in (1.0, np.nextafter(1, 2))
    )
    assert one != other
