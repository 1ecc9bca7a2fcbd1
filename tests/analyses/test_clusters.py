"""Clusters of features: planted ones are found and named, chance ones are not stable, and trees can be cut."""

from __future__ import annotations

import tracemalloc
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from sklearn.cluster import HDBSCAN, AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score

from saeatlas.analyses.clusters import Clusters, cut
from saeatlas.atlas.atlas import Atlas
from saeatlas.atlas.sae import SAE
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.build import build
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.storage import MemoryStore
from saeatlas.testing.analysis_contract import compute_tables
from saeatlas.testing.make_atlas import make_atlas
from saeatlas.testing.parts_importer import PartsImporter, SaeParts

Texts = tuple[tuple[int, str], ...]
Matrix = npt.NDArray[Any]


def atlas_of(decoder: Matrix, texts: Texts = ()) -> Atlas:
    store = MemoryStore()
    create_atlas(store)
    parts = SaeParts(arrays={"decoder": decoder.astype(np.float32)}, texts=texts)
    import_parts(store, PartsImporter(sae="toy", data=parts))
    return Atlas(store, head(store))


def sae_of(decoder: Matrix, texts: Texts = ()) -> SAE:
    return atlas_of(decoder, texts).sae()


def groups(n_groups: int, n: int, d: int = 24, spread: float = 0.4, seed: int = 0) -> Matrix:
    random = np.random.default_rng(seed)
    return np.repeat(random.normal(size=(n_groups, d)), n, axis=0) + spread * random.normal(size=(n_groups * n, d))


def groups_of_groups() -> Matrix:
    """Three groups far apart, of three each that are near."""
    random = np.random.default_rng(2)
    outer = np.repeat(np.repeat(3 * random.normal(size=(3, 30)), 3, axis=0), 40, axis=0)
    inner = np.repeat(0.3 * random.normal(size=(9, 30)), 40, axis=0)
    return outer + inner + 0.2 * random.normal(size=outer.shape)


def unit(decoder: Matrix) -> Matrix:
    return decoder / np.linalg.norm(decoder, axis=1, keepdims=True)


def lines_of(tables: dict[str, pa.Table], method: str, table: str = "clusters") -> list[dict[str, Any]]:
    return [line for line in tables[table].to_pylist() if line["method"] == method]


def labels_of(tables: dict[str, pa.Table], column: str) -> list[Any]:
    return tables["data"][column].fill_null("" if column == "recursive" else -1).to_pylist()


def test_planted_groups_are_found_and_are_stable() -> None:
    tables = compute_tables(Clusters(cuts=(8,)), sae_of(groups(8, 30)))
    truth = np.repeat(np.arange(8), 30)
    for method in ("ward_8", "hdbscan"):
        assert adjusted_rand_score(labels_of(tables, method), truth) == 1.0
        for line in lines_of(tables, method):
            assert line["size"] == 30
            assert line["stability"] > 0.95
            assert line["stability_chance"] < 0.4
            assert line["stability_n"] == 20
            assert line["silhouette"] > 0.4


def test_directions_without_structure_have_no_stable_clusters() -> None:
    decoder = np.random.default_rng(0).normal(size=(400, 40))
    tables = compute_tables(Clusters(cuts=(5, 10)), sae_of(decoder))
    for line in tables["clusters"].to_pylist():
        assert line["stability"] < 0.4
        assert line["stability_low"] <= line["stability"] <= line["stability_high"]


@pytest.mark.parametrize("k", [10, 30, 90])
def test_cuts_equal_those_of_scikit_learn(k: int) -> None:
    decoder = groups(12, 30, spread=1.0)
    tables = compute_tables(Clusters(resamples=0), sae_of(decoder))
    expected = AgglomerativeClustering(k).fit_predict(unit(decoder.astype(np.float32)))
    assert adjusted_rand_score(labels_of(tables, f"ward_{k}"), expected) == 1.0


@pytest.mark.parametrize("min_samples", [1, 3, 8])
def test_hdbscan_is_that_of_scikit_learn_on_all_pairs(min_samples: int) -> None:
    decoder = np.concatenate([groups(6, 40, spread=0.5), np.random.default_rng(1).normal(size=(90, 24))])
    tables = compute_tables(Clusters(min_samples=min_samples, resamples=0), sae_of(decoder))
    model = HDBSCAN(min_cluster_size=10, min_samples=min_samples, copy=True).fit(unit(decoder.astype(np.float32)))
    # Equal reachabilities are common, and which of them comes first decides about single features.
    assert adjusted_rand_score(labels_of(tables, "hdbscan"), model.labels_) > 0.98
    found = tables["data"]["hdbscan_probability"].to_numpy()
    assert np.mean(np.abs(found - model.probabilities_) < 1e-6) > 0.98


def test_noise_is_in_no_cluster_and_has_probability_0() -> None:
    tables = compute_tables(Clusters(resamples=0), sae_of(np.concatenate([groups(3, 40), 9 * np.eye(24)[:5]])))
    (quality,) = lines_of(tables, "hdbscan", "quality")
    noise = tables["data"]["hdbscan"].is_null().to_numpy(zero_copy_only=False)
    assert quality["n_noise"] == noise.sum() > 0
    assert set(tables["data"]["hdbscan_probability"].to_numpy()[noise]) == {0.0}


def test_clusters_within_clusters_are_found_with_their_paths() -> None:
    tables = compute_tables(Clusters(resamples=4), sae_of(groups_of_groups()))
    assert adjusted_rand_score(labels_of(tables, "recursive"), np.repeat(np.arange(9), 40)) > 0.98
    lines = lines_of(tables, "recursive")
    assert [line["cluster"] for line in lines] == list(range(len(lines)))
    within = [line for line in lines if line["parent"] is not None]
    assert all(line["path"].startswith(lines[line["parent"]]["path"] + "/") for line in within)
    assert [line["path"] for line in lines if line["parent"] is None] == ["0", "1", "2"]
    assert [line["size"] for line in lines[:3]] == [120] * 3
    assert len(within) == 9 and sum(line["size"] for line in within) > 355
    assert all(line["stability"] > 0.8 for line in lines)


def test_clusters_are_not_divided_below_the_depth_asked_for() -> None:
    tables = compute_tables(Clusters(resamples=0, max_depth=1), sae_of(groups_of_groups()))
    assert [line["path"] for line in lines_of(tables, "recursive")] == ["0", "1", "2"]


def test_a_small_share_of_the_features_is_not_divided() -> None:
    tables = compute_tables(Clusters(resamples=0, least_share=0.4), sae_of(groups_of_groups()))
    assert [line["path"] for line in lines_of(tables, "recursive")] == ["0", "1", "2"]


def test_feature_without_direction_is_in_no_cluster_and_equal_ones_are_together() -> None:
    decoder = groups(4, 15)
    decoder[7] = 0.0
    decoder[50] = decoder[3] * 5
    data = compute_tables(Clusters(cuts=(4, 20), resamples=0), sae_of(decoder))["data"].to_pylist()
    assert {data[7][name] for name in data[7] if name != "feature"} == {None}
    assert data[50]["ward_20"] == data[3]["ward_20"] is not None


def test_all_directions_zero_is_a_table_of_nulls() -> None:
    tables = compute_tables(Clusters(), sae_of(np.zeros((5, 4))))
    assert tables["data"]["ward_10"].null_count == 5
    assert tables["clusters"].num_rows == tables["linkage"].num_rows == 0


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_features_are_each_their_own(n: int) -> None:
    tables = compute_tables(Clusters(), sae_of(np.eye(4)[:n]))
    assert sorted(labels_of(tables, "ward_10")) == list(range(n))
    assert tables["linkage"].num_rows == n - 1


def test_clusters_are_named_by_what_their_texts_have_more_than_others() -> None:
    texts = tuple(
        (i, f"The feature activates on words about {('dogs', 'refunds', 'ports')[i // 20]}") for i in range(60)
    )
    tables = compute_tables(Clusters(cuts=(3,), resamples=0), sae_of(groups(3, 20), texts))
    names = {line["medoid"] // 20: line["terms"] for line in lines_of(tables, "ward_3")}
    assert names == {0: ["dogs"], 1: ["refunds"], 2: ["ports"]}


def test_answers_of_failed_explainers_name_nothing() -> None:
    texts = tuple((i, '"Explanation could not be parsed."' if i < 20 else "ports at sea") for i in range(40))
    tables = compute_tables(Clusters(cuts=(2,), resamples=0), sae_of(groups(2, 20), texts))
    names = {line["medoid"] // 20: line["terms"] for line in lines_of(tables, "ward_2")}
    assert names == {0: None, 1: ["ports", "sea"]}


def test_clusters_are_named_by_their_top_tokens() -> None:
    atlas = build(make_atlas(MemoryStore(), n_features=24, n_rows=400, parts=True).store, Clusters())
    tables = {name: atlas.sae().table("clusters", name) for name in ("data", "clusters")}
    without = build(atlas.store, *_analyses("top-tokens"), Clusters()).sae().table("clusters", "clusters")
    assert without is not None and tables["clusters"] is not None
    terms = [set(line["terms"] or ()) for line in without.to_pylist()]
    assert any("réfund" in own for own in terms) and not any("the" in own for own in terms)
    assert not any("réfund" in (line["terms"] or ()) for line in tables["clusters"].to_pylist())


def _analyses(*names: str) -> list[Any]:
    from saeatlas.pipeline.analysis import Analysis
    from saeatlas.registry import Registry

    return [Registry("saeatlas.analyses", Analysis)[name]() for name in names]


def test_a_cluster_of_marks_is_named_by_marks() -> None:
    from saeatlas.analyses._clusters_words import words_of

    strings = [" the", "...", None, " cats", "##ing"]
    table = pa.table({"feature": [0, 1, 1, 2, 2], "string": strings, "share": [1.0, 1.0, 0.5, 0.4, 0.6]})
    empty = SimpleNamespace(select=lambda *_: SimpleNamespace(collect=lambda: SimpleNamespace(iter_rows=list)))
    words = words_of(cast("SAE", SimpleNamespace(table=lambda _: table, explanations=empty)))
    names = words.names(np.array([0, 1, 2]), 3, 5)
    assert [[term for term, _ in name] for name in names] == [["the"], ["..."], ["cats"]]


def test_without_tokens_and_texts_clusters_have_no_names() -> None:
    tables = compute_tables(Clusters(cuts=(3,), resamples=0), sae_of(groups(3, 20)))
    assert {line["terms"] for line in tables["clusters"].to_pylist()} == {None}


def test_without_resamples_nothing_is_said_about_stability() -> None:
    tables = compute_tables(Clusters(resamples=0), sae_of(groups(3, 20)))
    for line in tables["clusters"].to_pylist():
        assert (line["stability"], line["stability_n"], line["stability_chance"]) == (None, 0, None)


def test_stored_tree_gives_every_cut() -> None:
    decoder = groups(5, 12)
    decoder[20] = 0.0
    atlas = build(atlas_of(decoder).store, Clusters(cuts=(5, 9), resamples=0))
    sae = atlas.sae()
    data = sae.table("clusters")
    assert data is not None
    for k in (5, 9):
        assert cut(sae, n_clusters=k)["cluster"].to_pylist() == data[f"ward_{k}"].to_pylist()
    vectors = unit(np.delete(decoder, 20, axis=0).astype(np.float32))
    found = np.delete(np.array(cut(sae, n_clusters=17)["cluster"].fill_null(-1)), 20)
    assert adjusted_rand_score(found, AgglomerativeClustering(17).fit_predict(vectors)) == 1.0
    height = AgglomerativeClustering(None, distance_threshold=1.0).fit(vectors)
    found = np.delete(np.array(cut(sae, distance=1.0)["cluster"].fill_null(-1)), 20)
    assert adjusted_rand_score(found, height.labels_) == 1.0
    assert cut(sae, n_clusters=5)["cluster"][20].as_py() is None


def test_cut_says_what_is_missing_or_wrong() -> None:
    sae = sae_of(groups(3, 5))
    with pytest.raises(NotFound, match="analyze clusters"):
        cut(sae, n_clusters=3)
    with pytest.raises(InvalidInput, match="either"):
        cut(sae)
    with pytest.raises(InvalidInput, match="1 or more"):
        cut(sae, n_clusters=0)


def test_beyond_the_limit_only_near_features_are_joined_and_the_table_says_so() -> None:
    sae, truth = sae_of(groups(8, 30)), np.repeat(np.arange(8), 30)
    tables = compute_tables(Clusters(cuts=(8,), exact_up_to=100, nearest=12, resamples=3), sae)
    assert {line["pairs"] for line in tables["quality"].to_pylist()} == {"nearest-12"}
    for method in ("ward_8", "hdbscan"):
        assert adjusted_rand_score(labels_of(tables, method), truth) == 1.0
        assert all(line["stability"] > 0.9 for line in lines_of(tables, method))


def test_with_all_neighbours_the_approximation_is_exact() -> None:
    sae = sae_of(groups(6, 20, spread=1.2))
    exact = compute_tables(Clusters(resamples=0), sae)
    near = compute_tables(Clusters(resamples=0, exact_up_to=10, nearest=119), sae)
    for column in ("ward_10", "ward_30", "ward_90", "hdbscan"):
        assert labels_of(near, column) == labels_of(exact, column)
    assert np.allclose(near["linkage"]["distance"].to_numpy(), exact["linkage"]["distance"].to_numpy(), rtol=1e-6)


class _OnMap:
    """An SAE with a map in which left and right are apart, and directions that know nothing of it."""

    n_features = 60
    name = "toy"
    weights = None
    explanations = SimpleNamespace(select=lambda *_: SimpleNamespace(collect=lambda: SimpleNamespace(iter_rows=list)))

    def table(self, analysis: str, name: str = "data") -> pa.Table | None:
        random = np.random.default_rng(0)
        x = np.where(np.arange(60) % 2, 40.0, -40.0) + random.normal(size=60)
        known = [None if i == 9 else float(value) for i, value in enumerate(x)]
        return pa.table({"feature": range(60), "x": known, "y": random.normal(size=60)}) if analysis == "umap" else None


@pytest.mark.parametrize("exact_up_to", [10, 1000])
def test_positions_are_clustered_only_when_asked_for_and_the_table_says_so(exact_up_to: int) -> None:
    assert Clusters().requires() == {"weights"}
    on_map = Clusters(of="umap", cuts=(2,), exact_up_to=exact_up_to, nearest=8, resamples=2)
    assert on_map.requires() == {"umap"}
    tables = compute_tables(on_map, cast("SAE", _OnMap()))
    assert {line["of"] for line in tables["clusters"].to_pylist()} == {"umap"}
    labels = labels_of(tables, "ward_2")
    assert labels[9] == -1
    kept = [i for i in range(60) if i != 9]
    assert adjusted_rand_score([labels[i] for i in kept], [i % 2 for i in kept]) == 1.0


def test_encoder_directions_need_an_encoder() -> None:
    with pytest.raises(NotFound, match="encoder"):
        compute_tables(Clusters(of="encoder"), sae_of(groups(3, 5)))


def test_no_weights_is_an_error_that_says_what_to_import() -> None:
    with pytest.raises(NotFound, match="no weights") as raised:
        compute_tables(Clusters(), make_atlas(MemoryStore(), n_features=8).sae())
    assert "sae-weights" in raised.value.hint


@pytest.mark.parametrize(
    "wrong",
    [
        {"cuts": ()},
        {"cuts": (3, 3)},
        {"cuts": (0,)},
        {"subsample": 0.0},
        {"subsample": 1.5},
        {"least_share": -0.1},
        {"min_cluster_size": 1},
        {"of": "tokens"},
    ],
)
def test_parameters_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Clusters(**wrong)


def test_memory_stays_within_its_bound() -> None:
    sae = sae_of(groups(10, 220, d=16))
    analysis = Clusters(resamples=2)
    compute_tables(analysis, sae_of(groups(3, 20)))
    tracemalloc.start()
    compute_tables(analysis, sae)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 8 * 2200 * 2199 / 2 < peak < analysis.peak_bytes(sae) - 370_000_000
