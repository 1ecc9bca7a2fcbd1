"""Reads feature maps in JSON: nodes with positions and labels, edges with weights, metadata; every fact is checked."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from saeatlas.errors import SourceError
from saeatlas.format.source_file import check_file

__all__ = ["Graph", "read_graph"]

_GZIP_MAGIC = b"\x1f\x8b"
_PIECE = 1 << 20
_HONEST_BYTES = 64_000_000
_HONEST_RATIO = 200
"""JSON of maps shrinks to a tenth; what grows beyond this many times its size is no map."""
_MOST_FEATURES = 1 << 32

Record = dict[str, Any]


@dataclass(frozen=True)
class Graph:
    """One map, checked."""

    model: str
    layer: int
    features: list[int]
    """Feature of each node, in the order of the file."""
    positions: list[tuple[float, float, float]]
    labels: list[str | None]
    """As written; None where there is none or it is blank."""
    categories: list[str | None]
    sources: list[int]
    """Feature at one end of each edge, in the order of the file."""
    targets: list[int]
    weights: list[float]
    types: list[str]
    """What the file calls each edge."""
    metadata: Record
    """As in the file."""
    n_blank: int
    """Labels that were blank."""
    n_bytes: int
    """Bytes of JSON."""

    @property
    def n_labels(self) -> int:
        """Nodes with a label."""
        return sum(label is not None for label in self.labels)

    def type_counts(self) -> dict[str, int]:
        """Return how many edges are called what."""
        return dict(sorted(Counter(self.types).items()))


def read_graph(path: Path, most_bytes: int) -> Graph:
    """Read and check a map.

    Parameters
    ----------
    path
        JSON, or JSON in gzip; the first bytes tell.
    most_bytes
        A file with more JSON is refused before it is held.

    Raises
    ------
    SourceError
        At the first fact that is wrong; the message names the node or edge.

    Notes
    -----
    Memory: about 12 bytes per byte of JSON.
    """
    text = _text(path, most_bytes)
    record = _parsed(text, path)
    metadata, nodes, edges = _parts(record, path)
    model, layer = _place(metadata)
    ids: dict[str, int] = {}
    columns = [_node(node, number, model, layer, ids) for number, node in enumerate(nodes)]
    joined = _edges(edges, ids)
    labels = [column[1] for column in columns]
    return Graph(
        model=model,
        layer=layer,
        features=list(ids.values()),
        positions=[column[0] for column in columns],
        labels=[label if label and label.strip() else None for label in labels],
        categories=[column[2] for column in columns],
        sources=[edge[0] for edge in joined],
        targets=[edge[1] for edge in joined],
        weights=[edge[2] for edge in joined],
        types=[edge[3] for edge in joined],
        metadata=metadata,
        n_blank=sum(label is not None and not label.strip() for label in labels),
        n_bytes=len(text),
    )


def _text(path: Path, most_bytes: int) -> str:
    """Return the JSON of a file, however it is packed."""
    head = check_file(path, "feature map")
    size = path.stat().st_size
    if head.startswith(_GZIP_MAGIC):
        limit = min(most_bytes, max(_HONEST_BYTES, _HONEST_RATIO * size))
        data = _unpacked(path, limit, size)
    else:
        limit = most_bytes
        if size > limit:
            _refuse_size(path, size, limit)
        data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(
            f"'{path.name}' is neither JSON in UTF-8 nor gzip: byte {error.start} cannot be decoded",
            hint="Give a layer-NN.json or layer-NN.json.gz.",
            kind="wrong-file-type",
        ) from error


def _unpacked(path: Path, limit: int, size: int) -> bytes:
    pieces, total = [], 0
    try:
        with gzip.open(path) as file:
            while piece := file.read(_PIECE):
                total += len(piece)
                if total > limit:
                    _refuse_size(path, size, limit)
                pieces.append(piece)
    except EOFError as error:
        raise SourceError(
            f"'{path.name}' ends too early: its gzip stream has no end after {size} bytes",
            hint="Copy or download it again.",
            kind="truncated-source",
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(
            f"'{path.name}' is damaged: {error}", hint="Copy or download it again.", kind="truncated-source"
        ) from error
    return b"".join(pieces)


def _refuse_size(path: Path, size: int, limit: int) -> NoReturn:
    raise SourceError(
        f"'{path.name}' has {size} bytes and holds more than {limit} bytes of JSON, which no feature map should",
        hint="If you trust the file, allow more with --most-bytes, or unpack it first.",
    )


def _parsed(text: str, path: Path) -> object:
    try:
        return json.loads(text, parse_float=_finite, parse_constant=_not_finite)
    except RecursionError as error:
        raise SourceError(f"'{path.name}' is nested too deeply for a feature map") from error
    except json.JSONDecodeError as error:
        is_cut = text.lstrip()[:1] == "{" and text.rstrip()[-1:] != "}"
        raise SourceError(
            f"'{path.name}' is no JSON{' or ends too early' if is_cut else ''}: {error}",
            hint="Copy or download it again." if is_cut else "Give a layer-NN.json or layer-NN.json.gz.",
            kind="truncated-source" if is_cut else "wrong-file-type",
        ) from error
    except ValueError as error:
        # Python refuses to read whole numbers of thousands of digits.
        raise SourceError(f"'{path.name}' holds a number that cannot be read: {error}") from error


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _not_finite(text)
    return number


def _not_finite(text: str) -> NoReturn:
    raise SourceError(
        f"The map holds a number that is not finite: {text:.40}",
        hint="A position or weight was computed from a broken vector: compute the map again.",
        kind="not-finite",
    )


def _parts(record: object, path: Path) -> tuple[Record, list[object], list[object]]:
    if not isinstance(record, dict):
        raise SourceError(f"'{path.name}' is no feature map: it holds {_kind(record)}", kind="wrong-file-type")
    if "nodes" not in record and isinstance(record.get("layers"), list):
        raise SourceError(
            f"'{path.name}' is a manifest, not a map",
            hint="Import the files that it names, each with its own --sae.",
            kind="wrong-file-type",
        )
    metadata = record.get("metadata")
    if not isinstance(metadata, dict):
        raise SourceError(
            f"'{path.name}' has no metadata, so nobody knows of which model and layer it is",
            hint="A map has the members metadata, nodes and edges.",
            kind="missing-metadata",
        )
    nodes, edges = record.get("nodes"), record.get("edges", [])
    for name, part in (("nodes", nodes), ("edges", edges)):
        if not isinstance(part, list):
            raise SourceError(f"'{path.name}': '{name}' must be a list, found: {_kind(part)}", kind="missing-dataset")
    if not nodes:
        raise SourceError(f"'{path.name}' has no nodes", kind="empty-source")
    return metadata, nodes, edges


def _place(metadata: Record) -> tuple[str, int]:
    """Return the model and the one layer."""
    model, layers = metadata.get("modelId"), metadata.get("layers")
    if not isinstance(model, str) or not model:
        raise SourceError(
            f"The metadata must name the model as 'modelId', found: {model!r:.60}", kind="missing-metadata"
        )
    if not isinstance(layers, list) or not layers or not all(_is_whole(layer) for layer in layers):
        raise SourceError(
            f"The metadata must name the layer as 'layers', a list of whole numbers, found: {layers!r:.60}",
            kind="missing-metadata",
        )
    if len(set(layers)) != 1:
        raise SourceError(
            f"The map is of the layers {', '.join(map(str, sorted(set(layers))))}, and an SAE has one",
            hint="Split the file by layer, and import each as an SAE of its own.",
        )
    return model, int(layers[0])


def _node(
    node: object, number: int, model: str, layer: int, ids: dict[str, int]
) -> tuple[tuple[float, float, float], str | None, str | None]:
    """Check a node, enter its id, and return its position, label and category."""
    name = f"Node {number}"
    if not isinstance(node, dict):
        raise SourceError(f"{name} must be an object, found: {_kind(node)}")
    key, place = node.get("id"), node.get("featureId")
    if not isinstance(key, str) or not key:
        raise SourceError(f"{name} has no id, found: {key!r:.60}")
    name = f"Node '{key:.80}'"
    if not isinstance(place, dict) or not all(_is_whole(place.get(fact)) for fact in ("layer", "index")):
        raise SourceError(f"{name} must say its feature as 'featureId' with whole 'layer' and 'index': {place!r:.80}")
    index = place["index"]
    if place.get("modelId") != model or place["layer"] != layer:
        raise SourceError(
            f"{name} is of model {place.get('modelId')!r:.60} and layer {place['layer']}, "
            f"the metadata says '{model}' and layer {layer}",
            hint="The file mixes maps: make it again for one layer.",
            kind="identity-mismatch",
        )
    if not 0 <= index < _MOST_FEATURES:
        raise SourceError(f"{name} has the feature id {index}", kind="index-out-of-range")
    if key != f"{model}:{layer}:{index}":
        raise SourceError(f"{name} contradicts its feature {index} of layer {layer} of '{model}'")
    if key in ids:
        raise SourceError(f"{name} occurs twice", kind="duplicate-id")
    ids[key] = index
    return _position(node.get("position"), name), _text_of(node, "label", name), _text_of(node, "category", name)


def _position(value: object, name: str) -> tuple[float, float, float]:
    if not isinstance(value, list) or len(value) != 3 or not all(_is_number(part) for part in value):
        raise SourceError(f"{name} must have a position of three numbers, found: {value!r:.80}")
    x, y, z = (_float(part, name) for part in value)
    return x, y, z


def _text_of(record: Record, member: str, name: str) -> str | None:
    value = record.get(member)
    if value is not None and not isinstance(value, str):
        raise SourceError(f"{name} must have a text as '{member}', found: {value!r:.80}")
    return value


def _edges(edges: list[object], ids: Mapping[str, int]) -> list[tuple[int, int, float, str]]:
    seen: set[tuple[int, int]] = set()
    names: set[str] = set()
    joined = []
    for number, edge in enumerate(edges):
        if not isinstance(edge, dict):
            raise SourceError(f"Edge {number} must be an object, found: {_kind(edge)}")
        key = edge.get("id")
        name = f"Edge '{key:.80}'" if isinstance(key, str) else f"Edge {number}"
        if isinstance(key, str):
            if key in names:
                raise SourceError(f"{name} occurs twice", kind="duplicate-id")
            names.add(key)
        ends = _ends(edge, ids, name)
        pair = min(ends), max(ends)
        if pair in seen:
            raise SourceError(f"{name} joins the features {pair[0]} and {pair[1]} again", kind="duplicate-index")
        seen.add(pair)
        weight, word = edge.get("weight"), edge.get("type")
        if not _is_number(weight):
            raise SourceError(f"{name} must have a number as 'weight', found: {weight!r:.60}")
        if not isinstance(word, str) or not word:
            raise SourceError(f"{name} must have a 'type', found: {word!r:.60}")
        joined.append((*ends, _float(weight, name), word))
    return joined


def _ends(edge: Record, ids: Mapping[str, int], name: str) -> tuple[int, int]:
    ends = []
    for member in ("source", "target"):
        end = edge.get(member)
        if not isinstance(end, str) or end not in ids:
            raise SourceError(
                f"{name} leads to a node that is not there: '{member}' is {end!r:.80}",
                hint="Nodes were left out after the edges were made: make the map again.",
                kind="index-out-of-range",
            )
        ends.append(ids[end])
    if ends[0] == ends[1]:
        raise SourceError(f"{name} joins feature {ends[0]} with itself")
    return ends[0], ends[1]


def _float(value: Any, name: str) -> float:  # noqa: ANN401  # a number of JSON
    try:
        return float(value)
    except OverflowError as error:
        raise SourceError(f"{name} holds a number beyond all floats", kind="not-finite") from error


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "nothing"}
    return names.get(type(value), "a number")
