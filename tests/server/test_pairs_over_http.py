"""A pair of features over HTTP is what Python finds."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from saeatlas.atlas.atlas import Atlas
from saeatlas.testing.make_atlas import make_atlas

MEASURES = ("n_rows", "n_a", "n_b", "n_both", "lift", "pmi", "jaccard", "pearson", "p_b_given_a", "p_a_given_b")
DEAD = 63


def ask(client: TestClient, a: int, b: int, **query: Any) -> dict[str, Any]:
    answer = client.get(f"/api/v1/saes/toy/pairs/{a}/{b}", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(("a", "b"), [(0, 1), (1, 0), (2, 30), (0, DEAD), (0, 62)])
def test_numbers_are_those_of_the_pair(atlas: Atlas, client: TestClient, a: int, b: int) -> None:
    found, pair = ask(client, a, b), atlas.sae().pair(a, b)
    assert {name: found[name] for name in MEASURES} == {name: getattr(pair, name) for name in MEASURES}
    for by in ("decoder", "encoder"):
        cosine = pair.cosine(by)  # type: ignore[arg-type]
        assert (found[f"{by}_cosine"], found[f"{by}_reason"]) == (cosine.value, cosine.reason)
    assert found["basis"] == {"n_rows": 200, "exact": True, "sampled": None}
    assert [found[side]["feature"] for side in "ab"] == [a, b]
    assert found["a"]["stats"]["n_active"] == pair.n_a
    assert sum(found["b"]["histogram"]["counts"]) == pair.n_b


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_joint_histogram_is_that_of_the_pair(atlas: Atlas, client: TestClient, scale: Any) -> None:
    found, expected = ask(client, 0, 1, bins=3, scale=scale)["joint"], atlas.sae().pair(0, 1).joint(3, scale)
    assert found == {
        "scale": scale,
        "edges_a": list(expected.edges_a),
        "edges_b": list(expected.edges_b),
        "counts": [list(line) for line in expected.counts],
    }


def test_examples_carry_both_values_on_every_token(atlas: Atlas, client: TestClient) -> None:
    found, pair = ask(client, 0, 1, n=5, before=2, after=2), atlas.sae().pair(0, 1)
    places = pair.strongest(5)
    assert [line["row"] for line in found["examples"]] == pair.rows[places].tolist()
    for line, window in zip(found["examples"], pair.windows(places, 2, 2), strict=True):
        assert (line["values_a"], line["values_b"]) == window.values
        assert line["tokens"] == window.strings
        at = line["position"] - line["first_position"]
        assert (line["values_a"][at], line["values_b"][at]) == (line["value_a"], line["value_b"])


def test_tokens_and_documents_are_those_of_the_pair(atlas: Atlas, client: TestClient) -> None:
    found, pair = ask(client, 0, 1), atlas.sae().pair(0, 1)
    assert found["shared_tokens"] == pair.tokens(20).to_pylist()
    documents = pair.documents().to_pylist()
    assert found["n_documents"] == len(documents)
    assert found["documents"] == sorted(documents, key=lambda line: (-line["count"], line["document"]))


def test_features_that_never_fire_together_are_an_answer(client: TestClient) -> None:
    found = ask(client, 0, DEAD)
    assert (found["n_both"], found["lift"], found["pmi"], found["pearson"]) == (0, None, None, None)
    assert (found["joint"]["counts"], found["examples"], found["documents"]) == ([], [], [])
    assert found["shared_tokens"] == []


def test_a_corpus_without_tokens_says_so(tmp_path: Any, connect: Any) -> None:
    found = ask(connect(make_atlas(tmp_path / "a.atlas", tokens=False).url), 0, 1)
    assert found["shared_tokens"] is None
    assert "without tokens" in found["tokens_reason"]
    assert "no weights" in found["decoder_reason"]
    assert all(line["reason"] for line in found["examples"])


@pytest.mark.parametrize(
    ("path", "status"),
    [("3/3", 422), ("3/64", 404), ("-1/3", 422), ("a/3", 422), ("0/1?bins=0", 422), ("0/1?n=100000", 422)],
)
def test_what_is_no_pair_is_refused(client: TestClient, path: str, status: int) -> None:
    answer = client.get(f"/api/v1/saes/toy/pairs/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
