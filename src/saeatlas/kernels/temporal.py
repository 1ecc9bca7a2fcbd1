"""Codes of a temporal SAE: what attention over earlier positions predicts is taken away, the rest is encoded.

The rule is that of SAELens 6 (`TemporalSAE`), after Lubana et al. (2025), arXiv:2511.01836.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["novel_codes"]

Array = npt.NDArray[Any]

_EPSILON = 1e-6


def novel_codes(x: Array, arrays: Mapping[str, Array], config: Mapping[str, Any]) -> Array:
    """Return what is new at each position of one sequence, [positions, features], before a choice of the largest.

    Parameters
    ----------
    x
        Hidden states of one sequence in order, [positions, d_in], centred and scaled already.
    arrays
        `decoder`, `encoder` unless tied, and `attn_layers.<i>.<k_ctx|q_target|v_ctx|c_proj>.<weight|bias>`.
    config
        `n_heads`, `tied_weights`.

    Notes
    -----
    Memory: five arrays [positions, features], and one [positions, positions] for a head.
    """
    decoder = arrays["decoder"]
    encoder = decoder if config.get("tied_weights", True) else arrays["encoder"]
    scale = x.dtype.type(1 / (4 * x.shape[1]))
    residual = x
    layer = 0
    while f"attn_layers.{layer}.k_ctx.weight" in arrays:
        here = np.maximum((residual * scale) @ encoder.T, 0)
        before = np.zeros_like(here)
        before[1:] = here[:-1]
        own = {name: arrays[f"attn_layers.{layer}.{name}"] for name in _NAMES}
        found = np.maximum(_attend(before, here, own, int(config["n_heads"])), 0)
        share = found @ decoder
        length = np.linalg.norm(share, axis=1, keepdims=True) + x.dtype.type(_EPSILON)
        projection = (share * residual).sum(axis=1, keepdims=True) / np.square(length)
        residual = residual - projection * share
        layer += 1
    return np.asarray(np.maximum((residual * scale) @ encoder.T, 0))


_NAMES = tuple(f"{part}.{kind}" for part in ("k_ctx", "q_target", "v_ctx", "c_proj") for kind in ("weight", "bias"))


def _attend(context: Array, target: Array, own: Mapping[str, Array], n_heads: int) -> Array:
    """Return causal attention of the target over the context, itself included, [positions, features]."""
    keys = context @ own["k_ctx.weight"].T + own["k_ctx.bias"]
    values = context @ own["v_ctx.weight"].T + own["v_ctx.bias"]
    queries = target @ own["q_target.weight"].T + own["q_target.bias"]
    mixed = np.empty_like(values)
    per_head = keys.shape[1] // n_heads
    later = np.triu(np.ones((len(keys), len(keys)), np.bool_), k=1)
    parts = (np.array_split(matrix, n_heads, axis=1) for matrix in (queries, keys, values, mixed))
    for query, key, value, out in zip(*parts, strict=True):
        weights = query @ key.T / keys.dtype.type(math.sqrt(per_head))
        weights[later] = -np.inf
        weights -= weights.max(axis=1, keepdims=True)
        np.exp(weights, out=weights)
        weights /= weights.sum(axis=1, keepdims=True)
        out[:] = weights @ value
    return np.asarray(mixed @ own["c_proj.weight"].T + own["c_proj.bias"])
