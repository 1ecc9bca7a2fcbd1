"""What the atlas holds, selections that were kept, histograms, plug-ins, measurements of the server itself."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from starlette.testclient import TestClient

from saeatlas.atlas.atlas import Atlas
from saeatlas.atlas.column_histograms import column_histograms
from saeatlas.atlas.predicates import Predicate
from saeatlas.errors import InvalidInput
from saeatlas.format.canonical import write_document
from saeatlas.pipeline.registries import registries
from saeatlas.testing.make_atlas import make_atlas

SAE = "/api/v1/saes/toy"


def test_sae_says_what_there_is_and_why_the_rest_is_not(client: TestClient, atlas: Atlas) -> None:
    found = client.get(SAE).json()
    sae = atlas.sae()
    assert found["identity"] == sae.identity.to_json()
    assert (found["n_rows"], found["n_documents"], found["corpus"]) == (200, 10, "reviews")
    states = {one["name"]: one for one in found["analyses"]}
    assert states["stats"] == {"name": "stats", "state": "current", "reason": "", "axis": "feature"}
    assert states["umap"]["state"] == "absent" and "saeatlas analyze umap" in states["umap"]["reason"]
    assert found["report_card"]["n_features"] == 64
    assert [one["name"] for one in found["projections"]] == ["imported"]
    assert {"ward_3", "hdbscan"} <= {one["name"] for one in found["clusterings"]}
    assert {"neighbors", "imported"} == {one["name"] for one in found["graphs"]}
    assert found["n_explained"] > 0 and found["n_labelled"] == 0


def test_columns_say_their_type(client: TestClient) -> None:
    kinds = {one["name"]: one["type"] for one in client.get(SAE).json()["columns"]}
    assert kinds["stats.max"] == "number"
    assert kinds["stats.n_active"] == "integer"
    assert kinds["explanations.text"] == "text"
    assert kinds["histogram.linear_edges"] == "list"


def test_columns_say_what_they_mean(client: TestClient) -> None:
    said = {one["name"]: one["description"] for one in client.get(SAE).json()["columns"]}
    assert said["stats.max"] == "Largest active value, in units of the source; null without any."
    assert said["clusters.ward_3"].startswith("Cluster in the cut of Ward's tree")
    assert said["explanations.n"] == "Explanations of the feature in all sets together; null without any."
    assert [name for name, text in said.items() if not text] == []


def test_sae_without_activations_has_no_rows_and_says_null(tmp_path: Path, connect: Any) -> None:
    import saeatlas
    from saeatlas.testing.parts_importer import PartsImporter, make_parts

    atlas = saeatlas.build(saeatlas.create(tmp_path / "a.atlas"), PartsImporter(sae="map", data=make_parts(16, seed=0)))
    client = connect(atlas.url)
    (one,) = client.get("/api/v1/saes").json()["saes"]
    assert (one["has_activations"], one["n_rows"], one["corpus"]) == (False, None, None)
    assert client.get("/api/v1/saes/map").json()["report_card"] is None
    assert client.get("/api/v1/saes/map/features").json()["total"] == 16


def test_empty_atlas_is_served(tmp_path: Path, connect: Any) -> None:
    import saeatlas

    client = connect(saeatlas.create(tmp_path / "a.atlas").url)
    assert client.get("/api/v1/saes").json() == {"commit": 0, "saes": []}
    assert client.get("/api/v1/commits").json() == {"commits": []}


def test_commits_come_newest_first(client: TestClient, atlas: Atlas) -> None:
    numbers = [one["number"] for one in client.get("/api/v1/commits").json()["commits"]]
    assert numbers == list(range(atlas.commit.number, 0, -1))


def test_every_plugin_is_listed_with_the_schema_of_its_fields(client: TestClient) -> None:
    found = client.get("/api/v1/plugins").json()["plugins"]
    want = [(kind, name) for kind, registry in registries().items() for name in registry]
    assert [(one["kind"], one["name"]) for one in found] == want
    (umap,) = (one for one in found if one["name"] == "umap")
    assert umap["schema"]["properties"]["seed"]["type"] == "integer"
    assert umap["schema"]["properties"]["seed"]["description"]


def test_selection_is_kept_once_and_found_by_what_it_holds(tmp_path: Path, connect: Any) -> None:
    atlas = make_atlas(tmp_path / "a.atlas")
    client = connect(atlas.url)
    made = client.post(f"{SAE}/sets", json={"features": [9, 3, 9], "name": "<loud>"})
    again = client.post(f"{SAE}/sets", json={"features": [3, 9], "name": "<loud>"})
    assert (made.status_code, made.json()) == (201, again.json())
    assert made.json() | {"set": ""} == {"set": "", "name": "<loud>", "n": 2, "features": [3, 9]}
    given = made.json()["set"]
    assert client.get(f"{SAE}/sets/{given}").json() == made.json()
    found = client.get(f"{SAE}/features", params={"ids": f"set:{given}", "columns": "feature"}).json()
    assert [one["feature"] for one in found["rows"]] == [3, 9]
    assert [path.name for path in (tmp_path / "a.atlas/selections/toy").iterdir()] == [f"{given}.json"]


def test_selection_of_features_that_are_not_there_is_refused(tmp_path: Path, connect: Any) -> None:
    client = connect(make_atlas(tmp_path / "a.atlas").url)
    for features in ([64], [], [-1], [1.5], ["1"], [True]):
        assert client.post(f"{SAE}/sets", json={"features": features}).status_code == 422
    for name in ("two\nlines", "a\x00b", "\u2028"):
        refused = client.post(f"{SAE}/sets", json={"features": [1], "name": name})
        assert (refused.status_code, "control character" in refused.json()["detail"]) == (422, True)
    assert not (tmp_path / "a.atlas/selections").exists()


def test_changed_selection_is_not_answered(tmp_path: Path, connect: Any) -> None:
    client = connect(make_atlas(tmp_path / "a.atlas").url)
    given = client.post(f"{SAE}/sets", json={"features": [1]}).json()["set"]
    other = write_document({"sae": "toy", "name": "", "features": [2]})
    (tmp_path / f"a.atlas/selections/toy/{given}.json").write_bytes(other)
    answer = client.get(f"{SAE}/sets/{given}")
    assert (answer.status_code, answer.json()["kind"]) == (500, "corrupt-artifact")


def test_histogram_counts_what_numpy_counts(client: TestClient, atlas: Atlas) -> None:
    values = atlas.sae().features.select("stats.max").collect()["stats.max"].drop_nulls().to_numpy()
    (found,) = client.get(f"{SAE}/histograms", params={"columns": "stats.max", "bins": 7}).json()["histograms"]
    counts, edges = np.histogram(values, 7)
    assert found["counts"] == counts.tolist()
    assert found["edges"] == pytest.approx(edges)
    assert (found["n_missing"], found["n_present"], found["total"]) == (64 - values.size, values.size, 64)
    assert found["counts_where"] is None


def test_histogram_counts_what_fulfils_the_conditions_beside_all(client: TestClient) -> None:
    where = json.dumps([{"column": "feature", "op": "lt", "value": 16}])
    params = {"columns": "feature,stats.max", "bins": 4, "where": where}
    ids, largest = client.get(f"{SAE}/histograms", params=params).json()["histograms"]
    assert (ids["counts"], ids["counts_where"]) == ([16, 16, 16, 16], [16, 0, 0, 0])
    assert sum(largest["counts_where"]) + largest["n_missing_where"] == 16


def test_whole_numbers_have_a_bin_each(atlas: Atlas) -> None:
    (found,) = column_histograms(atlas.sae(), ["explanations.n"])
    assert (found.edges == np.floor(found.edges)).all()
    assert found.counts.sum() == found.n_present


def test_column_with_one_value_has_one_bin_around_it(atlas: Atlas) -> None:
    (found,) = column_histograms(atlas.sae(), ["stats.n_rows"])
    assert found.counts.tolist() == [64]
    assert found.edges[0] <= 200 < found.edges[1]


@pytest.mark.parametrize(
    "ends", [(1e17, 1e17), (1e300, 1e300), (2.0**53, 2.0**53 + 2), (-1.7e308, 1.7e308), (0.0, 5e-324)]
)
def test_numbers_at_the_ends_of_what_there_is_are_all_counted(atlas: Atlas, ends: tuple[float, float]) -> None:
    sae = Atlas(atlas.store, atlas.commit).sae()
    sae.columns["stats.max"] = pl.Series("stats.max", [ends[place % 2] for place in range(sae.n_features)])
    (found,) = column_histograms(sae, ["stats.max"], 40)
    assert np.isfinite(found.edges).all() and (np.diff(found.edges) > 0).all()
    assert found.counts.sum() == sae.n_features and found.counts[0] >= sae.n_features // 2


def test_what_has_no_histogram_is_refused(atlas: Atlas) -> None:
    for column in ("explanations.text", "histogram.linear_edges"):
        with pytest.raises(InvalidInput):
            column_histograms(atlas.sae(), [column])
    with pytest.raises(InvalidInput):
        column_histograms(atlas.sae(), ["stats.max"], 0)


def test_conditions_may_leave_no_feature(atlas: Atlas) -> None:
    (found,) = column_histograms(atlas.sae(), ["stats.max"], 5, (Predicate("feature", "gt", 1000),))
    assert found.counts_where is not None and found.counts_where.sum() == 0


def test_metrics_count_requests_by_route_and_never_by_what_was_asked(connect: Any) -> None:
    client = connect()
    for feature in (1, 2, 999):
        client.get(f"{SAE}/features/{feature}")
    client.get('/api/v1/"}evil')
    text = client.get("/metrics").text
    route = "/api/v1/saes/{sae}/features/{feature}"
    assert f'saeatlas_requests_total{{method="GET",route="{route}",status="200"}} 2' in text
    assert f'saeatlas_requests_total{{method="GET",route="{route}",status="404"}} 1' in text
    assert "evil" not in text
    for line in text.splitlines():
        assert line.startswith("#") or re.fullmatch(r'[a-z_]+(\{([a-z]+="[^"\\]*",?)+\})? [0-9.e+-]+', line), line
    buckets = [int(value) for value in re.findall(rf'bucket{{route="{re.escape(route)}",le="[^"]+"}} (\d+)', text)]
    assert buckets == sorted(buckets) and buckets[-1] == 3
