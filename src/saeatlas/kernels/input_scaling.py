"""What an SAE does to hidden states before it encodes them, and how that is undone after decoding.

The rules are those of SAELens 6 (`SAE._setup_activation_normalization`), read and written again for NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from saeatlas.errors import InvalidInput

__all__ = ["BY_ROW", "NORMALIZATIONS", "scale_input", "unscale_output"]

Array = npt.NDArray[Any]

BY_ROW: Final = frozenset({"constant_norm_rescale", "layer_norm"})
"""Those that scale every row by its own numbers, so that undoing them needs the hidden states."""

NORMALIZATIONS: Final = frozenset(
    {"none", "expected_average_only_in", "constant_scalar_rescale", "covariance_whitening", *BY_ROW}
)
"""All that there are."""

_EPSILON = 1e-5
"""Added to the standard deviation by `layer_norm`."""


def scale_input(x: Array, config: Mapping[str, Any]) -> Array:
    """Return hidden states as the encoder wants them, [rows, d_in]; the input is left alone.

    - `constant_norm_rescale`: to the length √d_in. A row of zeros has no direction, and stays.
    - `layer_norm`: (x - mean) / (std + 1e-5), with the unbiased std, which divides by d_in - 1.
    - `expected_average_only_in`: times the `scaling_factor` of the config.
    - `constant_scalar_rescale`: times its `activation_normalization_factor`.
    - `covariance_whitening` belongs into the weights: whoever reads them folds it in.

    Raises
    ------
    InvalidInput
        When the config does not say by how much, or the normalisation is not known.
    """
    kind = _kind(config)
    if kind == "constant_norm_rescale":
        norm = _norms(x)
        return np.asarray(x * (x.dtype.type(x.shape[1] ** 0.5) / np.where(norm, norm, 1)), x.dtype)
    if kind == "layer_norm":
        mean, std = _moments(x)
        return np.asarray((x - mean) / (std + x.dtype.type(_EPSILON)), x.dtype)
    factor = _factor(kind, config)
    return x if factor == 1 else x * x.dtype.type(factor)


def unscale_output(out: Array, x: Array | None, config: Mapping[str, Any]) -> Array:
    """Return a reconstruction in the units of the hidden states, [rows, d_out].

    Parameters
    ----------
    out
        What the decoder gave.
    x
        The hidden states that were encoded, needed where each row was scaled by its own numbers.
    config
        How the SAE encodes.

    Notes
    -----
    As in SAELens, `layer_norm` is undone by the std alone, without the 1e-5.
    """
    kind = _kind(config)
    if kind not in BY_ROW:
        factor = _factor(kind, config)
        return out if factor == 1 else out / out.dtype.type(factor)
    if x is None:
        raise InvalidInput(
            f"Undoing '{kind}' needs the hidden states that were encoded, and none were given",
            hint="Give them as x.",
        )
    if kind == "layer_norm":
        mean, std = _moments(x)
        return np.asarray(out * std + mean, out.dtype)
    return np.asarray(out * (_norms(x) / x.dtype.type(x.shape[1] ** 0.5)), out.dtype)


def _kind(config: Mapping[str, Any]) -> str:
    kind = config.get("normalize_activations", "none")
    if kind not in NORMALIZATIONS:
        raise InvalidInput(
            f"Unknown normalisation of hidden states: {kind!r}", hint=f"Known: {', '.join(sorted(NORMALIZATIONS))}"
        )
    return str(kind)


def _factor(kind: str, config: Mapping[str, Any]) -> float:
    if kind == "constant_scalar_rescale":
        return float(config["activation_normalization_factor"])
    if kind == "covariance_whitening":
        raise InvalidInput(
            "The SAE whitens its input, and the weights do not hold by what",
            hint="Import the checkpoint with its 'activation_whitening.safetensors'.",
        )
    if kind == "expected_average_only_in":
        if config.get("scaling_factor") is None:
            raise InvalidInput(
                "The SAE wants its input scaled to an expected length of √d_in, and the weights do not say by what",
                hint="Import them again with --scaling-factor: what the release states, or 1 when the hidden states "
                "are scaled already.",
            )
        return float(config["scaling_factor"])
    return 1.0


def _norms(x: Array) -> Array:
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", x, x, dtype=np.float64))[:, None], x.dtype)


def _moments(x: Array) -> tuple[Array, Array]:
    if x.shape[1] < 2:
        raise InvalidInput("'layer_norm' needs hidden states of at least 2 numbers, found 1")
    mean = x.mean(axis=1, keepdims=True, dtype=np.float64)
    std = np.sqrt(np.square(x - mean).sum(axis=1, keepdims=True) / (x.shape[1] - 1))
    return mean.astype(x.dtype), std.astype(x.dtype)
