"""Gemma Scope: `params.npz` of the first release, `params.safetensors` of the second.

The files hold arrays only. What they are of is in their path, and in the second release in `config.json`. Encoding is
that of the releases' own descriptions: JumpReLU, strict, without subtracting the decoder's bias.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy.typing as npt

from saeatlas.errors import SourceError
from saeatlas.format.tensor import Tensor
from saeatlas.format.weights import Matrix
from saeatlas.importers._checkpoint import (
    Checkpoint,
    Folding,
    LazyMatrix,
    Shapes,
    check_shapes,
    finite,
    read_json,
    read_vector,
)
from saeatlas.importers._saelens_config import layer_of

__all__ = ["describe_gemma_scope", "is_gemma_scope"]

Array = npt.NDArray[Any]

_FIRST: Final = re.compile(r"gemma-scope-(2b|9b|27b)-(pt|it)-(res|mlp|att|transcoders)(?![\w-])")
_SECOND: Final = re.compile(r"gemma-scope-2-(270m|1b|4b|12b|27b)-(pt|it)(?![\w-])")
_LAYER: Final = re.compile(r"(?:^|/)layer_(\d+)(?=[_/])")
_L0: Final = re.compile(r"(?:^|/)average_l0_(\d+)(?=/)")
_CONTEXT: Final = 1024
"""Tokens that the model saw at once, in both releases."""


@dataclass(frozen=True)
class _Place:
    """What the path of the file says."""

    facts: Mapping[str, Any]
    is_transcoder: bool = False
    is_of_heads: bool = False
    is_of_embeddings: bool = False
    hook_out: str | None = None
    notes: tuple[str, ...] = ()


def is_gemma_scope(tensors: Mapping[str, Tensor]) -> bool:
    """Whether a file has the arrays of Gemma Scope."""
    return {"w_enc", "w_dec", "b_enc", "b_dec", "threshold"} <= {name.lower() for name in tensors}


def describe_gemma_scope(weights: Path, tensors: Mapping[str, Tensor], where: str) -> Checkpoint:
    """Check the headers of a file of Gemma Scope.

    Parameters
    ----------
    weights
        The file.
    tensors
        What it holds, `W_enc` or `w_enc` and so on.
    where
        All that is known of its place, such as its address on the hub: model, layer and L0 are read from it.
    """
    names = {name.lower(): name for name in tensors}
    missing = [name for name in ("w_enc", "w_dec", "b_enc", "b_dec", "threshold") if name not in names]
    if missing:
        raise SourceError(
            f"The weights lack the array '{missing[0]}': '{weights}' has {', '.join(tensors)}",
            hint="Is it a file of Gemma Scope?",
            kind="missing-dataset",
        )
    d_in, n, d_out = _sizes(tensors[names["w_enc"]], tensors[names["w_dec"]], weights)
    shapes: dict[str, tuple[int, ...]] = {"w_enc": (d_in, n), "w_dec": (n, d_out), "b_dec": (d_out,)}
    shapes |= {"b_enc": (n,), "threshold": (n,)}
    skip = names.get("affine_skip_connection")
    if skip:
        shapes["affine_skip_connection"] = (d_in, d_out)
    notes = check_shapes(tensors, Shapes({names[name]: shape for name, shape in shapes.items()}), weights)
    place = _place(weights, f"{where}\n{weights.absolute().as_posix()}")
    is_transcoder = place.is_transcoder or bool(skip)
    if d_in != d_out and not is_transcoder:
        raise SourceError(
            f"'{names['w_enc']}' reads {d_in} numbers and '{names['w_dec']}' writes {d_out}, which only a transcoder "
            f"does, and nothing says that it is one: '{weights}'",
            hint="Keep the folders of the release above the file.",
            kind="shape-mismatch",
        )
    architecture = ("jumprelu_skip_transcoder" if skip else "jumprelu_transcoder") if is_transcoder else "jumprelu"
    config: dict[str, Any] = {
        "architecture": architecture,
        "apply_b_dec_to_input": False,
        "normalize_activations": "none",
        "reshape_activations": "hook_z" if place.is_of_heads else "none",
    }
    if place.hook_out:
        config["hook_name_out"] = place.hook_out
    if place.is_of_embeddings:
        config["is_of_embeddings"] = True
    beside = weights.with_name("config.json")
    return Checkpoint(
        config=config,
        facts={**place.facts, "width": n, "architecture": architecture, "input_normalization": "none"},
        n_features=n,
        files=(weights, *([beside] if beside.exists() else [])),
        arrays=lambda opened: _arrays(opened, names, _folding(d_in, is_of_embeddings=place.is_of_embeddings)),
        notes=(*notes, *place.notes),
    )


def _sizes(encoder: Tensor, decoder: Tensor, weights: Path) -> tuple[int, int, int]:
    if len(decoder.shape) == 3:
        raise SourceError(
            f"A cross-layer transcoder writes to several layers, and one SAE has one decoder: '{decoder.name}' has "
            f"shape {decoder.shape} in '{weights}'",
            hint="Cross-layer transcoders are not supported.",
            kind="wrong-file-type",
        )
    if len(encoder.shape) != 2 or len(decoder.shape) != 2 or encoder.shape[1] != decoder.shape[0]:
        raise SourceError(
            f"'{encoder.name}' must be [d_in, features] and '{decoder.name}' [features, d_out], found "
            f"{encoder.shape} and {decoder.shape}: '{weights}'",
            hint="Is it a file of Gemma Scope?",
            kind="shape-mismatch",
        )
    return encoder.shape[0], decoder.shape[0], decoder.shape[1]


def _folding(d_in: int, *, is_of_embeddings: bool) -> Folding:
    """Return the factors of the SAE of the embeddings, which was trained on embeddings times the root of d_in."""
    return Folding(1 / math.sqrt(d_in), math.sqrt(d_in)) if is_of_embeddings else Folding()


def _arrays(tensors: Mapping[str, Tensor], names: Mapping[str, str], folding: Folding) -> Mapping[str, Array | Matrix]:
    arrays: dict[str, Array | Matrix] = {
        "decoder": folding.decoder_rows(tensors[names["w_dec"]]),
        "encoder": folding.encoder_rows(tensors[names["w_enc"]]),
        **{name: read_vector(tensors[names[name]]) for name in ("b_enc", "b_dec", "threshold")},
    }
    if "affine_skip_connection" in names:
        skip = tensors[names["affine_skip_connection"]]
        d_in, d_out = skip.shape
        arrays["W_skip"] = LazyMatrix(
            (d_out, d_in), skip.dtype, lambda start, stop: finite(skip.columns(start, stop), skip)
        )
    return arrays


def _place(weights: Path, where: str) -> _Place:
    found = _second_place(weights, where) if _SECOND.search(where) or _has_config(weights) else _first_place(where)
    if found.facts.get("model") is None:
        note = "Which model the SAE is of is not in the path of its file: say it with --model, --hook and --layer"
        return _Place(found.facts, found.is_transcoder, found.is_of_heads, found.is_of_embeddings, notes=(note,))
    return found


def _has_config(weights: Path) -> bool:
    return weights.with_name("config.json").exists()


def _first_place(where: str) -> _Place:
    release, layer, l0 = _FIRST.search(where), _LAYER.search(where), _L0.search(where)
    facts: dict[str, Any] = {"l0": float(l0[1]) if l0 else None}
    is_of_embeddings = "/embedding/width_" in where
    at = None if layer is None else int(layer[1])
    if release is None:
        return _Place({**facts, "layer": at}, is_of_embeddings=is_of_embeddings)
    size, tuning, kind = release.groups()
    hooks = {
        "res": f"blocks.{at}.hook_resid_post",
        "mlp": f"blocks.{at}.hook_mlp_out",
        "att": f"blocks.{at}.attn.hook_z",
        "transcoders": f"blocks.{at}.ln2.hook_normalized",
    }
    facts |= {"model": f"gemma-2-{size}{'-it' if tuning == 'it' else ''}", "bos": True, "context_window": _CONTEXT}
    if is_of_embeddings:
        return _Place({**facts, "hook": "hook_embed"}, is_of_embeddings=True)
    if at is None:
        return _Place(facts)
    return _Place(
        {**facts, "layer": at, "hook": hooks[kind]},
        is_transcoder=kind == "transcoders",
        is_of_heads=kind == "att",
        hook_out=f"blocks.{at}.hook_mlp_out" if kind == "transcoders" else None,
    )


def _second_place(weights: Path, where: str) -> _Place:
    """Return what `config.json` says, and the path where there is none."""
    path = weights.with_name("config.json")
    record = read_json(path, "configuration of the SAE") if path.exists() else {}
    if record.get("architecture", "jump_relu") != "jump_relu":
        raise SourceError(
            f"SAEs of the architecture {record['architecture']!r:.40} are not known: '{path}'",
            hint="Those of Gemma Scope 2 are 'jump_relu'.",
            kind="wrong-file-type",
        )
    release, layer = _SECOND.search(where), _LAYER.search(where)
    stated = record.get("model_name")
    hooks = [record.get(name) for name in ("hf_hook_point_in", "hf_hook_point_out")]
    hook, hook_out = (name if isinstance(name, str) and name else None for name in hooks)
    at = int(layer[1]) if layer else layer_of(hook or "")
    if hook is None and at is not None:
        hook, hook_out = _hooks_in(where, at)
    model = stated if isinstance(stated, str) and stated else None
    if model is None and release:
        model = f"gemma-3-{release[1]}-{release[2]}"
    facts = {"model": model, "hook": hook, "layer": at, "bos": True, "context_window": _CONTEXT}
    return _Place(
        facts,
        is_transcoder=bool(hook_out and hook_out != hook) or "/transcoder" in where,
        is_of_heads=bool(hook and hook.endswith(("hook_z", "o_proj.input"))),
        hook_out=hook_out,
    )


def _hooks_in(where: str, layer: int) -> tuple[str | None, str | None]:
    """Return where an SAE of the second release reads and, if that is elsewhere, writes, by its folder."""
    begin = f"model.layers.{layer}."
    if "/transcoder" in where:
        return f"{begin}pre_feedforward_layernorm.output", f"{begin}post_feedforward_layernorm.output"
    for folder, place in (
        ("/resid_post", "output"),
        ("/attn_out", "self_attn.o_proj.input"),
        ("/mlp_out", "post_feedforward_layernorm.output"),
    ):
        if folder in where:
            return begin + place, None
    return None, None
