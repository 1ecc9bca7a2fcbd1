"""The importer of feature maps keeps the contract of all importers that give no rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saeatlas.importers.feature_map import FeatureMapImporter
from saeatlas.pipeline.sae_importer import SaeImporter
from saeatlas.testing.sae_importer_contract import SaeFault, SaeImporterContract


def graph() -> dict[str, Any]:
    nodes = [
        {
            "id": f"m:3:{index}",
            "featureId": {"modelId": "m", "layer": 3, "index": index},
            "position": [index * 0.25, -1, 2.5],
            "label": f" about dogs {index}",
        }
        for index in range(6)
    ]
    edges = [{"id": "edge-3-0", "source": "m:3:0", "target": "m:3:5", "weight": 0.5, "type": "coactivation"}]
    return {"metadata": {"modelId": "m", "layers": [3]}, "nodes": nodes, "edges": edges}


def write(directory: Path, record: object) -> SaeImporter:
    path = directory / "layer-03.json"
    path.write_text(json.dumps(record))
    return FeatureMapImporter(str(path), sae="m")


def without_metadata(directory: Path) -> SaeImporter:
    return write(directory, {**graph(), "metadata": None})


def with_a_dangling_edge(directory: Path) -> SaeImporter:
    record = graph()
    record["edges"][0]["target"] = "m:3:99"
    return write(directory, record)


def with_a_node_twice(directory: Path) -> SaeImporter:
    record = graph()
    record["nodes"].append(record["nodes"][0])
    return write(directory, record)


def cut_short(directory: Path) -> SaeImporter:
    importer = write(directory, graph())
    path = directory / "layer-03.json"
    path.write_bytes(path.read_bytes()[:-40])
    return importer


def with_a_place_at_infinity(directory: Path) -> SaeImporter:
    record = graph()
    record["nodes"][2]["position"][0] = float("inf")
    return write(directory, record)


class TestFeatureMap(SaeImporterContract):
    def make_importer(self, directory: Path) -> SaeImporter:
        return write(directory, graph())

    def faults(self) -> Mapping[str, SaeFault]:
        return {
            "no metadata": without_metadata,
            "dangling edge": with_a_dangling_edge,
            "node twice": with_a_node_twice,
            "cut short": cut_short,
            "place at infinity": with_a_place_at_infinity,
        }
