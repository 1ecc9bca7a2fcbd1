"""How a TopK SAE learns: gradients by hand, Adam, and a second chance for features that never fire.

The loss of a token is the squared length of its error, r = x̂ - x. With the choice of the k features held
fixed, the SAE is linear in each of its arrays, so the gradients fit on a page:

    of W_dec[f]   sum over tokens of  value · r
    of value      g = r · W_dec[f], where the value is above 0
    of W_enc[f]   sum over tokens of  g · (x - b_dec)
    of b_enc[f]   sum over tokens of  g
    of b_dec      sum over tokens of  r, less what reaches the encoder: sum over f of b_enc's gradient · W_enc[f]
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from saeatlas.demo.topk import Codes, Float32, Int32, TopKSae, select
from saeatlas.demo.workers import Workers
from saeatlas.errors import InvalidInput, SourceError
from saeatlas.progress import Progress

__all__ = ["Gradients", "Recipe", "gradients", "initial", "train"]

Int64 = npt.NDArray[np.int64]

_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8
_AT_ONCE = 256
"""A multiple of how many float32 any processor takes at once, and of how often compilers unroll that."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides what is learned."""

    n_features: int = 1024
    """Features in the dictionary."""
    k: int = 16
    """Features active on one token."""
    epochs: int = 12
    """Times every training token is seen."""
    batch: int = 1024
    """Tokens per step; fewer when there are fewer."""
    learning_rate: float = 3e-3
    """Adam's, at its highest: it rises over the first steps and falls to zero over the last part."""
    falling: float = 0.5
    """Share of the steps over which the learning rate falls."""
    seed: int = 0
    """Of the first directions and of the order of tokens."""

    def __post_init__(self) -> None:
        if self.n_features < 1 or self.epochs < 1 or self.batch < 1 or self.seed < 0:
            raise InvalidInput(f"Features, epochs and batch must be 1 or more, and the seed 0 or more: {self}")
        if not 1 <= self.k <= self.n_features:
            raise InvalidInput(f"k must be between 1 and the number of features {self.n_features}, found: {self.k}")


@dataclass(frozen=True)
class Gradients:
    """The derivative of the summed loss by each array of the SAE, and its value."""

    encoder: Float32
    """[n_features, width]"""
    encoder_bias: Float32
    """[n_features]"""
    decoder: Float32
    """[n_features, width]"""
    decoder_bias: Float32
    """[width]"""
    errors: Float32
    """Squared error of each token [n_rows]."""


class _Forward(NamedTuple):
    """What the pass from a batch to its reconstruction leaves behind; one row per token."""

    centred: Float32
    """x - b_dec [n_rows, width]."""
    ids: Int32
    """Chosen features [n_rows, k]."""
    values: Float32
    """Their values [n_rows, k]."""
    residual: Float32
    """r = x̂ - x [n_rows, width]."""
    slopes: Float32
    """Derivative of the loss by each value [n_rows, k]."""

    def rows(self, part: slice) -> _Forward:
        """Return views of some tokens."""
        return _Forward(self.centred[part], self.ids[part], self.values[part], self.residual[part], self.slopes[part])


class _Pace(NamedTuple):
    """The three numbers of a step of Adam."""

    share: np.float32
    """1 / tokens in the batch."""
    size: np.float32
    """Learning rate, corrected for the start from mean 0."""
    scale: np.float32
    """Correction of the squares for the start from 0."""


class _Moments(NamedTuple):
    """Adam's memory of one array: running means of its gradient and of its square."""

    mean: Float32
    square: Float32


class _Room:
    """Memory of one step, kept between steps."""

    def __init__(self, n_rows: int, sae: TopKSae) -> None:
        width = sae.decoder.shape[1]
        self.n_rows = n_rows
        self.states = np.empty((n_rows, width), np.float32)
        self.scores = np.empty((n_rows, sae.n_features), np.float32)
        self.forward = _Forward(
            centred=np.empty((n_rows, width), np.float32),
            ids=np.empty((n_rows, sae.k), np.int32),
            values=np.empty((n_rows, sae.k), np.float32),
            residual=np.empty((n_rows, width), np.float32),
            slopes=np.empty((n_rows, sae.k), np.float32),
        )
        self.gradients = Gradients(
            encoder=np.zeros_like(sae.encoder),
            encoder_bias=np.zeros_like(sae.encoder_bias),
            decoder=np.zeros_like(sae.decoder),
            decoder_bias=np.zeros_like(sae.decoder_bias),
            errors=np.zeros(n_rows, np.float32),
        )


def initial(states: Float32, recipe: Recipe) -> TopKSae:
    """Return an untrained SAE: random directions, the encoder their transpose, centred on the mean state."""
    generator = np.random.default_rng(recipe.seed)
    decoder = generator.standard_normal((recipe.n_features, states.shape[1]), dtype=np.float32)
    _normalise(decoder)
    centre = states.mean(axis=0, dtype=np.float64).astype(np.float32)
    return TopKSae(decoder.copy(), np.zeros(recipe.n_features, np.float32), decoder, centre, recipe.k)


def gradients(sae: TopKSae, states: Float32, workers: Workers) -> Gradients:
    """Return the gradients of the summed squared error of `states`, float32 [n_rows, width]."""
    room = _Room(len(states), sae)
    room.states[:] = states
    _differentiate(sae, room, workers)
    return room.gradients


def train(states: Float32, recipe: Recipe, workers: Workers, progress: Progress) -> TopKSae:
    """Learn an SAE of the hidden states, float32 [n_rows, width].

    The same states, recipe and machine give the same SAE, whatever the number of threads of our own loops;
    that of the matrix product belongs to the BLAS in use. Peak memory: about 60 MB beside `states`.

    Raises
    ------
    SourceError
        Kind not-finite, when the learning diverged.
    """
    generator = np.random.default_rng([recipe.seed, 1])
    sae = initial(states, recipe)
    n_rows = min(recipe.batch, len(states))
    per_epoch = len(states) // n_rows
    n_steps = per_epoch * recipe.epochs
    room = _Room(n_rows, sae)
    arrays = (sae.encoder, sae.encoder_bias, sae.decoder, sae.decoder_bias)
    moments = tuple(_Moments(np.zeros_like(array), np.zeros_like(array)) for array in arrays)
    step = 0
    with progress.task("Train the SAE", total=n_steps * n_rows, unit="tokens") as task:
        for epoch in range(recipe.epochs):
            fired = np.zeros(sae.n_features, bool)
            order = generator.permutation(len(states))
            for first in range(0, per_epoch * n_rows, n_rows):
                np.take(states, order[first : first + n_rows], axis=0, out=room.states, mode="clip")
                _differentiate(sae, room, workers)
                fired[room.forward.ids[room.forward.values > 0]] = True
                step += 1
                _learn(sae, room, moments, _pace(recipe, step, n_steps, n_rows), workers)
                task.advance(n_rows)
            if epoch < recipe.epochs * 0.7:
                _revive(sae, room, moments, np.flatnonzero(~fired))
    if not all(np.isfinite(array).all() for array in arrays):
        raise SourceError(
            f"The SAE diverged: its weights are not finite after {n_steps:,} steps",
            hint="Ask for a lower learning rate.",
            kind="not-finite",
        )
    return sae


def _differentiate(sae: TopKSae, room: _Room, workers: Workers) -> None:
    """Fill `room.forward` and `room.gradients` from `room.states`."""
    forward, out = room.forward, room.gradients
    np.subtract(room.states, sae.decoder_bias, out=forward.centred)
    np.matmul(forward.centred, sae.encoder.T, out=room.scores)
    select(room.scores, sae.encoder_bias, Codes(forward.ids, forward.values), workers)

    def rows(part: slice) -> None:
        _errors(forward.rows(part), sae.decoder, out.errors[part])

    workers.each_slice(room.n_rows, rows)
    starts, entries = _by_feature(forward.ids, forward.values, sae.n_features)

    def features(part: slice) -> None:
        own = starts[part.start : part.stop + 1]
        _accumulate(own, entries, forward, out.encoder[part], out.encoder_bias[part], out.decoder[part])

    workers.each_slice(sae.n_features, features)
    np.sum(forward.residual, axis=0, out=out.decoder_bias)
    out.decoder_bias[:] *= 2
    out.decoder_bias[:] -= out.encoder_bias @ sae.encoder


def _learn(sae: TopKSae, room: _Room, moments: tuple[_Moments, ...], pace: _Pace, workers: Workers) -> None:
    """Move every array against its gradient, and keep the decoder's rows at length 1."""
    found = room.gradients
    # Along itself a row may not move, so that part of its gradient must not count in Adam's memory either.
    found.decoder[:] -= np.einsum("fc,fc->f", found.decoder, sae.decoder)[:, None] * sae.decoder
    arrays = (sae.encoder, sae.encoder_bias, sae.decoder, sae.decoder_bias)
    slopes = (found.encoder, found.encoder_bias, found.decoder, found.decoder_bias)
    for array, slope, memory in zip(arrays, slopes, moments, strict=True):
        _move(array, slope, memory, pace, workers)
    _normalise(sae.decoder)


def _move(array: Float32, slope: Float32, memory: _Moments, pace: _Pace, workers: Workers) -> None:
    flat = [one.reshape(-1) for one in (array, slope, memory.mean, memory.square)]

    def numbers(part: slice) -> None:
        _adam(flat[0][part], flat[1][part], flat[2][part], flat[3][part], pace)

    workers.each_slice(array.size, numbers, block=_AT_ONCE)


def _pace(recipe: Recipe, step: int, n_steps: int, n_rows: int) -> _Pace:
    rising = min(1.0, step / 50)
    falling = min(1.0, (n_steps - step + 1) / max(1.0, recipe.falling * n_steps))
    rate = recipe.learning_rate * rising * falling
    return _Pace(np.float32(1 / n_rows), np.float32(rate / (1 - _BETA_1**step)), np.float32(1 / (1 - _BETA_2**step)))


def _revive(sae: TopKSae, room: _Room, moments: tuple[_Moments, ...], dead: Int64) -> None:
    """Point features that did not fire for an epoch at the errors of the tokens rendered worst."""
    worst = np.argsort(-room.gradients.errors, kind="stable")[: len(dead)]
    dead = dead[: len(worst)]
    directions = -room.forward.residual[worst]
    _normalise(directions)
    sae.decoder[dead] = directions
    sae.encoder[dead] = directions
    sae.encoder_bias[dead] = 0
    for memory in moments[:3]:
        memory.mean[dead] = 0
        memory.square[dead] = 0


def _normalise(rows: Float32) -> None:
    rows /= np.maximum(np.sqrt(np.einsum("fc,fc->f", rows, rows)), np.float32(1e-12))[:, None]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _errors(forward: _Forward, decoder: Float32, errors: Float32) -> None:
    """Per token: r = x̂ - x, its squared length, and the loss's slope by the value of each active feature."""
    centred, ids, values, residual, slopes = forward
    n, width = centred.shape
    for i in range(n):
        for c in range(width):
            residual[i, c] = -centred[i, c]
        for j in range(ids.shape[1]):
            f, value = ids[i, j], values[i, j]
            for c in range(width):
                residual[i, c] += value * decoder[f, c]
        total = np.float32(0)
        for c in range(width):
            total += residual[i, c] * residual[i, c]
        errors[i] = total
        for j in range(ids.shape[1]):
            f = ids[i, j]
            slope = np.float32(0)
            for c in range(width):
                slope += residual[i, c] * decoder[f, c]
            slopes[i, j] = np.float32(2) * slope if values[i, j] > 0 else np.float32(0)


@njit(cache=True, nogil=True)
def _by_feature(ids: Int32, values: Float32, n_features: int) -> tuple[Int64, Int64]:
    """List the active slots feature by feature: start of each feature's list, and slots as row · k + slot."""
    n, k = ids.shape
    starts = np.zeros(n_features + 1, np.int64)
    for i in range(n):
        for j in range(k):
            if values[i, j] > 0:
                starts[ids[i, j] + 1] += 1
    for f in range(n_features):
        starts[f + 1] += starts[f]
    entries = np.empty(starts[n_features], np.int64)
    place = starts[:-1].copy()
    for i in range(n):
        for j in range(k):
            if values[i, j] > 0:
                f = ids[i, j]
                entries[place[f]] = i * k + j
                place[f] += 1
    return starts, entries


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _accumulate(
    starts: Int64, entries: Int64, forward: _Forward, encoder: Float32, encoder_bias: Float32, decoder: Float32
) -> None:
    """Sum the gradients of some features, each over its tokens in their order: no two threads share a sum."""
    centred, _, values, residual, slopes = forward
    k = values.shape[1]
    width = centred.shape[1]
    for f in range(len(starts) - 1):
        encoder[f, :] = 0
        decoder[f, :] = 0
        bias = np.float32(0)
        for entry in entries[starts[f] : starts[f + 1]]:
            i, j = entry // k, entry % k
            slope, value = slopes[i, j], np.float32(2) * values[i, j]
            bias += slope
            for c in range(width):
                encoder[f, c] += slope * centred[i, c]
                decoder[f, c] += value * residual[i, c]
        encoder_bias[f] = bias


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _adam(array: Float32, slope: Float32, mean: Float32, square: Float32, pace: _Pace) -> None:
    """Take one step of Adam (Kingma and Ba 2015), the gradient being the mean over the batch."""
    for c in range(len(array)):
        g = slope[c] * pace.share
        mean[c] = np.float32(_BETA_1) * mean[c] + np.float32(1 - _BETA_1) * g
        square[c] = np.float32(_BETA_2) * square[c] + np.float32(1 - _BETA_2) * g * g
        array[c] -= pace.size * mean[c] / (np.sqrt(square[c] * pace.scale) + np.float32(_EPSILON))
