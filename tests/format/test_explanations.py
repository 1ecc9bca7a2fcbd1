"""Explanations are stored as they were written, sorted by feature, and never blank."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saeatlas.errors import InternalError, SourceError
from saeatlas.format.explanations import explanations_schema, write_explanations

TEXTS = st.text(min_size=1).filter(lambda text: bool(text.strip()))
NAMES = st.none() | st.text(max_size=5)


@given(lines=st.lists(st.tuples(st.integers(0, 2**32 - 1) | st.integers(0, 3), TEXTS, NAMES, NAMES), max_size=12))
def test_lines_come_back_sorted_by_feature_and_in_the_order_given(
    lines: list[tuple[int, str, str | None, str | None]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("set")
    columns: list[list] = [[line[column] for line in lines] for column in range(4)]  # type: ignore[type-arg]
    attributes = write_explanations(directory, *columns)
    table = pq.read_table(directory / "data.parquet")
    assert table.schema.equals(explanations_schema())
    stored = [(r["feature"], r["text"], r["explainer"], r["method"]) for r in table.to_pylist()]
    assert stored == sorted(lines, key=lambda line: line[0])
    assert attributes == {
        "n_explanations": len(lines),
        "n_explained": len(set(columns[0])),
        "n_features": max(columns[0], default=-1) + 1,
        "explainers": sorted({name for name in columns[2] if name is not None}),
        "methods": sorted({name for name in columns[3] if name is not None}),
    }


def test_texts_keep_their_spaces_and_lines(tmp_path: Path) -> None:
    write_explanations(tmp_path, [3], [" two\nlines \t"], [None], [None])
    assert pq.read_table(tmp_path / "data.parquet")["text"].to_pylist() == [" two\nlines \t"]


@pytest.mark.parametrize("text", ["", " ", "\n\t\u3000"])
def test_a_blank_text_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="feature 7 is blank"):
        write_explanations(tmp_path, [7], [text], [None], [None])


def test_half_a_surrogate_pair_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="surrogate"):
        write_explanations(tmp_path, [7], ["a \ud83d"], [None], [None])
    with pytest.raises(SourceError, match="surrogate"):
        write_explanations(tmp_path, [7], ["a"], ["\ud83d"], [None])


@pytest.mark.parametrize("feature", [-1, 2**32, 2**70])
def test_an_id_out_of_range_is_refused(feature: int, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=str(feature)) as caught:
        write_explanations(tmp_path, [0, feature], ["a", "b"], [None, None], [None, None])
    assert caught.value.kind == "index-out-of-range"


def test_columns_of_different_lengths_are_a_bug(tmp_path: Path) -> None:
    with pytest.raises(InternalError, match="one length"):
        write_explanations(tmp_path, [0, 1], ["a"], [None], [None])
