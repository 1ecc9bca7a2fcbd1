"""Feature maps in JSON: what is kept, what is refused, and what each refusal says."""

from __future__ import annotations

import copy
import gzip
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saeatlas.atlas.atlas import Atlas
from saeatlas.errors import Conflict, FormatError, InvalidInput, SourceError
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.importers.feature_map import FeatureMapImporter
from saeatlas.pipeline.sae_importing import PartsReport, import_parts
from saeatlas.progress import SILENT
from saeatlas.storage import MemoryStore

Graph = dict[str, Any]


def graph_of(n: int = 6, model: str = "gemma:2b", layer: int = 25) -> Graph:
    random = np.random.default_rng(0)
    key = f"{model}:{layer}:"
    nodes: list[Any] = []
    for index in range(n):
        place = {"modelId": model, "layer": layer, "index": index}
        position = [round(float(part), 4) for part in random.normal(size=3) * 20]
        nodes.append({"id": f"{key}{index}", "featureId": place, "position": position})
    nodes[0]["label"], nodes[2]["label"] = " proper nouns ", "numbers\nand measures"
    nodes[3]["category"] = "code"
    edges = [(0, 1, 0.5), (3, 2, 0.2514)]
    return {
        "metadata": {"modelId": model, "layers": [layer], "sourceId": f"{layer}-res", "featureCount": n},
        "nodes": nodes,
        "edges": [
            {"id": f"edge-{i}", "source": f"{key}{a}", "target": f"{key}{b}", "weight": w, "type": "coactivation"}
            for i, (a, b, w) in enumerate(edges)
        ],
    }


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    def save(graph: object, name: str = "layer-25.json") -> Path:
        path = tmp_path / name
        data = json.dumps(graph).encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return save


def bring(path: Path, **fields: Any) -> tuple[Atlas, PartsReport]:
    store = MemoryStore()
    create_atlas(store)
    report = import_parts(store, FeatureMapImporter(str(path), sae="m", **fields))
    return Atlas(store, head(store)), report


@pytest.mark.parametrize("name", ["layer-25.json", "layer-25.json.gz", "packed-without-its-ending.gz"])
def test_nodes_edges_and_labels_come_out_as_they_are_written(write: Callable[..., Path], name: str) -> None:
    graph = graph_of()
    sae = bring(write(graph, name))[0].sae()
    assert sae.map is not None
    nodes = sae.map.nodes.to_pylist()
    assert [[node[axis] for axis in "xyz"] for node in nodes] == [node["position"] for node in graph["nodes"]]
    assert [node["category"] for node in nodes] == [None, None, None, "code", None, None]
    assert sae.map.edges.to_pylist() == [
        {"source": 0, "target": 1, "weight": 0.5, "claimed": "coactivation"},
        {"source": 3, "target": 2, "weight": 0.2514, "claimed": "coactivation"},
    ]
    assert sae.explanations.select("set", "feature", "explainer", "text").collect().rows() == [
        ("feature-map", 0, None, " proper nouns "),
        ("feature-map", 2, None, "numbers\nand measures"),
    ]
    assert sae.map.positions.shape == (6, 3)


def test_identity_and_metadata_are_kept(write: Callable[..., Path]) -> None:
    graph = graph_of()
    sae = bring(write(graph))[0].sae()
    assert (sae.identity.model, sae.identity.layer, sae.identity.width) == ("gemma:2b", 25, 6)
    assert sae.map is not None
    assert sae.map.attributes["metadata"] == graph["metadata"]
    # Of which SAE the labels are is what the file claims, not a fact about the SAE that was mapped.
    assert sae.identity.revision is None


def test_edges_are_called_what_they_are(write: Callable[..., Path]) -> None:
    atlas, report = bring(write(graph_of()))
    assert atlas.sae().map.attributes["edge_metric"] == "decoder-cosine"  # type: ignore[union-attr]
    assert atlas.sae().map.attributes["claimed_types"] == {"coactivation": 2}  # type: ignore[union-attr]
    assert any("cosines of decoder rows" in note for note in report.notes)


def test_edge_metric_is_taken_from_the_file_or_from_the_user(write: Callable[..., Path]) -> None:
    graph = graph_of()
    graph["metadata"]["edgeMetric"] = "pmi"
    graph["edges"][0]["weight"] = 7.5
    path = write(graph)
    assert bring(path)[0].sae().map.attributes["edge_metric"] == "pmi"  # type: ignore[union-attr]
    stated = bring(path, edge_metric="lift")[0].sae().map
    assert stated is not None and stated.attributes["edge_metric"] == "lift"


@pytest.mark.parametrize(("types", "metric"), [(("attention", "attention"), "attention"), (("circuit", "a"), "mixed")])
def test_other_types_of_edges_are_not_called_cosines(
    write: Callable[..., Path], types: tuple[str, str], metric: str
) -> None:
    graph = graph_of()
    for edge, word in zip(graph["edges"], types, strict=True):
        edge["type"] = word
    sae_map = bring(write(graph))[0].sae().map
    assert sae_map is not None
    assert sae_map.attributes["edge_metric"] == metric
    assert sae_map.edges["claimed"].to_pylist() == list(types)


def test_nodes_in_any_order_are_sorted_by_feature(write: Callable[..., Path]) -> None:
    graph = graph_of()
    graph["nodes"].reverse()
    sae = bring(write(graph))[0].sae()
    assert sae.map is not None
    assert sae.map.features.tolist() == list(range(6))
    assert sae.map.positions[5].tolist() == graph["nodes"][0]["position"]


def test_gaps_or_a_word_from_the_user_leave_the_width_unknown(write: Callable[..., Path]) -> None:
    graph = graph_of()
    del graph["nodes"][4]
    assert bring(write(graph))[0].sae().identity.width is None
    assert bring(write(graph_of()), partial=True)[0].sae().identity.width is None


def test_map_without_labels_makes_no_explanations(write: Callable[..., Path]) -> None:
    graph = graph_of()
    for node in graph["nodes"]:
        node.pop("label", None)
    atlas, report = bring(write(graph))
    assert report.parts == {"map": "made"}
    assert atlas.sae().explanations.collect().is_empty()


def test_counts_that_disagree_and_blank_labels_are_reported(write: Callable[..., Path]) -> None:
    graph = graph_of()
    graph["metadata"] |= {"featureCount": 7, "edgeCount": 99, "labeledCount": 3}
    graph["nodes"][5]["label"] = " \n"
    notes = " | ".join(bring(write(graph))[1].notes)
    assert "featureCount 7, and the file has 6 nodes" in notes
    assert "edgeCount 99, and the file has 2 edges" in notes
    assert "labeledCount" not in notes
    assert "1 labels are blank" in notes


def set_in(*place: Any) -> Callable[[Graph, Any], None]:
    def change(graph: Graph, value: Any) -> None:
        *path, last = place
        for part in path:
            graph = graph[part]
        graph[last] = value

    return change


WRONG: list[tuple[str, Callable[[Graph, Any], None], Any, str, str]] = [
    ("dangling", set_in("edges", 1, "target"), "gemma:2b:25:6", "'edge-1'.*not there.*25:6", "index-out-of-range"),
    ("end missing", set_in("edges", 1, "source"), None, "'edge-1'.*'source' is None", "index-out-of-range"),
    ("self edge", set_in("edges", 0, "target"), "gemma:2b:25:0", "joins feature 0 with itself", "source-error"),
    ("edge id twice", set_in("edges", 1, "id"), "edge-0", "Edge 'edge-0' occurs twice", "duplicate-id"),
    ("weight a text", set_in("edges", 0, "weight"), "0.5", "number as 'weight'", "source-error"),
    ("weight true", set_in("edges", 0, "weight"), True, "number as 'weight'", "source-error"),
    ("weight no cosine", set_in("edges", 0, "weight"), 1.5, "cosines.*1.5", "source-error"),
    ("edge without type", set_in("edges", 0, "type"), "", "must have a 'type'", "source-error"),
    ("edge a list", set_in("edges", 0), [], "Edge 0 must be an object, found: a list", "source-error"),
    ("id twice", set_in("nodes", 5), graph_of()["nodes"][1], "25:1' occurs twice", "duplicate-id"),
    ("id another", set_in("nodes", 5, "id"), "gemma:2b:25:7", "contradicts its feature 5", "source-error"),
    ("no id", set_in("nodes", 5, "id"), None, "Node 5 has no id", "source-error"),
    ("node a number", set_in("nodes", 5), 3, "Node 5 must be an object, found: a number", "source-error"),
    ("no feature", set_in("nodes", 5, "featureId"), None, "'featureId'", "source-error"),
    ("index negative", set_in("nodes", 5, "featureId", "index"), -1, "feature id -1", "index-out-of-range"),
    ("index huge", set_in("nodes", 5, "featureId", "index"), 2**32, "feature id 4294967296", "index-out-of-range"),
    ("index a float", set_in("nodes", 5, "featureId", "index"), 5.0, "whole 'layer' and 'index'", "source-error"),
    ("layer of node", set_in("nodes", 5, "featureId", "layer"), 24, "layer 24, the metadata", "identity-mismatch"),
    ("model of node", set_in("nodes", 5, "featureId", "modelId"), "gpt2", "model 'gpt2'", "identity-mismatch"),
    ("position short", set_in("nodes", 5, "position"), [1.0, 2.0], "position of three numbers", "source-error"),
    ("position null", set_in("nodes", 5, "position"), [1.0, None, 2.0], "position of three", "source-error"),
    ("position huge", set_in("nodes", 5, "position"), [1, 2, 10**400], "beyond all floats", "not-finite"),
    ("position nan", set_in("nodes", 5, "position"), [1.0, float("nan"), 2.0], "not finite: NaN", "not-finite"),
    ("position inf", set_in("nodes", 5, "position"), [1.0, float("-inf"), 2.0], "-Infinity", "not-finite"),
    ("label a number", set_in("nodes", 5, "label"), 5, "text as 'label'", "source-error"),
    ("no metadata", set_in("metadata"), None, "has no metadata", "missing-metadata"),
    ("no model", set_in("metadata", "modelId"), "", "'modelId'", "missing-metadata"),
    ("no layer", set_in("metadata", "layers"), [], "'layers'", "missing-metadata"),
    ("layer not in a list", set_in("metadata", "layers"), 25, "'layers'", "missing-metadata"),
    ("two layers", set_in("metadata", "layers"), [25, 3], "layers 3, 25", "source-error"),
    ("other layer", set_in("metadata", "layers"), [24], "layer 25, the metadata", "identity-mismatch"),
    ("layer negative", set_in("metadata", "layers"), [-1], "layer 25, the metadata", "identity-mismatch"),
    ("no nodes", set_in("nodes"), [], "has no nodes", "empty-source"),
    ("nodes an object", set_in("nodes"), {}, "'nodes' must be a list", "missing-dataset"),
    ("edges null", set_in("edges"), None, "'edges' must be a list", "missing-dataset"),
    ("metric a number", set_in("metadata", "edgeMetric"), 3, "metric of edges as a text", "source-error"),
    ("facts that cannot be", set_in("metadata", "sae"), {"k": "many"}, "facts of the SAE", "source-error"),
]


@pytest.mark.parametrize(
    ("change", "value", "message", "kind"), [line[1:] for line in WRONG], ids=[w[0] for w in WRONG]
)
def test_wrong_fact_is_refused_by_name(
    write: Callable[..., Path], change: Callable[[Graph, Any], None], value: Any, message: str, kind: str
) -> None:
    graph = copy.deepcopy(graph_of())
    change(graph, value)
    with pytest.raises(SourceError, match=message) as caught:
        bring(write(graph))
    assert caught.value.kind == kind


def test_pair_joined_twice_is_refused(write: Callable[..., Path]) -> None:
    graph = graph_of()
    first = graph["edges"][0]
    graph["edges"].append({**first, "id": "again", "source": first["target"], "target": first["source"]})
    with pytest.raises(SourceError, match="joins the features 0 and 1 again"):
        bring(write(graph))


@pytest.mark.parametrize(
    ("data", "message", "kind"),
    [
        (b"", "is empty", "empty-source"),
        (b"[1, 2]", "holds a list", "wrong-file-type"),
        (b"nothing", "is no JSON", "wrong-file-type"),
        (b'{"metadata": {"modelId": "m", "lay', "ends too early", "truncated-source"),
        (b"\xff\xfe\x00 no text", "cannot be decoded", "wrong-file-type"),
        (b"[" * 200_000, "nested too deeply", "source-error"),
        (b'{"a": ' * 200_000, "nested too deeply", "source-error"),
        (b'{"metadata": ' + b"1" * 5000 + b"}", "number that cannot be read", "source-error"),
        (b'{"metadata": 1e999}', "not finite: 1e999", "not-finite"),
        (b'{"layers": [{"layer": 0}], "modelId": "m"}', "is a manifest", "wrong-file-type"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS", "wrong-file-type"),
    ],
)
def test_what_is_no_map_is_refused(tmp_path: Path, data: bytes, message: str, kind: str) -> None:
    path = tmp_path / "layer-01.json"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=message) as caught:
        bring(path)
    assert caught.value.kind == kind


@pytest.mark.parametrize("keep", [0.3, 0.9, 0.999])
def test_cut_gzip_is_refused(tmp_path: Path, keep: float) -> None:
    data = gzip.compress(json.dumps(graph_of(200)).encode())
    path = tmp_path / "layer-25.json.gz"
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(SourceError, match="ends too early") as caught:
        bring(path)
    assert caught.value.kind == "truncated-source"


def test_damaged_gzip_is_refused(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(json.dumps(graph_of(200)).encode()))
    data[len(data) // 2] ^= 0xFF
    path = tmp_path / "layer-25.json.gz"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"damaged|ends too early"):
        bring(path)


def test_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "layer-25.json.gz"
    with gzip.open(path, "wb", compresslevel=6) as file:
        for _ in range(80):
            file.write(b" " * 1_000_000)
    tracemalloc.start()
    with pytest.raises(SourceError, match=r"more than \d{8} bytes of JSON"):
        bring(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 80_000_000


@pytest.mark.parametrize("name", ["layer-25.json", "layer-25.json.gz"])
def test_file_above_the_limit_of_the_user_is_refused(write: Callable[..., Path], name: str) -> None:
    with pytest.raises(SourceError, match="more than 500 bytes"):
        bring(write(graph_of(), name), most_bytes=500)


def test_limit_must_be_a_limit(write: Callable[..., Path]) -> None:
    with pytest.raises(InvalidInput, match="most_bytes"):
        bring(write(graph_of()), most_bytes=0)


def test_second_map_of_another_layer_is_another_sae(write: Callable[..., Path]) -> None:
    store = MemoryStore()
    create_atlas(store)
    import_parts(store, FeatureMapImporter(str(write(graph_of())), sae="m"))
    with pytest.raises(Conflict) as caught:
        import_parts(store, FeatureMapImporter(str(write(graph_of(layer=13), "layer-13.json")), sae="m"))
    assert caught.value.kind == "identity-mismatch"


def test_facts_that_an_export_states_become_the_identity(write: Callable[..., Path]) -> None:
    graph = graph_of()
    graph["metadata"]["sae"] = {"name": "elsewhere", "width": 64, "architecture": "jumprelu", "hook": None}
    identity = bring(write(graph))[0].sae().identity
    assert (identity.name, identity.width, identity.architecture) == ("m", 64, "jumprelu")
    assert identity.hook is None


def test_facts_that_contradict_the_nodes_are_refused(write: Callable[..., Path]) -> None:
    graph = graph_of()
    graph["metadata"]["sae"] = {"layer": 3}
    with pytest.raises(Conflict):
        bring(write(graph))


def test_memory_stays_within_what_the_survey_says(write: Callable[..., Path], tmp_path: Path) -> None:
    importer = FeatureMapImporter(str(write(graph_of(20_000))), sae="m")
    part = importer.survey(SILENT).parts[0]
    (tmp_path / "out").mkdir()
    # Once before, so that imports are not counted.
    importer.write(part, tmp_path / "out", SILENT)
    tracemalloc.start()
    importer.write(part, tmp_path / "out", SILENT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < part.memory - 180_000_000


def test_map_that_lost_a_file_is_reported(write: Callable[..., Path]) -> None:
    atlas, _ = bring(write(graph_of()))
    path = atlas.entries["sae/m/imported/map"].path
    atlas.store.delete(f"{path}/nodes.parquet")
    sae_map = Atlas(atlas.store, atlas.commit).sae().map
    assert sae_map is not None
    with pytest.raises((FormatError, KeyError)):
        _ = sae_map.nodes
