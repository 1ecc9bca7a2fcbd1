"""The manifest of a folder of maps, made again from the maps that lie in it."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, cast

from saeatlas.errors import Conflict
from saeatlas.format.export import replace_file
from saeatlas.format.version import now, writer
from saeatlas.progress import Progress

__all__ = ["MANIFEST", "check_model", "write_manifest"]

MANIFEST: Final = "manifest.json"
_NAME = re.compile(r"layer-(\d{1,6})\.json(\.gz)?")
_HEAD_BYTES: Final = 4_000_000
"""Metadata come first in a map: this much of a file is read to find them."""
_KEPT: Final = ("displayName", "neuronpediaModelId", "neuronpediaSourceSet")
"""Facts of an earlier manifest that no map tells."""

Record = dict[str, Any]


@dataclass(frozen=True)
class _Layer:
    """One map that lies in the folder."""

    layer: int
    path: Path
    metadata: Record


def write_manifest(directory: Path, model: str, progress: Progress) -> Path:
    """Write `manifest.json` over all maps of a model in a folder, whoever made them, and return its path.

    What an earlier manifest says about the model and no map tells is kept. Files that are named as maps and are none
    are left out, and the user is told.
    """
    earlier = _earlier(directory, model)
    layers = [layer for layer in _layers(directory, progress) if layer.metadata.get("modelId") == model]
    known = max((layer.layer for layer in layers), default=-1) + 1
    counts = {layer.metadata.get("featureCount") for layer in layers}
    stated = earlier.get("totalLayers")
    record: Record = {
        "modelId": model,
        "displayName": model,
        # Unless someone said how many there are, the model has those that are here, and those below them.
        "totalLayers": max(known, stated) if isinstance(stated, int) else known,
        "featuresPerLayer": counts.pop() if len(counts) == 1 else None,
        "layers": [_entry(layer) for layer in layers],
        **_neuronpedia(layers),
        **{name: earlier[name] for name in _KEPT if earlier.get(name)},
        "pipelineVersion": writer(),
        "generatedAt": now().replace("+00:00", "Z"),
    }
    path = directory / MANIFEST
    replace_file(path, lambda file: file.write(json.dumps(record, ensure_ascii=False, indent=1).encode()))
    return path


def _neuronpedia(layers: Sequence[_Layer]) -> Record:
    """Return what Neuronpedia calls the model and the set of SAEs, where the labels of all maps say the same."""
    said = {_labels_of(layer) for layer in layers}
    model, source_set = said.pop() if len(said) == 1 else (None, None)
    return {"neuronpediaModelId": model, "neuronpediaSourceSet": source_set}


def _labels_of(layer: _Layer) -> tuple[str, str] | tuple[None, None]:
    """Return the model and the set of SAEs that the labels of a map are from, where the map says it."""
    made_from = layer.metadata.get("madeFrom")
    labels = made_from.get("labels") if isinstance(made_from, dict) else None
    model, source = (labels.get("model_id"), labels.get("source_id")) if isinstance(labels, dict) else (None, None)
    prefix = f"{layer.layer}-"
    if not isinstance(model, str) or not isinstance(source, str) or not source.startswith(prefix):
        return None, None
    return model, source.removeprefix(prefix)


def check_model(directory: Path, model: str) -> None:
    """Raise `Conflict` when the folder's manifest is of another model: a manifest names one."""
    earlier = _read(directory / MANIFEST)
    found = earlier.get("modelId") if earlier else None
    if found not in {None, model}:
        raise Conflict(
            f"'{directory}' holds maps of the model '{found}', these are of '{model}'",
            hint="Export each model to a folder of its own.",
        )


def _entry(layer: _Layer) -> Record:
    entry = {
        "layer": layer.layer,
        "filePath": layer.path.name,
        "fileSize": layer.path.stat().st_size,
        "sourceId": layer.metadata.get("sourceId"),
        "featureCount": layer.metadata.get("featureCount"),
    }
    identity = layer.metadata.get("sae")
    more = {"edgeMetric": layer.metadata.get("edgeMetric"), "sae": identity}
    return entry | {name: value for name, value in more.items() if value is not None}


def _layers(directory: Path, progress: Progress) -> list[_Layer]:
    found: dict[int, _Layer] = {}
    for path in sorted(directory.iterdir()):
        match = _NAME.fullmatch(path.name)
        if match is None or not path.is_file():
            continue
        metadata = _metadata(path)
        number = int(match[1])
        if metadata is None or metadata.get("layers") != [number]:
            progress.say(f"'{path.name}' is no map of layer {number}, so the manifest leaves it out")
            continue
        if number in found:
            progress.say(f"'{path.name}' is of the same layer as '{found[number].path.name}': the manifest names that")
            continue
        found[number] = _Layer(number, path, metadata)
    return [found[number] for number in sorted(found)]


def _metadata(path: Path) -> Record | None:
    """Return the metadata of a map, or None when it is none. Only the head of the file is read, if that is enough."""
    try:
        with path.open("rb") as packed, gzip.GzipFile(fileobj=packed) as unpacked:
            return _first_member(cast("IO[bytes]", unpacked) if path.suffix == ".gz" else packed)
    except (OSError, EOFError, zlib.error, ValueError, RecursionError):
        # What is damaged or something else is no map; the caller tells the user.
        return None


def _first_member(file: IO[bytes]) -> Record | None:
    text = file.read(_HEAD_BYTES).decode("utf-8-sig", errors="ignore")
    opening = re.match(r'\s*\{\s*"metadata"\s*:\s*', text)
    if opening is None:
        # The members may stand in another order: then all of it is read.
        record = json.loads(text + file.read().decode("utf-8"))
        metadata = record.get("metadata") if isinstance(record, dict) else None
    else:
        metadata, _ = json.JSONDecoder().raw_decode(text, opening.end())
    return metadata if isinstance(metadata, dict) else None


def _earlier(directory: Path, model: str) -> Record:
    found = _read(directory / MANIFEST)
    return found if found and found.get("modelId") == model else {}


def _read(path: Path) -> Record | None:
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
