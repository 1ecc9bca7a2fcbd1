"""Labels on the command line: said, listed, taken back, brought in and out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import saeatlas as sa

Run = Callable[..., tuple[int, str, str]]


def current(atlas: Path) -> list[tuple[int, str, str | None]]:
    lines = sa.open(atlas).sae().labels.current.to_pylist()
    return [(line["feature"], line["by"], line["text"]) for line in lines]


def test_label_is_written_and_its_id_is_the_answer(cli: Run, copied: Path) -> None:
    code, out, err = cli("label", "add", "tiny/3", "refunds", "--by", "ana", "--tag", "a", "--tag", "b")
    (event,) = sa.open(copied).sae().labels.events()
    assert (code, out.strip(), event.said.tags) == (0, event.id, ("a", "b"))
    assert "tiny/3 as ana" in err


def test_several_features_are_one_event(cli: Run, copied: Path) -> None:
    code, out, _ = cli("label", "add", "3,7-9,8", "many", "--by", "ana", "--json")
    assert (code, json.loads(out)["features"]) == (0, [3, 7, 8, 9])
    assert len(sa.open(copied).sae().labels.events()) == 1


@pytest.mark.parametrize("reference", ["tiny/", "x", "tiny/3-1", "tiny/1,,2", "tiny/-1", "tiny/0-9999999999"])
def test_reference_that_names_no_features_is_refused(cli: Run, copied: Path, reference: str) -> None:
    code, _, err = cli("label", "add", "--by", "ana", "--", reference, "x")
    assert (code, "names no feature" in err) == (2, True)
    assert current(copied) == []


@pytest.mark.parametrize(("reference", "code"), [("tiny/32", 3), ("none/1", 3), ("tiny/1,99", 3)])
def test_unknown_feature_is_not_found(cli: Run, copied: Path, reference: str, code: int) -> None:
    assert cli("label", "add", reference, "x", "--by", "ana")[0] == code
    assert current(copied) == []


def test_list_filters_and_writes(cli: Run, copied: Path, tmp_path: Path) -> None:
    cli("label", "add", "3", "by ana", "--by", "ana", "--category", "topic")
    cli("label", "add", "3", "by bo", "--by", "bo", "--tag", "x", "--tag", "y")
    code, out, _ = cli("label", "list", "--by", "bo")
    assert (code, out.splitlines()[1].split("\t")[:5]) == (0, ["3", "by bo", "", "x, y", "bo"])
    assert [one["text"] for one in json.loads(cli("label", "list", "--category", "topic", "--json")[1])] == ["by ana"]
    assert [one["text"] for one in json.loads(cli("label", "list", "--tag", "y", "--json")[1])] == ["by bo"]
    assert json.loads(cli("label", "list", "--tag", "x, y", "--json")[1]) == []
    assert cli("label", "list", "--out", tmp_path / "a.csv")[0] == 0
    assert len((tmp_path / "a.csv").read_text(encoding="utf-8").splitlines()) == 3


def test_history_shows_what_became_of_each_label(cli: Run, copied: Path) -> None:
    cli("label", "add", "3", "first", "--by", "ana")
    cli("label", "add", "3", "second", "--by", "ana")
    cli("label", "add", "3", "other", "--by", "bo")
    cli("label", "retract", "3", "--by", "bo", "--notes", "wrong")
    lines = [line.split("\t") for line in cli("label", "history", "3")[1].splitlines()]
    assert [(line[2], line[3], line[7]) for line in lines[1:]] == [
        ("retract", "", ""),
        ("label", "other", "retracted"),
        ("label", "second", "holds"),
        ("label", "first", "superseded"),
    ]
    history = json.loads(cli("label", "history", "3", "--json")[1])["history"]
    assert [one["is_retracted"] for one in history] == [False, True, False, False]


def test_tag_with_a_comma_is_told_from_two(cli: Run, copied: Path) -> None:
    cli("label", "add", "3", "x", "--by", "ana", "--tag", "a,b", "--tag", "c")
    assert cli("label", "history", "3")[1].splitlines()[1].split("\t")[5] == '"a,b", c'
    assert cli("label", "list")[1].splitlines()[1].split("\t")[3] == '"a,b", c'


def test_what_is_said_cannot_move_the_cursor(cli: Run, copied: Path) -> None:
    cli("label", "add", "3", "right \u202e left\nnext", "--by", "ana")
    for command in (["list"], ["history", "3"]):
        out = cli("label", *command)[1]
        assert "\u202e" not in out
        assert "\\u202e left\\nnext" in out


def test_categories_are_set_and_dropped(cli: Run, copied: Path) -> None:
    cli("label", "categories", "--add", "topic", "--colour", "#0072B2", "--by", "ana")
    code, out, _ = cli("label", "categories", "--add", "sport", "--parent", "topic", "--by", "ana", "--json")
    assert (code, [(one["name"], one["colour"]) for one in json.loads(out)]) == (
        0,
        [("sport", None), ("topic", "#0072b2")],
    )
    cli("label", "categories", "--add", "sport", "--colour", "#000000", "--by", "ana")
    out = cli("label", "categories", "--add", "sport", "--description", "Games", "--parent", "", "--json")[1]
    sport = json.loads(out)[0]
    assert (sport["colour"], sport["description"], sport["parent"]) == ("#000000", "Games", None)
    assert cli("label", "categories", "--drop", "none")[0] == 3
    assert cli("label", "categories", "--colour", "#000000")[0] == 2
    cli("label", "categories", "--drop", "sport", "--by", "ana")
    assert len(cli("label", "categories")[1].splitlines()) == 2


def test_labels_go_out_and_come_in_once(cli: Run, copied: Path, tmp_path: Path) -> None:
    cli("label", "add", "3,4", "=1+1", "--by", "ana")
    code, _, err = cli("label", "export", tmp_path / "a.csv", "--sae", "tiny")
    assert (code, "2 lines" in err) == (0, True)
    assert "'=1+1" in (tmp_path / "a.csv").read_text(encoding="utf-8")
    code, out, err = cli("label", "import", tmp_path / "a.csv")
    assert (code, out) == (0, "tiny\t0\n")
    assert "2 were there already" in err
    (tmp_path / "b.csv").write_text("feature,text\n5,five\n5,five\n6,\n", encoding="utf-8")
    report = json.loads(cli("label", "import", tmp_path / "b.csv", "--by", "bo", "--json")[1])
    assert (report["n_new"], report["n_duplicates"], report["n_without_label"]) == (1, 1, 1)
    assert current(copied) == [(3, "ana", "=1+1"), (4, "ana", "=1+1"), (5, "bo", "five")]


def test_file_that_names_places_is_told_which_sae_is_meant(cli: Run, copied: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"Name": "r_1/3", "Annotation": "x"}\n{"Name": "r_2/4", "Annotation": "y"}\n', encoding="utf-8")
    code, _, err = cli("label", "import", path)
    assert (code, "r_1: 1, r_2: 1" in err) == (3, True)
    code, _, err = cli("label", "import", path, "--sae", "r_1=tiny")
    assert (code, "r_2 (1)" in err) == (0, True)
    for wrong in (["--sae", "a", "--sae", "b"], ["--sae", "a=tiny", "--sae", "b"], ["--sae", "=tiny"]):
        assert cli("label", "import", path, *wrong)[0] == 2
    cli("label", "export", path, "--format", "feature-circuits", "--sae", "r_9=tiny")
    assert json.loads(path.read_text(encoding="utf-8"))["Name"] == "r_9/3"


def test_broken_file_is_refused_with_its_line(cli: Run, copied: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"feature": 1, "text": "x"}\n{"feature": 99, "text": "y"}\n', encoding="utf-8")
    code, _, err = cli("label", "import", path)
    assert (code, "line 2" in err, current(copied)) == (6, True, [])


def test_features_are_asked_for_by_their_labels(cli: Run, copied: Path) -> None:
    cli("label", "add", "3", "refunds", "--by", "ana")
    found = json.loads(cli("features", "--where", "labels.text = 'refunds'", "--columns", "labels.by", "--json")[1])
    assert found == [{"feature": 3, "labels.by": "ana"}]


def test_verify_says_what_a_killed_writer_left(cli: Run, copied: Path) -> None:
    cli("label", "add", "3", "x", "--by", "ana")
    log = copied / "labels" / "tiny" / "log.jsonl"
    whole = log.read_bytes()
    log.write_bytes(whole + b'{"cut')
    code, _, err = cli("verify")
    assert (code, "Note: The last line" in err) == (0, True)
    log.write_bytes(whole.replace(b'"x"', b'"y"'))
    code, out, _ = cli("verify")
    assert (code, "labels/tiny/log.jsonl" in out) == (9, True)
