"""Documents over HTTP: any id reaches its document, and what is shown is what the rows list."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from starlette.testclient import TestClient

from saeatlas.atlas.atlas import Atlas, create, open_atlas
from saeatlas.atlas.document_view import entries_in, view_document
from saeatlas.pipeline.importing import import_source
from saeatlas.server.resources import corpora
from saeatlas.testing.make_atlas import Shape, make_atlas, make_importer
from saeatlas.testing.running_server import running_server

IDS = (
    "a/b",
    "x?y=1&z",
    "h#1",
    "日本/ü 🙂",
    "17",
    "../../etc/passwd",
    " space ",
    "%2F",
    "a//b",
    "/",
    "0",
    "@1",
    "a\\b",
    "Ω%",
)
PATH = "/api/v1/corpora/reviews"


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    """Documents whose ids are none that a path would be made of."""
    made = create(tmp_path_factory.mktemp("odd") / "a.atlas")
    importer = make_importer(Shape(n_documents=len(IDS), listed_zeros=0.2))
    import_source(made.store, replace(importer, data=replace(importer.data, ids=IDS)))
    return open_atlas(made.url)


@pytest.fixture(scope="module")
def oddly(odd: Atlas) -> Iterator[httpx.Client]:
    """A client of a server behind a socket: one that calls the application here decodes paths twice."""
    with running_server(odd.url) as url, httpx.Client(base_url=url) as client:
        yield client


def get(client: httpx.Client, path: str, **query: Any) -> dict[str, Any]:
    answer = client.get(PATH + path, params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("document", IDS)
def test_a_document_is_found_by_its_id_whatever_it_looks_like(oddly: httpx.Client, document: str) -> None:
    found = get(oddly, f"/documents/{quote(document, safe='')}")
    assert (found["document"], found["index"]) == (document, IDS.index(document))
    assert get(oddly, f"/documents/{IDS.index(document)}", by="index") == found


def test_an_id_that_is_a_number_is_no_index(oddly: httpx.Client) -> None:
    assert get(oddly, "/documents/0")["index"] == IDS.index("0")
    assert get(oddly, "/documents/0", by="index")["document"] == IDS[0]
    assert oddly.get(f"{PATH}/documents/1").status_code == 404


def test_a_view_is_what_python_shows(atlas: Atlas, client: TestClient) -> None:
    sae = atlas.sae()
    for document in range(sae.corpus.n_documents):
        found = get(client, f"/documents/{document}", by="index", sae="toy")
        view = view_document(sae.corpus, document)
        entries = entries_in(sae, view)
        assert found["activations"] == {
            "feature": entries.features.tolist(),
            "position": entries.positions.tolist(),
            "value": entries.values.tolist(),
        }
        for name in ("n_rows", "start", "stop", "text", "text_start", "metadata", "tokens", "reason"):
            assert found[name] == getattr(view, name), name
        assert found["rows"] == view.rows.tolist()
        lines = sae.features_in(document).to_pylist()
        assert [line["feature"] for line in found["features"]] == [line["feature"] for line in lines]
        assert [line["max"] for line in found["features"]] == [line["max"] for line in lines]
        assert found["n_features"] == len(lines)
        assert found["features"][0]["text"] == sae.lookup.texts.get(found["features"][0]["feature"])
        assert found["basis"] == {"n_rows": view.n_rows, "exact": True, "sampled": None}


def test_without_an_sae_there_are_no_features(client: TestClient) -> None:
    found = get(client, "/documents/2", by="index")
    names = ("sae", "labels_position", "basis", "activations", "features", "n_features", "window_size")
    assert [found[name] for name in names] == [None] * len(names)


def test_a_long_document_comes_in_spans_and_says_how_long_it_is(
    atlas: Atlas, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpora, "_MOST_ROWS", 7)
    whole = view_document(atlas.corpus(), 2)
    tokens, start = [], 0
    while start < whole.n_rows:
        found = get(client, "/documents/2", by="index", start=start, sae="toy", top=1)
        assert found["stop"] - found["start"] <= 7
        assert (found["n_rows"], found["start"]) == (whole.n_rows, start)
        tokens += found["tokens"]
        start = found["stop"]
    assert tokens == whole.tokens
    assert client.get(f"{PATH}/documents/2", params={"by": "index", "stop": 8}).status_code == 422


def test_only_some_features_and_only_the_strongest(atlas: Atlas, client: TestClient) -> None:
    sae = atlas.sae()
    view = view_document(sae.corpus, 2, 1, 9)
    query = {"by": "index", "sae": "toy", "start": 1, "stop": 9}
    some = get(client, "/documents/2", features="1, 0", **query)
    assert set(some["activations"]["feature"]) <= {0, 1}
    assert some["activations"]["feature"] == entries_in(sae, view, [0, 1]).features.tolist()
    best = get(client, "/documents/2", top=1, **query)
    assert best["activations"]["value"] == entries_in(sae, view, top=1).values.tolist()


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/documents/nope", {}, 404),
        ("/documents/99", {"by": "index"}, 404),
        ("/documents/-1", {"by": "index"}, 422),
        ("/documents/1e2", {"by": "index"}, 422),
        ("/documents/٣", {"by": "index"}, 422),
        ("/documents/" + "9" * 40, {"by": "index"}, 422),
        ("/documents/2", {"by": "name"}, 422),
        ("/documents/2", {"by": "index", "start": 999}, 422),
        ("/documents/2", {"by": "index", "start": 3, "stop": 2}, 422),
        ("/documents/2", {"by": "index", "sae": "nope"}, 404),
        ("/documents/2", {"by": "index", "top": 3}, 422),
        ("/documents/2", {"by": "index", "sae": "toy", "top": 0}, 422),
        ("/documents/2", {"by": "index", "sae": "toy", "features": "1,x"}, 422),
        ("/documents/2", {"by": "index", "sae": "toy", "features": "64"}, 404),
        ("/documents/2", {"by": "index", "sae": "toy", "features": ",".join("1" * 1001)}, 422),
        ("/documents", {"columns": "nope"}, 404),
        ("/documents", {"limit": "x"}, 422),
    ],
)
def test_what_cannot_be_shown_is_a_problem(client: TestClient, path: str, query: Any, status: int) -> None:
    answer = client.get(PATH + path, params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_an_sae_of_another_corpus_is_a_conflict(tmp_path: Any, connect: Any) -> None:
    made = make_atlas(tmp_path / "a.atlas")
    importer = make_importer(Shape(seed=1), sae="other")
    import_source(made.store, replace(importer, corpus="letters"))
    client = connect(made.url)
    answer = client.get("/api/v1/corpora/letters/documents/1", params={"by": "index", "sae": "toy"})
    assert (answer.status_code, answer.json()["kind"]) == (409, "corpus-mismatch")
    found = client.get("/api/v1/corpora").json()["corpora"]
    assert [(one["name"], one["saes"]) for one in found] == [("letters", ["other"]), ("reviews", ["toy"])]


def test_the_list_of_documents_is_that_of_the_corpus_in_pages(atlas: Atlas, client: TestClient) -> None:
    every = atlas.corpus().table().to_pylist()
    rows, after = [], None
    while True:
        page = get(client, "/documents", limit=3, **({} if after is None else {"after": after}))
        rows += page["rows"]
        assert page["total"] == len(every)
        after = page["next"]
        if after is None:
            break
    assert rows == every
    assert get(client, "/documents", columns="id,stars", limit=1)["rows"] == [
        {name: every[0][name] for name in ("document", "id", "stars")}
    ]
    assert get(client, "/documents", after=10**9)["rows"] == []


def test_documents_that_contain_a_text_in_id_or_metadata(atlas: Atlas, client: TestClient) -> None:
    every = atlas.corpus().table().to_pylist()
    for text in ("C-00", "REVIEW", "nothing has this", ".", ""):
        expected = [
            line["document"]
            for line in every
            if any(isinstance(value, str) and text.lower() in value.lower() for value in line.values())
        ]
        found = get(client, "/documents", contains=text, limit=1000)
        assert ([line["document"] for line in found["rows"]], found["total"]) == (expected, len(expected))


def test_a_corpus_says_what_it_has(atlas: Atlas, client: TestClient) -> None:
    found = get(client, "")
    assert found == {
        "commit": atlas.commit.number,
        "name": "reviews",
        "n_documents": 10,
        "n_rows": 200,
        "n_without_rows": int(np.sum(atlas.corpus().documents.lengths() == 0)),
        "metadata_columns": ["stars", "length", "kind"],
        "has_text": True,
        "has_tokens": True,
        "has_spans": True,
        "saes": ["toy"],
    }
