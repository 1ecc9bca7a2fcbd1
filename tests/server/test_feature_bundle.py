"""One answer has all that a page shows, equal to what Python finds; what is null says why."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from saeatlas.analyses.clusters import Clusters
from saeatlas.analyses.coactivation import Coactivation
from saeatlas.analyses.examples import Examples
from saeatlas.analyses.histogram import Histogram
from saeatlas.analyses.logit_effects import LogitEffects
from saeatlas.analyses.metadata_association import MetadataAssociation
from saeatlas.analyses.neighbors import Neighbors
from saeatlas.analyses.stats import Stats
from saeatlas.analyses.token_profile import TokenProfile
from saeatlas.analyses.top_tokens import TopTokens
from saeatlas.atlas.atlas import Atlas, create, open_atlas
from saeatlas.atlas.logit_effects import logit_effects_of
from saeatlas.format.commit import publish_commit
from saeatlas.pipeline.build import build
from saeatlas.pipeline.labelling import label
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.server.models.tables import ngrams_basis
from saeatlas.server.resources import feature as bundle_module
from saeatlas.testing.make_atlas import make_atlas
from saeatlas.testing.parts_importer import PartsImporter, make_parts

PATH = "/api/v1/saes/toy/features"
DEAD = 63
NGRAM = ("kind", "size", "rank", "text", "count", "n_contexts", "share", "n_documents")
PARTS = ("stats", "histograms", "examples", "tokens", "ngrams", "neighbors", "coactive", "effects")


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Atlas:
    """Every analysis that a page shows."""
    folder = tmp_path_factory.mktemp("full")
    random = np.random.default_rng(1)
    np.save(folder / "u.npy", random.normal(size=(25, 12)).astype(np.float32))
    (folder / "v.json").write_text(str([f"w{i}" for i in range(25)]).replace("'", '"'))
    made = make_atlas(folder / "a.atlas", parts=True, ragged=True, listed_zeros=0.1, n_rows=400)
    effects = LogitEffects(unembedding=str(folder / "u.npy"), vocabulary=str(folder / "v.json"), k=15)
    analyses = (Coactivation(min_count=1), Examples(), MetadataAssociation(), TokenProfile(), effects)
    others = (Stats(), Histogram(), TopTokens(), Neighbors(k=3), Clusters(cuts=(3,), resamples=2))
    return build(made, *others, *analyses)


@pytest.fixture(scope="module")
def pages(full: Atlas, connect: Any) -> TestClient:
    return connect(full.url)


def bundle(client: TestClient, feature: int, sae: str = "toy") -> dict[str, Any]:
    answer = client.get(f"/api/v1/saes/{sae}/features/{feature}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def lacking(found: dict[str, Any]) -> dict[str, str]:
    return {one["part"]: one["reason"] for one in found["missing"]}


@pytest.mark.parametrize("feature", [0, 3, 40, DEAD])
def test_numbers_are_those_of_the_feature(full: Atlas, pages: TestClient, feature: int) -> None:
    found, own = bundle(pages, feature), full.sae().feature(feature)
    stats = asdict(own.stats())
    assert found["stats"] == {name: stats[name] for name in found["stats"]}
    for scale in ("linear", "log"):
        histogram = own.histogram(40, scale)
        assert found["histograms"][scale]["edges"] == list(histogram.edges)
        assert found["histograms"][scale]["counts"] == list(histogram.counts)
        assert found["histograms"][scale]["n_inactive"] == histogram.n_inactive
    assert found["basis"] == {"n_rows": 400, "exact": True, "sampled": None}
    assert found["columns"] == full.sae().lookup.columns(feature)
    assert found["is_dead"] == (own.stats().n_active == 0)
    assert (found["feature"], found["n_features"], found["sae"]) == (feature, 64, "toy")
    assert found["identity"] == full.sae().identity.to_json()
    assert found["identity_digest"] == full.sae().identity.digest()


@pytest.mark.parametrize("feature", [0, 3, 40, DEAD])
def test_examples_are_those_of_the_feature(full: Atlas, pages: TestClient, feature: int) -> None:
    found = bundle(pages, feature)["examples"]
    for pick, n in (("top", 20), ("quantiles", 5), ("random", 10)):
        expected = full.sae().feature(feature).examples(pick=pick, n=n)
        assert [line["row"] for line in found[pick]] == [one.row for one in expected]
        for line, one in zip(found[pick], expected, strict=True):
            assert line["tokens"] == [token.string for token in one.tokens]
            assert line["values"] == [token.value for token in one.tokens]
            assert line["visible"] == [token.visible for token in one.tokens]
            assert line["first_position"] == one.tokens[0].position
            for name in ("document", "document_index", "position", "value", "stratum", "rank", "window_start"):
                assert line[name] == getattr(one, name), name
            for name in ("metadata", "context_available", "reason", "is_natural_text"):
                assert line[name] == getattr(one, name), name


@pytest.mark.parametrize("feature", [0, 3, 40, DEAD])
def test_relations_are_those_of_the_feature(full: Atlas, pages: TestClient, feature: int) -> None:
    found, own = bundle(pages, feature), full.sae().feature(feature)
    texts = full.sae().lookup.texts
    assert found["tokens"] == own.top_tokens(20).to_pylist()
    nearest = own.similar(3).to_pylist()
    tokens = {line["feature"]: line["tokens"] for line in found["neighbors"]}
    assert tokens == {line["feature"]: full.sae().lookup.tokens([line["feature"]], 3)[0] for line in nearest}
    shown = [{**line, "text": texts.get(line["feature"]), "tokens": tokens[line["feature"]]} for line in nearest]
    assert found["neighbors"] == shown
    assert found["headline"] == full.sae().lookup.tokens([feature], 5)[0]
    together = own.coactive(20, min_count=1).to_pylist()
    assert [line["feature"] for line in found["coactive"]] == [line["feature"] for line in together]
    for line, expected in zip(found["coactive"], together, strict=True):
        assert {name: line[name] for name in ("count", "lift", "pmi", "jaccard", "pearson")}.items() <= expected.items()
    lines = logit_effects_of(own, 15).to_pylist()
    for side, name in (("top", "promoted"), ("bottom", "suppressed")):
        mine = [line for line in lines if line["side"] == side]
        assert found["effects"][name] == [{k: line[k] for k in ("token", "string", "effect")} for line in mine]
    assert found["explanations"] == full.sae().lookup.explanations(feature)
    assert {line["name"] for line in found["clusters"]} <= {"ward_3", "hdbscan", "recursive"}


@pytest.mark.parametrize("feature", [0, 40, DEAD])
def test_breakdowns_and_ngrams_are_those_of_the_analyses(full: Atlas, pages: TestClient, feature: int) -> None:
    found, sae = bundle(pages, feature), full.sae()
    assert [one["column"] for one in found["breakdowns"]] == ["stars", "length", "kind"]
    for one in found["breakdowns"]:
        expected = asdict(sae.feature(feature).breakdown(one["column"]))
        assert one == {name: list(expected[name]) if name == "levels" else expected[name] for name in one}
    every = [line for line in sae.table("token-profile", "ngrams").to_pylist() if line["feature"] == feature]
    expected_ngrams = [{name: line[name] for name in line if name in NGRAM} for line in every if line["rank"] < 5]
    assert found["ngrams"] == expected_ngrams
    n_active = sae.feature(feature).stats().n_active
    assert found["ngrams_basis"] == {"n_rows": n_active, "exact": True, "sampled": None}


def test_ngrams_of_the_strongest_rows_say_that_they_are(full: Atlas) -> None:
    feature = full.sae().feature(0)
    n_active = feature.stats().n_active
    some = {"n_rows": n_active - 1, "exact": False, "sampled": f"the {n_active - 1:,} strongest rows of the feature"}
    every = {"n_rows": n_active, "exact": True, "sampled": None}
    for most, expected in ((n_active - 1, some), (n_active, every), (0, every)):
        assert ngrams_basis(feature, {"top_activations": most}).model_dump() == expected


def test_everything_is_there_when_every_analysis_is(pages: TestClient) -> None:
    for feature in (0, DEAD):
        found = bundle(pages, feature)
        assert found["missing"] == []
        assert all(found[part] is not None for part in PARTS)


def test_a_dead_feature_is_an_answer(pages: TestClient) -> None:
    found = bundle(pages, DEAD)
    assert found["is_dead"] is True
    assert (found["stats"]["n_active"], found["stats"]["mean"], found["stats"]["density"]) == (0, None, 0.0)
    assert found["histograms"]["log"]["edges"] == []
    assert found["examples"] == {"top": [], "quantiles": [], "random": []}
    assert found["tokens"] == found["coactive"] == found["ngrams"] == []


def test_without_analyses_everything_quick_is_computed(tmp_path: Path, connect: Any) -> None:
    made = make_atlas(tmp_path / "a.atlas", listed_zeros=0.1)
    found = bundle(connect(made.url), 3)
    assert set(lacking(found)) == {"ngrams", "breakdowns", "neighbors", "coactive", "effects", "clusters"}
    assert all("has not been computed" in reason for reason in lacking(found).values())
    assert {one["state"] for one in found["missing"]} == {"absent"}
    assert found["stats"]["n_active"] == made.sae().feature(3).stats().n_active
    assert found["tokens"] == made.sae().feature(3).top_tokens(20).to_pylist()
    quantiles = made.sae().feature(3).examples(pick="quantiles", n=5)
    assert [line["row"] for line in found["examples"]["quantiles"]] == [one.row for one in quantiles]


def test_what_is_not_quick_is_left_out_and_says_so(
    tmp_path: Path, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_QUICK", "_QUICK_BINS", "_QUICK_DRAW", "_QUICK_TOKENS"):
        monkeypatch.setattr(bundle_module, name, 0)
    made = make_atlas(tmp_path / "a.atlas")
    found = bundle(connect(made.url), 0)
    reasons = lacking(found)
    assert {"stats", "histograms", "tokens", "examples.quantiles", "examples.random"} <= set(reasons)
    assert (found["stats"], found["histograms"], found["tokens"]) == (None, None, None)
    assert found["examples"]["top"] and found["examples"]["random"] is None
    assert found["is_dead"] is False


def test_served_and_computed_answers_are_the_same(
    full: Atlas, connect: Any, pages: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = [bundle(pages, feature) for feature in range(0, 64, 9)]
    for name in ("_QUICK", "_QUICK_BINS", "_QUICK_DRAW", "_QUICK_TOKENS"):
        monkeypatch.setattr(bundle_module, name, -1)
    served = connect(full.url)
    assert [bundle(served, feature) for feature in range(0, 64, 9)] == computed


def test_a_stale_analysis_is_said_to_be_stale_and_nothing_of_it_is_shown(tmp_path: Path, connect: Any) -> None:
    analyses = (Stats(), Histogram(), Examples(), TopTokens(), TokenProfile(), Coactivation(min_count=1))
    old = build(make_atlas(tmp_path / "old.atlas"), *analyses)
    new = make_atlas(tmp_path / "new.atlas", seed=1)
    entries = {name: entry for name, entry in new.entries.items() if "segment" in name}
    for entry in entries.values():
        shutil.copytree(tmp_path / "new.atlas" / entry.path, tmp_path / "old.atlas" / entry.path)
    publish_commit(old.store, lambda names: names | entries, "other rows")
    found = bundle(connect(old.url), 3)
    states = {one["part"]: (one["analysis"], one["state"]) for one in found["missing"]}
    assert states["ngrams"] == ("token-profile", "stale")
    assert states["coactive"] == ("coactivation", "stale")
    assert "other activations" in lacking(found)["coactive"]
    assert found["columns"] == {}
    stats = asdict(new.sae().feature(3).stats())
    assert found["stats"] == {name: stats[name] for name in found["stats"]}
    assert [line["row"] for line in found["examples"]["top"]] == new.sae().feature(3).top(20)[0].tolist()


def test_an_sae_of_parts_only_says_what_it_lacks(tmp_path: Path, connect: Any) -> None:
    made = create(tmp_path / "a.atlas")
    import_parts(made.store, PartsImporter(sae="parts", data=make_parts(10)))
    found = bundle(connect(made.url), 3, "parts")
    assert found["basis"] is None and found["is_dead"] is None
    assert set(lacking(found)) == {*PARTS, "breakdowns", "clusters"}
    assert "no activations" in lacking(found)["stats"]
    assert found["explanations"][0]["text"].startswith("mentions of")
    assert found["n_features"] == 10


def test_a_corpus_without_tokens_says_so(tmp_path: Path, connect: Any) -> None:
    found = bundle(connect(make_atlas(tmp_path / "a.atlas", tokens=False).url), 0)
    assert found["tokens"] is None
    assert "without tokens" in lacking(found)["tokens"]
    (first, *_) = found["examples"]["top"]
    assert (first["tokens"], first["context_available"]) == ([], False)
    assert "without tokens" in first["reason"]


def test_labels_name_features_and_change_the_tag(tmp_path: Path, connect: Any) -> None:
    made = build(make_atlas(tmp_path / "a.atlas", parts=True), Neighbors(k=3))
    client = connect(made.url)
    before = client.get(f"{PATH}/0")
    nearest = before.json()["neighbors"][0]["feature"]
    assert before.json()["neighbors"][0]["text"].startswith("mentions of")
    label(open_atlas(made.url).sae().feature(nearest), "renamed", by="ana")
    label(open_atlas(made.url).sae().feature(0), "mine", by="bo")
    after = client.get(f"{PATH}/0", headers={"if-none-match": before.headers["etag"]})
    assert after.status_code == 200
    assert after.json()["neighbors"][0]["text"] == "renamed"
    assert [one["text"] for one in after.json()["labels"]["current"]] == ["mine"]
    assert after.json()["labels"]["n_history"] == 1
    again = client.get(f"{PATH}/0", headers={"if-none-match": after.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize(("feature", "status"), [("64", 404), ("-1", 422), ("abc", 422), ("1e3", 422), ("9" * 30, 422)])
def test_what_is_no_feature_is_refused(pages: TestClient, feature: str, status: int) -> None:
    answer = pages.get(f"{PATH}/{feature}")
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
