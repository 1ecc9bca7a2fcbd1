"""Tables are written with exactly the declared schema and read back whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saeatlas.errors import FormatError, InternalError, NotFound, SourceError
from saeatlas.format.table import ROW_GROUP, fit, read_table, scan_table, write_batches, write_table
from saeatlas.storage import LocalStore, MemoryStore, Store

SCHEMA = pa.schema([pa.field("feature", pa.uint32(), nullable=False), ("density", pa.float64()), ("text", pa.string())])
TABLE = pa.table({"feature": [0, 1, 2], "density": [0.5, None, 1.0], "text": ["é", "", None]})
PREFIX = "artifacts/a/x"


@pytest.fixture(params=["local", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return LocalStore(tmp_path / "mes [données] *", create=True) if request.param == "local" else MemoryStore()


def publish(store: Store, table: pa.Table = TABLE, schema: pa.Schema = SCHEMA, name: str = "data") -> None:
    with store.scratch() as directory:
        write_table(directory, table, schema, name)
        (directory / "artifact.json").touch()
        store.publish(directory, PREFIX, seal="artifact.json")


def test_table_reads_back(store: Store) -> None:
    publish(store)
    found = read_table(store, PREFIX)
    assert (found.to_pylist(), found.schema) == (TABLE.to_pylist(), SCHEMA)


def test_named_columns_come_in_the_order_asked(store: Store) -> None:
    publish(store)
    assert read_table(store, PREFIX, columns=["text", "feature"]).column_names == ["text", "feature"]


def test_unknown_column_is_not_found(store: Store) -> None:
    publish(store)
    with pytest.raises(NotFound, match="'mean'") as caught:
        read_table(store, PREFIX, columns=["feature", "mean"])
    assert "feature, density, text" in caught.value.hint


def test_unknown_table_is_not_found(store: Store) -> None:
    publish(store)
    with pytest.raises(NotFound, match="'other'") as caught:
        read_table(store, PREFIX, "other")
    assert "data" in caught.value.hint


def test_table_is_scanned(store: Store) -> None:
    publish(store)
    assert scan_table(store, PREFIX).collect().to_dicts() == TABLE.to_pylist()


def test_scan_of_an_unknown_table_is_not_found(store: Store) -> None:
    publish(store)
    with pytest.raises(NotFound):
        scan_table(store, PREFIX, "other")


def test_table_of_an_artifact_that_was_taken_away_is_damage(store: Store) -> None:
    for read in (read_table, scan_table):
        with pytest.raises(FormatError, match="'artifacts/a/x' is there no more"):
            read(store, PREFIX)


def test_artifact_may_hold_other_tables(store: Store) -> None:
    publish(store, name="edges")
    assert read_table(store, PREFIX, "edges").num_rows == 3


def test_empty_table_has_its_schema(store: Store) -> None:
    publish(store, TABLE.slice(0, 0))
    assert read_table(store, PREFIX).schema == SCHEMA


def test_file_is_compressed_with_zstd(tmp_path: Path) -> None:
    write_table(tmp_path, TABLE, SCHEMA)
    assert pq.read_metadata(tmp_path / "data.parquet").row_group(0).column(0).compression == "ZSTD"


def test_row_groups_have_their_size(tmp_path: Path) -> None:
    n = 2 * ROW_GROUP + 5
    write_table(tmp_path, pa.table({"a": pa.array(range(n), pa.int64())}), pa.schema([("a", pa.int64())]))
    found = pq.read_metadata(tmp_path / "data.parquet")
    assert [found.row_group(i).num_rows for i in range(found.num_row_groups)] == [ROW_GROUP, ROW_GROUP, 5]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 100_000), min_size=0, max_size=6))
def test_bytes_do_not_depend_on_the_pieces(tmp_path_factory: pytest.TempPathFactory, sizes: list[int]) -> None:
    schema = pa.schema([("a", pa.int64())])
    whole = pa.table({"a": pa.array(range(sum(sizes)), pa.int64())})
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    pieces = [whole.slice(start, size) for start, size in zip(starts, sizes, strict=True)]
    one, other = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("other")
    write_table(one, whole, schema)
    assert write_batches(other, iter(pieces), schema) == whole.num_rows
    assert (one / "data.parquet").read_bytes() == (other / "data.parquet").read_bytes()


def test_record_batches_are_written(tmp_path: Path) -> None:
    write_batches(tmp_path, TABLE.to_batches(), SCHEMA)
    assert pq.read_table(tmp_path / "data.parquet").to_pylist() == TABLE.to_pylist()


def test_columns_are_put_in_order() -> None:
    assert fit(TABLE.select(["text", "density", "feature"]), SCHEMA).column_names == SCHEMA.names


@pytest.mark.parametrize(
    "table",
    [TABLE.drop_columns(["text"]), TABLE.append_column("more", [[1, 2, 3]]), TABLE.append_column("text", [[1, 2, 3]])],
)
def test_other_columns_are_a_bug(table: pa.Table) -> None:
    with pytest.raises(InternalError, match="columns"):
        fit(table, SCHEMA)


@pytest.mark.parametrize(
    "column",
    [[-1, 0, 1], [0.5, 0.0, 1.0], ["x", "y", "z"], [2**32, 0, 1], [[1], [2], [3]], [None, 0, 1]],
)
def test_value_that_does_not_fit_is_refused(column: list[Any]) -> None:
    with pytest.raises(SourceError, match="'feature'"):
        fit(TABLE.set_column(0, "feature", [column]), SCHEMA)


@pytest.mark.parametrize("damage", [lambda data: data[:-10], lambda _: b"", lambda data: b"x" * len(data)])
def test_damaged_file_is_named(tmp_path: Path, damage: Any) -> None:
    store = LocalStore(tmp_path)
    publish(store)
    path = tmp_path / PREFIX / "data.parquet"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FormatError, match=r"data\.parquet") as caught:
        read_table(store, PREFIX)
    assert caught.value.kind == "corrupt-artifact"
