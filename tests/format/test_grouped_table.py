"""Lines of one feature are the same whichever row groups hold them, and what is kept stays within its bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from saeatlas.errors import FormatError, NotFound
from saeatlas.format.grouped_table import GroupedTable, KeptGroups
from saeatlas.storage.local import LocalStore


def written(folder: Path, table: pa.Table, **how: Any) -> LocalStore:
    (folder / "artifacts" / "t").mkdir(parents=True)
    pq.write_table(table, folder / "artifacts" / "t" / "data.parquet", **how)
    return LocalStore(folder)


def random_table(seed: int = 0, *, by_column: bool = False) -> pa.Table:
    random = np.random.default_rng(seed)
    features = np.sort(random.integers(0, 20, 300)).astype(np.uint32)
    if by_column:
        features = np.concatenate([features, features])
    return pa.table({"feature": features, "line": np.arange(features.size), "text": [f"é{n}" for n in features]})


@pytest.mark.parametrize("group", [1, 7, 50, 1000])
@pytest.mark.parametrize("by_column", [False, True])
@pytest.mark.parametrize("statistics", [True, False])
def test_lines_are_those_of_the_whole_table(tmp_path: Path, group: int, by_column: Any, statistics: Any) -> None:
    table = random_table(by_column=by_column)
    store = written(tmp_path, table, row_group_size=group, write_statistics=statistics)
    read = GroupedTable(store, "artifacts/t", "data", KeptGroups())
    for feature in [*range(22), 3, 3]:
        expected = [line for line in table.to_pylist() if line["feature"] == feature]
        assert read.lines(feature).to_pylist() == expected
        assert read.lines(feature).schema == table.schema
        assert read.lines(feature, ["text"]).to_pylist() == [{"text": line["text"]} for line in expected]
        early = [line for line in expected if line["line"] < 40]
        assert read.lines(feature, below=("line", 40)).to_pylist() == early


def test_an_empty_table_has_no_lines_and_all_columns(tmp_path: Path) -> None:
    store = written(tmp_path, random_table().slice(0, 0))
    found = GroupedTable(store, "artifacts/t", "data", KeptGroups()).lines(1)
    assert (found.num_rows, found.column_names) == (0, ["feature", "line", "text"])


def test_kept_groups_stay_within_their_bytes_and_those_asked_for_last_stay() -> None:
    kept = KeptGroups(100)
    for key in range(5):
        kept.put((key,), f"group {key}", 40)
        kept.get((0,))
    assert [kept.get((key,)) for key in range(5)] == ["group 0", None, None, None, "group 4"]
    kept.put((9,), "larger than all", 101)
    assert kept.get((9,)) is None


def test_a_table_without_features_or_that_is_no_table_says_so(tmp_path: Path) -> None:
    store = written(tmp_path, pa.table({"other": [1]}))
    with pytest.raises(NotFound, match="no lines of features"):
        GroupedTable(store, "artifacts/t", "data", KeptGroups()).lines(0)
    with pytest.raises(NotFound, match="No table 'levels'"):
        GroupedTable(store, "artifacts/t", "levels", KeptGroups()).lines(0)
    (tmp_path / "artifacts" / "t" / "data.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(FormatError):
        GroupedTable(store, "artifacts/t", "data", KeptGroups()).lines(0)


def test_damage_and_loss_after_the_first_look_say_so(tmp_path: Path) -> None:
    store = written(tmp_path, random_table())
    file = tmp_path / "artifacts" / "t" / "data.parquet"
    table = GroupedTable(store, "artifacts/t", "data", KeptGroups())
    whole = table.schema and file.read_bytes()
    file.write_bytes(whole[:4] + b"\x7f" * (len(whole) // 2) + whole[4 + len(whole) // 2 :])
    for again in (table, GroupedTable(store, "artifacts/t", "data", KeptGroups())):
        with pytest.raises(FormatError, match="cannot be read as Parquet"):
            again.lines(3)
    file.unlink()
    with pytest.raises(FormatError, match="'artifacts/t' is there no more"):
        table.lines(3)
