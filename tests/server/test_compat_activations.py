"""A client of the older server goes on working, and gets what it had to go without."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from saeatlas.atlas.atlas import Atlas
from saeatlas.server.app import create_app
from saeatlas.server.settings import ServerSettings
from saeatlas.testing.make_atlas import make_atlas

BASE = "/compat/activations"


@dataclass
class OldClient:
    """What a program of that time does: one look at the health, then tables by feature."""

    http: TestClient
    group: str = "kind"

    def get(self, path: str, **params: Any) -> Any:
        answer = self.http.get(f"{BASE}{path}", params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    @cached_property
    def health(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/health")
        assert found["status"] == "healthy"
        assert {"model_type", "n_features", "uptime_seconds"} <= set(found)
        return found

    def table(self, feature: int, **params: Any) -> tuple[pa.Table, dict[str, str]]:
        answer = self.http.get(f"{BASE}/activations/{feature}/arrow", params={"group": self.group, **params})
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
        assert answer.content[:6] == b"ARROW1"
        return pa.ipc.open_file(io.BytesIO(answer.content)).read_all(), dict(answer.headers)

    def lines(self, feature: int, **params: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/activations/{feature}", **{"group": self.group, **params})
        return found


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    folder = tmp_path_factory.mktemp("compat") / "a.atlas"
    return make_atlas(
        folder, n_rows=300, n_features=24, n_documents=15, listed_zeros=0.2, ragged=True, interleaved=True
    )


@pytest.fixture(scope="module")
def client(atlas: Atlas) -> Iterator[OldClient]:
    with TestClient(create_app(atlas.url), base_url="http://127.0.0.1") as http:
        yield OldClient(http)


def oracle(atlas: Atlas, feature: int) -> dict[int, list[float]]:
    """Active values of each document, from the rows one by one."""
    sae = atlas.sae()
    found: dict[int, list[float]] = defaultdict(list)
    rows, values = sae.activations.feature(feature)
    for place, value in zip(sae.corpus.locate(rows), values.tolist(), strict=True):
        if value > 0:
            found[place.index].append(value)
    return found


def test_health_says_which_sae_answers(client: OldClient, atlas: Atlas) -> None:
    active = [f for f in range(24) if oracle(atlas, f)]
    assert client.health["model_type"] == "toy"
    assert client.health["n_features"] == len(active)
    assert client.health["n_features_total"] == 24
    assert client.health["identity_digest"] == atlas.sae().identity.digest()
    assert client.get("/features")["feature_ids"] == active


@pytest.mark.parametrize("feature", [0, 5, 22])
def test_lines_are_all_documents_with_their_ids_the_strongest_first(
    client: OldClient, atlas: Atlas, feature: int
) -> None:
    want = oracle(atlas, feature)
    corpus = atlas.corpus()
    body = client.lines(feature)
    assert body["feature_id"] == feature
    assert body["n_rows"] == len(body["data"]) == len(want) == body["n_documents"]
    assert body["columns"][:3] == ["activation", "weapon_id", "ability_input_tokens"]
    order = sorted(want, key=lambda document: (-max(want[document]), document))
    assert [line["document"] for line in body["data"]] == order
    assert [line["activation"] for line in body["data"]] == [max(want[document]) for document in order]
    assert [line["n_active_rows"] for line in body["data"]] == [len(want[document]) for document in order]
    ids = corpus.table(["id"]).column("id").to_pylist()
    assert [line["document_id"] for line in body["data"]] == [ids[document] for document in order]
    tokens = corpus.tokens
    assert tokens is not None
    for line in body["data"]:
        rows = corpus.rows_of(line["document"])
        sorted_rows = np.sort(rows)
        by_row = dict(zip(sorted_rows.tolist(), tokens.tokens(sorted_rows).tolist(), strict=True))
        assert line["ability_input_tokens"] == [by_row[row] for row in rows.tolist()]
    assert body["stats"]["n_active"] == sum(map(len, want.values()))
    assert body["sampled"] is None
    assert body["load_time_ms"] >= 0


def test_groups_are_numbered_as_the_vocabulary_says(client: OldClient, atlas: Atlas) -> None:
    kinds = atlas.corpus().table(["kind"]).column("kind").to_pylist()
    vocabulary = client.get("/context/vocab", group="kind")
    inverse = client.get("/context/inv_vocab", group="kind")
    assert vocabulary["weapon_vocab"] == {"note": 0, "review": 1}
    assert inverse["inv_weapon_vocab"] == {"0": "note", "1": "review"}
    for line in client.lines(0)["data"]:
        kind = kinds[line["document"]]
        assert line["weapon_id"] == (None if kind is None else vocabulary["weapon_vocab"][kind])
    assert inverse["inv_vocab"] == {str(number): word for word, number in vocabulary["vocab"].items()}
    assert vocabulary["ambiguous"] == {}


def test_without_a_group_there_is_none_and_it_is_said(client: OldClient) -> None:
    body = client.get("/activations/0")
    assert body["group"] is None
    assert {line["weapon_id"] for line in body["data"]} == {None}


def test_server_can_name_the_group_for_clients_that_cannot(client: OldClient, atlas: Atlas) -> None:
    app = create_app(atlas.url, ServerSettings(compat_group="kind"))
    with TestClient(app, base_url="http://127.0.0.1") as http:
        assert http.get(f"{BASE}/activations/0").json()["data"] == client.lines(0)["data"]
        assert http.get(f"{BASE}/activations/0?group=stars").json()["group"] == "stars"


def test_arrow_is_a_file_with_the_lines_of_json(client: OldClient) -> None:
    table, headers = client.table(5)
    body = client.lines(5)
    assert table.to_pylist() == body["data"]
    assert table.schema.field("activation").type == pa.float32()
    assert table.schema.field("weapon_id").type == pa.int64()
    assert table.schema.field("ability_input_tokens").type == pa.large_list(pa.int64())
    assert (headers["x-feature-id"], headers["x-num-rows"]) == ("5", str(table.num_rows))
    assert float(headers["x-load-time-ms"]) >= 0
    assert headers["x-cache-hit"] == "false"


def test_limit_gives_the_strongest(client: OldClient) -> None:
    every, few = client.lines(0)["data"], client.lines(0, limit=3)
    assert few["data"] == every[:3]
    assert (few["n_rows"], few["n_documents"]) == (3, len(every))


def test_draw_is_said_and_repeats_with_its_seed(client: OldClient) -> None:
    whole = client.lines(0)
    one, again, other = (client.lines(0, sample_frac=0.4, seed=seed) for seed in (1, 1, 2))
    assert one["data"] == again["data"] != other["data"]
    assert one["n_rows"] == round(0.4 * whole["n_rows"])
    assert all(line in whole["data"] for line in one["data"])
    assert f"{one['n_rows']} of {whole['n_rows']} documents" in one["sampled"]
    assert "seed 1" in one["sampled"]
    assert client.lines(0, sample_frac=1.0)["data"] == whole["data"]
    _, headers = client.table(0, sample_frac=0.4, seed=1)
    assert headers["x-sampled"] == one["sampled"]


def test_tokens_can_be_left_out(client: OldClient) -> None:
    body = client.lines(0, include_abilities=False)
    assert "ability_input_tokens" not in body["columns"]
    assert all(set(line) == set(body["columns"]) for line in body["data"])
    table, _ = client.table(0, include_abilities=False)
    assert table.column_names == body["columns"]


def test_feature_that_never_fires_has_no_lines(client: OldClient) -> None:
    body = client.lines(23)
    assert (body["n_rows"], body["data"], body["stats"]["n_active"], body["stats"]["max"]) == (0, [], 0, None)
    assert client.table(23)[0].num_rows == 0


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/activations/-1", 404),
        ("/activations/-1/arrow", 404),
        ("/activations/24", 404),
        ("/activations/24/arrow", 404),
        ("/activations/9007199254740991", 404),
        ("/activations/99999999999999999999999", 422),
        ("/activations/abc", 422),
        ("/activations/1.5", 422),
        ("/activations/0?limit=0", 422),
        ("/activations/0?limit=-3", 422),
        ("/activations/0?sample_frac=0", 422),
        ("/activations/0?sample_frac=1.5", 422),
        ("/activations/0?sample_frac=nan", 422),
        ("/activations/0?seed=-1", 422),
        ("/activations/0?include_abilities=maybe", 422),
        ("/activations/0?group=nope", 404),
        ("/activations/0?group=length", 422),
        ("/activations/0?sae=nope", 404),
        ("/context/vocab?sae=nope", 404),
        ("/nothing", 404),
    ],
)
def test_errors_say_what_is_wrong(client: OldClient, path: str, status: int) -> None:
    answer = client.http.get(f"{BASE}{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["kind"] == ("not-found" if status == 404 else "invalid-input")


def test_tokens_that_are_not_there_are_an_error_and_no_empty_list(tmp_path: Path) -> None:
    with TestClient(
        create_app(make_atlas(tmp_path / "c.atlas", tokens=False).url), base_url="http://127.0.0.1"
    ) as http:
        assert http.get(f"{BASE}/activations/0").status_code == 404
        assert http.get(f"{BASE}/activations/0?include_abilities=false").json()["n_rows"] > 0
        assert http.get(f"{BASE}/context/vocab").status_code == 404


def test_of_several_saes_one_must_be_named(tmp_path: Path) -> None:
    make_atlas(tmp_path / "b.atlas", sae="one")
    url = make_atlas(tmp_path / "b.atlas", sae="two").url
    with TestClient(create_app(url), base_url="http://127.0.0.1") as http:
        assert http.get(f"{BASE}/health").status_code == 404
        assert http.get(f"{BASE}/health?sae=two").json()["model_type"] == "two"
