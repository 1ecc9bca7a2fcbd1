"""What pictures of an SAE show, checked against its tables."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from saeatlas.analyses.clusters import Clusters
from saeatlas.atlas.atlas import Atlas
from saeatlas.atlas.sae import SAE
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.pipeline.build import build
from saeatlas.pipeline.picture import Drawing
from saeatlas.plots._clusters import groups_of
from saeatlas.plots._theme import THEMES
from saeatlas.plots.clusters import _tree
from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import make_atlas

Draw = Callable[..., Drawing]
Read = Callable[[Drawing], Any]
LIGHT = THEMES["light"]


def points(figure: Figure) -> dict[str, int]:
    """How many points each colour has."""
    found: dict[str, int] = {}
    for group in figure.axes[0].collections:
        assert isinstance(group, PathCollection)
        colours = {to_hex(colour) for colour in group.get_facecolor()}
        found["numbers" if len(colours) > 1 else colours.pop()] = len(group.get_offsets())
    return found


def lines_of(sae: SAE, method: str) -> list[dict[str, Any]]:
    table = sae.table("clusters", "clusters")
    assert table is not None
    return [line for line in table.to_pylist() if line["method"] == method]


def test_densities_of_all_features_are_counted_dead_ones_apart(sae: SAE, draw: Draw, read: Read) -> None:
    drawing = draw("density", width=183)
    side, main = drawing.figure.axes
    assert [bar.get_height() for bar in side.patches] == [1]
    assert sum(bar.get_height() for bar in main.patches) == 59
    words = read(drawing).words
    assert "60 features over 600 rows: 1 dead (1.67 %)" in words
    assert f"mean L0 {sae.activations.active_counts.sum() / 600:.4g}" in words


def test_density_of_an_sae_in_which_nothing_fires(draw: Draw, read: Read) -> None:
    silent = make_atlas(MemoryStore(), n_rows=20, n_features=9, k=3, listed_zeros=1.1).sae()
    drawing = draw("density", on=silent)
    assert "9 dead (100 %)" in read(drawing).words
    assert sum(bar.get_height() for bar in drawing.figure.axes[1].patches) == 0


def test_map_has_a_colour_for_each_of_the_largest_clusters(sae: SAE, draw: Draw, read: Read) -> None:
    drawing = draw("map", method="ward_10", width=183)
    sizes = [line["size"] for line in lines_of(sae, "ward_10")]
    data = sae.table("clusters")
    assert data is not None
    # Feature 5 is not on the map, and feature 59 has no direction.
    sizes[data["ward_10"][5].as_py()] -= 1
    found = points(drawing.figure)
    assert [found[colour] for colour in LIGHT.groups] == sizes[:8]
    assert found[LIGHT.missing] == sum(sizes[8:])
    assert found[LIGHT.faint] == 1
    words = read(drawing).words
    assert "59 features by UMAP" in words and "1 without a place" in words
    assert "smaller clusters (2): " in words and "in no cluster: 1" in words


def test_clusters_on_the_map_are_named_in_frames_of_their_colours(sae: SAE, draw: Draw) -> None:
    texts = draw("map", method="ward_4", width=183).figure.axes[0].texts
    names = [", ".join(line["terms"][:2]) for line in lines_of(sae, "ward_4")]
    assert [text.get_text() for text in texts] == names
    frames = [to_hex(text.get_bbox_patch().get_edgecolor()) for text in texts if text.get_bbox_patch()]
    assert frames == list(LIGHT.groups[:4])


def test_labels_without_a_place_are_counted(draw: Draw) -> None:
    (note,) = draw("map", method="ward_30", labels=30, width=50).notes
    assert re.fullmatch(r"cluster labels without a place: [1-9]\d*", note)


def test_map_by_density_keeps_dead_features_apart(sae: SAE, draw: Draw, read: Read) -> None:
    drawing = draw("map", by="density")
    assert points(drawing.figure) == {"numbers": 58, LIGHT.missing: 1}
    assert "never active: 1" in read(drawing).words
    assert drawing.tables == ("umap",)


def test_imported_map_needs_no_analysis(draw: Draw, read: Read) -> None:
    only_map = make_atlas(MemoryStore(), n_features=12, parts=True).sae()
    drawing = draw("map", on=only_map, of="imported", by="none")
    assert points(drawing.figure) == {LIGHT.accent: 12}
    assert "imported map x" in read(drawing).words


def test_many_points_are_an_image_within_the_file(sae: SAE, draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not draw("map").figure.axes[0].collections[0].get_rasterized()
    monkeypatch.setattr("saeatlas.plots.map._MOST_OUTLINES", 10)
    assert draw("map").figure.axes[0].collections[0].get_rasterized()


@pytest.mark.parametrize("method", ["ward_4", "ward_10", "ward_30"])
def test_tree_is_the_top_of_the_stored_one_and_no_lines_cross(method: str, sae: SAE) -> None:
    groups = groups_of(sae, method)
    tree, linkage = _tree(sae, groups), sae.table("clusters", "linkage")
    assert tree is not None and linkage is not None
    assert sorted(tree.order) == list(range(len(groups)))
    heights = linkage["distance"].to_pylist()[-(len(groups) - 1) :]
    assert [merge[2] for merge in tree.merges] == heights
    coarse = sae.table("clusters")
    assert coarse is not None
    above = [coarse["ward_4"][int(groups[c].features[0])].as_py() for c in tree.order]
    # Clusters of a coarser cut stand together.
    assert sum(one != other for one, other in pairwise(above)) == len(set(above)) - 1


def test_bars_are_the_sizes_of_the_clusters_and_of_what_is_in_none(sae: SAE, draw: Draw, read: Read) -> None:
    for method in ("ward_4", "hdbscan", "recursive"):
        drawing = draw("clusters", method=method, width=183)
        lines = [line for line in lines_of(sae, method) if line["parent"] is None]
        bars = [bar.get_width() for bar in read(drawing).axes("features").patches]
        assert sorted(bars[: len(lines)]) == sorted(line["size"] for line in lines)
        assert sum(bars) == 60
        assert "without any vector" in read(drawing).words


def test_smaller_clusters_are_one_bar(sae: SAE, draw: Draw, read: Read) -> None:
    drawing = draw("clusters", method="ward_30", most=6, width=183)
    bars = [bar.get_width() for bar in read(drawing).axes("features").patches]
    assert bars[6] == sum(line["size"] for line in lines_of(sae, "ward_30")[6:])
    assert "smaller clusters" in read(drawing).words
    assert not [axes for axes in drawing.figure.axes if axes.get_xlabel() == "height"]


def test_stability_is_drawn_where_it_is_known(sae: SAE, draw: Draw, read: Read) -> None:
    axes = read(draw("clusters", method="ward_4")).axes("stability")
    dots = next(line for line in axes.lines if line.get_marker() == "o")
    assert sorted(dots.get_xdata()) == pytest.approx(sorted(line["stability"] for line in lines_of(sae, "ward_4")))
    without = build(make_atlas(MemoryStore(), n_features=30, parts=True).store, Clusters(resamples=0)).sae()
    assert "stability" not in read(draw("clusters", on=without)).words


@pytest.mark.parametrize(("name", "analysis"), [("map", "umap"), ("clusters", "clusters")])
def test_missing_table_is_an_error_that_says_what_to_run(name: str, analysis: str, draw: Draw) -> None:
    plain = make_atlas(MemoryStore(), n_features=8).sae()
    with pytest.raises(NotFound, match=f"'{analysis}', which has not been computed") as raised:
        draw(name, on=plain)
    assert raised.value.hint == f"Run: saeatlas analyze {analysis} --sae toy"


def test_table_of_other_data_is_not_shown(sae: SAE, draw: Draw) -> None:
    name, entries = "sae/toy/imported/weights", dict(sae.atlas.entries)
    entries[name] = replace(entries[name], content="other weights")
    other = Atlas(sae.atlas.store, replace(sae.atlas.commit, entries=entries)).sae()
    with pytest.raises(NotFound, match="'clusters', which was made from other data"):
        draw("clusters", on=other)


def test_unknown_clustering_names_those_that_there_are(draw: Draw) -> None:
    for name in ("clusters", "map"):
        with pytest.raises(InvalidInput, match="'ward_7'") as raised:
            draw(name, method="ward_7")
        assert "ward_4, ward_10, ward_30, hdbscan, recursive" in raised.value.hint
        assert "--cuts 7" in raised.value.hint


def test_imported_map_that_is_not_there_says_how_to_import_one(draw: Draw) -> None:
    with pytest.raises(NotFound) as raised:
        draw("map", on=make_atlas(MemoryStore(), n_features=8).sae(), of="imported")
    assert "feature-map" in raised.value.hint


def test_one_cluster_has_no_tree(draw: Draw, read: Read) -> None:
    one = build(make_atlas(MemoryStore(), n_features=30, parts=True).store, Clusters(cuts=(1,), resamples=2)).sae()
    drawing = draw("clusters", on=one, method="ward_1")
    assert "toy: 1 cluster by ward_1" in read(drawing).words
    assert np.count_nonzero([axes.get_xlabel() == "height" for axes in drawing.figure.axes]) == 0
