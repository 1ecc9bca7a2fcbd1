"""What a sparse autoencoder is, in its TopK form: encode, decode, and the arrays that define it.

A hidden state x is a dense vector; no single number of it means anything. A sparse autoencoder writes it
as the sum of a few directions out of a large dictionary:

    scores  = (x - b_dec) @ W_enc + b_enc     one score per feature
    values  = the k largest scores, negative ones set to 0; every other feature is silent
    x̂       = values @ W_dec + b_dec          the reconstruction

Row f of `W_dec` is the direction that feature f stands for; its value says how much of it is in x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from saeatlas.demo.workers import Workers
from saeatlas.progress import SILENT, Progress

__all__ = ["Codes", "TopKSae", "decode", "encode", "select"]

Float32 = npt.NDArray[np.float32]
Int32 = npt.NDArray[np.int32]

_ROWS = 2048  # Tokens whose scores for all features are in memory at once.


@dataclass(frozen=True)
class TopKSae:
    """The arrays of a TopK SAE, float32. One row per feature, so that a feature's numbers lie together."""

    encoder: Float32
    """[n_features, width]: the transpose of `W_enc`."""
    encoder_bias: Float32
    """[n_features]: `b_enc`."""
    decoder: Float32
    """[n_features, width]: `W_dec`, rows of length 1."""
    decoder_bias: Float32
    """[width]: `b_dec`, what is subtracted before encoding and added after decoding."""
    k: int
    """Features that may be active on one token."""

    @property
    def n_features(self) -> int:
        """Features in all."""
        return len(self.encoder)


@dataclass(frozen=True)
class Codes:
    """Sparse rows: the k features of each token and their values, largest first."""

    ids: Int32
    """Feature ids, distinct within a row, int32 [n_rows, k]."""
    values: Float32
    """Values, 0 or above, float32 [n_rows, k]. A 0 means that fewer than k scores were positive: such a
    feature is listed in its slot, and not active."""


def encode(sae: TopKSae, states: Float32, workers: Workers, progress: Progress = SILENT) -> Codes:
    """Return the features active on each of the hidden states, float32 [n_rows, width]."""
    codes = Codes(np.empty((len(states), sae.k), np.int32), np.empty((len(states), sae.k), np.float32))
    scores = np.empty((min(_ROWS, len(states)), sae.n_features), np.float32)
    with progress.task("Encode tokens", total=len(states), unit="tokens") as task:
        for first in range(0, len(states), _ROWS):
            rows = slice(first, min(first + _ROWS, len(states)))
            part = scores[: rows.stop - first]
            np.matmul(states[rows] - sae.decoder_bias, sae.encoder.T, out=part)
            select(part, sae.encoder_bias, Codes(codes.ids[rows], codes.values[rows]), workers)
            task.advance(rows.stop - first)
    return codes


def decode(sae: TopKSae, codes: Codes) -> Float32:
    """Return the reconstruction of each row, float32 [n_rows, width]."""
    states = np.tile(sae.decoder_bias, (len(codes.ids), 1))
    _add_directions(codes.ids, codes.values, sae.decoder, states)
    return states


def select(scores: Float32, bias: Float32, out: Codes, workers: Workers) -> None:
    """Write the k largest of `scores + bias` of each row into `out`; among equals the lower id wins."""
    workers.each_slice(len(scores), lambda rows: _largest(scores[rows], bias, out.ids[rows], out.values[rows]))


@njit(cache=True, nogil=True)
def _largest(scores: Float32, bias: Float32, ids: Int32, values: Float32) -> None:
    """Keep the best k so far in order; almost every score is below all of them and costs one comparison."""
    n, n_features = scores.shape
    k = ids.shape[1]
    for i in range(n):
        values[i, :] = -np.inf
        worst = np.float32(-np.inf)
        for f in range(n_features):
            score = scores[i, f] + bias[f]
            if score > worst:
                j = k - 1
                while j > 0 and values[i, j - 1] < score:
                    values[i, j] = values[i, j - 1]
                    ids[i, j] = ids[i, j - 1]
                    j -= 1
                values[i, j] = score
                ids[i, j] = f
                worst = values[i, k - 1]
        for j in range(k):
            values[i, j] = max(values[i, j], np.float32(0))


@njit(cache=True, nogil=True)
def _add_directions(ids: Int32, values: Float32, decoder: Float32, states: Float32) -> None:
    n, k = ids.shape
    for i in range(n):
        for j in range(k):
            for c in range(states.shape[1]):
                states[i, c] += values[i, j] * decoder[ids[i, j], c]
