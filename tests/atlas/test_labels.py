"""What is current among labels equals a naive reading of the rules, and disagreement, history and identity show."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import saeatlas as sa
from saeatlas.atlas.atlas import Atlas
from saeatlas.atlas.feature_table import FeatureQuery, query_features
from saeatlas.atlas.label_fold import fold
from saeatlas.atlas.labels import hand_over
from saeatlas.errors import FormatError, NotFound
from saeatlas.format.commit import head
from saeatlas.format.event_log import append_records
from saeatlas.format.identity import SaeIdentity
from saeatlas.format.labels import LabelEvent, Said
from saeatlas.pipeline.labelling import retract
from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import make_atlas

N_FEATURES = 5
DIGEST = "0" * 64


@pytest.fixture
def sae() -> sa.SAE:
    return make_atlas(MemoryStore(), n_rows=40, n_features=16, tokens=False).sae()


def event_id(number: int) -> str:
    return f"{number:08x}-0000-7000-8000-000000000000"


def event(number: int, action: Any, by: str, features: tuple[int, ...], supersedes: tuple[str, ...]) -> LabelEvent:
    return LabelEvent(
        id=event_id(number),
        at="2025-01-31T12:00:00Z",
        action=action,
        by=by,
        sae="toy",
        identity=DIGEST,
        features=features,
        said=Said(text=f"text {number}") if action == "label" else Said(),
        supersedes=supersedes,
    )


@st.composite
def histories(draw: st.DrawFn) -> list[LabelEvent]:
    found: list[LabelEvent] = []
    for number in range(1, draw(st.integers(1, 12)) + 1):
        named = draw(st.lists(st.integers(1, 12).map(event_id), max_size=2, unique=True))
        features = draw(st.sets(st.integers(0, N_FEATURES - 1), min_size=1))
        action, by = draw(st.sampled_from(["label", "label", "retract"])), draw(st.sampled_from("ab"))
        found.append(event(number, action, by, tuple(sorted(features)), tuple(named)))
    return found


def naive(events: list[LabelEvent]) -> set[tuple[int, str]]:
    """(feature, label) for every label that no later event ends, by the words of the specification."""
    current = set()
    for feature in range(N_FEATURES):
        about = [one for one in sorted(events, key=lambda one: one.id) if feature in one.features]
        for place, one in enumerate(about):
            if one.action != "label":
                continue
            ends = False
            for later in about[place + 1 :]:
                is_named = one.id in later.supersedes
                is_own = one.by == later.by
                if later.action == "label":
                    ends = ends or is_own or is_named
                else:
                    ends = ends or (is_named if later.supersedes else is_own)
            if not ends:
                current.add((feature, one.id))
    return current


@settings(max_examples=200)
@given(events=histories())
def test_fold_keeps_what_no_later_event_ends(events: list[LabelEvent]) -> None:
    kept = set()
    for feature in range(N_FEATURES):
        about = [one for one in events if feature in one.features]
        ended = fold(about)
        kept |= {(feature, one.id) for one in about if one.action == "label" and one.id not in ended}
    assert kept == naive(events)


@settings(max_examples=40, deadline=None)
@given(events=histories(), data=st.data())
def test_any_order_of_lines_and_readings_gives_the_same_labels(events: list[LabelEvent], data: st.DataObject) -> None:
    atlas = SHARED
    for key in list(atlas.store.list("labels/")):
        atlas.store.delete(key)
    view = Atlas(atlas.store, atlas.commit).sae()
    names = count()
    for one in data.draw(st.permutations([*events, *events[:2]])):
        append_records(atlas.store, "labels/toy", [one.to_json()], f"{next(names)}")
        if data.draw(st.booleans()):
            _ = view.labels.current
    for reader in (view, Atlas(atlas.store, atlas.commit).sae()):
        current = reader.labels.current
        assert set(zip(current["feature"].to_pylist(), current["id"].to_pylist(), strict=True)) == naive(events)
        assert [one["id"] for one in reader.labels.history.to_pylist()] == sorted({one.id for one in events})
        held = reader.labels.history["n_current"].to_pylist()
        assert sum(held) == current.num_rows
        assert reader.labels.n_labelled == len({feature for feature, _ in naive(events)})


SHARED = make_atlas(MemoryStore(), n_rows=40, n_features=16, tokens=False)


def test_newer_label_of_an_author_takes_the_place_of_the_older(sae: sa.SAE) -> None:
    first = sa.label(sae.feature(3), "first", by="ana")
    second = sa.label(sae.feature(3), "second", by="ana")
    current, history = sae.labels.of(3)
    assert [one.said.text for one in current] == ["second"]
    assert [(one.id, one.superseded_by) for one in history] == [(second.id, None), (first.id, second.id)]


def test_labels_of_others_stay_beside_it(sae: sa.SAE) -> None:
    for by in ("ana", "bo", "cy"):
        sa.label(sae.feature(3), f"by {by}", by=by)
    assert [one.by for one in sae.labels.of(3).current] == ["cy", "bo", "ana"]


def test_named_event_of_another_author_is_replaced(sae: sa.SAE) -> None:
    theirs = sa.label(sae, "theirs", by="bo", features=[3, 4])
    sa.label(sae.feature(3), "mine", by="ana", supersedes=[theirs.id])
    assert [one.said.text for one in sae.labels.of(3).current] == ["mine"]
    assert [one.said.text for one in sae.labels.of(4).current] == ["theirs"]


def test_retraction_brings_nothing_back(sae: sa.SAE) -> None:
    sa.label(sae.feature(3), "first", by="ana")
    sa.label(sae.feature(3), "second", by="ana")
    retract(sae.feature(3), by="ana")
    current, history = sae.labels.of(3)
    assert current == ()
    assert [one.is_retracted for one in history] == [False, True, False]


def test_open_atlas_sees_what_is_said_elsewhere(sae: sa.SAE) -> None:
    other = Atlas(sae.atlas.store, sae.atlas.commit).sae()
    before = other.labels.position
    sa.label(sae.feature(3), "new", by="ana")
    assert other.labels.of(3).current[0].said.text == "new"
    assert other.labels.position > before
    assert other.labels.changed_since(before, (3,))
    assert not other.labels.changed_since(other.labels.position, (3,))


def test_change_of_another_feature_is_no_change(sae: sa.SAE) -> None:
    sa.label(sae.feature(3), "x", by="ana")
    before = sae.labels.position
    sa.label(sae.feature(4), "y", by="ana")
    assert (sae.labels.changed_since(before, (3,)), sae.labels.changed_since(before, (3, 4))) == (False, True)
    assert sae.labels.changed_since(before + 1, (3,))


def test_unlabelled_feature_has_nothing(sae: sa.SAE) -> None:
    assert sae.labels.of(3) == ((), ())
    assert (sae.labels.current.num_rows, sae.labels.history.num_rows, sae.labels.n_labelled) == (0, 0, 0)
    with pytest.raises(NotFound):
        sae.labels.of(16)


def test_later_commit_goes_on_with_what_an_earlier_one_has_read(monkeypatch: pytest.MonkeyPatch) -> None:
    earlier = make_atlas(MemoryStore(), n_rows=40, n_features=16, tokens=False)
    first = sa.label(earlier.sae().feature(3), "first", by="ana")
    table = earlier.sae().labels.current
    later = Atlas(earlier.store, earlier.commit)
    hand_over(earlier, later)
    with monkeypatch.context() as patch:
        # Nothing is read again.
        patch.setattr("saeatlas.format.event_log.read_document", None)
        assert later.sae().labels.current == table
    second = sa.label(later.sae().feature(3), "second", by="ana")
    for atlas in (earlier, later):
        assert [one.id for one in atlas.sae().labels.events()] == [first.id, second.id]
        assert [one.said.text for one in atlas.sae().labels.of(3).current] == ["second"]


def test_labels_that_are_handed_over_to_another_sae_say_so(sae: sa.SAE) -> None:
    sa.label(sae.feature(3), "x", by="ana")
    assert sae.labels.current["identity_changed"].to_pylist() == [False]
    changed = with_identity(sae, layer=9)
    changed.labels.go_on_from(sae.labels)
    assert changed.labels.current["identity_changed"].to_pylist() == [True]


# The table of features


def test_table_of_features_has_no_columns_of_labels_before_there_are_any(sae: sa.SAE) -> None:
    assert not [name for name in sae.features.collect_schema().names() if name.startswith("labels.")]
    with pytest.raises(NotFound, match="has no labels"):
        query_features(sae, FeatureQuery(columns=("labels.text",)))


def test_table_of_features_shows_the_newest_label_with_a_text(sae: sa.SAE) -> None:
    sa.label(sae.feature(3), "a text", by="ana", category="old", tags=["x", "y"], confidence=0.25)
    sa.label(sae.feature(3), by="bo", category="new")
    sa.label(sae.feature(5), by="bo", category="only this")
    frame = sae.features.select(pl.col("feature"), pl.col("^labels\\..*$")).collect()
    assert frame.height == 16
    three, five, other = (frame.filter(pl.col("feature") == feature).to_dicts()[0] for feature in (3, 5, 6))
    assert (three["labels.text"], three["labels.category"], three["labels.by"]) == ("a text", "old", "ana")
    assert (three["labels.n"], three["labels.tags"], three["labels.confidence"]) == (2, ["x", "y"], 0.25)
    assert (five["labels.text"], five["labels.category"], five["labels.n"]) == (None, "only this", 1)
    assert (other["labels.text"], other["labels.n"], other["labels.identity_changed"]) == (None, 0, None)


def test_features_are_chosen_by_their_labels(sae: sa.SAE) -> None:
    sa.label(sae, category="topic", features=[2, 7], by="ana")
    query = FeatureQuery(where="labels.category = 'topic'", columns=("labels.by",))
    assert query_features(sae, query).to_dicts() == [{"feature": f, "labels.by": "ana"} for f in (2, 7)]


# Which SAE


def with_identity(sae: sa.SAE, **facts: Any) -> sa.SAE:
    """The same SAE as a later commit would hold it, with other facts."""
    changed = Atlas(sae.atlas.store, head(sae.atlas.store)).sae(sae.name)
    changed.__dict__["identity"] = replace(sae.identity, **facts)
    return changed


@pytest.mark.parametrize(
    ("before", "after", "is_changed"),
    [
        ({}, {}, False),
        ({}, {"hook": "learned later"}, False),
        ({"hook": "known"}, {"hook": None}, False),
        ({"weights_digest": "a"}, {"weights_digest": "b"}, True),
        ({"layer": 3}, {"layer": 4}, True),
        ({}, {"name": "renamed"}, False),
    ],
)
def test_label_of_another_sae_is_shown_as_such(
    sae: sa.SAE, before: dict[str, Any], after: dict[str, Any], is_changed: Any
) -> None:
    sa.label(with_identity(sae, **before).feature(3), "x", by="ana")
    today = with_identity(sae, **{**before, **after})
    assert today.labels.of(3).current[0].identity_changed is is_changed
    assert today.labels.current["identity_changed"].to_pylist() == [is_changed]
    assert today.labels.history["identity_changed"].to_pylist() == [is_changed]


def test_label_whose_sae_is_not_described_counts_as_of_another(sae: sa.SAE) -> None:
    append_records(sae.atlas.store, "labels/toy", [event(1, "label", "ana", (3,), ()).to_json()], "1")
    assert sae.labels.of(3).current[0].identity_changed
    assert SaeIdentity(name="toy").digest() != DIGEST


# What later versions and other programs write


def test_members_and_actions_of_later_versions_are_kept_and_passed_over(sae: sa.SAE) -> None:
    record = {**event(1, "label", "ana", (3,), ()).to_json(), "mood": {"is": "good"}}
    append_records(sae.atlas.store, "labels/toy", [record, {"schema": 1, "action": "applaud", "id": event_id(2)}], "1")
    (kept,) = sae.labels.events()
    assert kept.to_json() == record


def test_event_of_a_later_schema_is_refused_until_it_is_understood(sae: sa.SAE) -> None:
    sa.label(sae.feature(3), "x", by="ana")
    append_records(sae.atlas.store, "labels/toy", [{"schema": 2, "action": "label"}], "1")
    for _ in range(2):
        with pytest.raises(FormatError) as caught:
            sae.labels.of(3)
        assert caught.value.kind == "unsupported-format"


@pytest.mark.parametrize(
    "change",
    [
        {"features": []},
        {"features": [3, 3]},
        {"features": [-1]},
        {"features": ["3"]},
        {"features": [True]},
        {"text": "a\x1bb"},
        {"text": 7},
        {"text": None},
        {"by": " "},
        {"id": "x"},
        {"at": "yesterday"},
        {"identity": "x"},
        {"tags": ["x", "x"]},
        {"tags": "x"},
        {"confidence": 2},
        {"confidence": "high"},
        {"extra": []},
        {"supersedes": ["x"]},
        {"schema": None},
    ],
)
def test_event_that_is_none_is_damage(sae: sa.SAE, change: dict[str, Any]) -> None:
    append_records(sae.atlas.store, "labels/toy", [event(1, "label", "ana", (3,), ()).to_json() | change], "1")
    with pytest.raises(FormatError, match="labels/toy") as caught:
        sae.labels.of(3)
    assert caught.value.kind == "corrupt-artifact"


def test_two_events_with_one_id_are_damage(sae: sa.SAE) -> None:
    for number, by in enumerate(("ana", "bo")):
        append_records(sae.atlas.store, "labels/toy", [event(1, "label", by, (3,), ()).to_json()], f"{number}")
    with pytest.raises(FormatError, match="have the id"):
        sae.labels.events()


def test_foreign_members_are_in_the_tables(sae: sa.SAE) -> None:
    sa.label(sae.feature(3), "x", by="ana", extra={"importance": 0.5, "who": "é"})
    assert json.loads(sae.labels.current["extra"][0].as_py()) == {"importance": 0.5, "who": "é"}


def test_category_that_only_a_label_names_is_listed(sae: sa.SAE) -> None:
    sa.label(sae.feature(3), category="mine", by="ana")
    assert [(one.name, one.is_declared) for one in sae.labels.categories] == [("mine", False)]
