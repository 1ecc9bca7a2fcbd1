"""Labels are written once, whole, by many at once; nothing acknowledged is lost, and upkeep leaves them alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import saeatlas as sa
from saeatlas.atlas.label_categories import Categories
from saeatlas.errors import FormatError, InvalidInput, NotFound, StorageError
from saeatlas.format.labels import LIMITS, SCHEMA
from saeatlas.pipeline.compact import compact
from saeatlas.pipeline.gc import gc
from saeatlas.pipeline.labelling import drop_category, login_name, retract, set_category
from saeatlas.pipeline.verify import verify
from saeatlas.storage import MemoryStore
from saeatlas.testing.failing_store import FailingStore
from saeatlas.testing.make_atlas import make_atlas

WRITER = """
import sys
import saeatlas as sa
sae = sa.open(sys.argv[1]).sae()
sys.stdin.readline()
for number in range(int(sys.argv[3])):
    event = sa.label(sae.feature(number % 16), f"{sys.argv[2]} {number}", by=sys.argv[2])
    sys.stdout.write(f"{event.id} {number}\\n")
    sys.stdout.flush()
"""


@pytest.fixture
def atlas(tmp_path: Path) -> sa.Atlas:
    return make_atlas(tmp_path / "a.atlas", n_rows=40, n_features=16, tokens=False)


@pytest.fixture
def sae() -> sa.SAE:
    return make_atlas(MemoryStore(), n_rows=40, n_features=16, tokens=False).sae()


def writer(atlas: sa.Atlas, name: str, n_events: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, atlas.url, name, str(n_events)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def logs(atlas: sa.Atlas) -> dict[str, bytes]:
    return {key: atlas.store.get(key) for key in atlas.store.list("labels/")}


# Many writers


def test_eight_processes_lose_none_of_a_thousand_events_each(atlas: sa.Atlas) -> None:
    running = [writer(atlas, f"w{number}", 1000) for number in range(8)]
    said = [process.communicate("go\n")[0].splitlines() for process in running]
    assert [process.returncode for process in running] == [0] * 8
    ids = [line.split()[0] for lines in said for line in lines]
    assert len(set(ids)) == 8000
    events = sa.open(atlas.url).sae().labels.events()
    assert {event.id for event in events} == set(ids)
    assert {event.said.text for event in events} == {f"w{name} {number}" for name in range(8) for number in range(1000)}
    # Each author's own order is that of the ids, so that the last is what holds.
    current = sa.open(atlas.url).sae().labels.of(15).current
    assert sorted(label.said.text or "" for label in current) == [f"w{name} 991" for name in range(8)]
    assert verify(atlas).ok


def test_killed_writers_lose_at_most_what_was_not_acknowledged(atlas: sa.Atlas) -> None:
    acknowledged: set[str] = set()
    for attempt in range(5):
        process = writer(atlas, f"w{attempt}", 100_000)
        assert process.stdin and process.stdout
        process.stdin.write("go\n")
        process.stdin.flush()
        lines = [process.stdout.readline() for _ in range(3 + 11 * attempt)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
        process.wait()
        process.stdin.close()
        process.stdout.close()
        acknowledged |= {line.split()[0] for line in lines if line.endswith("\n")}
        found = {event.id for event in sa.open(atlas.url).sae().labels.events()}
        assert acknowledged <= found
        assert len(found) - len(acknowledged) <= attempt + 1
        assert verify(atlas).ok
    sa.label(atlas.sae().feature(0), "after all that", by="ana")
    assert verify(atlas).notes == ()
    assert acknowledged < {event.id for event in sa.open(atlas.url).sae().labels.events()}


def test_what_a_killed_writer_left_is_noted_and_is_no_damage(atlas: sa.Atlas) -> None:
    sa.label(atlas.sae().feature(0), "whole", by="ana")
    path = Path(atlas.url) / "labels" / "toy" / "log.jsonl"
    with path.open("ab") as file:
        file.write(b'{"checksum":"12')
    report = verify(atlas)
    assert (report.ok, [note.kind for note in report.notes]) == (True, ["torn-line"])
    assert [label.said.text for label in atlas.sae().labels.of(0).current] == ["whole"]


# Upkeep


def test_gc_and_compact_leave_labels_alone(atlas: sa.Atlas) -> None:
    sa.label(atlas.sae().feature(0), "kept", by="ana")
    set_category(atlas, "topic", by="ana")
    before = logs(atlas)
    for path in (Path(atlas.url) / key for key in before):
        os.utime(path, (0, 0))
    compact(atlas, "toy", profile="compact")
    gc(atlas, keep_commits=1, min_age_seconds=0)
    assert len(before) == 2
    assert logs(atlas) == before


def test_verify_reads_labels_and_names_what_is_damaged(atlas: sa.Atlas) -> None:
    sa.label(atlas.sae().feature(0), "damaged", by="ana")
    sa.label(atlas.sae().feature(0), "whole", by="bo")
    path = Path(atlas.url) / "labels" / "toy" / "log.jsonl"
    path.write_bytes(path.read_bytes().replace(b"damaged", b"DAMAGED"))
    (finding,) = verify(atlas).findings
    assert (finding.path, finding.kind) == ("labels/toy/log.jsonl", "digest-mismatch")
    assert "line 2" in finding.message
    with pytest.raises(FormatError, match="line 2"):
        sa.label(sa.open(atlas.url).sae().feature(0), "on top of damage", by="ana")


def test_verify_names_labels_of_features_and_saes_that_are_not_there(atlas: sa.Atlas) -> None:
    event = sa.label(atlas.sae().feature(0), "x", by="ana").to_json()
    from saeatlas.format.event_log import append_records

    beyond = {**event, "id": "0" * 8 + "-0000-7000-8000-000000000000", "features": [99]}
    append_records(atlas.store, "labels/toy", [beyond], "1")
    append_records(atlas.store, "labels/gone", [event], "2")
    report = verify(atlas)
    assert [finding.kind for finding in report.findings] == ["unknown-feature"]
    assert [note.kind for note in report.notes] == ["unknown-sae"]
    append_records(atlas.store, "labels/toy", [{**event, "id": "1" + beyond["id"][1:], "sae": "gone"}], "3")
    assert {finding.kind for finding in verify(atlas).findings} == {"unknown-feature", "wrong-content"}


def test_label_that_could_not_be_written_is_not_there() -> None:
    failing = FailingStore(MemoryStore(), 0)
    atlas = make_atlas(failing, n_rows=40, n_features=16, tokens=False)
    failing.fail_at = failing.writes + 1
    with pytest.raises(StorageError):
        sa.label(atlas.sae().feature(0), "lost", by="ana")
    assert atlas.sae().labels.events() == ()


# What is refused


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"text": ""},
        {"text": " \n"},
        {"text": "x" * (LIMITS["text"] + 1)},
        {"text": "\x1b[31mred"},
        {"text": "null\x00"},
        {"text": "two\rlines"},
        {"text": "half \ud800"},
        {"text": "x", "category": "two\nlines"},
        {"text": "x", "category": " "},
        {"text": "x", "tags": ["a", "a"]},
        {"text": "x", "tags": [str(n) for n in range(51)]},
        {"text": "x", "notes": "n" * (LIMITS["notes"] + 1)},
        {"text": "x", "confidence": 1.01},
        {"text": "x", "confidence": float("nan")},
        {"text": "x", "by": "b" * 201},
        {"text": "x", "by": "\t"},
        {"text": "x", "extra": {"a": "x" * 70_000}},
        {"text": "x", "supersedes": ["nothing"]},
        {"text": "x", "supersedes": "nothing"},
        {"text": "\u200b"},
        {"text": "x", "notes": " \u2060\ufeff\n"},
        {"text": "x", "tags": ["\u3164"]},
        {"text": "x", "category": "\u00ad"},
        {"text": "x", "by": "\u2800"},
        {"text": "x", "confidence": True},
        {"text": "x", "confidence": "0.5"},
    ],
    ids=lambda said: ",".join(said)[:20],
)
def test_what_cannot_be_kept_is_refused_before_anything_is_written(sae: sa.SAE, said: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        sa.label(sae.feature(0), **{"by": "ana", **said})
    assert list(sae.atlas.store.list("labels/")) == []


def test_names_have_no_space_around_them(sae: sa.SAE) -> None:
    set_category(sae.atlas, " topic ", by=" ana")
    set_category(sae.atlas, "sport\u00a0", by="ana", parent=" topic")
    sa.label(sae.feature(0), " text ", by="ana", category="topic ")
    sa.label(sae.feature(0), "newer", by=" ana ", category="topic")
    (held,) = sae.labels.of(0).current
    assert (held.by, held.said.category, len(sae.labels.of(0).history)) == ("ana", "topic", 2)
    assert [(one.name, one.parent) for one in Categories(sae.atlas.store).declared().values()] == [
        ("sport", "topic"),
        ("topic", None),
    ]
    assert retract(sae.feature(0), by="ana ").by == "ana"
    drop_category(sae.atlas, "sport ", by="ana")


def test_joiners_and_marks_beside_what_is_seen_are_kept(sae: sa.SAE) -> None:
    text = "\U0001f469\u200d\U0001f52c می\u200cخواهم \u2764\ufe0f"
    assert sa.label(sae.feature(0), text, by="ana").said.text == text


def test_event_that_is_named_twice_is_kept_once(sae: sa.SAE) -> None:
    first = sa.label(sae.feature(0), "x", by="bo")
    assert sa.label(sae.feature(0), "y", by="ana", supersedes=[first.id] * 2).supersedes == (first.id,)
    second = sa.label(sae.feature(0), "z", by="bo")
    assert retract(sae.feature(0), by="ana", events=[second.id] * 2).supersedes == (second.id,)


@pytest.mark.parametrize(
    ("features", "error"),
    [([], InvalidInput), ([16], NotFound), ([-1], InvalidInput), ([1.5], InvalidInput), ([True], InvalidInput)],
)
def test_features_that_the_sae_does_not_have_are_refused(
    sae: sa.SAE, features: list[Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        sa.label(sae, "x", by="ana", features=features)


def test_one_of_feature_and_features_is_given(sae: sa.SAE) -> None:
    with pytest.raises(InvalidInput):
        sa.label(sae, "x")
    with pytest.raises(InvalidInput):
        sa.label(sae.feature(1), "x", features=[2])
    with pytest.raises(InvalidInput, match="opened here: dict"):
        sa.label({}, "x", features=[2])  # type: ignore[arg-type]


def test_features_come_in_any_order_and_type(sae: sa.SAE) -> None:
    event = sa.label(sae, "x", by="ana", features=np.array([5, 3, 5], np.uint32))
    assert event.features == (3, 5)
    assert sa.label(sae, "x", by="ana", features=(number for number in [4])).features == (4,)


def test_line_feeds_and_scripts_are_kept_as_they_are(sae: sa.SAE) -> None:
    text = "one\ntwo\t<script>alert(1)</script> עברית 中文 🙂 "
    sa.label(sae.feature(0), text, by="ana", notes=text)
    label = sae.labels.of(0).current[0]
    assert (label.said.text, label.said.notes) == (text, text)


def test_author_is_the_login_name_where_none_is_given(sae: sa.SAE, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "someone")
    assert sa.label(sae.feature(0), "x").by == "someone" == login_name()
    monkeypatch.setattr("getpass.getuser", lambda: "")
    with pytest.raises(InvalidInput, match="Nobody"):
        sa.label(sae.feature(0), "x")


def test_event_says_which_schema_and_which_sae(sae: sa.SAE) -> None:
    event = sa.label(sae.feature(0), "x", by="ana")
    assert (event.to_json()["schema"], event.identity, event.sae) == (SCHEMA, sae.identity.digest(), "toy")
    assert sae.labels.identities() == {event.identity: sae.identity.to_json()}


# Taking back


def test_only_what_is_there_is_retracted(sae: sa.SAE) -> None:
    theirs = sa.label(sae.feature(0), "theirs", by="bo")
    with pytest.raises(NotFound, match="no label by 'ana'"):
        retract(sae.feature(0), by="ana")
    with pytest.raises(InvalidInput, match="not about"):
        retract(sae.feature(1), by="ana", events=[theirs.id])
    retract(sae.feature(0), by="ana", events=[theirs.id], notes="disproved")
    assert sae.labels.of(0).current == ()
    with pytest.raises(NotFound, match="not current"):
        retract(sae.feature(0), by="ana", events=[theirs.id])


def test_retraction_of_some_features_leaves_the_others(sae: sa.SAE) -> None:
    sa.label(sae, "x", by="ana", features=[1, 2, 3])
    retract(sae, by="ana", features=[2, 9])
    assert sae.labels.current["feature"].to_pylist() == [1, 3]


# Categories


def test_categories_are_the_users_own(sae: sa.SAE) -> None:
    atlas = sae.atlas
    set_category(atlas, "topic", by="ana", colour="#ABCDEF", description="About")
    set_category(atlas, "sport", by="ana", parent="topic")
    set_category(atlas, "topic", by="bo", description="What it is about")
    found = Categories(atlas.store).declared()
    assert [(one.name, one.colour, one.parent, one.by) for one in found.values()] == [
        ("sport", None, "topic", "ana"),
        ("topic", "#abcdef", None, "bo"),
    ]
    assert [event.colour for event in Categories(atlas.store).events()] == ["#abcdef", None, "#abcdef"]


def test_what_is_not_said_anew_of_a_category_stays_and_what_is_empty_goes(sae: sa.SAE) -> None:
    def topic() -> tuple[str | None, ...]:
        found = Categories(sae.atlas.store).declared()["topic"]
        return found.colour, found.description, found.parent

    set_category(sae.atlas, "above", by="ana")
    set_category(sae.atlas, "topic", by="ana", colour="#abcdef", description="About", parent="above")
    set_category(sae.atlas, "topic", by="bo", colour="#000000")
    assert topic() == ("#000000", "About", "above")
    set_category(sae.atlas, "topic", by="bo", description="", parent="")
    assert topic() == ("#000000", None, None)
    drop_category(sae.atlas, "topic", by="bo")
    set_category(sae.atlas, "topic", by="bo")
    assert topic() == (None, None, None)


def test_category_is_no_part_of_itself(sae: sa.SAE) -> None:
    for name, parent in (("a", None), ("b", "a"), ("c", "b")):
        set_category(sae.atlas, name, by="ana", parent=parent)
    with pytest.raises(InvalidInput, match="part of itself"):
        set_category(sae.atlas, "a", by="ana", parent="c")
    with pytest.raises(NotFound):
        set_category(sae.atlas, "a", by="ana", parent="z")
    with pytest.raises(InvalidInput, match="has parts"):
        drop_category(sae.atlas, "b", by="ana")
    drop_category(sae.atlas, "c", by="ana")
    assert list(Categories(sae.atlas.store).declared()) == ["a", "b"]
