"""Encode hidden states, and decode codes, exactly as the architecture of an SAE says, on the CPU.

The rules are those of SAELens 6, read in its sources and written again for NumPy; numbers are computed in the type of
the weights, float32 or float64. Only the order in which products are summed, which no library promises, may differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from saeatlas.errors import InvalidInput
from saeatlas.kernels.input_scaling import BY_ROW, scale_input, unscale_output
from saeatlas.kernels.matching_pursuit import pursue
from saeatlas.kernels.temporal import novel_codes

__all__ = ["ARCHITECTURES", "TRANSCODERS", "Codes", "decode", "encode", "encode_sparse"]

Array = npt.NDArray[Any]

TRANSCODERS: Final = frozenset({"transcoder", "skip_transcoder", "jumprelu_transcoder", "jumprelu_skip_transcoder"})
"""They read in one place and write in another, so nothing of the output is subtracted from the input."""

_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "standard": ("encoder", "b_enc"),
    "gated": ("encoder", "b_gate", "b_mag", "r_mag"),
    "topk": ("encoder", "b_enc"),
    "abstopk": ("encoder", "b_enc"),
    "jumprelu": ("encoder", "b_enc", "threshold"),
    "transcoder": ("encoder", "b_enc"),
    "skip_transcoder": ("encoder", "b_enc", "W_skip"),
    "jumprelu_transcoder": ("encoder", "b_enc", "threshold"),
    "jumprelu_skip_transcoder": ("encoder", "b_enc", "threshold", "W_skip"),
    "temporal": (),
    "matching_pursuit": (),
}

ARCHITECTURES: Final = frozenset(_NEEDED)
"""Those that can be encoded."""

_BLOCK_BYTES = 32_000_000
"""Bytes of pre-activations that are held at once."""


@dataclass(frozen=True)
class Codes:
    """Activations that are not 0, row after row, features ascending within a row."""

    indptr: npt.NDArray[np.int64]
    """Where each row starts, [rows + 1]."""
    features: npt.NDArray[np.uint32]
    """Feature ids."""
    values: Array
    """Activations; below 0 only for 'abstopk'."""


def encode(x: Array, arrays: Mapping[str, Array], config: Mapping[str, Any]) -> Array:
    """Return the activations of hidden states, [..., features].

    Parameters
    ----------
    x
        Hidden states, [..., d_in]; with `reshape_activations` 'hook_z' also [..., heads, d_head]. For a temporal SAE
        [positions, d_in], one sequence in order, or [sequences, positions, d_in]. Cast to the type of the weights.
    arrays
        `decoder` [features, d_out], `encoder` [features, d_in], vectors; see `saeatlas.format.weights`.
    config
        'architecture' and what it needs: `k` ('topk', 'abstopk'), `apply_b_dec_to_input`, `normalize_activations`,
        `reshape_activations`, `rescale_acts_by_decoder_norm`.

    Raises
    ------
    InvalidInput
        When the architecture is not known, an array is missing, or a hidden state does not fit or is not finite.

    Notes
    -----
    Of equal pre-activations at the border, 'topk' takes the lower ids. Rows go in blocks, so that memory beside the
    result is a few times 32 MB and what belongs to one row; for a temporal SAE it is what belongs to one sequence.
    """
    encoder = _Encoder(arrays, config)
    out = np.empty((*encoder.leading(x), encoder.n_features), encoder.dtype)
    rows = out.reshape(-1, encoder.n_features)
    for start, codes in encoder.blocks(x):
        rows[start : start + len(codes)] = codes
    return out


def encode_sparse(x: Array, arrays: Mapping[str, Array], config: Mapping[str, Any]) -> Codes:
    """Return the activations that are not 0; leading axes of `x` are rows in C order. See `encode`.

    Notes
    -----
    Memory: the result twice, and that of `encode` beside its result.
    """
    encoder = _Encoder(arrays, config)
    counts, features, values = [np.zeros(1, np.int64)], [], []
    for _, codes in encoder.blocks(x):
        row, feature = np.nonzero(codes)
        counts.append(np.bincount(row, minlength=len(codes)))
        features.append(feature.astype(np.uint32))
        values.append(codes[row, feature])
    return Codes(
        np.cumsum(np.concatenate(counts), dtype=np.int64),
        np.concatenate([np.empty(0, np.uint32), *features]),
        np.concatenate([np.empty(0, encoder.dtype), *values]),
    )


def decode(
    codes: Array | Codes, arrays: Mapping[str, Array], config: Mapping[str, Any], x: Array | None = None
) -> Array:
    """Return the reconstruction of hidden states from activations, [..., d_out]; heads stay flattened.

    Parameters
    ----------
    codes
        Activations, [..., features], or sparse ones, which give [rows, d_out].
    arrays, config
        As in `encode`.
    x
        The hidden states that were encoded. Needed where each row was scaled by its own numbers, and for what a skip
        connection carries past the features.

    Notes
    -----
    Of a temporal SAE this is what is new at each position, without what attention predicts. An input that was scaled
    is scaled back, but for transcoders, whose output is of another place: as in SAELens.
    """
    architecture = _known(arrays, config)
    decoder = arrays["decoder"]
    if config.get("rescale_acts_by_decoder_norm") and architecture in {"topk", "abstopk"}:
        norm = _decoder_norms(decoder)
        decoder = decoder / np.where(norm, norm, 1)[:, None]
    out = _times(codes, decoder)
    is_tied = architecture == "matching_pursuit" or (architecture == "temporal" and config.get("tied_weights", True))
    if "b_dec" in arrays and not (is_tied and not config.get("apply_b_dec_to_input", True)):
        out += arrays["b_dec"]
    if architecture in TRANSCODERS:
        return out + _skipped(x, arrays, out) if "W_skip" in arrays else out
    rows = None
    if x is not None and config.get("normalize_activations") in BY_ROW:
        rows = _Encoder(arrays, config).rows_of(x).astype(decoder.dtype)
    return unscale_output(out.reshape(-1, out.shape[-1]), rows, config).reshape(out.shape)


class _Encoder:
    """One SAE, ready to encode rows."""

    def __init__(self, arrays: Mapping[str, Array], config: Mapping[str, Any]) -> None:
        self.architecture = _known(arrays, config)
        self._arrays = arrays
        self._config = config
        decoder = arrays["decoder"]
        self.dtype: np.dtype[Any] = decoder.dtype
        self.n_features: int = decoder.shape[0]
        self._d_in: int = arrays["encoder"].shape[1] if "encoder" in arrays else decoder.shape[1]
        self._is_split = config.get("reshape_activations") == "hook_z"
        self._bias = None
        if config.get("apply_b_dec_to_input") and self.architecture not in TRANSCODERS and "b_dec" in arrays:
            self._bias = arrays["b_dec"]
        self._norms = None
        if self.architecture in {"topk", "abstopk"}:
            self._k = _k_of(config, self.n_features)
            if config.get("rescale_acts_by_decoder_norm"):
                self._norms = _decoder_norms(decoder)

    def leading(self, x: Array) -> tuple[int, ...]:
        """Return the axes of `x` before the numbers of one hidden state."""
        if x.ndim and x.shape[-1] == self._d_in:
            return x.shape[:-1]
        if self._is_split and x.ndim > 1 and x.shape[-1] * x.shape[-2] == self._d_in:
            return x.shape[:-2]
        raise InvalidInput(
            f"The SAE encodes hidden states of {self._d_in} numbers, found an array of shape {x.shape}",
            hint="Give the hidden states of the place that the SAE was trained on.",
        )

    def rows_of(self, x: Array) -> Array:
        """Return `x` as [rows, d_in]."""
        self.leading(x)
        return x.reshape(-1, self._d_in)

    def blocks(self, x: Array) -> Iterator[tuple[int, Array]]:
        """Yield the number of the first row and the codes of some rows, until all are encoded."""
        rows = self.rows_of(x)
        step = _BLOCK_BYTES // (self.n_features * self.dtype.itemsize)
        if self.architecture == "temporal":
            # Positions of one sequence belong together.
            if len(self.leading(x)) not in {1, 2}:
                raise InvalidInput(f"A temporal SAE encodes a sequence or several, found the shape: {x.shape}")
            step = self.leading(x)[-1]
        for start in range(0, rows.shape[0], max(1, step)):
            block = rows[start : start + max(1, step)].astype(self.dtype)
            yield start, self._codes(self._prepared(block, start))

    def _prepared(self, block: Array, start: int) -> Array:
        if not np.isfinite(block).all():
            row, place = np.argwhere(~np.isfinite(block))[0].tolist()
            raise InvalidInput(f"Hidden state {start + row} is not finite: {block[row, place]} at {place}")
        scaled = scale_input(block, self._config)
        return scaled if self._bias is None else scaled - self._bias

    def _codes(self, x: Array) -> Array:
        arrays, config = self._arrays, self._config
        if self.architecture == "matching_pursuit":
            return pursue(x, arrays["decoder"], config)
        if self.architecture == "temporal":
            codes = novel_codes(x, arrays, config)
            k = config.get("kval_topk")
            if config.get("sae_diff_type", "topk") == "topk" and k is not None:
                codes[~_largest(codes, _k_of({"k": k}, self.n_features))] = 0
            return codes
        pre = x @ arrays["encoder"].T
        if self.architecture == "gated":
            is_open = pre + arrays["b_gate"] > 0
            magnitude = pre * np.exp(arrays["r_mag"]) + arrays["b_mag"]
            return np.asarray(np.where(is_open, np.maximum(magnitude, 0), 0), self.dtype)
        pre += arrays["b_enc"]
        if self._norms is not None:
            pre *= self._norms
        if self.architecture == "abstopk":
            pre[~_largest(np.abs(pre), self._k)] = 0
            return pre
        if self.architecture == "topk":
            pre[~_largest(pre, self._k)] = 0
        elif "threshold" in _NEEDED[self.architecture]:
            pre[pre <= arrays["threshold"]] = 0
        return np.asarray(np.maximum(pre, 0, out=pre))


def _known(arrays: Mapping[str, Array], config: Mapping[str, Any]) -> str:
    architecture = str(config.get("architecture"))
    if architecture not in ARCHITECTURES:
        raise InvalidInput(
            f"SAEs of the architecture '{architecture}' cannot be encoded",
            hint=f"Known: {', '.join(sorted(ARCHITECTURES))}",
        )
    missing = [name for name in ("decoder", *_NEEDED[architecture]) if name not in arrays]
    if missing:
        raise InvalidInput(f"A '{architecture}' SAE needs '{missing[0]}', and the weights hold: {', '.join(arrays)}")
    return architecture


def _k_of(config: Mapping[str, Any], n_features: int) -> int:
    k = config.get("k")
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= n_features:
        raise InvalidInput(f"k must be a whole number from 1 to {n_features}, the features of the SAE, found: {k!r}")
    return k


def _largest(numbers: Array, k: int) -> npt.NDArray[np.bool_]:
    """Mark the k largest numbers of each row, of equal ones those that come first."""
    least = np.partition(numbers, numbers.shape[1] - k, axis=1)[:, [numbers.shape[1] - k]]
    chosen = numbers > least
    border = numbers == least
    lacking = k - chosen.sum(axis=1, keepdims=True)
    if (border.sum(axis=1, keepdims=True) > lacking).any():
        border &= np.cumsum(border, axis=1, dtype=np.int32) <= lacking
    return np.asarray(chosen | border)


def _decoder_norms(decoder: Array) -> Array:
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", decoder, decoder)))


def _times(codes: Array | Codes, decoder: Array) -> Array:
    """Return codes @ decoder; sparse ones are spread out a block of rows at a time."""
    if not isinstance(codes, Codes):
        return np.asarray(np.asarray(codes, decoder.dtype) @ decoder)
    n_rows = codes.indptr.size - 1
    out = np.empty((n_rows, decoder.shape[1]), decoder.dtype)
    step = max(1, _BLOCK_BYTES // (decoder.shape[0] * decoder.dtype.itemsize))
    for start in range(0, n_rows, step):
        indptr = codes.indptr[start : start + step + 1]
        here = slice(indptr[0], indptr[-1])
        dense = np.zeros((indptr.size - 1, decoder.shape[0]), decoder.dtype)
        dense[np.repeat(np.arange(indptr.size - 1), np.diff(indptr)), codes.features[here]] = codes.values[here]
        out[start : start + step] = dense @ decoder
    return out


def _skipped(x: Array | None, arrays: Mapping[str, Array], out: Array) -> Array:
    if x is None:
        raise InvalidInput(
            "A transcoder with a skip connection decodes with the hidden states that were encoded, and none were given",
            hint="Give them as x.",
        )
    skipped = np.asarray(np.asarray(x, out.dtype) @ arrays["W_skip"].T)
    return skipped.reshape(out.shape)
