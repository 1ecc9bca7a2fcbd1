"""Search over HTTP says what Python says, in segments that no browser takes for markup."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from saeatlas.analyses.search import Search
from saeatlas.analyses.search_documents import SearchDocuments
from saeatlas.analyses.top_tokens import TopTokens
from saeatlas.atlas.atlas import Atlas
from saeatlas.atlas.search import search
from saeatlas.pipeline.build import build
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.server.app import create_app
from saeatlas.testing.make_atlas import make_atlas
from saeatlas.testing.parts_importer import PartsImporter, make_parts

URL = "/api/v1/search"
TEXTS = ((0, "customers who ask for a refund"), (6, "<script>alert('x')</script> in HTML"))


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    made = make_atlas(tmp_path_factory.mktemp("searched") / "a.atlas", n_features=16)
    import_parts(made.store, PartsImporter(sae="toy", data=replace(make_parts(16), texts=TEXTS)))
    return build(made, TopTokens(), Search(), SearchDocuments())


@pytest.fixture
def client(atlas: Atlas) -> Iterator[TestClient]:
    with TestClient(create_app(atlas.url), base_url="http://127.0.0.1") as client:
        yield client


def test_answer_is_that_of_python(client: TestClient, atlas: Atlas) -> None:
    body = client.get(URL, params={"q": "refund dgo"}).json()
    found = search(atlas, "refund dgo")
    assert [body[name] for name in ("query", "corrected", "is_any", "total", "n_features", "n_documents")] == [
        found.query,
        found.corrected,
        found.is_any,
        found.total,
        found.n_features,
        found.n_documents,
    ]
    shown = [(hit["kind"], hit["feature"], hit["document"], hit["score"], hit["where"]) for hit in body["hits"]]
    assert shown == [
        *(("features", hit.feature, None, hit.score, hit.where) for hit in found.features),
        *(("documents", None, hit.document, hit.score, hit.where) for hit in found.documents),
    ]
    assert body["corrected"] == "refund dog"


def test_snippets_are_segments_and_no_markup(client: TestClient) -> None:
    (hit,) = client.get(URL, params={"q": "alert", "kind": "features"}).json()["hits"]
    assert "".join(part["text"] for part in hit["snippet"]) == TEXTS[1][1]
    assert [part["text"] for part in hit["snippet"] if part["is_match"]] == ["alert"]


def test_answer_is_known_until_a_label_comes(client: TestClient) -> None:
    first = client.get(URL, params={"q": "kummerspeck", "kind": "features"})
    assert first.json()["total"] == 0
    tag = {"if-none-match": first.headers["etag"]}
    assert client.get(URL, params={"q": "kummerspeck", "kind": "features"}, headers=tag).status_code == 304
    client.post("/api/v1/saes/toy/features/5/labels", json={"text": "Kummerspeck", "by": "ana"})
    again = client.get(URL, params={"q": "kummerspeck", "kind": "features"}, headers=tag)
    assert [(hit["feature"], hit["where"]) for hit in again.json()["hits"]] == [(5, "label")]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 422),
        ({"q": ""}, 422),
        ({"q": " "}, 422),
        ({"q": "x" * 10_000}, 422),
        ({"q": "a", "limit": "0"}, 422),
        ({"q": "a", "limit": "1001"}, 422),
        ({"q": "a", "kind": "rows"}, 422),
        ({"q": "a", "sae": "nope"}, 404),
        ({"q": '" OR 1=1 --'}, 200),
        ({"q": "NEAR( * ^"}, 200),
    ],
)
def test_what_is_asked_is_checked(client: TestClient, query: dict[str, str], status: int) -> None:
    answer = client.get(URL, params=query)
    assert answer.status_code == status
    assert status == 200 or answer.json()["kind"] in {"invalid-input", "not-found"}


def test_without_an_index_the_answer_says_what_to_run(tmp_path: Path) -> None:
    made = make_atlas(tmp_path / "b.atlas")
    with TestClient(create_app(made.url), base_url="http://127.0.0.1") as client:
        answer = client.get(URL, params={"q": "refund"})
    assert answer.status_code == 404
    assert "saeatlas analyze search" in answer.json()["detail"]
