"""Labels go out and come in without loss, once however often they are imported, and a broken file brings nothing."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_labels import new_atlas, said, written

import saeatlas as sa
from saeatlas.atlas.label_categories import Categories
from saeatlas.errors import Conflict, InvalidInput, NotFound, SaeatlasError, SourceError, StorageError
from saeatlas.format.labels import SCHEMA, LabelEvent
from saeatlas.pipeline.label_exchange import import_labels
from saeatlas.pipeline.label_export import EXPORT_SHAPES, export_labels
from saeatlas.pipeline.label_files import SHAPES
from saeatlas.pipeline.label_words import shows_something
from saeatlas.pipeline.labelling import retract, set_category
from saeatlas.storage import MemoryStore
from saeatlas.testing.failing_store import FailingStore
from saeatlas.testing.make_atlas import make_atlas

texts = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=20).filter(
    shows_something
)
lines = texts | st.sampled_from(
    ["=1+1", "'=1", "''@x", "-5", "+x", "@a", "\t=x", "\n=x", "＝1", "'＋1", "a,b", 'say "x"', "two\nlines", "'tis"]
)


def sae_of_weights(digest: str) -> sa.SAE:
    """The SAE 'toy' of an atlas, with other weights."""
    sae = new_atlas().sae()
    sae.__dict__["identity"] = replace(sae.identity, weights_digest=digest)
    return sae


@pytest.fixture
def atlas() -> sa.Atlas:
    return new_atlas()


@pytest.fixture
def labelled(atlas: sa.Atlas) -> sa.Atlas:
    sae = atlas.sae()
    set_category(atlas, "topic", by="ana", colour="#0072b2")
    sa.label(sae.feature(1), "first", by="ana")
    sa.label(sae.feature(1), '=HYPERLINK("x")', by="ana", category="topic", tags=["a,b", "c"], confidence=0.25)
    sa.label(sae, "two\nlines", by="bo", features=[1, 3, 9], notes='say "x"', source="manual", extra={"n": [1, None]})
    retract(sae.feature(9), by="bo")
    return atlas


def n_objects(atlas: sa.Atlas) -> int:
    return len(list(atlas.store.list("labels/")))


# Out and in again


def test_jsonl_is_the_whole_log_to_the_last_byte(labelled: sa.Atlas, tmp_path: Path) -> None:
    export_labels([labelled.sae()], tmp_path / "a.jsonl")
    other = new_atlas()
    report = import_labels(other, tmp_path / "a.jsonl")
    assert (report.n_new, report.n_categories, report.n_known) == (4, 1, 0)
    assert other.sae().labels.events() == labelled.sae().labels.events()
    assert other.sae().labels.current == labelled.sae().labels.current
    assert Categories(other.store).events() == Categories(labelled.store).events()
    export_labels([other.sae()], tmp_path / "b.jsonl")
    assert (tmp_path / "b.jsonl").read_bytes() == (tmp_path / "a.jsonl").read_bytes()


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_table_holds_what_is_current(labelled: sa.Atlas, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.{ending}"
    assert export_labels([labelled.sae()], path) == 3
    other = new_atlas()
    assert import_labels(other, path).n_new == 3
    assert said(other) == said(labelled)
    at = [line["at"] for line in labelled.sae().labels.current.to_pylist()]
    assert sorted(line["at"] for line in other.sae().labels.current.to_pylist()) == sorted(at)


@pytest.mark.parametrize("shape", ["dashboard", "consolidated", "display-csv", "feature-circuits"])
def test_shape_of_another_program_is_read_as_it_is_written(labelled: sa.Atlas, tmp_path: Path, shape: str) -> None:
    path = tmp_path / ("a.csv" if shape == "display-csv" else "a.json")
    assert export_labels([labelled.sae()], path, shape=shape) == 2
    other = new_atlas()
    report = import_labels(other, path, by="someone")
    assert (report.n_new, report.shape) == (2, "csv" if shape == "display-csv" else shape)
    shown = {line["feature"]: line for line in said(other)}
    # The newest label of feature 1 is that of bo.
    assert {feature: line["text"] for feature, line in shown.items()} == {1: "two\nlines", 3: "two\nlines"}
    assert {line["notes"] for line in shown.values()} == {'say "x"'}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    found=st.lists(
        st.fixed_dictionaries(
            {"text": lines, "features": st.lists(st.integers(0, 15), min_size=1, max_size=3, unique=True)},
            optional={
                "by": texts,
                "category": texts,
                "tags": st.lists(texts, max_size=3, unique=True),
                "notes": lines,
                "confidence": st.floats(0, 1),
                "extra": st.dictionaries(texts, st.integers() | lines, max_size=2),
            },
        ),
        min_size=1,
        max_size=5,
    ),
    ending=st.sampled_from(["jsonl", "csv", "tsv"]),
)
def test_any_labels_come_back_as_they_were(found: list[dict[str, Any]], ending: str, tmp_path: Path) -> None:
    first, second = FIRST, SECOND
    for atlas in (first, second):
        for key in list(atlas.store.list("labels/")):
            atlas.store.delete(key)
    for one in found:
        sa.label(first.sae(), one["text"], **{"by": "ana", **{k: v for k, v in one.items() if k != "text"}})
    export_labels([first.sae()], tmp_path / f"a.{ending}")
    import_labels(second, tmp_path / f"a.{ending}")
    assert sorted(map(str, said(second))) == sorted(map(str, said(first)))
    again = import_labels(second, tmp_path / f"a.{ending}")
    assert again.n_new == 0


FIRST, SECOND = new_atlas(), new_atlas()


def test_no_cell_begins_as_a_formula(atlas: sa.Atlas, tmp_path: Path) -> None:
    for feature, text in enumerate(["=1", "+1", "-1", "@x", "'=1", "fine", "\n=1", "＝1"]):
        sa.label(atlas.sae().feature(feature), text, by="=cmd()", category="@c", notes="-n")
    export_labels([atlas.sae()], tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for line in csv.reader(file) for cell in line]
    assert len(cells) == 9 * 13
    assert not [cell for cell in cells if cell[:1] in {"=", "+", "-", "@", "\t", "\r", "\n", *"＝＋－＠"}]


# Again and again


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_importing_again_adds_nothing(labelled: sa.Atlas, tmp_path: Path, ending: str) -> None:
    export_labels([labelled.sae()], tmp_path / f"a.{ending}")
    other = new_atlas()
    first = import_labels(other, tmp_path / f"a.{ending}")
    before = n_objects(other)
    again = import_labels(other, tmp_path / f"a.{ending}")
    assert (again.n_new, again.n_known, n_objects(other)) == (0, first.n_new, before)
    # And so for the atlas that they come from.
    assert import_labels(labelled, tmp_path / f"a.{ending}").n_new == 0


def test_line_that_was_edited_becomes_a_new_label_of_its_author(labelled: sa.Atlas, tmp_path: Path) -> None:
    export_labels([labelled.sae()], tmp_path / "a.csv")
    edited = (tmp_path / "a.csv").read_text(encoding="utf-8").replace("topic", "other")
    for expected in (1, 0):
        report = import_labels(labelled, written(tmp_path / "b.csv", edited))
        assert (report.n_new, report.n_known) == (expected, 3 - expected)
    assert [(label.by, label.said.category) for label in labelled.sae().labels.of(1).current] == [
        ("ana", "other"),
        ("bo", None),
    ]


def test_names_in_a_file_have_no_space_around_them(atlas: sa.Atlas, tmp_path: Path) -> None:
    sa.label(atlas.sae().feature(1), "before", by="ana")
    data = "feature,text,by,category\n1,x, ana ,topic \n"
    assert import_labels(atlas, written(tmp_path / "a.csv", data)).n_new == 1
    assert [(line["text"], line["by"], line["category"]) for line in said(atlas)] == [("x", "ana", "topic")]
    assert import_labels(atlas, written(tmp_path / "b.csv", "feature,text,by,category\n1,x,ana,topic\n")).n_known == 1


def test_names_with_space_in_an_earlier_log_are_known_again(atlas: sa.Atlas, tmp_path: Path) -> None:
    event = sa.label(atlas.sae().feature(1), "x", by="ana", category="topic").to_json()
    old = {**event, "id": "01939b5e-8a3c-7cc3-98c5-0f5e0a6b7d11", "by": "ana ", "category": " topic"}
    import_labels(atlas, written(tmp_path / "a.jsonl", json.dumps(old) + "\n"))
    assert [line["by"] for line in said(atlas)] == ["ana", "ana "]
    export_labels([atlas.sae()], tmp_path / "a.csv")
    assert import_labels(atlas, tmp_path / "a.csv").n_new == 0


def test_file_that_has_grown_adds_what_is_new(atlas: sa.Atlas, tmp_path: Path) -> None:
    start = "feature,text\n1,one\n"
    assert import_labels(atlas, written(tmp_path / "a.csv", start)).n_new == 1
    report = import_labels(atlas, written(tmp_path / "a.csv", start + "2,two\n2,two\n"))
    assert (report.n_new, report.n_known, report.n_duplicates) == (1, 1, 1)


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_table_whose_line_ends_were_changed_is_the_same(labelled: sa.Atlas, tmp_path: Path, ending: str) -> None:
    export_labels([labelled.sae()], tmp_path / f"a.{ending}")
    dos = (tmp_path / f"a.{ending}").read_bytes().replace(b"\n", b"\r\n")
    other = new_atlas()
    assert import_labels(other, written(tmp_path / f"b.{ending}", dos)).n_new == 3
    assert said(other) == said(labelled)
    assert import_labels(labelled, tmp_path / f"b.{ending}").n_new == 0


@pytest.mark.parametrize(
    ("file", "data", "hint"),
    [
        ("a.csv", "feature;text;by\n1;x;ana\n", "between ';': save it with commas"),
        ("a.csv", '"feature_id";"display_name"\n1;"x, y"\n', "between ';'"),
        ("a.csv", "feature\ttext\n1\tx\n", "between tabs: say --format tsv"),
        ("a.tsv", "feature,text\n1,x\n", "between ',': say --format csv"),
    ],
)
def test_other_sign_between_cells_is_named(atlas: sa.Atlas, tmp_path: Path, file: str, data: str, hint: str) -> None:
    with pytest.raises(SourceError) as caught:
        import_labels(atlas, written(tmp_path / file, data))
    assert hint in caught.value.hint


def test_simple_lines_are_labels(atlas: sa.Atlas, tmp_path: Path) -> None:
    data = '{"feature": 3, "text": "a", "mood": 1}\n\n{"features": [5, "4"], "tags": "x", "by": "bo"}\n'
    import_labels(atlas, written(tmp_path / "a.jsonl", data), by="ana")
    three, four, five = said(atlas)
    assert (three["by"], three["extra"], four["tags"], five["by"]) == ("ana", '{"mood": 1}', ["x"], "bo")


# Another SAE


def test_labels_of_another_sae_are_refused_unless_asked_for(labelled: sa.Atlas, tmp_path: Path) -> None:
    export_labels([labelled.sae()], tmp_path / "a.jsonl")
    other = make_atlas(MemoryStore(), n_rows=40, n_features=20, tokens=False)
    with pytest.raises(Conflict, match=r"width \(16 there, 20 here\)") as caught:
        import_labels(other, tmp_path / "a.jsonl")
    assert (caught.value.kind, n_objects(other)) == ("identity-mismatch", 0)
    import_labels(other, tmp_path / "a.jsonl", other_identity=True)
    assert set(other.sae().labels.current["identity_changed"].to_pylist()) == {True}
    assert import_labels(other, tmp_path / "a.jsonl").n_new == 0


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl"])
def test_labels_of_an_sae_with_other_weights_are_refused_or_marked(tmp_path: Path, ending: str) -> None:
    here, there = (sae_of_weights(one) for one in ("a", "b"))
    sa.label(there.feature(1), "theirs", by="ana")
    path = tmp_path / f"a.{ending}"
    export_labels([there], path)
    with pytest.raises(Conflict, match=r"line 2 is about another SAE.*weights_digest") as caught:
        import_labels(here.atlas, path)
    assert (caught.value.kind, n_objects(here.atlas)) == ("identity-mismatch", 0)
    import_labels(here.atlas, path, other_identity=True)
    assert here.labels.current["identity_changed"].to_pylist() == [True]
    assert import_labels(here.atlas, path).n_new == 0
    # The mark goes on to the next atlas.
    export_labels([here], path)
    third = sae_of_weights("a")
    with pytest.raises(Conflict):
        import_labels(third.atlas, path)
    import_labels(third.atlas, path, other_identity=True)
    assert third.labels.current["identity_changed"].to_pylist() == [True]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_fact_that_only_one_atlas_knows_makes_no_other_sae(tmp_path: Path, ending: str) -> None:
    knowing, other = sae_of_weights("a"), new_atlas("toy").sae()
    sa.label(knowing.feature(1), "theirs", by="ana")
    export_labels([knowing], tmp_path / f"a.{ending}")
    assert import_labels(other.atlas, tmp_path / f"a.{ending}").n_new == 1
    assert other.labels.current["identity_changed"].to_pylist() == [False]


def test_table_without_identities_is_about_this_sae(tmp_path: Path) -> None:
    here = sae_of_weights("a")
    import_labels(here.atlas, written(tmp_path / "a.csv", "feature,text,identity\n1,x,\n"), by="ana")
    import_labels(here.atlas, written(tmp_path / "b.csv", "feature,text\n2,y\n"), by="ana")
    assert [event.identity for event in here.labels.events()] == [here.identity.digest()] * 2


def test_labels_of_an_sae_that_is_not_described_are_refused(labelled: sa.Atlas, tmp_path: Path) -> None:
    export_labels([labelled.sae()], tmp_path / "a.jsonl")
    text = (tmp_path / "a.jsonl").read_text(encoding="utf-8")
    path = written(tmp_path / "b.jsonl", "".join(f"{line}\n" for line in text.splitlines() if "facts" not in line))
    other = make_atlas(MemoryStore(), n_rows=40, n_features=20, tokens=False)
    with pytest.raises(Conflict, match="does not say"):
        import_labels(other, path)


def test_same_sae_by_another_name_takes_the_labels(labelled: sa.Atlas, tmp_path: Path) -> None:
    export_labels([labelled.sae()], tmp_path / "a.jsonl")
    other = new_atlas("renamed")
    with pytest.raises(NotFound, match="toy"):
        import_labels(other, tmp_path / "a.jsonl")
    import_labels(other, tmp_path / "a.jsonl", saes={"toy": "renamed"})
    assert set(other.sae().labels.current["identity_changed"].to_pylist()) == {False}
    assert {event.sae for event in other.sae().labels.events()} == {"renamed"}


# Refused whole

GOOD = '{"feature": 1, "text": "good"}\n'
BAD: dict[str, tuple[str, str | bytes, str, str]] = {
    "nothing": ("a.jsonl", "", "empty-source", "empty"),
    "blank": ("a.csv", " \n\n", "empty-source", "empty"),
    "names of columns only": ("a.csv", "feature,text\n", "empty-source", "no label"),
    "cut": ("a.jsonl", GOOD + '{"feature": 2, "te', "truncated-source", "line 2"),
    "broken in the middle": ("a.jsonl", GOOD + '{"feature": 2,\n' + GOOD, "source-error", "line 2"),
    "no object": ("a.jsonl", GOOD + "[1]\n", "source-error", "line 2"),
    "NaN": ("a.jsonl", GOOD + '{"feature": 2, "text": "x", "confidence": NaN}\n', "source-error", "line 2"),
    "a name twice": ("a.jsonl", GOOD + '{"feature": 2, "text": "x", "text": "y"}\n', "source-error", "line 2"),
    "deep": ("a.jsonl", GOOD + "[" * 100_000 + "\n", "source-error", "line 2"),
    "long number": ("a.jsonl", GOOD + '{"feature": ' + "9" * 5000 + "}\n", "source-error", "line 2"),
    "not UTF-8": ("a.jsonl", GOOD.encode() + b'{"feature": 2, "text": "\xff"}\n', "wrong-file-type", "line 2"),
    "control": ("a.jsonl", GOOD + '{"feature": 2, "text": "\\u0000"}\n', "source-error", "line 2"),
    "surrogate": ("a.jsonl", GOOD + '{"feature": 2, "text": "\\ud800"}\n', "source-error", "line 2"),
    "beyond": ("a.jsonl", GOOD + '{"feature": 16, "text": "x"}\n', "index-out-of-range", "line 2"),
    "negative": ("a.jsonl", GOOD + '{"feature": -1, "text": "x"}\n', "source-error", "line 2"),
    "no number": ("a.jsonl", GOOD + '{"feature": "x", "text": "x"}\n', "source-error", "line 2"),
    "true": ("a.jsonl", GOOD + '{"feature": true, "text": "x"}\n', "source-error", "line 2"),
    "no feature": ("a.jsonl", GOOD + '{"text": "x"}\n', "source-error", "line 2"),
    "says nothing": ("a.jsonl", GOOD + '{"feature": 2}\n', "source-error", "line 2"),
    "long text": ("a.jsonl", GOOD + json.dumps({"feature": 2, "text": "x" * 10_001}) + "\n", "source-error", "line 2"),
    "author": ("a.jsonl", GOOD + '{"feature": 2, "text": "x", "by": 7}\n', "source-error", "line 2"),
    "long author": (
        "a.jsonl",
        GOOD + json.dumps({"feature": 2, "text": "x", "by": "b" * 201}),
        "source-error",
        "line 2",
    ),
    "time": ("a.jsonl", GOOD + '{"feature": 2, "text": "x", "at": "soon"}\n', "source-error", "line 2"),
    "schema": ("a.jsonl", GOOD + '{"schema": 2, "action": "label", "id": "x"}\n', "source-error", "line 2"),
    "action": ("a.jsonl", GOOD + '{"schema": 1, "action": "sing"}\n', "source-error", "line 2"),
    "checksum": ("a.jsonl", GOOD + '{"checksum": "' + "0" * 64 + '", "action": "label"}\n', "source-error", "line 2"),
    "cells": ("a.csv", "feature,text\n1,x\n2,y,z\n", "source-error", "line 3"),
    "quote": ("a.csv", 'feature,text\n1,x\n2,"y\nz\n', "truncated-source", "line 3"),
    "no column": ("a.csv", "id,text\n1,x\n", "wrong-file-type", "feature"),
    "column twice": ("a.csv", "feature,text,text\n1,x,y\n", "wrong-file-type", "each once"),
    "confidence": ("a.csv", "feature,text,confidence\n1,x,high\n", "source-error", "line 2"),
    "much confidence": ("a.csv", "feature,text,confidence\n1,x,inf\n", "source-error", "line 2"),
    "tags": ("a.csv", 'feature,text,tags\n1,x,"[1]"\n', "source-error", "line 2"),
    "unseen": ("a.csv", "feature,text\n1,x\n2,\u200b\n", "source-error", "line 3"),
    "unseen author": ("a.jsonl", GOOD + '{"feature": 2, "text": "x", "by": "\u200b"}\n', "source-error", "line 2"),
    "identity": ("a.csv", "feature,text,identity\n1,x,mine\n", "source-error", "line 2"),
    "identity without a name": ("a.csv", 'feature,text,identity\n1,x,"{""width"": 3}"\n', "source-error", "line 2"),
    "dashboard cut": ("a.json", '{"1": {"name": "x"}, "2": {"na', "truncated-source", "line 1"),
    "dashboard twice": ("a.json", '{"1": {"name": "x"}, "1": {"name": "y"}}', "source-error", "twice"),
    "dashboard of text": ("a.json", '{"1": {"name": "x"}, "2": "y"}', "source-error", "feature '2'"),
    "dashboard beyond": ("a.json", '{"1": {"name": "x"}, "99": {"name": "y"}}', "index-out-of-range", "'99'"),
    "dashboard time": ("a.json", '{"1": {"name": "x", "timestamp": "soon"}}', "source-error", "'1'"),
    "consolidated id": ("a.json", '{"1": {"feature_id": 2, "display_name": "y"}}', "source-error", "'1'"),
    "circuits": ("a.jsonl", '{"Name": "a/1", "Annotation": "x"}\n{"Name": "b"}\n', "source-error", "line 2"),
    "circuits id": ("a.jsonl", '{"Name": "a/1", "Feature": "2", "Annotation": "x"}\n', "source-error", "line 1"),
    "another thing": ("a.json", '{"hello": "world"}', "wrong-file-type", "--format"),
    "binary": ("a.bin", b"PK\x03\x04\x00\xff\xfe", "wrong-file-type", "UTF-8"),
}


@pytest.mark.parametrize("name", BAD)
def test_file_that_is_wrong_anywhere_brings_nothing(atlas: sa.Atlas, tmp_path: Path, name: str) -> None:
    file, data, kind, told = BAD[name]
    with pytest.raises(SourceError) as caught:
        import_labels(atlas, written(tmp_path / file, data), by="ana")
    assert caught.value.kind == kind
    assert told in f"{caught.value.message} {caught.value.hint}"
    assert str(tmp_path / file) in caught.value.message or "by" in told or "author" in name
    assert n_objects(atlas) == 0


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), shape=st.sampled_from(["", *SHAPES]))
def test_any_damage_is_refused_or_understood(data: st.DataObject, shape: str, tmp_path: Path) -> None:
    sources = [file[1] for file in BAD.values()] + [GOOD, "feature,text\n1,x\n", '{"1": {"name": "x"}}']
    source = data.draw(st.sampled_from([one if isinstance(one, bytes) else one.encode() for one in sources]))
    start, stop = sorted(data.draw(st.tuples(st.integers(0, len(source)), st.integers(0, len(source)))))
    path = written(tmp_path / "a.txt", source[:start] + data.draw(st.binary(max_size=4)) + source[stop:])
    for key in list(FIRST.store.list("labels/")):
        FIRST.store.delete(key)
    with suppress(SaeatlasError):
        # Anything but an error of ours would be a bug.
        report = import_labels(FIRST, path, shape=shape, by="ana", saes="toy")
        assert n_objects(FIRST) == (report.n_new > 0) + (report.n_categories > 0)
        return
    assert n_objects(FIRST) == 0


def test_event_with_a_known_id_and_another_text_is_a_conflict(labelled: sa.Atlas, tmp_path: Path) -> None:
    event = labelled.sae().labels.events()[0].to_json()
    path = written(tmp_path / "a.jsonl", json.dumps({**event, "text": "other"}) + "\n")
    with pytest.raises(Conflict, match="same id"):
        import_labels(labelled, path)


def test_import_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    failing = FailingStore(MemoryStore(), 0)
    atlas = make_atlas(failing, n_rows=40, n_features=16, tokens=False)
    failing.fail_at = failing.writes + 1
    path = written(tmp_path / "a.jsonl", GOOD + '{"feature": 2, "text": "x"}\n')
    with pytest.raises(StorageError):
        import_labels(atlas, path, by="ana")
    assert n_objects(atlas) == 0
    assert import_labels(atlas, path, by="ana").n_new == 2
    assert n_objects(atlas) == 1


@pytest.mark.parametrize(
    "ask",
    [
        lambda atlas, path: export_labels([atlas.sae()], path / "a.xyz"),
        lambda atlas, path: export_labels([atlas.sae()], path / "a.jsonl", shape="xml"),
        lambda atlas, path: export_labels([atlas.sae()] * 2, path / "a.json", shape="dashboard"),
        lambda atlas, path: import_labels(atlas, path / "none.csv", shape="xml"),
    ],
)
def test_unknown_formats_are_refused(atlas: sa.Atlas, tmp_path: Path, ask: Callable[..., object]) -> None:
    with pytest.raises(InvalidInput):
        ask(atlas, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_missing_file_and_directory_are_not_found(atlas: sa.Atlas, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        import_labels(atlas, tmp_path / "none.csv")
    with pytest.raises(NotFound):
        import_labels(atlas, tmp_path)
    with pytest.raises(NotFound):
        export_labels([atlas.sae()], tmp_path / "no" / "a.csv")


def test_what_is_written_can_be_read(labelled: sa.Atlas, tmp_path: Path) -> None:
    assert set(SHAPES) < set(EXPORT_SHAPES)
    export_labels([labelled.sae()], tmp_path / "a.jsonl")
    events = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {event["schema"] for event in events} == {SCHEMA}
    labels = [event for event in events if event["action"] in {"label", "retract"}]
    assert [LabelEvent.from_json(one, "x").id for one in labels] == [e.id for e in labelled.sae().labels.events()]
