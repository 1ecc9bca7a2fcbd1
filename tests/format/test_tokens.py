"""Tokens: what was put beside the rows comes back, and documents that do not agree have none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from saeatlas.errors import InternalError, InvalidInput
from saeatlas.format.documents import DocumentsReader, DocumentsWriter
from saeatlas.format.tokens import COUNT_DIFFERS, NO_TEXT, NO_TOKEN, NO_TOKENS, OK, TokensReader, TokensWriter
from saeatlas.storage import LocalStore

STRINGS = ["the", " cat", "s"]
IDS = [20, 10, None]


def corpus(directory: Path) -> DocumentsReader:
    """Make five documents: 0 in rows 0 1 4, 1 in rows 2 3, 2 in row 5, 3 without rows, 4 in row 6."""
    folder = directory / "documents"
    folder.mkdir()
    with DocumentsWriter(folder) as writer:
        writer.append_runs(np.array([0, 1, 0, 2, 4]), np.array([2, 2, 1, 1, 1]))
        attributes = writer.finish([f"d{i}" for i in range(5)])
    return DocumentsReader(LocalStore(directory), "documents", attributes)


def tokens(directory: Path, *, has_spans: bool = True) -> TokensReader:
    documents = corpus(directory)
    folder = directory / "tokens"
    folder.mkdir()
    with TokensWriter(folder, documents, has_spans=has_spans) as writer:
        writer.status[:] = [OK, COUNT_DIFFERS, NO_TEXT, NO_TOKENS, NO_TOKENS]
        spans = np.array([[4, 5], [0, 1], [1, 4]], np.uint32) if has_spans else None
        writer.put(np.array([4, 0, 1]), np.array([2, 0, 1], np.uint32), spans)
        writer.put(np.array([2]), np.array([1], np.uint32), spans[:1] if spans is not None else None)
        attributes = writer.finish(IDS, STRINGS)
    return TokensReader(LocalStore(directory), "tokens", attributes)


def test_rows_have_the_tokens_that_were_put_in_any_order(tmp_path: Path) -> None:
    reader = tokens(tmp_path)
    assert reader.strings(reader.tokens(np.array([0, 1, 4]))) == ["the", " cat", "s"]


def test_rows_of_documents_that_disagree_have_no_token(tmp_path: Path) -> None:
    reader = tokens(tmp_path)
    assert reader.read(2, 4).tolist() == [NO_TOKEN, NO_TOKEN]
    assert reader.spans(np.array([2])).tolist() == [[NO_TOKEN, NO_TOKEN]]


def test_vocabulary_is_sorted_by_id_with_unknown_ids_last(tmp_path: Path) -> None:
    table = tokens(tmp_path).vocabulary()
    assert table.to_pydict() == {"token": [0, 1, 2], "id": [10, 20, None], "string": [" cat", "the", "s"]}


def test_spans_come_back(tmp_path: Path) -> None:
    assert tokens(tmp_path).spans(np.array([0, 1, 4])).tolist() == [[0, 1], [1, 4], [4, 5]]


def test_tokens_without_spans_say_so(tmp_path: Path) -> None:
    reader = tokens(tmp_path, has_spans=False)
    assert not reader.has_spans
    with pytest.raises(InvalidInput, match="no character spans"):
        reader.spans(np.array([0]))


def test_attributes_count_only_documents_with_rows(tmp_path: Path) -> None:
    attributes = tokens(tmp_path).attributes
    assert attributes["documents_count_differs"] == 1
    assert attributes["first_documents_count_differs"] == ["d1"]
    assert attributes["documents_without_text"] == 1
    assert attributes["documents_without_tokens"] == 1


def test_status_of_a_document_is_kept(tmp_path: Path) -> None:
    reader = tokens(tmp_path)
    assert [reader.status(document) for document in range(4)] == [OK, COUNT_DIFFERS, NO_TEXT, NO_TOKENS]


def test_a_missing_token_has_no_string(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        tokens(tmp_path).strings([NO_TOKEN])


def test_rows_must_be_sorted_and_inside(tmp_path: Path) -> None:
    reader = tokens(tmp_path)
    for rows in ([1, 0], [7], [-1]):
        with pytest.raises(InvalidInput):
            reader.tokens(np.array(rows))


def test_a_document_called_complete_without_all_its_tokens_is_a_bug(tmp_path: Path) -> None:
    documents = corpus(tmp_path)
    folder = tmp_path / "tokens"
    folder.mkdir()
    with TokensWriter(folder, documents, has_spans=False) as writer:
        writer.status[0] = OK
        with pytest.raises(InternalError):
            writer.finish([], [])


def test_scattered_rows_are_gathered_like_a_whole_read(tmp_path: Path) -> None:
    n_rows = 60_000
    folder = tmp_path / "documents"
    folder.mkdir()
    with DocumentsWriter(folder) as writer:
        writer.append_runs(np.array([0]), np.array([n_rows]))
        attributes = writer.finish(["d"])
    documents = DocumentsReader(LocalStore(tmp_path), "documents", attributes)
    rng = np.random.default_rng(0)
    wanted = rng.integers(0, 50, n_rows).astype(np.uint32)
    (tmp_path / "tokens").mkdir()
    with TokensWriter(tmp_path / "tokens", documents, has_spans=False, profile="compact") as tokens_writer:
        tokens_writer.status[:] = OK
        tokens_writer.put(np.arange(n_rows), wanted, None)
        attributes = tokens_writer.finish(list(range(50)), [str(i) for i in range(50)])
    reader = TokensReader(LocalStore(tmp_path), "tokens", attributes)
    rows = np.sort(rng.choice(n_rows, 40, replace=False))
    assert np.array_equal(reader.tokens(rows), wanted[rows])
    assert np.array_equal(reader.read(0, n_rows), wanted)
