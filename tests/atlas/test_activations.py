"""Activations by feature and by row against dense arrays: several segments, zeros, negatives, ties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saeatlas.atlas.activations import Activations, top_entries
from saeatlas.errors import FormatError, InvalidInput, NotFound

SEEDS = range(4)


@pytest.mark.parametrize("seed", SEEDS)
def test_feature_gives_every_listed_row(make: Any, seed: int) -> None:
    source, atlas = make(seed)
    activations = atlas.sae().activations
    for feature in range(activations.n_features):
        rows, values = activations.feature(feature)
        expected = np.flatnonzero(source.listed(feature))
        assert rows.tolist() == expected.tolist()
        assert values.tolist() == source.dense[expected, feature].tolist()
        assert activations.count(feature) == expected.size


def test_rows_are_uint32_and_values_float32_by_default(atlas: Any) -> None:
    rows, values = atlas.sae().activations.feature(3)
    assert (rows.dtype, values.dtype) == (np.uint32, np.float32)


def test_values_that_float32_does_not_hold_come_as_float64(source: Any, remake: Any) -> None:
    changed, atlas = remake(source, dense=source.dense * 0.1)
    rows, values = atlas.sae().activations.feature(3)
    assert values.dtype == np.float64
    assert values.tolist() == changed.dense[rows, 3].tolist()


@pytest.mark.parametrize("seed", SEEDS)
def test_row_ranges_equal_the_dense_rows(make: Any, seed: int) -> None:
    source, atlas = make(seed)
    activations = atlas.sae().activations
    for start, stop in [(0, 0), (0, 60), (19, 22), (20, 21), (60, 60), (5, 59), (21, 60)]:
        indptr, features, values = activations.rows(start, stop)
        assert indptr.size == stop - start + 1
        for row in range(start, stop):
            part = slice(indptr[row - start], indptr[row - start + 1])
            expected = np.flatnonzero(~np.isnan(source.dense[row]))
            assert features[part].tolist() == expected.tolist()
            assert values[part].tolist() == source.dense[row, expected].tolist()


def test_row_range_outside_is_refused(atlas: Any) -> None:
    with pytest.raises(InvalidInput, match="do not lie within"):
        atlas.sae().activations.rows(50, 61)


@given(st.lists(st.integers(0, 59), max_size=20))
@settings(max_examples=30, deadline=None)
def test_rows_in_any_order_come_in_that_order(source: Any, atlas: Any, rows: list[int]) -> None:
    indptr, features, _ = atlas.sae().activations.at(np.array(rows, np.int64))
    found = [features[indptr[i] : indptr[i + 1]].tolist() for i in range(len(rows))]
    assert found == [np.flatnonzero(~np.isnan(source.dense[row])).tolist() for row in rows]


def test_value_tells_zero_from_not_listed(source: Any, atlas: Any) -> None:
    activations = atlas.sae().activations
    for row in range(60):
        for feature in range(activations.n_features):
            expected = source.dense[row, feature]
            assert activations.value(row, feature) == (None if np.isnan(expected) else expected)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n", [0, 1, 3, 64, 65, 1000])
def test_top_is_exact_with_ties_by_lower_row(make: Any, seed: int, n: int) -> None:
    source, atlas = make(seed, n_rows=400)
    for feature in range(atlas.sae().n_features):
        active = np.flatnonzero(source.active(feature))
        order = active[np.lexsort((active, -source.dense[active, feature]))][:n]
        rows, values = atlas.sae().activations.top(feature, n)
        assert rows.tolist() == order.tolist()
        assert values.tolist() == source.dense[order, feature].tolist()


@given(st.lists(st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0]), max_size=60), st.integers(0, 70))
def test_top_entries_equal_a_full_sort(values: list[float], n: int) -> None:
    rows, found = top_entries(np.arange(len(values)), np.array(values), n)
    expected = sorted((row for row, value in enumerate(values) if value > 0), key=lambda row: (-values[row], row))[:n]
    assert rows.tolist() == expected
    assert found.tolist() == [values[row] for row in expected]


@pytest.mark.parametrize("max_listed", [1, 50, 10_000])
@pytest.mark.parametrize("borders", [(), (20, 21), (1, 2, 3, 59)])
def test_blocks_hold_every_feature_once_in_order(make: Any, max_listed: int, borders: tuple[int, ...]) -> None:
    source, atlas = make(1, borders=borders)
    activations = atlas.sae().activations
    seen = 0
    for block in activations.feature_blocks(max_listed):
        assert block.first == seen
        for feature in range(block.first, block.stop):
            rows, values = block.feature(feature)
            expected = np.flatnonzero(source.listed(feature))
            assert rows.tolist() == expected.tolist()
            assert values.tolist() == source.dense[expected, feature].tolist()
        seen = block.stop
    assert seen == activations.n_features


def test_blocks_of_more_rows_than_uint32_holds_merge_in_int64(make: Any) -> None:
    source, atlas = make(1)
    sae = atlas.sae()
    wide = Activations(sae.activations.segments, sae.n_features, is_width_known=False)
    wide.row_dtype = np.dtype(np.int64)
    for block in wide.feature_blocks(50):
        for feature in range(block.first, block.stop):
            assert block.feature(feature)[0].tolist() == np.flatnonzero(source.listed(feature)).tolist()


@pytest.mark.parametrize("borders", [(), (20, 21)])
def test_gather_aligns_a_column_of_rows_with_the_entries(make: Any, borders: tuple[int, ...]) -> None:
    source, atlas = make(2, borders=borders)
    for block in atlas.sae().activations.feature_blocks(100):
        found = block.gather(atlas.corpus().documents.row_documents)
        assert found.tolist() == source.documents[block.rows].tolist()


def test_gather_without_entries_keeps_the_type_of_the_column(source: Any, remake: Any) -> None:
    _, atlas = remake(source, dense=np.full_like(source.dense, np.nan), width=3)
    (block,) = atlas.sae().activations.feature_blocks()
    assert block.gather(atlas.corpus().documents.row_documents).dtype == np.uint32


def test_counts_cover_all_segments(source: Any, atlas: Any) -> None:
    activations = atlas.sae().activations
    n = activations.n_features
    assert activations.counts.tolist() == [int(source.listed(f).sum()) for f in range(n)]
    assert activations.active_counts.tolist() == [int(source.active(f).sum()) for f in range(n)]
    assert activations.n_listed == int((~np.isnan(source.dense)).sum())


def test_feature_beyond_an_unknown_width_names_the_largest_id_seen(atlas: Any) -> None:
    with pytest.raises(NotFound, match="0 to 11, the largest id listed anywhere"):
        atlas.sae().activations.feature(12)


def test_feature_beyond_a_known_width_names_the_range(source: Any, remake: Any) -> None:
    _, atlas = remake(source, width=20)
    assert atlas.sae().activations.feature(19)[0].size == 0
    with pytest.raises(NotFound, match=r"the features are 0 to 19$"):
        atlas.sae().activations.feature(20)


@pytest.mark.parametrize("feature", [-1, 1.5, "3", True, None])
def test_feature_id_must_be_a_whole_number(atlas: Any, feature: Any) -> None:
    with pytest.raises(InvalidInput, match="whole number from 0"):
        atlas.sae().feature(feature)


@pytest.mark.parametrize(("row", "error"), [(-1, InvalidInput), (60, NotFound)])
def test_row_out_of_range_is_refused(atlas: Any, row: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        atlas.sae().activations.value(row, 0)


def test_gap_between_segments_is_corruption(atlas: Any) -> None:
    segments = atlas.sae().activations.segments
    with pytest.raises(FormatError, match="starts at row"):
        Activations([segments[0], segments[2]], 12, is_width_known=False)
