"""Maps, clusters and graphs over HTTP say what they are made of and whom they leave out."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from starlette.testclient import TestClient

from saeatlas.analyses.umap import Umap
from saeatlas.atlas.atlas import Atlas, open_atlas
from saeatlas.atlas.clusterings import clustering_of, clusters_of
from saeatlas.atlas.graphs import graph_of
from saeatlas.atlas.projections import projection_of
from saeatlas.pipeline.build import build
from saeatlas.testing.make_atlas import make_atlas


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    made = make_atlas(tmp_path_factory.mktemp("drawn") / "a.atlas", parts=True)
    return build(made, Umap(n_epochs=5, quality_sample=0))


def get(client: TestClient, path: str) -> dict[str, Any]:
    answer = client.get(f"/api/v1/saes/toy/{path}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("name", ["umap-2d", "umap-3d", "imported"])
def test_a_map_has_every_feature_with_a_place_and_says_how_good_it_is(drawn: Atlas, connect: Any, name: str) -> None:
    found = get(connect(drawn.url), f"projections/{name}")
    about, table = projection_of(drawn.sae(), name)
    assert found["rows"] == table.to_pylist()
    # The last feature of these weights has no direction.
    without = 0 if name == "imported" else 1
    assert found["extra"] == asdict(about) | {"n_features": 64, "n_without_place": without}
    assert found["total"] == 64 - without


@pytest.mark.parametrize("name", ["ward_3", "hdbscan", "recursive"])
def test_clusters_have_every_feature_and_say_what_each_is(atlas: Atlas, client: TestClient, name: str) -> None:
    found = get(client, f"clusters/{name}")
    table = clustering_of(atlas.sae(), name)
    assert found["rows"] == table.to_pylist()
    expected = [asdict(one) | {"terms": list(one.terms)} for one in clusters_of(atlas.sae())[name]]
    assert found["extra"]["clusters"] == expected
    assert found["extra"]["n_without_cluster"] == table["cluster"].null_count


@pytest.mark.parametrize("name", ["neighbors", "imported"])
def test_a_graph_has_every_edge_and_says_what_weights_are(atlas: Atlas, client: TestClient, name: str) -> None:
    found = get(client, f"graphs/{name}")
    about, table = graph_of(atlas.sae(), name)
    assert found["rows"] == table.to_pylist()
    assert found["extra"] == asdict(about)
    assert found["total"] == about.n_edges


@pytest.mark.parametrize("path", ["projections/nope", "projections/umap-3d", "clusters/ward_10", "graphs/x%00y"])
def test_what_is_not_there_is_a_problem_that_lists_what_is(client: TestClient, path: str) -> None:
    answer = client.get(f"/api/v1/saes/toy/{path}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["hint"].startswith("Known: ")


def test_an_older_commit_shows_what_was_there_then(drawn: Atlas, connect: Any) -> None:
    client = connect(drawn.url)
    assert client.get("/api/v1/saes/toy/projections/umap-2d").status_code == 200
    before = open_atlas(drawn.url, drawn.commit.number - 1).commit.number
    answer = client.get(f"/api/v1/@{before}/saes/toy/projections/umap-2d")
    assert (answer.status_code, "has not been computed" in answer.json()["detail"]) == (404, True)
    pinned = client.get(f"/api/v1/@{before}/saes/toy/projections/imported")
    assert "immutable" in pinned.headers["cache-control"]
