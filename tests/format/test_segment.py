from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from saeatlas.errors import FormatError, InternalError, InvalidInput
from saeatlas.format.codecs import PROFILES, Profile
from saeatlas.format.segment import SegmentBuilder, SegmentInfo, SegmentReader
from saeatlas.kernels.sparse import CanonicalRows, canonical_rows, fingerprint
from saeatlas.storage import LocalStore

Array = npt.NDArray[Any]
VALUES = st.sampled_from([-2.0, -0.0, 0.0, 0.5, 0.5, 1.0, 3.25])


def canonical(dense: Array) -> CanonicalRows:
    """The rows of a dense matrix in which NaN means not listed."""
    rows, features = np.nonzero(~np.isnan(dense))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(dense)))])
    found = canonical_rows(features, dense[rows, features], indptr)
    assert isinstance(found, CanonicalRows)
    return found


def build(
    directory: Path, dense: Array, *, profile: Profile = "fast", n_appends: int = 1, **changes: Any
) -> SegmentReader:
    facts: dict[str, Any] = {"sae": "s", "corpus": "c", "first_row": 5, "n_features": dense.shape[1], "identity": {}}
    directory.mkdir(exist_ok=True)
    builder = SegmentBuilder(directory, n_rows=len(dense), profile=profile, **(facts | changes))
    for part in np.array_split(dense, n_appends):
        rows = canonical(part)
        builder.append(rows.features, rows.values, rows.indptr)
    return SegmentReader(LocalStore(directory), "", builder.finish())


@st.composite
def dense_matrices(draw: st.DrawFn) -> Array:
    n_rows, n_features = draw(st.integers(0, 9)), draw(st.integers(1, 6))
    k = draw(st.sampled_from([None, 0, 1, n_features]))
    dense = np.full((n_rows, n_features), np.nan)
    for row in dense:
        listed = draw(st.permutations(range(n_features)))[: draw(st.integers(0, n_features)) if k is None else k]
        for feature in listed:
            row[feature] = draw(VALUES)
    scale = draw(st.sampled_from([1.0, 1 + 2.0**-20, 1 + 2.0**-50]))
    return dense * scale


def assert_equal_to_dense(reader: SegmentReader, dense: Array) -> None:
    info = reader.info
    for feature in range(dense.shape[1]):
        expected = np.flatnonzero(~np.isnan(dense[:, feature]))
        rows, values = reader.feature(feature)
        np.testing.assert_array_equal(rows, expected)
        np.testing.assert_array_equal(values, dense[expected, feature])
        assert reader.count(feature) == expected.size
        best = expected[np.lexsort((expected, -dense[expected, feature]))][:64]
        top_rows, top_values = reader.top(feature)
        np.testing.assert_array_equal(top_rows, best)
        np.testing.assert_array_equal(top_values, dense[best, feature])
    indptr, features, values = reader.rows(0, info.n_rows)
    rows = np.repeat(np.arange(info.n_rows), np.diff(indptr))
    again = np.full_like(dense, np.nan)
    again[rows, features] = values
    np.testing.assert_array_equal(again, dense)
    listed = dense[~np.isnan(dense)]
    assert (info.n_listed, info.n_active) == (listed.size, int((listed > 0).sum()))
    assert (info.min, info.max) == ((listed.min(), listed.max()) if listed.size else (None, None))


@settings(deadline=None, max_examples=80)
@given(dense=dense_matrices(), profile=st.sampled_from(PROFILES), n_appends=st.integers(1, 3))
def test_a_segment_holds_what_was_appended(
    tmp_path_factory: pytest.TempPathFactory, dense: Array, profile: Profile, n_appends: int
) -> None:
    reader = build(tmp_path_factory.mktemp("segment"), dense, profile=profile, n_appends=n_appends)
    assert_equal_to_dense(reader, dense)
    counts = (~np.isnan(dense)).sum(1)
    assert reader.info.k == (counts[0] if len(set(counts.tolist())) == 1 else None)


@settings(deadline=None, max_examples=40)
@given(dense=dense_matrices(), data=st.data())
def test_ranges_are_parts_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, dense: Array, data: st.DataObject
) -> None:
    reader = build(tmp_path_factory.mktemp("segment"), dense)
    first = data.draw(st.integers(0, dense.shape[1]))
    stop = data.draw(st.integers(first, dense.shape[1]))
    indptr, rows, values = reader.feature_range(first, stop)
    assert indptr[0] == 0
    for at, feature in enumerate(range(first, stop)):
        expected = reader.feature(feature)
        np.testing.assert_array_equal(rows[indptr[at] : indptr[at + 1]], expected[0])
        np.testing.assert_array_equal(values[indptr[at] : indptr[at + 1]], expected[1])
    low = data.draw(st.integers(0, len(dense)))
    high = data.draw(st.integers(low, len(dense)))
    bounds, features, found = reader.rows(low, high)
    again = np.full((high - low, dense.shape[1]), np.nan)
    again[np.repeat(np.arange(high - low), np.diff(bounds)), features] = found
    np.testing.assert_array_equal(again, dense[low:high])


@settings(deadline=None, max_examples=30)
@given(dense=dense_matrices())
def test_the_summary_equals_the_slow_way(tmp_path_factory: pytest.TempPathFactory, dense: Array) -> None:
    summary = build(tmp_path_factory.mktemp("segment"), dense).summary()
    for feature, column in enumerate(dense.T):
        listed = column[~np.isnan(column)]
        active = listed[listed > 0]
        assert summary["count"][feature] == listed.size
        assert summary["active"][feature] == active.size
        assert summary["sum"][feature] == pytest.approx(active.sum(), rel=1e-15)
        assert summary["sum_squares"][feature] == pytest.approx((active**2).sum(), rel=1e-15)
        np.testing.assert_equal(float(summary["max"][feature]) + 0.0, listed.max() + 0.0 if listed.size else np.nan)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_array_opens_in_zarr_and_is_equal(tmp_path: Path, profile: Profile) -> None:
    rng = np.random.default_rng(0)
    dense = np.where(rng.random((3000, 40)) < 0.3, rng.normal(size=(3000, 40)), np.nan)
    reader = build(tmp_path, dense, profile=profile)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Numcodecs codecs are not in the Zarr")
        group = zarr.open_group(str(tmp_path), mode="r")
        arrays = {name: np.asarray(array[...]) for name, array in group.members(max_depth=None) if "/" in name}
    indptr, features, values = reader.rows(0, 3000)
    bounds, rows, by_feature = reader.feature_range(0, 40)
    top = reader.top_range(0, 40)
    expected = {
        "row/indptr": indptr,
        "row/feature": features,
        "row/value": values,
        "feature/indptr": bounds,
        "feature/row": rows,
        "feature/value": by_feature,
        "top/indptr": top[0],
        "top/row": top[1],
        "top/value": top[2],
        **{f"summary/{name}": numbers for name, numbers in reader.summary().items()},
    }
    assert arrays.keys() == expected.keys()
    for name, array in arrays.items():
        assert array.dtype == expected[name].dtype
        np.testing.assert_array_equal(array, expected[name])


@pytest.mark.parametrize(
    ("value", "dtype"), [(0.5, "float16"), (1e5, "float32"), (0.1, "float64"), (float(np.float32(0.1)), "float32")]
)
def test_values_take_the_narrowest_exact_type(tmp_path: Path, value: float, dtype: str) -> None:
    reader = build(tmp_path, np.array([[value, 0.5]]))
    assert reader.info.value_dtype == dtype
    assert reader.feature(0)[1].tolist() == [value]


def test_rows_of_one_length_need_no_bounds(tmp_path: Path) -> None:
    assert build(tmp_path, np.ones((4, 3))).info.k == 3
    assert not (tmp_path / "row" / "indptr").exists()


@pytest.mark.parametrize(("largest", "dtype"), [(65_535, "uint16"), (65_536, "uint32")])
def test_ids_take_16_bits_up_to_65536_features(tmp_path: Path, largest: int, dtype: str) -> None:
    builder = SegmentBuilder(
        tmp_path, sae="s", corpus="c", first_row=0, n_rows=2, n_features=None, profile="fast", identity={}
    )
    builder.append(np.array([1, largest], np.uint32), np.ones(2), np.array([0, 1, 2]))
    reader = SegmentReader(LocalStore(tmp_path), "", builder.finish())
    assert reader.info.n_features == largest + 1
    assert reader.rows(0, 2)[1].dtype == dtype
    assert reader.feature(largest)[0].tolist() == [1]


def test_features_beyond_the_last_are_empty(tmp_path: Path) -> None:
    reader = build(tmp_path, np.ones((4, 3)))
    assert (reader.count(3), reader.feature(9)[0].size, reader.top(3)[1].size) == (0, 0, 0)


@pytest.mark.parametrize("method", ["count", "feature", "top"])
def test_negative_features_are_refused(tmp_path: Path, method: str) -> None:
    reader = build(tmp_path, np.ones((4, 3)))
    with pytest.raises(InvalidInput, match="found: -1"):
        getattr(reader, method)(-1)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    ("row_dtype", "value_dtype"), [("uint32", "float16"), ("uint32", "float64"), ("int64", "float32")]
)
def test_a_feature_fills_part_of_one_allocation(
    tmp_path: Path, profile: Profile, row_dtype: str, value_dtype: str
) -> None:
    reader = build(tmp_path, np.tile([0.5, 2.0], (9000, 1)), profile=profile)
    rows, values = np.zeros(9002, row_dtype), np.zeros(9002, value_dtype)
    reader.feature_into(1, rows[1:-1], values[1:-1])
    np.testing.assert_array_equal(rows, [0, *range(9000), 0])
    np.testing.assert_array_equal(values, [0, *[2.0] * 9000, 0])


def test_arrays_of_another_length_are_refused(tmp_path: Path) -> None:
    reader = build(tmp_path, np.ones((4, 3)))
    with pytest.raises(InvalidInput, match="lists 4 rows"):
        reader.feature_into(1, np.empty(3, np.uint32), np.empty(3, np.float16))


def test_only_the_64_strongest_are_kept(tmp_path: Path) -> None:
    column = np.random.default_rng(0).integers(0, 20, 500).astype(float)
    rows, values = build(tmp_path, column[:, None]).top(0)
    expected = np.lexsort((np.arange(500), -column))[:64]
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_array_equal(values, column[expected])


def test_the_fingerprint_is_of_the_global_rows(tmp_path: Path) -> None:
    dense = np.arange(12.0).reshape(4, 3)
    rows = canonical(dense)
    expected = fingerprint(5, rows.indptr, rows.features, rows.values)
    assert build(tmp_path, dense).info.fingerprint == f"{expected:032x}"


def test_facts_survive_json(tmp_path: Path) -> None:
    info = build(tmp_path, np.ones((4, 3)), identity={"model": "m"}).info
    assert SegmentInfo.from_json({**info.to_json(), "later": 1}) == info


@pytest.mark.parametrize("change", [{"n_rows": "4"}, {"fingerprint": 3}, {"k": True}, {"identity": None}])
def test_facts_of_a_wrong_type_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    attributes = build(tmp_path, np.ones((4, 3))).info.to_json() | change
    with pytest.raises(FormatError, match=next(iter(change))):
        SegmentInfo.from_json(attributes)


def test_missing_facts_are_named() -> None:
    with pytest.raises(FormatError, match="n_listed"):
        SegmentInfo.from_json({"sae": "s"})


def test_appending_too_few_rows_is_a_bug(tmp_path: Path) -> None:
    builder = SegmentBuilder(
        tmp_path, sae="s", corpus="c", first_row=0, n_rows=2, n_features=None, profile="fast", identity={}
    )
    with pytest.raises(InternalError, match="0 rows were appended of the 2"):
        builder.finish()


def test_more_rows_than_uint32_counts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="2\\^32"):
        SegmentBuilder(
            tmp_path, sae="s", corpus="c", first_row=0, n_rows=1 << 32, n_features=None, profile="fast", identity={}
        )


def test_empty_slots_are_counted(tmp_path: Path) -> None:
    builder = SegmentBuilder(
        tmp_path, sae="s", corpus="c", first_row=0, n_rows=2, n_features=None, profile="fast", identity={}
    )
    builder.append(np.array([1], np.uint32), np.ones(1), np.array([0, 1, 1]), n_empty=3)
    assert builder.finish().n_empty_slots == 3


@pytest.mark.parametrize(
    "change", [{"n_features": 4}, {"n_listed": 11}, {"value_dtype": "float32"}, {"value_dtype": "float64"}]
)
def test_arrays_that_contradict_the_seal_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    reader = build(tmp_path, np.ones((4, 3)))
    other = SegmentReader(LocalStore(tmp_path), "", replace(reader.info, **change))
    with pytest.raises(FormatError, match="feature/"):
        other.feature(0)
