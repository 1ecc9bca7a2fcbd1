"""Documents: runs, positions and texts against a naive reading of the same rows."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saeatlas.errors import InvalidInput, NotFound
from saeatlas.format.documents import DocumentsReader, DocumentsWriter
from saeatlas.storage import LocalStore

ROWS = st.lists(st.integers(0, 5), min_size=1, max_size=60)


def written(
    directory: Path, of_row: list[int], *, n_documents: int = 0, cuts: tuple[int, ...] = (), **more: object
) -> DocumentsReader:
    """Write documents whose row r belongs to of_row[r], fed in pieces."""
    n_documents = n_documents or max(of_row, default=-1) + 1
    folder = directory / "documents"
    folder.mkdir()
    with DocumentsWriter(folder, profile=more.get("profile", "fast")) as writer:  # type: ignore[arg-type]
        for piece in np.split(np.array(of_row, np.int64), list(cuts)):
            writer.append_runs(piece, np.ones(piece.size, np.int64))
        if "texts" in more:
            writer.append_texts(more["texts"])  # type: ignore[arg-type]
        attributes = writer.finish([f"d{i}" for i in range(n_documents)], more.get("columns"))  # type: ignore[arg-type]
    return DocumentsReader(LocalStore(directory), "documents", attributes)


def naive_positions(of_row: list[int]) -> list[int]:
    seen: dict[int, int] = {}
    positions = []
    for document in of_row:
        positions.append(seen.get(document, 0))
        seen[document] = positions[-1] + 1
    return positions


@settings(deadline=None, max_examples=40)
@given(of_row=ROWS, cuts=st.lists(st.integers(0, 60), max_size=4))
def test_every_row_is_located_as_a_naive_count_does(of_row: list[int], cuts: list[int]) -> None:
    with tempfile.TemporaryDirectory() as tmp:
        reader = written(Path(tmp), of_row, cuts=tuple(sorted(min(c, len(of_row)) for c in cuts)))
        document, position = reader.locate(np.arange(len(of_row)))
        assert document.tolist() == of_row
        assert position.tolist() == naive_positions(of_row)


@settings(deadline=None, max_examples=40)
@given(of_row=ROWS)
def test_rows_and_lengths_of_each_document_match_a_scan(of_row: list[int]) -> None:
    with tempfile.TemporaryDirectory() as tmp:
        reader = written(Path(tmp), of_row, n_documents=6)
        for document in range(6):
            rows = [row for row, of in enumerate(of_row) if of == document]
            assert reader.rows_of(document).tolist() == rows
            assert reader.lengths()[document] == len(rows)
            at = reader.rows_at(np.full(len(rows) + 2, document), np.arange(-1, len(rows) + 1))
            assert at.tolist() == [-1, *rows, -1]


@settings(deadline=None, max_examples=40)
@given(of_row=ROWS, data=st.data())
def test_documents_of_a_range_of_rows_match_a_slice(of_row: list[int], data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(of_row)))
    stop = data.draw(st.integers(start, len(of_row)))
    with tempfile.TemporaryDirectory() as tmp:
        assert written(Path(tmp), of_row).row_documents(start, stop).tolist() == of_row[start:stop]


@settings(deadline=None, max_examples=40)
@given(texts=st.lists(st.none() | st.text(max_size=20), max_size=8))
def test_texts_come_back_and_missing_ones_are_none(texts: list[str | None]) -> None:
    with tempfile.TemporaryDirectory() as tmp:
        reader = written(Path(tmp), [0, 1], n_documents=9, texts=texts)
        assert reader.texts(0, 9) == [*texts, *[None] * (9 - len(texts))]
        assert reader.attributes["n_without_text"] == 9 - sum(text is not None for text in texts)


def test_documents_without_any_text_have_none(tmp_path: Path) -> None:
    reader = written(tmp_path, [0, 0, 1])
    assert not reader.attributes["has_text"]
    assert reader.text(1) is None


def test_sliced_arrow_texts_are_written_from_their_offset(tmp_path: Path) -> None:
    texts = pa.array(["no", "grüße", None, "zwei"]).slice(1)
    reader = written(tmp_path, [0, 1, 2], texts=texts)
    assert reader.texts(0, 3) == ["grüße", None, "zwei"]


def test_many_sorted_rows_are_located_like_few_unsorted_ones(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    of_row = np.repeat(rng.permutation(3000), rng.integers(1, 40, 3000))
    reader = written(tmp_path, of_row.tolist())
    rows = np.arange(of_row.size)
    for dtype in (np.uint32, np.int64):
        assert np.array_equal(reader.locate(rows.astype(dtype))[0], of_row)
    shuffled = rng.permutation(rows)
    assert np.array_equal(reader.locate(shuffled)[0], of_row[shuffled])
    assert np.array_equal(reader.locate(rows)[1][shuffled], reader.locate(shuffled)[1])


def test_metadata_columns_keep_their_types_and_are_null_beyond_their_rows(tmp_path: Path) -> None:
    columns = pa.table({"stars": pa.array([5, 1], pa.int8()), "city": ["Oslo", None]})
    table = written(tmp_path, [0, 1, 2], columns=columns).table(["stars", "city"])
    assert table.schema.field("stars").type == pa.int8()
    assert table.to_pydict() == {"stars": [5, 1, None], "city": ["Oslo", None, None]}


def test_attributes_say_whether_documents_are_contiguous(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert written(tmp_path / "a", [1, 1, 0]).attributes["contiguous"]
    scattered = written(tmp_path / "b", [0, 1, 0]).attributes
    assert not scattered["contiguous"]
    assert scattered["n_runs"] == 3


def test_neighbouring_runs_of_one_document_become_one_across_pieces(tmp_path: Path) -> None:
    assert written(tmp_path, [0, 0, 0, 1], cuts=(1, 2)).attributes["n_runs"] == 2


def test_documents_are_found_by_id(tmp_path: Path) -> None:
    reader = written(tmp_path, [0, 1, 2])
    assert reader.index_of("d2") == 2
    assert reader.ids(np.array([2, 0])).to_pylist() == ["d2", "d0"]
    with pytest.raises(NotFound, match="'nobody'"):
        reader.index_of("nobody")


def test_rows_outside_the_corpus_are_refused(tmp_path: Path) -> None:
    reader = written(tmp_path, [0, 1])
    for rows in ([2], [-1]):
        with pytest.raises(InvalidInput):
            reader.locate(np.array(rows))


def test_unknown_column_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        written(tmp_path, [0]).table(["stars"])
    assert "n_rows" in caught.value.hint


def test_compressed_documents_read_the_same(tmp_path: Path) -> None:
    reader = written(tmp_path, [0, 1, 0], texts=["a", "b"], profile="compact")
    assert reader.locate(np.arange(3))[1].tolist() == [0, 0, 1]
    assert reader.text(1) == "b"
