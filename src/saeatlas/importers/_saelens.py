"""A directory of SAELens: every architecture, folded so that it takes hidden states as the model gives them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import numpy.typing as npt

from saeatlas.errors import InvalidInput, SourceError
from saeatlas.format.tensor import Tensor
from saeatlas.format.tensor_files import open_tensors
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
from saeatlas.importers._saelens_config import BATCHED, SaeLensConfig, read_saelens_config
from saeatlas.kernels.encode import TRANSCODERS

__all__ = ["WEIGHTS_NAME", "describe_saelens"]

Array = npt.NDArray[Any]

WEIGHTS_NAME: Final = "sae_weights.safetensors"
_SCALER: Final = "activation_scaler.json"
_WHITENING: Final = "activation_whitening.safetensors"
_SPARSITY: Final = "sparsity.safetensors"
_UNFOLDED: Final = TRANSCODERS | {"temporal"}
"""Architectures whose weights cannot take up the scale of the input: it stays beside them."""
_BLOCK_ROWS = 4096


@dataclass(frozen=True)
class _Whitening:
    """An affine map of the input, z = (x - mean) @ matrix, and back."""

    mean: Array
    matrix: Array
    inverse: Array


@dataclass(frozen=True)
class _Source:
    config: SaeLensConfig
    scale: float | None
    """Factor of the input that goes into the weights; None without."""
    whitening: _Whitening | None
    firing_frequency: Array | None
    """Share of the training tokens on which each feature fired, [features]."""


def describe_saelens(weights: Path, tensors: Mapping[str, Tensor], scaling_factor: float | None) -> Checkpoint:
    """Check the headers of a directory of SAELens against its configuration.

    Parameters
    ----------
    weights
        The file with the weights; its neighbours are read too.
    tensors
        What it holds.
    scaling_factor
        By what hidden states are multiplied, where the release says so and the directory does not.

    Raises
    ------
    SourceError
        When something is missing, damaged, or of another SAE.
    """
    config = read_saelens_config(weights.with_name("cfg.json"))
    notes = check_shapes(tensors, _shapes(config, tensors), weights)
    scale, more = _scale(config, weights.parent, scaling_factor)
    encoding = dict(config.encoding)
    if scale is not None and config.architecture in _UNFOLDED:
        encoding["scaling_factor"], scale = scale, None
    elif scale is not None:
        encoding |= {"normalize_activations": "none", "folded_scaling_factor": scale}
        if config.architecture == "matching_pursuit":
            encoding["residual_threshold"] = encoding["residual_threshold"] / scale
    whitening = _whitening(config, weights.parent)
    if whitening:
        encoding |= {"normalize_activations": "none", "is_whitening_folded": True}
    if config.architecture in BATCHED or (whitening and encoding.get("rescale_acts_by_decoder_norm")):
        encoding["rescale_acts_by_decoder_norm"] = False
    source = _Source(config, scale, whitening, _firing_frequency(weights.parent, config.d_sae))
    beside = [config.path, *(weights.with_name(name) for name in (_SCALER, _WHITENING, _SPARSITY))]
    return Checkpoint(
        config=encoding,
        facts={**config.facts, "input_normalization": encoding["normalize_activations"]},
        n_features=config.d_sae,
        files=(weights, *(path for path in beside if path.exists())),
        arrays=lambda opened: _arrays(source, opened),
        notes=(*notes, *more),
    )


def _shapes(config: SaeLensConfig, tensors: Mapping[str, Tensor]) -> Shapes:
    """Return the tensors that the architecture must have."""
    n, d_in, d_out, architecture = config.d_sae, config.d_in, config.d_out, config.architecture
    needed: dict[str, tuple[int, ...]] = {"W_dec": (n, d_out), "b_dec": (d_out,)}
    if architecture == "temporal":
        needed |= _attention_shapes(config)
    if _has_encoder(config):
        needed["W_enc"] = (d_in, n)
    if architecture == "gated":
        needed |= dict.fromkeys(("b_gate", "b_mag", "r_mag"), (n,))
    elif architecture not in {"temporal", "matching_pursuit"}:
        needed["b_enc"] = (n,)
    if "jumprelu" in architecture:
        needed["log_threshold" if "log_threshold" in tensors else "threshold"] = (n,)
    if architecture in BATCHED:
        needed["topk_threshold"] = ()
    if "skip" in architecture:
        needed["W_skip"] = (d_out, d_in)
    if "scaling_factor" in tensors:
        needed["scaling_factor"] = (n,)
    stated = {"d_in": d_in, "d_sae": n, **({"d_out": d_out} if architecture in TRANSCODERS else {})}
    return Shapes(needed, stated)


def _has_encoder(config: SaeLensConfig) -> bool:
    """Whether the encoder is not the decoder."""
    is_tied = config.architecture == "temporal" and config.encoding["tied_weights"]
    return config.architecture != "matching_pursuit" and not is_tied


def _attention_shapes(config: SaeLensConfig) -> dict[str, tuple[int, ...]]:
    n, encoding = config.d_sae, config.encoding
    heads, factor, layers = (encoding[name] for name in ("n_heads", "bottleneck_factor", "n_attn_layers"))
    if n % (heads * factor):
        raise SourceError(
            f"{n} features cannot be cut into {heads} heads with a bottleneck of {factor}: '{config.path}'",
            hint="d_sae must be a multiple of n_heads x bottleneck_factor.",
            kind="shape-mismatch",
        )
    rows = {"k_ctx": n // factor, "q_target": n // factor, "v_ctx": n, "c_proj": n}
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(layers):
        for name, length in rows.items():
            shapes[f"attn_layers.{layer}.{name}.weight"] = (length, n)
            shapes[f"attn_layers.{layer}.{name}.bias"] = (length,)
    return shapes


def _scale(config: SaeLensConfig, directory: Path, said: float | None) -> tuple[float | None, tuple[str, ...]]:
    """Return the factor of the input where it is known and counts, and notes."""
    path = directory / _SCALER
    stated = read_json(path, "scale of the input").get("scaling_factor") if path.exists() else None
    if stated is not None and not _is_factor(stated):
        raise SourceError(f"The scaling factor must be a number above 0, found: {stated!r:.60}", hint=f"See '{path}'.")
    if said is not None and not _is_factor(said):
        raise InvalidInput(f"The scaling factor must be a number above 0, found: {said!r:.60}")
    if config.encoding["normalize_activations"] != "expected_average_only_in":
        if said is not None:
            raise InvalidInput(
                f"A scaling factor was given, and the SAE's input is normalised by "
                f"'{config.encoding['normalize_activations']}'",
                hint="Leave --scaling-factor out.",
            )
        is_idle = stated not in {None, 1}
        note = f"The factor {stated} in '{_SCALER}' is not applied: the configuration says that none is needed"
        return None, (note,) if is_idle else ()
    if stated is not None and said not in {None, stated}:
        raise InvalidInput(
            f"The scaling factor is {stated} in '{path}', and {said} was given", hint="Give one of them."
        )
    found = stated if stated is not None else said
    note = (
        "The SAE wants its input scaled, and neither the directory nor --scaling-factor says by what: "
        "its weights are imported, and encoding with them will be an error"
    )
    return (None, (note,)) if found is None else (float(found), ())


def _is_factor(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 < cast("float", value) < math.inf


def _whitening(config: SaeLensConfig, directory: Path) -> _Whitening | None:
    path = directory / _WHITENING
    if config.encoding["normalize_activations"] != "covariance_whitening" or not path.exists():
        return None
    if config.architecture in _UNFOLDED | {"matching_pursuit"}:
        raise SourceError(
            f"Whitening cannot be folded into a '{config.architecture}' SAE: '{config.path}'",
            hint="SAELens trains none: is the configuration right?",
        )
    d = config.d_in
    with open_tensors(path, "whitening") as tensors:
        check_shapes(tensors, Shapes({"mean": (d,), "matrix": (d, d), "inverse_matrix": (d, d)}, {"d_in": d}), path)
        names = ("mean", "matrix", "inverse_matrix")
        return _Whitening(*(read_vector(tensors[name]).astype(np.float64) for name in names))


def _firing_frequency(directory: Path, n_features: int) -> Array | None:
    """Return ten to the power of what `sparsity.safetensors` holds; minus infinity stands for never."""
    path = directory / _SPARSITY
    if not path.exists():
        return None
    with open_tensors(path, "sparsity") as tensors:
        check_shapes(tensors, Shapes({"sparsity": (n_features,)}, {"d_sae": n_features}), path)
        logarithm = tensors["sparsity"].read().astype(np.float64)
        wrong = np.isnan(logarithm) | (logarithm > 0)
        if wrong.any():
            place = int(wrong.argmax())
            raise SourceError(
                f"The log10 of a share must be 0 or below, found {logarithm[place]} at {place}: '{path}'",
                hint="Remove the file to import the weights without it.",
                kind="not-finite",
            )
        return np.asarray(10.0**logarithm)


def _arrays(source: _Source, tensors: Mapping[str, Tensor]) -> Mapping[str, Array | Matrix]:
    """Return our arrays of an open weights file."""
    folding = _folding(source, tensors)
    arrays: dict[str, Array | Matrix] = {"decoder": folding.decoder_rows(tensors["W_dec"])}
    if _has_encoder(source.config):
        arrays["encoder"] = folding.encoder_rows(tensors["W_enc"])
    arrays |= _vectors(source, tensors, folding)
    for name, tensor in tensors.items():
        if name == "W_skip" and "skip" in source.config.architecture:
            arrays[name] = _as_it_is(tensor)
        if name.startswith("attn_layers.") and source.config.architecture == "temporal":
            arrays[name] = _as_it_is(tensor) if len(tensor.shape) == 2 else read_vector(tensor)
    if source.firing_frequency is not None:
        arrays["firing_frequency"] = source.firing_frequency
    return arrays


def _as_it_is(tensor: Tensor) -> LazyMatrix:
    return LazyMatrix(
        (tensor.shape[0], tensor.shape[1]), tensor.dtype, lambda start, stop: finite(tensor.rows(start, stop), tensor)
    )


def _folding(source: _Source, tensors: Mapping[str, Tensor]) -> Folding:
    """Return what the directions are multiplied with: as SAELens folds, the scale first, then norms, then whitening."""
    config = source.config
    folding = Folding()
    if source.scale is not None and config.architecture != "matching_pursuit":
        folding = Folding(encoder=source.scale, decoder=1 / source.scale)
    if "scaling_factor" in tensors:
        folding = replace(folding, decoder=_finetuned(config, read_vector(tensors["scaling_factor"])) * folding.decoder)
    if _is_rescaled(source):
        # The scale of the input cancels: the encoder was multiplied by it, and the norms were divided.
        norms = _row_norms(tensors["W_dec"])
        folding = replace(folding, encoder=norms, decoder=1 / np.where(norms, norms, 1))
    if source.whitening:
        folding = replace(
            folding, encoder_matrix=source.whitening.matrix.T.copy(), decoder_matrix=source.whitening.inverse
        )
    return folding


def _is_rescaled(source: _Source) -> bool:
    """Whether the norms of the decoder go into the encoder, because nothing else can apply them later."""
    must_be = source.config.architecture in BATCHED or source.whitening is not None
    return must_be and bool(source.config.encoding.get("rescale_acts_by_decoder_norm"))


def _finetuned(config: SaeLensConfig, factors: Array) -> Array:
    """Return the factors of features that were learnt after training; ones that nothing says to use are an error."""
    if not config.has_finetuning and not np.allclose(factors, 1):
        raise SourceError(
            f"The weights hold factors for each feature ('scaling_factor'), and 'finetuning_scaling_factor' is not "
            f"set: '{config.path}'",
            hint="Set it where the factors belong to the decoder; otherwise remove the tensor.",
        )
    return factors if config.has_finetuning else np.ones_like(factors)


def _row_norms(tensor: Tensor) -> Array:
    """Return the lengths of the rows, float64."""
    norms = np.empty(tensor.shape[0])
    for start in range(0, tensor.shape[0], _BLOCK_ROWS):
        stop = min(tensor.shape[0], start + _BLOCK_ROWS)
        rows = finite(tensor.rows(start, stop), tensor).astype(np.float64)
        norms[start:stop] = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return norms


def _vectors(source: _Source, tensors: Mapping[str, Tensor], folding: Folding) -> dict[str, Array]:
    """Return biases and thresholds, folded like the directions."""
    names = ("b_enc", "b_gate", "b_mag", "r_mag", "b_dec", "threshold")
    found = {name: read_vector(tensors[name]) for name in names if name in tensors}
    own = _own_names(source.config.architecture)
    vectors = {name: vector for name, vector in found.items() if name in own}
    dtype = tensors["W_dec"].dtype
    if "log_threshold" in tensors and "jumprelu" in source.config.architecture:
        vectors["threshold"] = np.exp(read_vector(tensors["log_threshold"]))
    scale = source.scale or 1
    if source.config.architecture in BATCHED:
        vectors["threshold"] = np.full(source.config.d_sae, float(read_vector(tensors["topk_threshold"])))
    if _is_rescaled(source):
        vectors["b_enc"] = vectors["b_enc"] * folding.encoder / scale
        if "threshold" in vectors:
            vectors["threshold"] = vectors["threshold"] / scale
    if source.scale is not None:
        vectors["b_dec"] = vectors["b_dec"] / scale
    if source.whitening:
        vectors |= _whitened(source, tensors, folding, vectors)
    return {name: np.asarray(vector, dtype) for name, vector in vectors.items()}


def _own_names(architecture: str) -> frozenset[str]:
    if architecture == "gated":
        return frozenset({"b_gate", "b_mag", "r_mag", "b_dec"})
    if architecture in {"temporal", "matching_pursuit"}:
        return frozenset({"b_dec"})
    return frozenset({"b_enc", "b_dec", "threshold"} if "jumprelu" in architecture else {"b_enc", "b_dec"})


def _whitened(
    source: _Source, tensors: Mapping[str, Tensor], folding: Folding, vectors: Mapping[str, Array]
) -> dict[str, Array]:
    """Return biases for hidden states that are not whitened; see `fold_activation_whitening` of SAELens."""
    whitening = source.whitening
    assert whitening is not None
    found = {"b_dec": vectors["b_dec"] @ whitening.inverse + whitening.mean}
    if source.config.encoding["apply_b_dec_to_input"]:
        return found
    encoder = folding.encoder_rows(tensors["W_enc"])
    starts = range(0, source.config.d_sae, _BLOCK_ROWS)
    shift = np.concatenate([encoder[start : start + _BLOCK_ROWS] @ whitening.mean for start in starts])
    if "b_enc" in vectors:
        return {**found, "b_enc": vectors["b_enc"] - shift}
    scaled = shift * np.exp(vectors["r_mag"])
    return {**found, "b_gate": vectors["b_gate"] - shift, "b_mag": vectors["b_mag"] - scaled}
