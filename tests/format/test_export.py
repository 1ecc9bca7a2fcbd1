from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO

import polars as pl
import pyarrow as pa
import pytest

from saeatlas.errors import InvalidInput, NotFound, StorageError
from saeatlas.format import export
from saeatlas.format.delimited import read_cell

TABLE = pa.table({"row": pa.array([1, 2], pa.int64()), "document": ["a", 'b"\t,é']})


@pytest.mark.parametrize(
    ("ending", "read"),
    [
        (".parquet", pl.read_parquet),
        (".arrow", pl.read_ipc),
        (".csv", pl.read_csv),
        (".tsv", lambda path: pl.read_csv(path, separator="\t")),
        (".PARQUET", pl.read_parquet),
    ],
)
def test_written_file_reads_back(tmp_path: Path, ending: str, read: Callable[[Path], pl.DataFrame]) -> None:
    path = tmp_path / f"with space ü{ending}"
    export.export_table(TABLE, path)
    assert read(path).to_dict(as_series=False) == TABLE.to_pydict()


@pytest.mark.parametrize("ending", [".csv", ".tsv"])
@pytest.mark.parametrize("kind", [pa.list_, pa.large_list])
def test_lists_are_written_as_json(tmp_path: Path, ending: str, kind: Callable[[pa.DataType], pa.DataType]) -> None:
    path = tmp_path / f"a{ending}"
    lists = pa.array([[1.5, None, float("inf"), float("nan")], None, []], kind(pa.float64()))
    export.export_table(pa.table({"id": [1, 2, 3], "edges": lists}), path)
    read = pl.read_csv(path, separator="," if ending == ".csv" else "\t")
    assert read["edges"].to_list() == ['[1.5, null, "inf", null]', None, "[]"]


def test_only_the_file_is_left(tmp_path: Path) -> None:
    export.export_table(TABLE, tmp_path / "a.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_unknown_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="ending"):
        export.export_table(TABLE, tmp_path / "a.xlsx")


def test_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        export.export_table(TABLE, tmp_path / "nowhere" / "a.csv")


def test_failed_write_keeps_the_old_file_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(table: pa.Table, file: IO[bytes]) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    path = tmp_path / "a.csv"
    path.write_text("old")
    monkeypatch.setitem(export._WRITERS, ".csv", full)
    with pytest.raises(StorageError, match="No space left"):
        export.export_table(TABLE, path)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.csv", "old")]


@pytest.mark.parametrize("ending", [".csv", ".tsv"])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_no_text_is_one_that_a_spreadsheet_computes(tmp_path: Path, ending: str, kind: pa.DataType) -> None:
    texts = ["=1+1", "+1", "-1", "@x", "\t=x", "\n=x", "＝1", "'=x", "'tis", "a=b", "two\n=lines", "", None]
    numbers = [-1.5, *range(12)]
    table = pa.table({"+1_tok": pa.array(texts, pa.string()).cast(kind), "value": numbers})
    path = tmp_path / f"a{ending}"
    export.export_table(table, path)
    read = pl.read_csv(path, separator="," if ending == ".csv" else "\t")
    guarded = [f"'{text}" for text in texts[:8] if text is not None]
    assert read["+1_tok"].to_list() == [*guarded, *texts[8:]]
    assert read["value"].to_list() == numbers
    assert [read_cell(text) for text in guarded] == texts[:8]
