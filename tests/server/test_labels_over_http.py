"""Labels over HTTP: everything that was said is told, and what is said is in the log when the answer comes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import saeatlas as sa
from saeatlas.pipeline.labelling import set_category
from saeatlas.server.app import create_app
from saeatlas.testing.make_atlas import make_atlas

FEATURE = "/api/v1/saes/toy/features/3/labels"
ALL = "/api/v1/saes/toy/labels"
CATEGORIES = "/api/v1/labels/categories"


@pytest.fixture
def atlas(tmp_path: Path) -> sa.Atlas:
    return make_atlas(tmp_path / "a.atlas", tokens=False)


@pytest.fixture
def client(atlas: sa.Atlas) -> Iterator[TestClient]:
    with TestClient(create_app(atlas.url), base_url="http://127.0.0.1") as client:
        yield client


def texts(client: TestClient, part: str = "current") -> list[str | None]:
    return [one["text"] for one in client.get(FEATURE).json()[part]]


def test_label_is_told_and_is_in_the_log(client: TestClient, atlas: sa.Atlas) -> None:
    said: dict[str, Any] = {"text": "<b>first</b>", "by": "ana", "tags": ["x"], "confidence": 0.5, "notes": "a\nb"}
    made = client.post(FEATURE, json=said)
    assert made.status_code == 201
    assert {name: made.json()[name] for name in said} == said
    assert client.get(FEATURE).json()["current"] == [made.json()]
    assert atlas.sae().labels.of(3).current[0].said.text == "<b>first</b>"


def test_disagreement_and_history_are_told(client: TestClient) -> None:
    for text, by in (("first", "ana"), ("second", "bo"), ("third", "ana")):
        client.post(FEATURE, json={"text": text, "by": by})
    assert (texts(client), texts(client, "history")) == (["third", "second"], ["third", "second", "first"])
    third, _, first = client.get(FEATURE).json()["history"]
    assert (first["superseded_by"], first["is_retracted"]) == (third["id"], False)


def test_retraction_leaves_history(client: TestClient) -> None:
    client.post(FEATURE, json={"text": "wrong", "by": "ana"})
    taken = client.post(FEATURE, json={"action": "retract", "by": "ana", "notes": "a slip"})
    assert (taken.status_code, taken.json()["action"], texts(client)) == (201, "retract", [])
    assert [one["is_retracted"] for one in client.get(FEATURE).json()["history"]] == [False, True]


def test_many_features_are_labelled_in_one_event(client: TestClient) -> None:
    made = client.post(ALL, json={"features": [9, 3, 5, 3], "category": "topic", "by": "ana"}).json()
    assert (made["features"], made["n_features"], made["feature"]) == ([3, 5, 9], 3, None)
    rows = client.get(ALL).json()["rows"]
    assert [(row["feature"], row["id"], row["category"]) for row in rows] == [
        (f, made["id"], "topic") for f in (3, 5, 9)
    ]


def test_kept_selection_is_labelled(client: TestClient) -> None:
    kept = client.post("/api/v1/saes/toy/sets", json={"features": [9, 3], "name": "loud"}).json()["set"]
    made = client.post(ALL, json={"set": kept, "text": "loud", "by": "ana"})
    assert (made.status_code, made.json()["features"]) == (201, [3, 9])


def test_pages_of_labels_together_are_all_labels(client: TestClient) -> None:
    for number, by in enumerate(("ana", "bo", "cy")):
        client.post(ALL, json={"features": [1, 2 + number, 8], "text": by, "by": by})
    everything = client.get(ALL).json()
    pages, after = [], ""
    while after is not None:
        page = client.get(ALL, params={"limit": 2, **({"after": after} if after else {})}).json()
        assert page["total"] == everything["total"] == 9
        pages += page["rows"]
        after = page["next"]
    assert pages == everything["rows"]
    assert {row["by"] for row in client.get(ALL, params={"by": "bo"}).json()["rows"]} == {"bo"}


def test_labels_are_found_by_tag(client: TestClient) -> None:
    client.post(ALL, json={"features": [1, 2], "text": "a", "by": "ana", "tags": ["code", "x"]})
    client.post(ALL, json={"features": [2, 3], "text": "b", "by": "bo", "tags": ["Code", "x"]})
    client.post(ALL, json={"features": [4], "text": "c", "by": "bo"})

    def found(**asked: object) -> list[tuple[int, str]]:
        answer = client.get(ALL, params=asked).json()
        assert answer["total"] == len(answer["rows"])
        return [(row["feature"], row["text"]) for row in answer["rows"]]

    assert found(tag="code") == [(1, "a"), (2, "a")]
    assert found(tag="x") == [(1, "a"), (2, "b"), (2, "a"), (3, "b")]
    assert found(tag="x", by="bo") == [(2, "b"), (3, "b")]
    assert (found(tag="cod"), found(tag="x", by="cy")) == ([], [])
    where = '[{"column": "labels.tags", "op": "contains", "value": "code"}]'
    features = client.get("/api/v1/saes/toy/features", params={"where": where}).json()["rows"]
    assert [row["feature"] for row in features] == [1]


def test_tag_changes_with_a_label_of_another_process(client: TestClient, atlas: sa.Atlas) -> None:
    tag = client.get(FEATURE).headers["etag"]
    assert client.get(FEATURE, headers={"if-none-match": tag}).status_code == 304
    sa.label(atlas.sae().feature(3), "from elsewhere", by="bo")
    again = client.get(FEATURE, headers={"if-none-match": tag})
    assert (again.status_code, again.json()["current"][0]["text"]) == (200, "from elsewhere")


def test_label_that_was_not_seen_is_a_conflict_where_asked(client: TestClient) -> None:
    client.post(FEATURE, json={"text": "seen", "by": "bo"})
    tag = client.get(FEATURE).headers["etag"]
    client.post("/api/v1/saes/toy/features/4/labels", json={"text": "of another feature", "by": "bo"})
    mine = {"json": {"text": "mine", "by": "ana"}, "headers": {"if-match": tag}}
    assert client.post(FEATURE, **mine).status_code == 201
    refused = client.post(FEATURE, **mine)
    assert (refused.status_code, refused.json()["kind"]) == (409, "conflict")
    assert texts(client, "history") == ["mine", "seen"]


def test_categories_are_set_changed_and_dropped(client: TestClient, atlas: sa.Atlas) -> None:
    set_category(atlas, "topic", colour="#0072B2", by="ana")
    made = client.post(CATEGORIES, json={"name": "sport", "parent": "topic", "by": "bo"})
    assert made.status_code == 201
    found = client.get(CATEGORIES).json()["categories"]
    assert [(one["name"], one["colour"], one["parent"]) for one in found] == [
        ("sport", None, "topic"),
        ("topic", "#0072b2", None),
    ]
    made = client.post(CATEGORIES, json={"name": "topic", "description": "About"}).json()
    assert (made["colour"], made["description"]) == ("#0072b2", "About")
    for empty in (None, ""):
        made = client.post(CATEGORIES, json={"name": "topic", "description": empty}).json()
        assert (made["colour"], made["description"]) == ("#0072b2", None)
    assert client.post(CATEGORIES, json={"action": "drop", "name": "topic"}).status_code == 422
    assert client.post(CATEGORIES, json={"action": "drop", "name": "sport"}).status_code == 201
    assert len(client.get(CATEGORIES).json()["categories"]) == 1


@pytest.mark.parametrize(
    ("where", "body", "status"),
    [
        (FEATURE, {}, 422),
        (FEATURE, {"text": " "}, 422),
        (FEATURE, {"text": "x" * 10_001}, 422),
        (FEATURE, {"text": "a\x00b"}, 422),
        (FEATURE, {"text": "x", "confidence": 2}, 422),
        (FEATURE, {"text": "x", "confidence": True}, 422),
        (FEATURE, {"text": "x", "confidence": "0.5"}, 422),
        (FEATURE, {"text": "\u200b"}, 422),
        (FEATURE, {"text": "x", "colour": "red"}, 422),
        (FEATURE, {"text": "x", "supersedes": ["nothing"]}, 422),
        (FEATURE, {"text": "x", "supersedes": ["01939b5e-8a3c-7cc3-98c5-0f5e0a6b7d11"]}, 422),
        (FEATURE, {"action": "retract", "text": "x"}, 422),
        (FEATURE, {"action": "retract"}, 422),
        (FEATURE.replace("/3/", "/64/"), {"text": "x"}, 404),
        (ALL, {"text": "x"}, 422),
        (ALL, {"text": "x", "features": []}, 422),
        (ALL, {"text": "x", "features": [1], "set": "0123456789abcdef"}, 422),
        (ALL, {"text": "x", "set": "0123456789abcdef"}, 422),
        (ALL, {"text": "x", "set": "../../atlas"}, 422),
        (ALL, {"text": "x", "features": ["1"]}, 422),
        (ALL, {"text": "x", "features": [1, 64]}, 422),
        (ALL, {"text": "x", "features": [-1]}, 422),
        (CATEGORIES, {"name": "a", "parent": "none"}, 422),
        (CATEGORIES, {"name": "a", "parent": "a"}, 422),
        (CATEGORIES, {"name": "a", "colour": "red"}, 422),
        (CATEGORIES, {"name": "a", "action": "drop"}, 422),
    ],
)
def test_what_cannot_be_kept_is_refused_and_nothing_is_written(
    client: TestClient, atlas: sa.Atlas, where: str, body: dict[str, Any], status: int
) -> None:
    answer = client.post(where, json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    assert answer.json()["detail"]
    assert list(atlas.store.list("labels/")) == []
