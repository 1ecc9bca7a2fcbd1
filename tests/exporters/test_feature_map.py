"""Exported maps: what goes in comes out, viewers can read it, and earlier layers stay."""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pytest

from saeatlas.atlas.atlas import Atlas
from saeatlas.errors import Conflict, InvalidInput, NotFound, StorageError
from saeatlas.exporters.feature_map import FeatureMapExporter
from saeatlas.format.commit import head
from saeatlas.format.identity import SaeIdentity
from saeatlas.format.version import create_atlas
from saeatlas.importers.feature_map import FeatureMapImporter
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.pipeline.build import build
from saeatlas.pipeline.sae_importer import SaeSurvey
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.progress import SILENT, Event, Progress
from saeatlas.storage import MemoryStore
from saeatlas.testing.parts_importer import PartsImporter, SaeParts, make_parts

Record = dict[str, Any]
N = 30


def graph(layer: int = 25, model: str = "gemma-2-2b", seed: int = 0) -> Record:
    random = np.random.default_rng(seed)
    key = f"{model}:{layer}:"
    nodes = []
    for index in range(N):
        place = {"modelId": model, "layer": layer, "index": index}
        position = np.round(random.normal(size=3) * 20, 4).tolist()
        nodes.append({"id": f"{key}{index}", "featureId": place, "position": position})
    nodes[1]["label"], nodes[4]["label"], nodes[9]["category"] = " dogs ", "puppies", "animal"
    pairs = [(0, 5), (7, 2), (11, 3)]
    edges = [
        {"id": f"edge-{layer}-{i}", "source": f"{key}{a}", "target": f"{key}{b}", "weight": 0.25 + i / 10}
        for i, (a, b) in enumerate(pairs)
    ]
    metadata = {"modelId": model, "layers": [layer], "sourceId": f"{layer}-res-16k", "pipelineVersion": "1.0.0"}
    return {"metadata": metadata, "nodes": nodes, "edges": [{**edge, "type": "coactivation"} for edge in edges]}


def atlas_with(folder: Path, *layers: int, model: str = "gemma-2-2b") -> Atlas:
    store = MemoryStore()
    create_atlas(store)
    for layer in layers:
        path = folder / f"given-{layer}.json"
        path.write_text(json.dumps(graph(layer, model, layer)))
        import_parts(store, FeatureMapImporter(str(path), sae=f"l{layer}"))
    return Atlas(store, head(store))


def load(path: Path) -> Record:
    data = path.read_bytes()
    return dict(json.loads(gzip.decompress(data) if path.suffix == ".gz" else data))


def export(atlas: Atlas, folder: Path, *names: str, **fields: Any) -> list[Path]:
    saes = [atlas.sae(name) for name in names] if names else [atlas.sae()]
    return list(FeatureMapExporter(**fields).export(saes, folder, SILENT))


def is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def is_whole(value: object, least: int, most: float = math.inf) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def assert_viewer_admits(record: Record, *, strict_types: bool) -> None:
    """The rules by which viewers check a map; other members are dropped by them."""
    assert is_text(record["metadata"]["modelId"])
    layers = record["metadata"]["layers"]
    assert isinstance(layers, list) and layers and all(is_whole(layer, 0, 100) for layer in layers)
    assert record["nodes"]
    for node in record["nodes"]:
        place = node["featureId"]
        assert is_text(node["id"]) and is_text(place["modelId"])
        assert is_whole(place["layer"], 0, 100) and is_whole(place["index"], 0)
        assert node["id"].rsplit(":", 2) == [place["modelId"], str(place["layer"]), str(place["index"])]
        assert len(node["position"]) == 3
        assert all(isinstance(part, int | float) and math.isfinite(part) for part in node["position"])
        assert "label" not in node or is_text(node["label"])
    ids = {node["id"] for node in record["nodes"]}
    for edge in record["edges"]:
        assert is_text(edge["id"]) and {edge["source"], edge["target"]} <= ids
        assert 0 <= edge["weight"] <= 1
        assert is_text(edge["type"])
        assert not strict_types or edge["type"] in {"coactivation", "attention", "circuit"}


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_imported_map_comes_out_as_it_went_in(tmp_path: Path, ending: str) -> None:
    paths = export(atlas_with(tmp_path, 25), tmp_path / "out", compress=bool(ending), trim=False)
    assert [path.name for path in paths] == [f"layer-25.json{ending}", "manifest.json"]
    old, new = graph(25, seed=25), load(paths[0])
    assert new["nodes"] == old["nodes"]
    keep = ("id", "source", "target", "weight")
    assert [[e[k] for k in keep] for e in new["edges"]] == [[e[k] for k in keep] for e in old["edges"]]
    assert new["metadata"]["sourceId"] == "25-res-16k"
    assert_viewer_admits(new, strict_types=False)


def test_export_of_an_import_of_an_export_is_the_same_map(tmp_path: Path) -> None:
    (first, _) = export(atlas_with(tmp_path, 25), tmp_path / "one")
    store = MemoryStore()
    create_atlas(store)
    import_parts(store, FeatureMapImporter(str(first), sae="again"))
    atlas = Atlas(store, head(store))
    (second, _) = export(atlas, tmp_path / "two")
    one, two = load(first), load(second)
    assert (one["nodes"], one["edges"]) == (two["nodes"], two["edges"])
    assert two["metadata"]["edgeMetric"] == "decoder-cosine"
    assert atlas.sae().identity.width == N


def test_edges_are_called_what_they_are_unless_compatibility_is_asked_for(tmp_path: Path) -> None:
    atlas = atlas_with(tmp_path, 25)
    true, compatible = (load(export(atlas, tmp_path / str(c), compatible=c)[0]) for c in (False, True))
    assert {edge["type"] for edge in true["edges"]} == {"similarity"}
    assert {edge["type"] for edge in compatible["edges"]} == {"coactivation"}
    assert true["metadata"]["edgeMetric"] == compatible["metadata"]["edgeMetric"] == "decoder-cosine"
    assert_viewer_admits(compatible, strict_types=True)


def test_metadata_say_of_which_sae_and_from_what(tmp_path: Path) -> None:
    atlas = atlas_with(tmp_path, 25)
    metadata = load(export(atlas, tmp_path / "out")[0])["metadata"]
    assert SaeIdentity.from_json(metadata["sae"]) == atlas.sae().identity
    assert metadata["madeFrom"]["map"]["key"] == atlas.manifest("sae/l25/imported/map").key
    assert metadata["madeFrom"]["labels"]["set"] == "feature-map"
    assert (metadata["featureCount"], metadata["edgeCount"], metadata["labeledCount"]) == (N, 3, 2)
    positions = np.array([node["position"] for node in graph(25, seed=25)["nodes"]])
    assert metadata["bounds"] == {"min": positions.min(0).tolist(), "max": positions.max(0).tolist()}


def test_labels_are_trimmed_chosen_or_left_out(tmp_path: Path) -> None:
    atlas = atlas_with(tmp_path, 25)
    import_parts(
        atlas.store, PartsImporter(sae="l25", data=SaeParts(arrays={}, texts=((1, "wolves"), (1, "second"), (3, "x"))))
    )
    atlas = Atlas(atlas.store, head(atlas.store))

    def labels(**fields: Any) -> dict[int, str]:
        nodes = load(export(atlas, tmp_path / "out", **fields)[0])["nodes"]
        return {node["featureId"]["index"]: node["label"] for node in nodes if "label" in node}

    assert labels() == {1: "dogs", 4: "puppies"}
    assert labels(trim=False) == {1: " dogs ", 4: "puppies"}
    assert labels(labels="toy") == {1: "wolves", 3: "x"}
    assert labels(labels="-") == {}
    with pytest.raises(NotFound, match="'human'") as caught:
        labels(labels="human")
    assert "feature-map, toy" in caught.value.hint


def test_json_is_compact_and_the_same_each_time(tmp_path: Path) -> None:
    atlas = atlas_with(tmp_path, 25)
    one, two = (export(atlas, tmp_path / name)[0].read_bytes() for name in "ab")
    assert one == two
    assert b": " not in gzip.decompress(one).split(b'"nodes"')[1]


def test_manifest_names_all_maps_and_keeps_earlier_layers(tmp_path: Path) -> None:
    out = tmp_path / "out"
    atlas = atlas_with(tmp_path, 3, 25)
    export(atlas, out, "l3")
    paths = export(atlas, out, "l25")
    manifest = json.loads(paths[-1].read_text())
    assert [entry["layer"] for entry in manifest["layers"]] == [3, 25]
    for entry in manifest["layers"]:
        assert (out / entry["filePath"]).stat().st_size == entry["fileSize"]
        assert entry["sourceId"] == f"{entry['layer']}-res-16k"
    assert (manifest["modelId"], manifest["featuresPerLayer"], manifest["totalLayers"]) == ("gemma-2-2b", N, 26)


def test_manifest_is_made_again_from_what_lies_there(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    told: list[str] = []
    facts = {"modelId": "gemma-2-2b", "displayName": "Gemma 2 2B", "totalLayers": 42, "neuronpediaSourceSet": "res"}
    (out / "manifest.json").write_text(json.dumps({**facts, "layers": [{"layer": 9, "filePath": "gone.json"}]}))
    foreign = graph(7)
    (out / "layer-07.json").write_text(json.dumps({"nodes": foreign["nodes"], "metadata": foreign["metadata"]}))
    (out / "layer-08.json").write_text(json.dumps(graph(2)))
    (out / "layer-10.json.gz").write_bytes(b"\x1f\x8bbroken")
    (out / "layer-11.json").write_text("[]")
    (out / "layer-x.json").write_text("{}")

    def listen(event: Event) -> None:
        told.append(event.text)

    (*_, path) = FeatureMapExporter().export([atlas_with(tmp_path, 25).sae()], out, Progress(listen))
    manifest = json.loads(path.read_text())
    assert [entry["layer"] for entry in manifest["layers"]] == [7, 25]
    assert {name: manifest[name] for name in facts} == facts
    assert [f"layer-{n}" in " ".join(told) for n in ("08", "10", "11")] == [True] * 3


def test_map_of_the_same_layer_is_replaced_however_it_was_packed(tmp_path: Path) -> None:
    out = tmp_path / "out"
    atlas = atlas_with(tmp_path, 25)
    export(atlas, out, compress=False)
    export(atlas, out)
    assert sorted(path.name for path in out.iterdir()) == ["layer-25.json.gz", "manifest.json"]


def test_folder_of_another_model_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(atlas_with(tmp_path, 3, model="gpt2"), out)
    with pytest.raises(Conflict, match="'gpt2'"):
        export(atlas_with(tmp_path, 25), out)
    assert not (out / "layer-25.json.gz").exists()


@pytest.mark.parametrize(("facts", "missing"), [({"model": "m"}, "layer"), ({"layer": 3}, "model")])
def test_sae_without_layer_or_model_is_refused(
    tmp_path: Path, facts: Record, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    atlas = analysed(facts)
    with pytest.raises(InvalidInput, match=f"no known {missing}") as caught:
        export(atlas, tmp_path / "out")
    assert f"--{missing}" in caught.value.hint
    assert not (tmp_path / "out").exists()


def test_two_saes_of_one_layer_are_refused(tmp_path: Path) -> None:
    atlas = atlas_with(tmp_path, 25)
    path = tmp_path / "given-25.json"
    import_parts(atlas.store, FeatureMapImporter(str(path), sae="twin"))
    atlas = Atlas(atlas.store, head(atlas.store))
    with pytest.raises(InvalidInput, match="'l25' and 'twin' are both of layer 25"):
        export(atlas, tmp_path / "out", "l25", "twin")


def test_file_in_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(StorageError, match="out"):
        export(atlas_with(tmp_path, 25), tmp_path / "out")


@dataclass(frozen=True, kw_only=True)
class Umap(Analysis):
    """Stands in for the analysis of that name: feature 2 has no place."""

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.FEATURE
    needs: ClassVar[frozenset[str]] = frozenset({"weights"})

    n_neighbors: int = 40
    seed: int = 7
    flat: bool = False

    def schema(self) -> dict[str, pa.Schema]:
        axes = [(name, pa.float32()) for name in ("x2", "y2", "x3", "y3", "z3")]
        return {"data": pa.schema([("feature", pa.uint32()), *axes])}

    def compute(self, sae: Any, progress: Progress) -> dict[str, pa.Table]:
        places = np.random.default_rng(0).normal(size=(sae.n_features, 5)).astype(np.float32) * 20
        mask = (np.arange(sae.n_features) == 2) | self.flat
        names = ("x2", "y2", "x3", "y3", "z3")
        axes = {name: pa.array(places[:, i], mask=mask) for i, name in enumerate(names)}
        return {"data": pa.table({"feature": np.arange(sae.n_features, dtype=np.uint32), **axes})}


@dataclass(frozen=True, kw_only=True)
class Neighbors(Analysis):
    """Stands in for the analysis of that name; one edge leads to feature 2, one is negative."""

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.FEATURE_LIST
    needs: ClassVar[frozenset[str]] = frozenset({"weights"})

    def schema(self) -> dict[str, pa.Schema]:
        edge = pa.schema([("source", pa.uint32()), ("target", pa.uint32()), ("cosine", pa.float64())])
        return {"data": pa.schema([("feature", pa.uint32())]), "edges": edge}

    def compute(self, sae: Any, progress: Progress) -> dict[str, pa.Table]:
        edges = {"source": [0, 0, 3], "target": [1, 2, 4], "cosine": [0.98765432, 0.5, -0.25]}
        schemas = self.schema()
        return {"data": schemas["data"].empty_table(), "edges": pa.table(edges, schema=schemas["edges"])}


def analysed(facts: Record, *, flat: bool = False) -> Atlas:
    """An atlas of weights with the analyses that a map is drawn from."""
    store = MemoryStore()
    create_atlas(store)

    class Stated(PartsImporter):
        def survey(self, progress: Progress) -> SaeSurvey:
            found = super().survey(progress)
            return SaeSurvey(SaeIdentity(name=self.sae, **facts), found.parts, found.n_features)

    parts = make_parts(8)
    import_parts(store, Stated(sae="w", data=SaeParts(arrays=parts.arrays, config=parts.config)))
    return build(Atlas(store, head(store)), Umap(flat=flat), Neighbors())


def test_map_without_a_third_dimension_is_refused_and_so_is_one_that_was_not_made(tmp_path: Path) -> None:
    sae = analysed({"model": "toy", "layer": 3, "width": 8}, flat=True).sae()
    assert "no third dimension" in FeatureMapExporter().lacks(sae)
    with pytest.raises(NotFound, match="no third dimension"):
        FeatureMapExporter().export([sae], tmp_path, SILENT)
    assert FeatureMapExporter().lacks(analysed({"model": "toy", "layer": 3, "width": 8}).sae()) == ""
    store = MemoryStore()
    create_atlas(store)
    import_parts(store, PartsImporter(sae="bare", data=replace(make_parts(8), positions=None)))
    assert "has not been computed" in FeatureMapExporter().lacks(Atlas(store, head(store)).sae())


def test_map_is_drawn_from_umap_and_neighbors(tmp_path: Path) -> None:
    atlas = analysed({"model": "toy", "layer": 3, "width": 8})
    told: list[str] = []
    (path, _) = FeatureMapExporter().export([atlas.sae()], tmp_path, Progress(lambda event: told.append(event.text)))
    record = load(path)
    placed = [0, 1, 3, 4, 5, 6, 7]
    assert [node["featureId"]["index"] for node in record["nodes"]] == placed
    table = Umap().compute(atlas.sae(), SILENT)["data"].to_pylist()
    assert [node["position"] for node in record["nodes"]] == [
        [round(float(np.float64(table[i][axis])), 4) for axis in ("x3", "y3", "z3")] for i in placed
    ]
    assert [(e["source"], e["target"], e["weight"], e["type"]) for e in record["edges"]] == [
        ("toy:3:0", "toy:3:1", 0.9877, "similarity"),
        ("toy:3:3", "toy:3:4", -0.25, "similarity"),
    ]
    stated = {"n_neighbors": 40, "random_state": 7, "metric": "cosine", "n_components": 3}
    assert record["metadata"]["umapParams"] == stated
    assert record["metadata"]["seed"] == 7
    assert record["metadata"]["edgeMetric"] == "decoder-cosine"
    assert set(record["metadata"]["madeFrom"]) == {"umap", "neighbors"}
    assert "1 features of 'w' have no place" in " ".join(told)
    assert "1 edges of 'w' lead to features without a place" in " ".join(told)


def test_compatible_map_leaves_out_weights_that_viewers_refuse(tmp_path: Path) -> None:
    atlas = analysed({"model": "toy", "layer": 3, "width": 8})
    record = load(export(atlas, tmp_path, compatible=True)[0])
    assert [edge["weight"] for edge in record["edges"]] == [0.9877]
    assert [edge["id"] for edge in record["edges"]] == ["edge-3-0"]
    assert_viewer_admits(record, strict_types=True)


def test_without_any_map_it_says_what_to_run(tmp_path: Path) -> None:
    store = MemoryStore()
    create_atlas(store)
    import_parts(store, PartsImporter(sae="w", data=SaeParts(arrays=make_parts(8).arrays)))
    atlas = Atlas(store, head(store))
    atlas.sae().__dict__["identity"] = SaeIdentity(name="w", model="toy", layer=3)
    with pytest.raises(NotFound, match="no map to export") as caught:
        export(atlas, tmp_path / "out")
    assert "analyze umap" in caught.value.hint
    with pytest.raises(NotFound, match="no imported map"):
        export(atlas, tmp_path / "out", source="map")
