"""What is looked up about single features equals the tables it comes from, and what is stale is not shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from saeatlas.analyses.clusters import Clusters
from saeatlas.analyses.metadata_association import MetadataAssociation
from saeatlas.analyses.neighbors import Neighbors
from saeatlas.analyses.stats import Stats
from saeatlas.analyses.umap import Umap
from saeatlas.analyses.weights import Weights
from saeatlas.atlas.breakdown import breakdown_of, served_breakdowns
from saeatlas.atlas.clusterings import clustering_of, clusterings_of, clusters_of
from saeatlas.atlas.explanations import first_texts
from saeatlas.atlas.graphs import graph_of, graphs_of
from saeatlas.atlas.projections import projection_of, projections_of
from saeatlas.errors import NotFound
from saeatlas.pipeline.build import build
from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import make_atlas


@pytest.fixture(scope="module")
def sae() -> Any:
    atlas = make_atlas(MemoryStore(), parts=True, listed_zeros=0.1)
    analyses = (Stats(), Weights(), Clusters(cuts=(3, 5), resamples=2), Neighbors(k=3), MetadataAssociation())
    return build(atlas, *analyses, Umap(n_epochs=5, quality_sample=0)).sae()


def test_columns_are_those_of_the_table_of_features(sae: Any) -> None:
    table = sae.features.collect()
    lists = {name for name, kind in table.schema.items() if kind.is_nested()}
    wanted = [n for n in table.columns if n not in lists | {"feature"} and not n.startswith("explanations.")]
    for line in table.to_dicts():
        found = sae.lookup.columns(line["feature"])
        assert sorted(found) == sorted(wanted)
        for name in wanted:
            is_nan = isinstance(line[name], float) and np.isnan(line[name])
            assert found[name] == (None if is_nan else line[name]), name


def test_explanations_are_those_of_the_frame(sae: Any) -> None:
    every = sae.explanations.collect().to_dicts()
    for feature in range(sae.n_features):
        expected = [{k: v for k, v in line.items() if k != "feature"} for line in every if line["feature"] == feature]
        assert sae.lookup.explanations(feature) == expected
    assert sae.lookup.texts == {k: v.strip() for k, v in first_texts(sae.explanations).items()}


def test_clusters_of_a_feature_are_those_of_the_table(sae: Any) -> None:
    assert clusterings_of(sae) == ["ward_3", "ward_5", "hdbscan", "recursive"]
    for name in clusterings_of(sae):
        table = clustering_of(sae, name).to_pylist()
        inside = {one.cluster: one for one in clusters_of(sae)[name]}
        assert [line["feature"] for line in table] == list(range(sae.n_features))
        for line in table:
            mine = dict(sae.lookup.clusters(line["feature"]))
            assert mine.get(name) == (None if line["cluster"] is None else inside[line["cluster"]])
        if name != "recursive":
            for cluster, one in inside.items():
                assert one.size == sum(line["cluster"] == cluster for line in table)


def test_breakdowns_that_are_served_are_those_that_are_computed(sae: Any) -> None:
    for feature in range(0, sae.n_features, 7):
        found, reasons = served_breakdowns(sae, feature)
        assert [one.column for one in found] + sorted(reasons) == ["stars", "length", "kind"]
        assert found == [breakdown_of(sae, feature, one.column) for one in found]


def test_maps_have_the_places_of_the_analysis_and_of_the_import(sae: Any) -> None:
    assert [(one.name, one.dimensions, one.source) for one in projections_of(sae)] == [
        ("umap-2d", 2, "umap"),
        ("umap-3d", 3, "umap"),
        ("imported", 3, "import"),
    ]
    for name, axes in (("umap-2d", "xy"), ("umap-3d", "xyz")):
        about, table = projection_of(sae, name)
        assert table.column_names == ["feature", *axes]
        assert about.quality and all(line["dimensions"] == len(axes) for line in about.quality)
    about, table = projection_of(sae, "imported")
    assert (about.quality, table.column_names) == (None, ["feature", "x", "y", "z"])
    assert np.column_stack([table[axis].to_numpy() for axis in "xyz"]).tolist() == sae.map.positions.tolist()


def test_a_map_of_two_dimensions_has_no_third() -> None:
    made = build(make_atlas(MemoryStore(), parts=True), Umap(n_epochs=5, quality_sample=0, dimensions="2")).sae()
    assert [one.name for one in projections_of(made)] == ["umap-2d", "imported"]
    with pytest.raises(NotFound, match="no map 'umap-3d'"):
        projection_of(made, "umap-3d")


def test_graphs_have_the_edges_of_the_analysis_and_of_the_import(sae: Any) -> None:
    assert [one.name for one in graphs_of(sae)] == ["neighbors", "imported"]
    about, table = graph_of(sae, "neighbors")
    edges = sae.table("neighbors", "edges")
    assert table.to_pydict() == dict(zip(("source", "target", "weight"), edges.to_pydict().values(), strict=True))
    assert about.n_edges == table.num_rows
    about, table = graph_of(sae, "imported")
    assert table.column_names == ["source", "target", "weight"]
    assert about.n_edges == table.num_rows == sae.map.edges.num_rows


def test_what_is_not_there_says_what_would_make_it(atlas: Any) -> None:
    bare = atlas.sae()
    assert (projections_of(bare), clusterings_of(bare), clusters_of(bare), graphs_of(bare)) == ([], [], {}, [])
    for ask, name in ((projection_of, "umap-2d"), (clustering_of, "ward_10"), (graph_of, "neighbors")):
        with pytest.raises(NotFound, match="has not been computed"):
            ask(bare, name)
        with pytest.raises(NotFound, match="no "):
            ask(bare, "nope")
    assert served_breakdowns(bare, 3) is None
    assert (bare.lookup.columns(3), bare.lookup.clusters(3), bare.lookup.explanations(3)) == ({}, [], [])
    assert (bare.lookup.texts, bare.lookup.label_texts()) == ({}, (0, {}))


def test_a_stale_analysis_is_not_looked_up(source: Any, remake: Any, analyze: Any) -> None:
    _, atlas = remake(source)
    atlas = analyze(analyze(atlas, Stats()), MetadataAssociation())
    _, other = remake(source, dense=source.dense * 2)
    entries = dict(atlas.entries) | {name: entry for name, entry in other.entries.items() if "segment" in name}
    for entry in other.entries.values():
        for key in list(other.store.list(entry.path + "/")):
            if not atlas.store.exists(key):
                atlas.store.put_new(key, other.store.get(key))
    assert "stats.max" in atlas.sae().lookup.columns(3)
    stale = type(atlas)(atlas.store, replace(atlas.commit, entries=entries)).sae()
    assert stale.lookup.columns(3) == {}
    assert served_breakdowns(stale, 3) is None
