from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from saeatlas.kernels.sparse import CanonicalRows, Fault, canonical_rows

Array = npt.NDArray[Any]
Rows = list[list[tuple[int, float]]]
ANY_VALUE = st.one_of(
    st.floats(-4, 4, width=16), st.sampled_from([0.0, -0.0, np.nan, np.inf, -np.inf, 65504.0, 2.0**-24])
)
ROWS = st.lists(st.lists(st.tuples(st.integers(-2, 9), ANY_VALUE), max_size=8), max_size=8)


def flat(rows: Rows, id_dtype: str = "int64", value_dtype: str = "float64") -> tuple[Array, Array, Array]:
    slots = [slot for row in rows for slot in row]
    indptr = np.cumsum([0, *map(len, rows)])
    ids = np.array([feature for feature, _ in slots], np.int64).astype(id_dtype)
    return ids, np.array([value for _, value in slots], value_dtype), indptr


def slow(rows: Rows, empty_feature: int | None, empty_value: float | None, n_features: int) -> Fault | Rows:
    kept_rows: Rows = []
    for row, slots in enumerate(rows):
        kept: list[tuple[int, float]] = []
        repeated = None
        for slot, (feature, value) in enumerate(slots):
            same = empty_value is not None and (value == empty_value or (np.isnan(value) and np.isnan(empty_value)))
            if same or (empty_feature is not None and feature == empty_feature):
                continue
            if not 0 <= feature < n_features:
                return Fault("index-out-of-range", row, slot, float(feature))
            if not np.isfinite(value):
                return Fault("not-finite", row, slot, value)
            if repeated is None and feature in [other for other, _ in kept]:
                repeated = Fault("duplicate-index", row, slot, float(feature))
            kept.append((feature, value))
        if repeated:
            return repeated
        kept_rows.append(sorted(kept))
    return kept_rows


@settings(deadline=None, max_examples=300)
@given(
    rows=ROWS,
    empty_feature=st.sampled_from([None, -1, 3]),
    empty_value=st.sampled_from([None, 0.0, np.nan]),
    value_dtype=st.sampled_from(["float16", "float32", "float64"]),
    id_dtype=st.sampled_from(["int16", "int32", "int64"]),
)
@example(
    rows=[[(3, 1.0), (3, 0.0), (1, 2.0)]], empty_feature=None, empty_value=0.0, value_dtype="float32", id_dtype="int32"
)
@example(
    rows=[[(0, 1.0), (1, np.nan), (0, 1.0)]],
    empty_feature=None,
    empty_value=None,
    value_dtype="float32",
    id_dtype="int32",
)
def test_rows_equal_the_slow_way(
    rows: Rows, empty_feature: int | None, empty_value: float | None, value_dtype: str, id_dtype: str
) -> None:
    found = canonical_rows(
        *flat(rows, id_dtype, value_dtype), empty_feature=empty_feature, empty_value=empty_value, n_features=8
    )
    expected = slow(rows, empty_feature, empty_value, 8)
    if isinstance(expected, Fault):
        assert isinstance(found, Fault)
        assert (found.kind, found.row, found.slot) == (expected.kind, expected.row, expected.slot)
        np.testing.assert_equal(found.found, expected.found)
        return
    assert isinstance(found, CanonicalRows)
    assert found.n_empty == sum(map(len, rows)) - sum(map(len, expected))
    np.testing.assert_array_equal(found.indptr, np.cumsum([0, *map(len, expected)]))
    np.testing.assert_array_equal(found.features, [feature for row in expected for feature, _ in row])
    np.testing.assert_array_equal(found.values, [value for row in expected for _, value in row])


@pytest.mark.parametrize("id_dtype", ["int16", "uint16", "int32", "uint32", "int64", "uint64", "int8", "uint8"])
def test_every_integer_type_gives_the_same_rows(id_dtype: str) -> None:
    found = canonical_rows(*flat([[(5, 1.0), (2, 2.0)], [(127, 3.0)]], id_dtype))
    assert isinstance(found, CanonicalRows)
    assert found.features.tolist() == [2, 5, 127]
    assert found.features.dtype == np.uint32


@pytest.mark.parametrize("k", [1, 31, 160, 161, 500])
def test_long_rows_are_sorted(k: int) -> None:
    rng = np.random.default_rng(k)
    ids = np.concatenate([rng.permutation(70_000)[:k] for _ in range(20)])
    values = rng.random(ids.size).astype(np.float32)
    found = canonical_rows(ids, values, np.arange(0, ids.size + 1, k))
    assert isinstance(found, CanonicalRows)
    order = np.argsort(ids.reshape(20, k), axis=1)
    np.testing.assert_array_equal(found.features.reshape(20, k), np.take_along_axis(ids.reshape(20, k), order, 1))
    np.testing.assert_array_equal(found.values.reshape(20, k), np.take_along_axis(values.reshape(20, k), order, 1))


@pytest.mark.parametrize("k", [2, 40, 160, 161, 400])
def test_a_repeated_id_in_a_long_row_is_named_with_its_slot(k: int) -> None:
    ids = np.arange(k)[::-1].copy()
    ids[-1] = ids[0]
    found = canonical_rows(ids, np.ones(k, np.float32), np.array([0, k]))
    assert found == Fault("duplicate-index", 0, k - 1, float(k - 1))


@pytest.mark.parametrize(("limit", "kind"), [(65_536, CanonicalRows), (65_535, Fault)])
def test_the_last_id_of_16_bits_is_within_65536_features(limit: int, kind: type) -> None:
    found = canonical_rows(np.array([65_535], np.uint16), np.ones(1), np.array([0, 1]), n_features=limit)
    assert isinstance(found, kind)


def test_an_unsigned_id_beyond_int64_is_out_of_range_and_named() -> None:
    found = canonical_rows(np.array([2**64 - 1], np.uint64), np.ones(1), np.array([0, 1]))
    assert found == Fault("index-out-of-range", 0, 0, float(2**64 - 1))


def test_the_largest_unsigned_id_can_mean_empty() -> None:
    ids = np.array([2**64 - 1, 4], np.uint64)
    found = canonical_rows(ids, np.ones(2), np.array([0, 2]), empty_feature=2**64 - 1)
    assert isinstance(found, CanonicalRows)
    assert found.features.tolist() == [4]


def test_minus_one_does_not_match_an_unsigned_id() -> None:
    found = canonical_rows(np.array([2**64 - 1], np.uint64), np.ones(1), np.array([0, 1]), empty_feature=-1)
    assert isinstance(found, Fault)


def test_without_a_width_ids_end_below_two_to_the_32() -> None:
    found = canonical_rows(np.array([2**32]), np.ones(1), np.array([0, 1]))
    assert found == Fault("index-out-of-range", 0, 0, float(2**32))


def test_a_value_sentinel_is_compared_in_the_precision_of_the_values() -> None:
    found = canonical_rows(np.array([1, 2]), np.array([0.1, 1], np.float32), np.array([0, 2]), empty_value=0.1)
    assert isinstance(found, CanonicalRows)
    assert found.n_empty == 1


@pytest.mark.parametrize("indptr", [[0, 1], [1, 2], [0, 2, 1, 2], []])
def test_bounds_that_do_not_fit_are_refused(indptr: list[int]) -> None:
    with pytest.raises(ValueError, match="bounds"):
        canonical_rows(np.array([1, 2]), np.ones(2), np.array(indptr, np.int64))
