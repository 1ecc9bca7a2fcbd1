from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saeatlas.errors import Conflict, FormatError, InvalidInput
from saeatlas.format import segment_stream
from saeatlas.format.codecs import PROFILES, Profile
from saeatlas.format.segment import (
    SegmentBuilder,
    SegmentReader,
    add_fingerprints,
    check_segment,
    merge_segments,
)
from saeatlas.storage import LocalStore

Array = npt.NDArray[Any]


def build(directory: Path, dense: Array, *, first_row: int = 0, profile: Profile = "fast") -> SegmentReader:
    """A segment of a dense matrix in which NaN means not listed; width unknown."""
    directory.mkdir(exist_ok=True, parents=True)
    rows, features = np.nonzero(~np.isnan(dense))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(dense)))])
    builder = SegmentBuilder(
        directory,
        sae="s",
        corpus="c",
        first_row=first_row,
        n_rows=len(dense),
        n_features=None,
        profile=profile,
        identity={},
    )
    builder.append(features.astype(np.uint32), dense[rows, features], indptr)
    return SegmentReader(LocalStore(directory), "", builder.finish())


def merge(directory: Path, readers: list[SegmentReader], profile: Profile = "fast", **options: Any) -> SegmentReader:
    target = directory / "merged"
    target.mkdir()
    return SegmentReader(LocalStore(target), "", merge_segments(readers, target, profile, **options))


def files(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()
    }


@st.composite
def dense_matrices(draw: st.DrawFn) -> Array:
    shape = draw(st.integers(1, 9)), draw(st.integers(1, 5))
    value = st.sampled_from([np.nan, np.nan, -1.0, 0.0, 0.5, 2.0, 1e5, 0.1])
    return np.array([[draw(value) for _ in range(shape[1])] for _ in range(shape[0])])


@settings(deadline=None, max_examples=50)
@given(
    dense=dense_matrices(),
    cuts=st.lists(st.integers(0, 9), max_size=2),
    profile=st.sampled_from(PROFILES),
    range_bytes=st.sampled_from([32, 64 << 20]),
)
def test_merged_segments_are_the_files_of_one(
    tmp_path_factory: pytest.TempPathFactory, dense: Array, cuts: list[int], profile: Profile, range_bytes: int
) -> None:
    directory = tmp_path_factory.mktemp("merge")
    edges = [0, *sorted(min(cut, len(dense)) for cut in cuts), len(dense)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segment_stream, "RANGE_BYTES", range_bytes)
        parts = [
            build(directory / str(number), dense[low:high], first_row=low)
            for number, (low, high) in enumerate(pairwise(edges))
        ]
        merged = merge(directory, parts, profile)
        whole = build(directory / "whole", dense, profile=profile)
        assert check_segment(merged) == []
    assert merged.info == whole.info
    assert merged.info.fingerprint == add_fingerprints(part.info.fingerprint for part in parts)
    assert files(directory / "merged") == files(directory / "whole")


def test_the_widest_exact_type_is_taken(tmp_path: Path) -> None:
    parts = [build(tmp_path / str(n), np.array([[value]]), first_row=n) for n, value in enumerate([0.5, 0.1, 1e5])]
    assert [part.info.value_dtype for part in parts] == ["float16", "float64", "float32"]
    merged = merge(tmp_path, parts)
    assert merged.info.value_dtype == "float64"
    assert merged.feature(0)[1].tolist() == [0.5, 0.1, 1e5]


def test_rounding_is_recorded_and_consistent(tmp_path: Path) -> None:
    merged = merge(tmp_path, [build(tmp_path / "0", np.array([[0.1, 1000.3], [0.5, 7.0]]))], value_dtype="float16")
    assert merged.info.value_dtype == "float16"
    assert merged.info.largest_rounding_error == abs(float(np.float16(1000.3)) - 1000.3)
    assert check_segment(merged) == []


def test_values_beyond_float16_are_not_rounded_to_infinity(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="100000 do not fit float16"):
        merge(tmp_path, [build(tmp_path / "0", np.array([[1e5]]))], value_dtype="float16")


@pytest.mark.parametrize("first_row", [1, 3])
def test_rows_must_follow_each_other(tmp_path: Path, first_row: int) -> None:
    parts = [build(tmp_path / "0", np.ones((2, 1))), build(tmp_path / "1", np.ones((2, 1)), first_row=first_row)]
    with pytest.raises(InvalidInput, match="must start at row 2"):
        merge(tmp_path, parts)


@pytest.mark.parametrize("change", [{"sae": "other"}, {"corpus": "other"}, {"identity": {"model": "other"}}])
def test_segments_of_different_things_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    parts = [build(tmp_path / "0", np.ones((2, 1))), build(tmp_path / "1", np.ones((2, 1)), first_row=2)]
    parts[1] = SegmentReader(LocalStore(tmp_path / "1"), "", replace(parts[1].info, **change))
    with pytest.raises(Conflict, match=next(iter(change))):
        merge(tmp_path, parts)


def test_nothing_cannot_be_merged(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="No segments"):
        merge(tmp_path, [])


def test_a_segment_with_other_rows_than_its_seal_says_is_not_passed_on(tmp_path: Path) -> None:
    part = build(tmp_path / "0", np.ones((2, 1)))
    wrong = SegmentReader(LocalStore(tmp_path / "0"), "", replace(part.info, fingerprint="0" * 32))
    with pytest.raises(FormatError, match="not those of its seal"):
        merge(tmp_path, [wrong])


def test_fingerprints_add_modulo_two_to_the_128() -> None:
    assert add_fingerprints(["f" * 32, "0" * 31 + "2"]) == "0" * 31 + "1"
