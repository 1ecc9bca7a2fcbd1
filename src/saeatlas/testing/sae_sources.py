"""Small directories of SAELens and files of Gemma Scope, to try the importer of weights on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from saeatlas.atlas.atlas import Atlas
from saeatlas.atlas.weights import Weights
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.importers.sae_weights import SaeWeights
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.storage import MemoryStore

__all__ = ["CFG", "D", "N", "gemma_arrays", "imported", "saelens_directory", "state_dict"]

N, D, OUT = 12, 4, 6
CFG: dict[str, Any] = {
    "architecture": "standard",
    "d_in": D,
    "d_sae": N,
    "dtype": "float32",
    "device": "cpu",
    "apply_b_dec_to_input": True,
    "normalize_activations": "none",
    "reshape_activations": "none",
    "metadata": {
        "sae_lens_version": "6.54.12",
        "model_name": "toy-model",
        "hook_name": "blocks.3.hook_resid_pre",
        "context_size": 64,
        "prepend_bos": False,
    },
}


def state_dict(architecture: str = "standard", seed: int = 0, d_out: int = 0) -> dict[str, Any]:
    """Random tensors by SAELens' names."""
    rng = np.random.default_rng(seed)
    out = d_out or (OUT if "transcoder" in architecture else D)
    shapes: dict[str, tuple[int, ...]] = {"W_dec": (N, out), "b_dec": (out,)}
    if architecture == "temporal":
        for name, rows in (("k_ctx", 4), ("q_target", 4), ("v_ctx", N), ("c_proj", N)):
            shapes |= {f"attn_layers.0.{name}.weight": (rows, N), f"attn_layers.0.{name}.bias": (rows,)}
    elif architecture != "matching_pursuit":
        shapes["W_enc"] = (D, N)
        names = ("b_gate", "b_mag", "r_mag") if architecture == "gated" else ("b_enc",)
        shapes |= dict.fromkeys(names, (N,))
    if "jumprelu" in architecture:
        shapes["threshold"] = (N,)
    if "skip" in architecture:
        shapes["W_skip"] = (out, D)
    tensors = {name: (0.5 * rng.normal(size=shape)).astype(np.float32) for name, shape in shapes.items()}
    if "threshold" in tensors:
        tensors["threshold"] = np.abs(tensors["threshold"])
    return tensors


def saelens_directory(
    directory: Path,
    tensors: dict[str, Any] | None = None,
    cfg: dict[str, Any] | None = None,
    **changed: Any,  # noqa: ANN401  # any JSON value
) -> Path:
    """Write a directory of SAELens; `changed` members of the configuration are added, those that are None left out."""
    directory.mkdir(parents=True, exist_ok=True)
    record = {**(CFG if cfg is None else cfg), **changed}
    record = {name: value for name, value in record.items() if value is not None}
    (directory / "cfg.json").write_text(json.dumps(record))
    tensors = state_dict(record.get("architecture", "standard")) if tensors is None else tensors
    save_file({name: np.asarray(a, order="C") for name, a in tensors.items()}, directory / "sae_weights.safetensors")
    return directory


def gemma_arrays(seed: int = 0, n: int = N) -> dict[str, Any]:
    """Random arrays by the names of the first Gemma Scope."""
    rng = np.random.default_rng(seed)
    shapes = {"W_enc": (D, n), "W_dec": (n, D), "b_enc": (n,), "b_dec": (D,), "threshold": (n,)}
    arrays = {name: (0.5 * rng.normal(size=shape)).astype(np.float32) for name, shape in shapes.items()}
    return {**arrays, "threshold": np.abs(arrays["threshold"])}


def imported(source: Path | str, **fields: Any) -> tuple[Atlas, Weights]:  # noqa: ANN401  # fields of the importer
    """Import into a fresh atlas in memory and return it with the weights."""
    store = MemoryStore()
    create_atlas(store)
    import_parts(store, SaeWeights(str(source), **{"sae": "s", **fields}))
    atlas = Atlas(store, head(store))
    weights = atlas.sae().weights
    assert weights is not None
    return atlas, weights
