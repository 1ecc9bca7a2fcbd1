"""Exports feature maps as JSON for three-dimensional viewers: one file for each layer, and a manifest."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np

from saeatlas.errors import InvalidInput, StorageError
from saeatlas.exporters._manifest import check_model, write_manifest
from saeatlas.exporters._map_sources import Drawn, draw, labels_of, why_no_map
from saeatlas.format.export import replace_file
from saeatlas.format.version import writer
from saeatlas.pipeline.exporter import Exporter
from saeatlas.progress import Progress

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE

__all__ = ["FeatureMapExporter", "plugin"]

_DECIMALS = 4

Record = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class FeatureMapExporter(Exporter):
    """Feature maps in JSON: `layer-NN.json.gz` for each SAE, and a manifest of all maps in the folder.

    Positions and edges are those of the imported map where there is one, else those of the analyses 'umap' and
    'neighbors'. A map of the same layer that is there already is replaced; other layers stay.

    Examples
    --------
    saeatlas export feature-map --sae gemma-l25 --to maps
    """

    source: Literal["auto", "map", "umap"] = "auto"
    """Where positions and edges come from: the imported 'map', the analyses 'umap' and 'neighbors', or 'auto' for
    the first of them that is there."""
    labels: str = ""
    """Set of explanations that gives the labels; empty for the only one or the one of the imported map, '-' for
    no labels."""
    trim: bool = True
    """Whether labels lose the white space around them."""
    compress: bool = True
    """Whether files are packed with gzip."""
    compatible: bool = False
    """Whether edges that are cosines are called 'coactivation', the only word that some viewers admit."""

    def export(self, saes: Sequence[SAE], directory: Path, progress: Progress) -> tuple[Path, ...]:
        """Write the maps, then the manifest over all maps in the folder."""
        model = _model_of(saes)
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"Cannot make '{directory}': {error.strerror or error}") from error
        check_model(directory, model)
        paths = []
        with progress.task("Writing maps", total=len(saes), unit="maps") as task:
            for sae in saes:
                paths.append(self._write(sae, directory, progress))
                task.advance(1)
        return (*paths, write_manifest(directory, model, progress))

    def lacks(self, sae: SAE) -> str:
        """Return what keeps an SAE without a map from being exported."""
        return why_no_map(sae, self.source)

    def _write(self, sae: SAE, directory: Path, progress: Progress) -> Path:
        drawn = draw(sae, self.source)
        for note in drawn.notes:
            progress.say(note)
        record = self._record(sae, drawn, progress)
        name = f"layer-{sae.identity.layer:02d}.json"
        path, other = directory / f"{name}{'.gz' if self.compress else ''}", directory / f"{name}.gz"
        if self.compress:
            other = directory / name
        data = json.dumps(record, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
        replace_file(path, lambda file: self._pack(file, data))
        # A viewer must not find an older map of the layer beside the new one.
        other.unlink(missing_ok=True)
        return path

    def _pack(self, file: IO[bytes], data: bytes) -> None:
        if not self.compress:
            file.write(data)
            return
        # Without a name and a time in it, the same map gives the same bytes.
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
            packed.write(data)

    def _record(self, sae: SAE, drawn: Drawn, progress: Progress) -> Record:
        label_set, texts = labels_of(sae, self.labels)
        prefix = f"{sae.identity.model}:{sae.identity.layer}:"
        positions = np.round(drawn.positions, _DECIMALS) + 0.0
        nodes = []
        for feature, position in zip(drawn.features.tolist(), positions.tolist(), strict=True):
            place = {"modelId": sae.identity.model, "layer": sae.identity.layer, "index": feature}
            node: Record = {"id": f"{prefix}{feature}", "featureId": place, "position": position}
            text = texts.get(feature, "")
            if text:
                node["label"] = text.strip() if self.trim else text
            nodes.append(node)
        for feature, category in _categories(sae, drawn).items():
            nodes[feature]["category"] = category
        edges = self._edges(sae, drawn, prefix, progress)
        metadata = _metadata(sae, drawn, label_set) | {
            "featureCount": len(nodes),
            "edgeCount": len(edges),
            "labeledCount": sum("label" in node for node in nodes),
            "bounds": {"min": positions.min(axis=0).tolist(), "max": positions.max(axis=0).tolist()},
        }
        return {"metadata": metadata, "nodes": nodes, "edges": edges}

    def _edges(self, sae: SAE, drawn: Drawn, prefix: str, progress: Progress) -> list[Record]:
        types, kept = drawn.types, np.ones(drawn.weights.size, np.bool_)
        weights = np.round(drawn.weights, _DECIMALS) + 0.0
        if self.compatible:
            is_cosine = drawn.metric.endswith("-cosine")
            types = ["coactivation"] * len(types) if is_cosine else types
            kept = (weights >= 0) & (weights <= 1)
            if not kept.all():
                progress.say(f"{int((~kept).sum())} edges of '{sae.name}' have no weight from 0 to 1 and are left out")
        lines = zip(drawn.sources.tolist(), drawn.targets.tolist(), weights.tolist(), types, kept.tolist(), strict=True)
        chosen = [(source, target, weight, word) for source, target, weight, word, is_kept in lines if is_kept]
        return [
            {
                "id": f"edge-{sae.identity.layer}-{number}",
                "source": f"{prefix}{source}",
                "target": f"{prefix}{target}",
                "weight": weight,
                "type": word,
            }
            for number, (source, target, weight, word) in enumerate(chosen)
        ]


def _metadata(sae: SAE, drawn: Drawn, label_set: str) -> Record:
    """Return the metadata that do not count anything: the schema's own members, and what they leave out."""
    from saeatlas.atlas.explanations import explanation_facts

    identity = sae.identity
    made_from = dict(drawn.made_from)
    source_id = f"{identity.layer}-{sae.name}"
    if label_set:
        entry = sae.atlas.manifest(f"sae/{sae.name}/imported/explanations/{label_set}")
        facts = explanation_facts(sae, label_set)
        made_from["labels"] = {"set": label_set, "key": entry.key, "digest": entry.digest, **_without_counts(facts)}
        # Where the labels come from, viewers find more about each feature under the same id.
        source_id = facts.get("source_id") or source_id
    computed_at = next(iter(drawn.made_from.values()))["writtenAt"]
    return {
        "modelId": identity.model,
        "layers": [identity.layer],
        "sourceId": source_id,
        "pipelineVersion": writer(),
        "computedAt": computed_at.replace("+00:00", "Z"),
        **{name: value for name, value in drawn.facts.items() if name not in {"modelId", "layers"}},
        "edgeMetric": drawn.metric,
        "sae": identity.to_json(),
        "writer": writer(),
        "madeFrom": made_from,
    }


def _without_counts(facts: Any) -> Record:  # noqa: ANN401  # attributes of an artifact
    return {name: value for name, value in facts.items() if not name.startswith("n_")}


def _categories(sae: SAE, drawn: Drawn) -> dict[int, str]:
    """Return node number → category, where the imported map has one."""
    if "map" not in drawn.made_from or sae.map is None:
        return {}
    found = sae.map.nodes["category"].to_pylist()
    return {number: category for number, category in enumerate(found) if category}


def _model_of(saes: Sequence[SAE]) -> str:
    """Return the one model of all SAEs when each has a layer of its own."""
    if not saes:
        raise InvalidInput("No SAE was named to export")
    taken: dict[int, str] = {}
    for sae in saes:
        identity = sae.identity
        for fact in ("model", "layer"):
            if getattr(identity, fact) is None:
                raise InvalidInput(
                    f"SAE '{sae.name}' has no known {fact}, and a map must say of which {fact} it is",
                    hint=f"Import its weights, its map or its activations again with --{fact}.",
                )
        layer = identity.layer or 0
        if layer in taken:
            raise InvalidInput(
                f"'{taken[layer]}' and '{sae.name}' are both of layer {layer}, and a folder has one map of a layer",
                hint="Export them to folders of their own.",
            )
        taken[layer] = sae.name
    models = sorted({str(sae.identity.model) for sae in saes})
    if len(models) > 1:
        raise InvalidInput(f"The SAEs are of several models: {', '.join(models)}", hint="Export each by itself.")
    return models[0]


plugin = FeatureMapExporter
