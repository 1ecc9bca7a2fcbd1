from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import h5py
import numpy as np
import polars as pl
import pytest

import saeatlas as sa
from saeatlas.analyses.stats import Stats
from saeatlas.atlas.statistics import FeatureStats
from saeatlas.cli.main import main

Run = Callable[..., tuple[int, str, str]]
Draw = Callable[..., str]


def dense(source: Path) -> np.ndarray:
    with h5py.File(source / "acts.h5") as file:
        idx, val = file["z_idx"][:], file["z_val"][:]
    values = np.full((idx.shape[0], 32), np.nan)
    np.put_along_axis(values, idx, val, axis=1)
    return values


def ask(cli: Run, *arguments: object) -> dict:
    code, out, err = cli(*arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_show_gives_the_numbers_of_the_contract(cli: Run, atlas: Path, source: Path) -> None:
    column = dense(source)[:, 3]
    active = column[column > 0]
    got = ask(cli, "feature", "show", "tiny/3")
    assert got.pop("mean") == pytest.approx(active.mean())
    assert got.pop("max") == pytest.approx(active.max())
    assert got.pop("density") == active.size / 600
    expected = {"sae": "tiny", "feature": 3, "n_rows": 600, "n_listed": 30, "n_active": active.size}
    assert {name: got[name] for name in expected} == expected


def test_show_says_what_its_numbers_are_about(cli: Run, atlas: Path) -> None:
    got = ask(cli, "feature", "show", "tiny/3")
    assert {field.name for field in fields(FeatureStats)} < got.keys()
    assert got["corpus"] in ask(cli, "show", "corpora")[0].values()
    assert got["commit"] == sa.open(atlas).commit.number
    assert got["identity"] == sa.open(atlas).sae().identity.to_json()


def test_show_of_a_dead_feature_has_null_where_nothing_is_defined(cli: Run, atlas: Path) -> None:
    got = ask(cli, "feature", "show", "5")
    assert got["n_active"] > 0
    with_no_rows = ask(cli, "feature", "show", "0")
    assert (with_no_rows["n_active"], with_no_rows["max"], with_no_rows["mean"]) == (0, None, None)


def test_show_agrees_with_the_full_answer(cli: Run, atlas: Path) -> None:
    short, full = ask(cli, "feature", "show", "7"), ask(cli, "feature", "show", "7", "--full")
    assert {name: full[name] for name in short} == short
    assert len(full["examples"]) == 10


def test_show_on_a_pipe_is_plain(cli: Run, atlas: Path) -> None:
    code, out, err = cli("feature", "show", "tiny/3")
    assert (code, err) == (0, "")
    assert "n_rows\t600\n" in out
    assert "\x1b" not in out


def test_show_on_a_terminal_lets_no_escape_of_a_token_through(atlas: Path, on_terminal: Draw) -> None:
    drawn = "".join(on_terminal(main, ["feature", "show", str(feature)]) for feature in range(3, 12))
    assert "\\x1b[31mred" in re.sub(r"\x1b\[[0-9;]*m", "", drawn)
    assert "\x1b[31mred" not in drawn
    assert "█" in drawn


def test_unknown_feature_is_not_found(cli: Run, atlas: Path) -> None:
    code, out, err = cli("feature", "show", "tiny/99", "--json")
    assert (code, out) == (3, "")
    assert err.startswith("error: No feature 99")


def test_unknown_sae_names_those_there_are(cli: Run, atlas: Path) -> None:
    code, _, err = cli("feature", "show", "other/1")
    assert code == 3
    assert "tiny" in err


@pytest.mark.parametrize(
    ("ending", "read"),
    [
        ("parquet", pl.read_parquet),
        ("arrow", pl.read_ipc),
        ("csv", pl.read_csv),
        ("tsv", lambda path: pl.read_csv(path, separator="\t")),
    ],
)
def test_activations_are_all_active_rows(
    cli: Run, atlas: Path, source: Path, tmp_path: Path, ending: str, read: Callable[[Path], pl.DataFrame]
) -> None:
    column = dense(source)[:, 7]
    rows = np.flatnonzero(column > 0)
    path = tmp_path / f"out.{ending}"
    code, out, err = cli("feature", "activations", "tiny/7", "--out", path)
    table = read(path)
    assert (code, out) == (0, "")
    assert f"{rows.size} rows" in err
    assert table.columns == ["row", "document", "position", "value"]
    assert table["row"].to_list() == rows.tolist()
    assert table["document"].to_list() == [f"doc-{row // 10:03d}" for row in rows]
    assert table["position"].to_list() == (rows % 10).tolist()
    assert table["value"].to_list() == pytest.approx(column[rows].tolist())


def test_listed_activations_hold_negatives(cli: Run, atlas: Path, source: Path) -> None:
    feature = int(np.flatnonzero(dense(source)[0] < 0)[0])
    active = ask(cli, "feature", "activations", feature)["activations"]
    listed = ask(cli, "feature", "activations", feature, "--listed")["activations"]
    assert [line["value"] for line in listed if line not in active] == [-1.0]


def test_activations_of_a_range_of_rows(cli: Run, atlas: Path, source: Path) -> None:
    rows = np.flatnonzero(dense(source)[:, 7] > 0)
    found = ask(cli, "feature", "activations", 7, "--start", rows[2], "--stop", rows[5])["activations"]
    assert [line["row"] for line in found] == rows[2:5].tolist()


def test_activations_of_rows_that_are_not_there_are_refused(cli: Run, atlas: Path) -> None:
    code, out, err = cli("feature", "activations", 7, "--stop", 601)
    assert (code, out) == (2, "")
    assert "600 rows" in err


def test_activations_are_tab_separated_when_piped(cli: Run, atlas: Path) -> None:
    _, out, _ = cli("feature", "activations", "tiny/3")
    lines = out.splitlines()
    assert lines[0] == "row\tdocument\tposition\tvalue"
    assert len(lines) == 31


def test_activations_on_a_terminal_say_what_they_leave_out(
    atlas: Path, on_terminal: Draw, capsys: pytest.CaptureFixture[str]
) -> None:
    on_terminal(main, ["feature", "activations", "7"])
    assert "The first 40 of" in capsys.readouterr().err


def test_bad_target_is_refused_before_work(cli: Run, atlas: Path, tmp_path: Path) -> None:
    code, _, err = cli("feature", "activations", "tiny/3", "--out", tmp_path / "x.doc")
    assert code == 2
    assert ".parquet" in err


def test_examples_are_the_strongest_with_context(cli: Run, atlas: Path, source: Path) -> None:
    found = ask(cli, "feature", "examples", "tiny/3", "--pick", "top", "--n", 3)["examples"]
    values = [example["value"] for example in found]
    assert values == sorted(np.nan_to_num(dense(source)[:, 3]), reverse=True)[:3]
    assert {example["text_active"] for example in found} == {"refund "}
    assert {example["metadata"]["stars"] for example in found} == {1}


def test_no_examples_asked_for_is_not_a_feature_that_never_fires(cli: Run, atlas: Path) -> None:
    code, _, err = cli("feature", "examples", "tiny/3", "--n", 0)
    assert (code, err) == (0, "")


def test_examples_mark_what_the_model_could_not_see(cli: Run, atlas: Path) -> None:
    example = ask(cli, "feature", "examples", "tiny/3", "--n", 1)["examples"][0]
    seen = {token["position"]: token["visible"] for token in example["tokens"]}
    assert example["position"] == 5
    assert [position for position in seen if seen[position]] == [4, 5]


def test_examples_bracket_tokens_when_piped(cli: Run, atlas: Path) -> None:
    _, out, _ = cli("feature", "examples", "tiny/3", "--n", 2)
    lines = out.splitlines()
    assert lines[0] == "value\trow\tdocument\tposition\tstratum\tcontext"
    assert all("[[refund ]]" in line for line in lines[1:])


def test_histogram_counts_every_row(cli: Run, atlas: Path) -> None:
    found = ask(cli, "feature", "histogram", "tiny/7", "--bins", 5, "--scale", "log")
    assert len(found["counts"]) == 5
    assert sum(found["counts"]) + found["n_inactive"] == found["n_rows"] == 600


def test_breakdown_compares_levels(cli: Run, atlas: Path) -> None:
    found = ask(cli, "feature", "breakdown", "tiny/3", "--by", "stars")
    assert found["by"] == "stars"
    assert len(found["levels"]) >= 2


def test_breakdown_by_an_unknown_column_is_not_found(cli: Run, atlas: Path) -> None:
    assert cli("feature", "breakdown", "tiny/3", "--by", "moons")[0] == 3


def test_top_tokens_name_the_word(cli: Run, atlas: Path) -> None:
    found = ask(cli, "feature", "top-tokens", "tiny/3")["tokens"]
    assert [line["string"] for line in found] == ["refund "]


def test_documents_sum_to_the_activations(cli: Run, atlas: Path) -> None:
    found = ask(cli, "feature", "documents", "tiny/3")["documents"]
    assert [line["id"] for line in found] == [f"doc-{i:03d}" for i in range(30)]
    assert sum(line["count"] for line in found) == 30


def test_documents_go_to_a_file(cli: Run, atlas: Path, tmp_path: Path) -> None:
    cli("feature", "documents", "tiny/3", "--out", tmp_path / "d.parquet")
    assert pl.read_parquet(tmp_path / "d.parquet").height == 30


@pytest.mark.parametrize("unit", ["row", "document"])
def test_combinations_count_rows_and_documents(cli: Run, atlas: Path, source: Path, unit: str) -> None:
    active = np.nan_to_num(dense(source)) > 0
    if unit == "document":
        active = active.reshape(60, 10, 32).any(axis=1)
    wanted = np.flatnonzero(active[:, 3] & ~active[:, 7] | active[:, 9])
    found = ask(cli, "feature", "combine", "3 & !7 | 9", "--unit", unit)
    assert found["count"] == wanted.size
    if unit == "row":
        assert [line["row"] for line in found["rows"]] == wanted.tolist()
    else:
        assert [line["document"] for line in found["documents"]] == [f"doc-{i:03d}" for i in wanted]


def test_combination_can_be_counted_alone(cli: Run, atlas: Path) -> None:
    whole = ask(cli, "feature", "combine", "!3")
    del whole["rows"]
    assert ask(cli, "feature", "combine", "!3", "--count") == whole
    assert cli("feature", "combine", "!3", "--count")[1] == ""


def test_combination_that_cannot_be_read_shows_the_place(cli: Run, atlas: Path) -> None:
    code, _, err = cli("feature", "combine", "3 & & 4")
    assert code == 2
    assert "^" in err


def test_combination_is_written_to_a_file(cli: Run, atlas: Path, tmp_path: Path) -> None:
    code, out, err = cli("feature", "combine", "3", "--out", tmp_path / "c.csv")
    assert (code, out) == (0, "")
    assert "30 of 600 rows (5%)" in err
    assert pl.read_csv(tmp_path / "c.csv").height == 30


def test_row_lists_its_features_strongest_first(cli: Run, atlas: Path, source: Path) -> None:
    line = dense(source)[0]
    found = ask(cli, "row", 0)["features"]
    assert {entry["feature"]: entry["value"] for entry in found} == {
        int(feature): float(line[feature]) for feature in np.flatnonzero(~np.isnan(line))
    }
    assert [entry["value"] for entry in found] == sorted((entry["value"] for entry in found), reverse=True)


def test_row_beyond_the_end_is_not_found(cli: Run, atlas: Path) -> None:
    assert cli("row", 600)[0] == 3


def test_document_shows_tokens_with_their_features(cli: Run, atlas: Path, source: Path) -> None:
    found = ask(cli, "document", "doc-001", "--start", 4, "--stop", 7)
    assert [token["position"] for token in found["tokens"]] == [4, 5, 6]
    assert found["tokens"][1]["token"] == "refund "
    active = dense(source)[15] > 0
    assert {entry["feature"] for entry in found["tokens"][1]["features"]} == set(np.flatnonzero(active).tolist())
    assert found["metadata"] == {"stars": 1}


def test_document_on_a_pipe_is_escaped(cli: Run, atlas: Path) -> None:
    out = "".join(cli("document", f"doc-{i:03d}")[1] for i in range(5))
    assert "\\x1b[31mred" in out
    assert "\x1b" not in out


def test_document_without_tokens_says_why(cli: Run, source: Path, tmp_path: Path) -> None:
    made = tmp_path / "no-tokens.atlas"
    assert cli("import", "h5-topk", source / "acts.h5", "--sae", "tiny", "--atlas", made)[0] == 0
    found = ask(cli, "document", "doc-001", "--atlas", made)
    assert (found["tokens_available"], found["reason"]) == (False, "the corpus was imported without tokens")
    assert "imported without tokens" in cli("document", "doc-001", "--atlas", made)[2]


def test_unknown_document_is_not_found(cli: Run, atlas: Path) -> None:
    assert cli("document", "nobody")[0] == 3


def test_show_lists_what_there_is(cli: Run, atlas: Path) -> None:
    found = ask(cli, "show")
    assert [sae["name"] for sae in found["saes"]] == ["tiny"]
    assert found["corpora"][0]["documents"] == 60
    assert found["corpora"][0]["has_tokens"] is True


@pytest.mark.parametrize("what", ["saes", "corpora", "columns", "artifacts", "commits"])
def test_each_list_is_a_table_and_json(cli: Run, atlas: Path, what: str) -> None:
    code, out, _ = cli("show", what)
    assert code == 0
    assert len(out.splitlines()) == len(json.loads(cli("show", what, "--json")[1])) + 1


def test_columns_say_what_they_mean_and_which_saes_have_them(cli: Run, copied: Path) -> None:
    assert cli("analyze", "stats")[0] == 0
    found = {one["name"]: one for one in ask(cli, "show", "columns")}
    assert list(found) == [name for name in ask(cli, "features", "--limit", "1")[0] if name != "feature"]
    assert found["stats.max"] == {
        "name": "stats.max",
        "type": "number",
        "saes": ["tiny"],
        "description": Stats.descriptions["max"],
    }


def test_answers_on_a_terminal_are_drawn(atlas: Path, on_terminal: Draw) -> None:
    for arguments in (["show"], ["row", "0"], ["document", "doc-000"], ["feature", "examples", "3", "--n", "2"]):
        assert len(on_terminal(main, arguments)) > 100


def test_one_answer_from_a_cold_process_needs_only_numpy(built: Path) -> None:
    program = "import sys; from saeatlas.cli.main import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program, "feature", "show", "tiny/3", "--atlas", built, "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    heavy = {"pyarrow", "polars", "numba", "h5py", "pydantic", "numcodecs", "pcodec", "rich", "zarr", "asyncio"}
    assert json.loads(done.stdout)["feature"] == 3
    assert not heavy & set(done.stderr.split())


def test_feature_page_without_activations_shows_what_was_said_and_what_is_near(cli: Run, tmp_path: Path) -> None:
    from saeatlas.atlas.atlas import create
    from saeatlas.pipeline.sae_importing import import_parts
    from saeatlas.testing.parts_importer import PartsImporter, make_parts

    import_parts(create(tmp_path / "bare.atlas"), PartsImporter(sae="bare", data=make_parts(12)))
    code, out, _ = cli("feature", "show", "3", "--atlas", tmp_path / "bare.atlas")
    assert code == 0
    assert "mentions of verbs of motion" in out
    assert "Nearest by decoder" in out
    code, out, _ = cli("feature", "show", "bare/3", "--full", "--json", "--atlas", tmp_path / "bare.atlas")
    assert code == 0
    found = json.loads(out)
    assert found["explanations"][0]["text"].startswith("mentions of verbs of motion")
    assert len(found["similar"]) == 10
    assert found["corpus"] is None
