"""Metadata of any kind: the same columns from every kind of file, nothing guessed, nothing dropped in silence."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from saeatlas.errors import SourceError
from saeatlas.importers import _npz
from saeatlas.importers._metadata import Metadata, open_metadata
from saeatlas.importers.h5_topk import H5TopK
from saeatlas.progress import Event, Progress
from saeatlas.testing.importer_contract import documents_of
from saeatlas.testing.topk_source import random_topk

FRAME = pl.DataFrame(
    {
        "review_ids": ["007", "a", "é"],
        "texts": ["one, two\nthree", None, 'say "nan"'],
        "stars": [5, None, 1],
        "score": [0.5, 1.5, None],
    }
)


def opened(path: Path, **options: Any) -> Metadata:
    return open_metadata(path, text_columns=("review_ids", "texts"), **options)


def column(metadata: Metadata, name: str, *, as_text: bool = False) -> list[Any]:
    return [item for piece in metadata.read(name, as_text=as_text) for item in piece.to_pylist()]


def write(path: Path, kind: str) -> Path:
    if kind == "parquet":
        FRAME.write_parquet(path)
    elif kind == "csv":
        FRAME.write_csv(path)
    elif kind == "tsv":
        FRAME.with_columns(pl.col("texts").str.replace(",", "")).write_csv(path, separator="\t")
    else:
        FRAME.write_ndjson(path)
    return path


@pytest.mark.parametrize("kind", ["parquet", "csv", "tsv", "jsonl"])
def test_every_kind_of_table_gives_the_same_columns(tmp_path: Path, kind: str) -> None:
    metadata = opened(write(tmp_path / "any.name", kind))
    assert metadata.names == tuple(FRAME.columns)
    assert metadata.n_rows == 3
    assert column(metadata, "review_ids", as_text=True) == ["007", "a", "é"]
    assert column(metadata, "stars") == [5, None, 1]
    assert column(metadata, "score") == [0.5, 1.5, None]
    assert column(metadata, "texts")[1:] == [None, 'say "nan"']


def test_csv_ids_that_look_like_numbers_stay_text(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("review_ids,stars\n007,1\n08,2\n")
    assert column(opened(tmp_path / "m.csv"), "review_ids") == ["007", "08"]


def test_csv_column_whose_type_shows_late_is_read(tmp_path: Path) -> None:
    lines = ["review_ids,level", *(f"{i},1" for i in range(3000)), "x,high"]
    (tmp_path / "m.csv").write_text("\n".join(lines))
    assert column(opened(tmp_path / "m.csv"), "level")[-1] == "high"


def test_csv_with_a_byte_order_mark_and_windows_lines_is_read(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes(b"\xef\xbb\xbfreview_ids,stars\r\na,1\r\n")
    assert column(opened(tmp_path / "m.csv"), "review_ids") == ["a"]


def test_json_ids_may_be_numbers(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"review_ids": 7}\n{"review_ids": 12}\n')
    assert column(opened(tmp_path / "m.jsonl"), "review_ids", as_text=True) == ["7", "12"]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_whole_numbers_beyond_63_bits_stay_exact(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "meta"
    frame = pl.DataFrame({"review_ids": [2**63, 2**64 - 1], "hash": [1, 2**63 + 1], "sum": ["-1", str(2**64)]})
    lines = [f'{{"review_ids": {i}, "hash": {h}, "sum": {s}}}\n' for i, h, s in frame.rows()]
    path.write_text("".join(lines)) if kind == "jsonl" else frame.write_csv(path)
    metadata = opened(path)
    assert column(metadata, "review_ids", as_text=True) == [str(2**63), str(2**64 - 1)]
    assert column(metadata, "hash") == [1, 2**63 + 1]
    assert column(metadata, "sum") == ["-1", str(2**64)]


def test_json_array_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps([{"review_ids": "a"}]))
    with pytest.raises(SourceError, match="JSON array") as caught:
        opened(tmp_path / "m.json")
    assert caught.value.kind == "wrong-file-type"


def test_broken_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.jsonl").write_text('{"review_ids": "a"}\n{"review_ids": \n')
    with pytest.raises(SourceError, match="JSON lines"):
        opened(tmp_path / "m.jsonl")


def test_compressed_csv_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.csv.gz").write_bytes(gzip.compress(b"review_ids\na\n"))
    with pytest.raises(SourceError) as caught:
        opened(tmp_path / "m.csv.gz")
    assert caught.value.kind == "wrong-file-type"


def test_truncated_parquet_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "m.parquet", "parquet")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(SourceError) as caught:
        opened(path)
    assert caught.value.kind == "truncated-source"


def test_parquet_columns_of_lists_are_left_out_with_a_note(tmp_path: Path) -> None:
    pq.write_table(pa.table({"review_ids": ["a"], "tags": [["x"]]}), tmp_path / "m.parquet")
    metadata = opened(tmp_path / "m.parquet")
    assert metadata.names == ("review_ids",)
    assert "'tags'" in metadata.notes[0]


def test_parquet_categories_bytes_and_halves_become_plain(tmp_path: Path) -> None:
    table = pa.table(
        {
            "city": pa.array(["Oslo", "Rome"]).dictionary_encode(),
            "raw": pa.array([b"x", b"\xc3\xa9"], pa.binary()),
            "half": pa.array(np.array([0.5, np.nan], np.float16)),
        }
    )
    pq.write_table(table, tmp_path / "m.parquet")
    metadata = opened(tmp_path / "m.parquet")
    assert column(metadata, "city") == ["Oslo", "Rome"]
    assert column(metadata, "raw") == ["x", "é"]
    assert column(metadata, "half") == [0.5, None]


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_arrays_of_every_type_are_columns(tmp_path: Path, save: Any) -> None:
    arrays = {
        "text": np.array(["é", ""]),
        "bytes": np.array([b"\xc3\xa9", b"b"]),
        "small": np.array([1, 2], np.uint8),
        "big": np.array([1, 2], ">i8"),
        "half": np.array([0.5, np.nan], np.float16),
        "float": np.array([np.nan, 1.0]),
        "bool": np.array([True, False]),
        "day": np.array(["2020-01-01", "2021-01-01"], "datetime64[D]"),
        "empty": np.array(["", ""]),
    }
    save(tmp_path / "m.npz", **arrays)
    metadata = opened(tmp_path / "m.npz")
    found = {name: column(metadata, name) for name in arrays}
    assert found.pop("day")[0].year == 2020
    assert found == {
        "text": ["é", ""],
        "bytes": ["é", "b"],
        "small": [1, 2],
        "big": [1, 2],
        "half": [0.5, None],
        "float": [None, 1.0],
        "bool": [True, False],
        "empty": ["", ""],
    }


def test_npz_arrays_that_are_no_column_are_left_out_with_a_note(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "m.npz", ids=np.array(["a", "b"]), grid=np.zeros((2, 3)), wave=np.zeros(2, complex), one=np.int64(3)
    )
    metadata = opened(tmp_path / "m.npz")
    assert metadata.names == ("ids",)
    assert sorted(note.split("'")[1] for note in metadata.notes) == ["grid", "one", "wave"]


def test_npz_pieces_join_to_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = np.array([f"text {'x' * (i % 40)}" for i in range(500)])
    np.savez(tmp_path / "m.npz", texts=texts)
    monkeypatch.setattr(_npz, "_READ_BYTES", 1000)
    assert column(opened(tmp_path / "m.npz"), "texts") == texts.tolist()


def test_padded_texts_larger_than_the_buffer_are_streamed(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "m.npz", texts=np.full(10_000, "short", "<U5000"))
    metadata = opened(tmp_path / "m.npz")
    tracemalloc.start()
    count = sum(len(piece) for piece in metadata.read("texts", as_text=True))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 10_000
    assert peak < 80_000_000 < 10_000 * 5000 * 4


def test_pickled_texts_are_read_only_when_trusted(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", texts=np.array(["a", None, float("nan"), b"\xc3\xa9", 7], dtype=object))
    with pytest.raises(SourceError) as caught:
        opened(tmp_path / "m.npz")
    assert "--trust-pickle" in caught.value.hint
    assert "run any code" in caught.value.message
    metadata = opened(tmp_path / "m.npz", trust_pickle=True)
    assert column(metadata, "texts", as_text=True) == ["a", None, None, "é", "7"]


def test_pickled_numbers_are_numbers(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", n=np.array([1, None, 3], dtype=object), mixed=np.array([1, "x", None], dtype=object))
    metadata = opened(tmp_path / "m.npz", trust_pickle=True)
    assert column(metadata, "n") == [1, None, 3]
    assert column(metadata, "mixed") == ["1", "x", None]


def imported(tmp_path: Path, arrays: dict[str, Any], said: list[Event]) -> Any:
    source = random_topk(0)
    source.write_hdf5(tmp_path / "a.h5")
    source.write_npz(tmp_path / "m.npz", **arrays)
    importer = H5TopK(str(tmp_path / "a.h5"), metadata=str(tmp_path / "m.npz"), sae="s")
    return documents_of(importer, tmp_path, Progress(said.append))


def test_blank_and_nan_texts_are_kept_counted_and_told(tmp_path: Path) -> None:
    texts = np.array(["nan", " ", "", "x", "NaN", *"abcd"])
    said: list[Event] = []
    documents = imported(tmp_path, {"texts": texts}, said)
    assert documents.texts(0, 9) == texts.tolist()
    assert documents.attributes["n_nan_text"] == 2
    assert documents.attributes["n_blank_text"] == 2
    assert any("2 texts are blank and 2 are the word 'nan'" in event.text for event in said)


def test_column_named_like_one_of_ours_gets_another_name_and_a_note(tmp_path: Path) -> None:
    said: list[Event] = []
    documents = imported(tmp_path, {"id": np.arange(9), "metadata_id": np.arange(9) * 2}, said)
    table = documents.table(["id", "metadata_id", "metadata_metadata_id"])
    assert table["metadata_metadata_id"].to_pylist() == list(range(9))
    assert table["metadata_id"].to_pylist() == list(range(0, 18, 2))
    assert any("'metadata_metadata_id'" in event.text for event in said)


def test_metadata_without_texts_imports_with_a_note(tmp_path: Path) -> None:
    source = random_topk(0)
    source.write_hdf5(tmp_path / "a.h5")
    source.write_npz(tmp_path / "m.npz", texts=None)
    importer = H5TopK(str(tmp_path / "a.h5"), metadata=str(tmp_path / "m.npz"), sae="s")
    assert any("'texts'" in note for note in importer.survey(Progress()).notes)
    assert not documents_of(importer, tmp_path).attributes["has_text"]


def test_a_document_that_is_only_declared_is_not_said_to_have_rows(tmp_path: Path) -> None:
    source = random_topk(0)
    source.write_npz(tmp_path / "m.npz")
    source = replace(source, ids=(*source.ids, "ghost"))
    source.write_hdf5(tmp_path / "a.h5")
    importer = H5TopK(str(tmp_path / "a.h5"), metadata=str(tmp_path / "m.npz"), sae="s")
    said: list[Event] = []
    documents_of(importer, tmp_path, Progress(said.append))
    sentences = [event.text for event in said if "'ghost'" in event.text]
    assert sentences == [
        "1 documents have no metadata; the first: 'ghost'",
        "1 documents have no rows; the first: 'ghost'",
    ]
