"""Imported statements take their place in time: an old file undoes nothing, and a time to come blocks nothing."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import saeatlas as sa
from saeatlas.format.labels import LabelEvent
from saeatlas.pipeline.label_exchange import ImportReport, import_labels
from saeatlas.pipeline.label_export import export_labels
from saeatlas.pipeline.labelling import retract
from saeatlas.pipeline.verify import verify
from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import make_atlas


@pytest.fixture
def sae(tmp_path: Path) -> sa.SAE:
    return make_atlas(tmp_path / "a.atlas", n_rows=40, n_features=8, tokens=False).sae()


def bring_in(sae: sa.SAE, folder: Path, *said: tuple[int, str, str, str | None]) -> ImportReport:
    """Import lines of feature, text, author and time."""
    path = folder / "in.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("feature", "text", "by", "at"), *said])
    return import_labels(sae.atlas, path)


def current(sae: sa.SAE, feature: int) -> list[str | None]:
    return [label.said.text for label in sae.labels.of(feature).current]


def history(sae: sa.SAE, feature: int) -> list[str | None]:
    return [label.said.text for label in sae.labels.of(feature).history]


def test_older_statement_does_not_hide_a_newer_label(sae: sa.SAE, tmp_path: Path) -> None:
    sa.label(sae.feature(1), "new opinion", by="ana")
    report = bring_in(sae, tmp_path, (1, "old opinion", "ana", "2020-01-01T00:00:00Z"))
    assert (report.n_new, report.n_behind) == (1, 1)
    assert (current(sae, 1), history(sae, 1)) == (["new opinion"], ["new opinion", "old opinion"])
    assert verify(sae.atlas, deep=True).ok


def test_importing_an_older_statement_again_adds_nothing(sae: sa.SAE, tmp_path: Path) -> None:
    sa.label(sae.feature(1), "new opinion", by="ana")
    line = (1, "old opinion", "ana", "2020-01-01T00:00:00Z")
    bring_in(sae, tmp_path, line)
    report = bring_in(sae, tmp_path, line)
    assert (report.n_new, report.n_known, report.n_behind) == (0, 1, 0)


def test_older_statement_does_not_bring_back_what_was_retracted(sae: sa.SAE, tmp_path: Path) -> None:
    sa.label(sae.feature(1), "a slip", by="ana")
    retract(sae.feature(1), by="ana")
    assert bring_in(sae, tmp_path, (1, "older slip", "ana", "2020-01-01")).n_behind == 1
    assert current(sae, 1) == []


def test_older_statement_of_another_author_stands_beside(sae: sa.SAE, tmp_path: Path) -> None:
    sa.label(sae.feature(1), "of ana", by="ana")
    assert bring_in(sae, tmp_path, (1, "of bo", "bo", "2020-01-01")).n_behind == 0
    assert current(sae, 1) == ["of ana", "of bo"]


@pytest.mark.parametrize("at", [None, "2999-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_statement_without_a_time_that_has_come_is_said_now(sae: sa.SAE, tmp_path: Path, at: str | None) -> None:
    sa.label(sae.feature(1), "before", by="ana")
    report = bring_in(sae, tmp_path, (1, "imported", "ana", at))
    assert (report.n_behind, report.n_future, current(sae, 1)) == (0, int(at is not None), ["imported"])
    assert datetime.fromisoformat(sae.labels.of(1).current[0].at) <= datetime.now(UTC)
    assert bring_in(sae, tmp_path, (1, "imported", "ana", at)).n_new == 0
    sa.label(sae.feature(1), "after", by="ana")
    assert current(sae, 1) == ["after"]
    assert bring_in(sae, tmp_path, (1, "today", "ana", datetime.now(UTC).isoformat())).n_behind == 0


def test_times_before_1970_are_taken(sae: sa.SAE, tmp_path: Path) -> None:
    lines = [(1, "second", "ana", "1969-05-01"), (1, "first", "ana", "0001-01-01"), (1, "third", "ana", "1969-05-01")]
    bring_in(sae, tmp_path, *lines)
    assert current(sae, 1) == ["third"]


def test_file_that_was_exported_earlier_does_not_undo_later_work(sae: sa.SAE, tmp_path: Path) -> None:
    other = make_atlas(MemoryStore(), n_rows=40, n_features=8, tokens=False).sae()
    sa.label(sae, "first", by="ana", features=[1, 2])
    export_labels([sae], tmp_path / "early.csv")
    sa.label(sae.feature(1), "second", by="ana")
    export_labels([sae], tmp_path / "late.csv")
    assert import_labels(other.atlas, tmp_path / "late.csv").n_behind == 0
    assert import_labels(other.atlas, tmp_path / "early.csv").n_behind == 1
    assert (current(other, 1), current(other, 2)) == (["second"], ["first"])


def test_clock_of_another_machine_decides_nothing_about_live_labels(sae: sa.SAE, tmp_path: Path) -> None:
    ahead = {"schema": 1, "action": "label", "id": "0d99c1d7-0000-7000-8000-000000000000", "by": "ana", "sae": "toy"}
    ahead |= {"at": "2999-01-01T00:00:00Z", "identity": sae.identity.digest(), "features": [1], "text": "ahead"}
    (tmp_path / "a.jsonl").write_text(json.dumps(ahead) + "\n", encoding="utf-8")
    import_labels(sae.atlas, tmp_path / "a.jsonl")
    said = sa.label(sae.feature(1), "live", by="ana")
    assert current(sae, 1) == ["live"]
    # What is stated to come after it does, although its id holds the time of the clock that was ahead.
    assert bring_in(sae, tmp_path, (1, "later", "ana", said.at)).n_behind == 0
    assert current(sae, 1) == ["later"]


def test_events_with_ids_keep_their_place_and_are_counted(sae: sa.SAE, tmp_path: Path) -> None:
    other = make_atlas(MemoryStore(), n_rows=40, n_features=8, tokens=False).sae()
    sa.label(sae.feature(1), "theirs", by="ana")
    export_labels([sae], tmp_path / "a.jsonl")
    sa.label(other.feature(1), "newer", by="ana")
    assert import_labels(other.atlas, tmp_path / "a.jsonl").n_behind == 1
    assert current(other, 1) == ["newer"]


FEATURES = st.integers(0, 2)
AUTHORS = st.sampled_from(["ana", "bo"])
TIMES = st.none() | st.sampled_from(
    ["1970-01-02", "2020-01-01", "2020-01-01T00:00:00.001Z", "2021-03-04T05:06:07+02:00"]
)
FILES = st.lists(st.lists(st.tuples(FEATURES, AUTHORS, TIMES), min_size=1, max_size=4), min_size=1, max_size=4)
SAE = make_atlas(MemoryStore(), n_rows=20, n_features=3, k=2, tokens=False).sae()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=FILES)
def test_what_was_said_last_holds_however_files_come_in(files: list[list[Any]], tmp_path: Path) -> None:
    for key in list(SAE.atlas.store.list("labels/")):
        SAE.atlas.store.delete(key)
    said: list[tuple[datetime, int, int, str, str]] = []
    for n, lines in enumerate(files):
        named = [(f, f"{n}.{m}", by, at) for m, (f, by, at) in enumerate(lines)]
        bring_in(SAE, tmp_path, *named)
        for f, text, by, at in named:
            moment = datetime.now(UTC) if at is None else datetime.fromisoformat(at)
            aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            # Lines of a file that are said now come after those of it that state a time.
            said.append((aware, len(said), f, by, text))
    # Times are told apart to the millisecond, and equal ones by the order in which they came.
    for feature in range(3):
        for by in ("ana", "bo"):
            mine = [one for one in sorted(said) if one[2] == feature and one[3] == by]
            held = [label.said.text for label in SAE.labels.of(feature).current if label.by == by]
            assert held == [one[4] for one in mine[-1:]]
            events: list[LabelEvent] = [one.event for one in SAE.labels.of(feature).history if one.by == by]
            assert [event.said.text for event in reversed(events)] == [one[4] for one in mine]
