from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from saeatlas.format import segment_stream
from saeatlas.format.array import write_array
from saeatlas.format.segment import SegmentBuilder, SegmentReader, check_segment
from saeatlas.storage import LocalStore

Array = npt.NDArray[Any]

DENSE = np.array([[0.5, np.nan, 2.0], [1.0, 3.0, 1.0], [np.nan, np.nan, 4.0]])


def build(directory: Path, dense: Array) -> SegmentReader:
    """A segment of a dense matrix in which NaN means not listed; width unknown."""
    directory.mkdir(exist_ok=True, parents=True)
    rows, features = np.nonzero(~np.isnan(dense))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(dense)))])
    builder = SegmentBuilder(
        directory,
        sae="s",
        corpus="c",
        first_row=0,
        n_rows=len(dense),
        n_features=None,
        profile="fast",
        identity={},
    )
    builder.append(features.astype(np.uint32), dense[rows, features], indptr)
    return SegmentReader(LocalStore(directory), "", builder.finish())


def overwrite(directory: Path, name: str, array: Array) -> SegmentReader:
    """Replace one array of a right segment and keep its seal, as if it had been sealed again."""
    reader = build(directory, DENSE)
    assert check_segment(reader) == []
    write_array(directory, name, array, "fast")
    return SegmentReader(LocalStore(directory), "", reader.info)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("row/value", np.array([0.5, 2, 1, 3, 1.5, 4], "f2"), "different entries of 1 features, first: 2"),
        ("row/feature", np.array([0, 1, 0, 1, 2, 2], "u2"), "different entries of 2 features, first: 1"),
        ("row/feature", np.array([2, 0, 0, 1, 2, 2], "u2"), "'row/feature', local row 0"),
        ("row/feature", np.array([0, 2, 0, 1, 2, 3], "u2"), "'row/feature', local row 2"),
        ("row/value", np.array([0.5, 2, 1, np.nan, 1, 4], "f2"), "'row/value' holds values that are not finite"),
        ("feature/row", np.array([1, 0, 1, 0, 1, 2], "u4"), "'feature/row', feature 0"),
        ("feature/row", np.array([0, 1, 1, 0, 1, 3], "u4"), "'feature/row', feature 2"),
        ("feature/row", np.array([0, 2, 1, 0, 1, 2], "u4"), "different entries of 1 features, first: 0"),
        (
            "feature/value",
            np.array([0.5, 1, np.inf, 2, 1, 4], "f2"),
            "'feature/value' holds values that are not finite",
        ),
        ("top/row", np.array([1, 0, 1, 2, 1, 0], "u4"), "'top/row' is wrong for feature 2"),
        ("top/value", np.array([1, 0.5, 3, 4, 2, 2], "f2"), "'top/value' is wrong for feature 2"),
        ("top/indptr", np.array([0, 1, 3, 6]), "'top/indptr' is wrong for feature 0"),
        ("summary/count", np.array([2, 1, 2]), "'summary/count' is wrong for feature 2"),
        ("summary/active", np.array([1, 1, 3]), "'summary/active' is wrong for feature 0"),
        ("summary/sum", np.array([1.5, 3, 7.5]), "'summary/sum' is wrong for feature 2"),
        ("summary/sum_squares", np.array([0, 9, 21.0]), "'summary/sum_squares' is wrong for feature 0"),
        ("summary/max", np.array([1, np.nan, 4], "f4"), "'summary/max' is wrong for feature 1"),
    ],
)
def test_a_changed_array_is_found_and_named(tmp_path: Path, name: str, array: Array, message: str) -> None:
    problems = check_segment(overwrite(tmp_path, name, array))
    assert any(message in problem for problem in problems), problems


@pytest.mark.parametrize("range_bytes", [16, 64 << 20])
def test_a_right_segment_has_no_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, range_bytes: int) -> None:
    monkeypatch.setattr(segment_stream, "RANGE_BYTES", range_bytes)
    assert check_segment(build(tmp_path, DENSE)) == []


@pytest.mark.parametrize(
    "change", [{"fingerprint": "0" * 32}, {"n_active": 5}, {"min": 0.0}, {"max": 9.0}, {"first_row": 1}]
)
def test_a_seal_that_says_something_else_is_found(tmp_path: Path, change: dict[str, Any]) -> None:
    reader = build(tmp_path, DENSE)
    other = SegmentReader(LocalStore(tmp_path), "", replace(reader.info, **change))
    assert len(check_segment(other)) == 1


def test_both_orientations_changed_alike_differ_from_the_seal(tmp_path: Path) -> None:
    reader = build(tmp_path / "0", DENSE)
    build(tmp_path / "0", DENSE * 2)
    problems = check_segment(SegmentReader(LocalStore(tmp_path / "0"), "", reader.info))
    assert any("fingerprint" in problem for problem in problems)
