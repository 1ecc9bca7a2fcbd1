"""What a map is drawn from: the imported one, or the analyses `umap` and `neighbors`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from saeatlas.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE

__all__ = ["Drawn", "draw", "labels_of", "why_no_map"]

_DECODER_COSINE = "decoder-cosine"
_SIMILARITY = "similarity"
_IMPORTED_LABELS = "feature-map"
_UMAP_PARAMS = {
    "n_neighbors": "n_neighbors",
    "min_dist": "min_dist",
    "spread": "spread",
    "repulsion_strength": "repulsion_strength",
    "seed": "random_state",
}
"""Our parameters and their names in the schema."""


@dataclass(frozen=True)
class Drawn:
    """One map, ready to be written."""

    features: npt.NDArray[np.int64]
    """Features with a place, [n], ascending."""
    positions: npt.NDArray[np.float64]
    """Their places, [n, 3]."""
    sources: npt.NDArray[np.int64]
    """One end of each edge, [edges]; both ends have a place."""
    targets: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]
    types: list[str]
    """What each edge is."""
    metric: str
    """What the weights are."""
    facts: dict[str, Any]
    """More for the metadata."""
    made_from: dict[str, Any]
    """Artifacts by name, each with its key, digest and parameters."""
    notes: tuple[str, ...] = ()
    """Sentences for the user."""


def draw(sae: SAE, source: str) -> Drawn:
    """Return the map of an SAE.

    Parameters
    ----------
    source
        'map' for the imported one, 'umap' for the analyses, 'auto' for the first of them that is there.

    Raises
    ------
    NotFound
        When there is none; the hint says what to run.
    """
    missing = why_no_map(sae, source)
    if missing:
        hint = "or export with --source umap." if source == "map" else "or run 'saeatlas analyze umap neighbors'."
        raise NotFound(missing, hint=f"Import a map, {hint}")
    return _imported(sae) if sae.map is not None and source != "umap" else _computed(sae)


def why_no_map(sae: SAE, source: str) -> str:
    """Return in words what an SAE lacks for its map to be drawn from `source`, or nothing."""
    if source != "umap" and sae.map is not None:
        return ""
    if source == "map":
        return f"SAE '{sae.name}' has no imported map"
    for name, table in (("umap", "data"), ("neighbors", "edges")):
        if sae.table(name, table) is None:
            return f"SAE '{sae.name}' has no map to export: {sae.why_no_table(name)}"
    places = sae.table("umap")
    if places is not None and places["x3"].null_count == len(places):
        return f"The map of SAE '{sae.name}' has no third dimension: 'umap' was computed without"
    return ""


def labels_of(sae: SAE, labels: str) -> tuple[str, dict[int, str]]:
    """Return the set that gives the labels ('' without any), and the first text of each of its features.

    Parameters
    ----------
    labels
        Name of a set, '-' for no labels, '' for the only set, or the one that came with the imported map.
    """
    import polars as pl

    from saeatlas.atlas.explanations import explanation_facts, explanation_sets, first_texts

    known = explanation_sets(sae)
    if labels == "-" or not (labels or known):
        return "", {}
    if not labels:
        if len(known) > 1 and _IMPORTED_LABELS not in known:
            raise InvalidInput(
                f"SAE '{sae.name}' has several sets of explanations: {', '.join(known)}",
                hint="Say which gives the labels with --labels, or --labels - for none.",
            )
        labels = known[0] if len(known) == 1 else _IMPORTED_LABELS
    explanation_facts(sae, labels)
    return labels, first_texts(sae.explanations.filter(pl.col("set") == labels))


def _imported(sae: SAE) -> Drawn:
    assert sae.map is not None
    edges, attributes = sae.map.edges, sae.map.attributes
    metric = str(attributes["edge_metric"])
    claimed: list[str] = edges["claimed"].to_pylist()
    return Drawn(
        features=sae.map.features,
        positions=sae.map.positions,
        sources=np.asarray(edges["source"].to_numpy(), np.int64),
        targets=np.asarray(edges["target"].to_numpy(), np.int64),
        weights=np.asarray(edges["weight"].to_numpy(), np.float64),
        types=[_SIMILARITY] * len(claimed) if metric == _DECODER_COSINE else claimed,
        metric=metric,
        facts=dict(attributes["metadata"]),
        made_from={"map": _made(sae, "imported/map")},
    )


def _computed(sae: SAE) -> Drawn:
    places = sae.table("umap")
    edges = sae.table("neighbors", "edges")
    assert places is not None
    assert edges is not None
    columns = [places[name].to_numpy(zero_copy_only=False) for name in ("x3", "y3", "z3")]
    positions = np.column_stack(columns).astype(np.float64)
    # A decoder row of zeros points nowhere, and has no place.
    placed = np.isfinite(positions).all(axis=1)
    features = np.asarray(places["feature"].to_numpy(), np.int64)[placed]
    ends = [np.asarray(edges[name].to_numpy(), np.int64) for name in ("source", "target")]
    kept = np.isin(ends[0], features) & np.isin(ends[1], features)
    by = sae.atlas.manifest(f"sae/{sae.name}/neighbors").params.get("by", "decoder")
    params = sae.atlas.manifest(f"sae/{sae.name}/umap").params
    renamed = {theirs: params[ours] for ours, theirs in _UMAP_PARAMS.items() if ours in params}
    notes = []
    if not placed.all():
        notes.append(f"{int((~placed).sum())} features of '{sae.name}' have no place on the map and are left out")
    if not kept.all():
        notes.append(f"{int((~kept).sum())} edges of '{sae.name}' lead to features without a place and are left out")
    return Drawn(
        features=features,
        positions=positions[placed],
        sources=ends[0][kept],
        targets=ends[1][kept],
        weights=np.asarray(edges["cosine"].to_numpy(), np.float64)[kept],
        types=[_SIMILARITY] * int(kept.sum()),
        metric=f"{by}-cosine",
        facts={"umapParams": {**renamed, "metric": "cosine", "n_components": 3}, "seed": params.get("seed")},
        made_from={"umap": _made(sae, "umap"), "neighbors": _made(sae, "neighbors")},
        notes=tuple(notes),
    )


def _made(sae: SAE, name: str) -> Mapping[str, Any]:
    """Return how an artifact of an SAE was made, so that it can be found or made again."""
    manifest = sae.atlas.manifest(f"sae/{sae.name}/{name}")
    return {
        "key": manifest.key,
        "digest": manifest.digest,
        "step": manifest.step,
        "stepVersion": manifest.step_version,
        "params": dict(manifest.params),
        "writer": manifest.writer,
        "writtenAt": manifest.written_at,
    }
