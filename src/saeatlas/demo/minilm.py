"""The first layers of MiniLM in NumPy: what a transformer computes, without torch.

A text of T tokens becomes T vectors of 384 numbers. Each layer lets every token look at every other one
(attention, in both directions), then transforms each token alone (the feed-forward part). The vectors
after a layer are its hidden states: what an SAE takes apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numba import njit

from saeatlas.demo.workers import Workers
from saeatlas.errors import MissingExtra, SourceError
from saeatlas.progress import Progress

__all__ = ["CLS", "SEP", "WIDTH", "MiniLM", "Room", "capture"]

WIDTH = 384
CLS, SEP = 101, 102
"""Token ids that open and close every text."""

_HEADS = 12
_ROWS = 2048  # Tokens computed at once: large enough for the matrix products, small enough for the cache.

Float32 = npt.NDArray[np.float32]
Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Linear:
    weight: Float32  # [n_out, n_in], as checkpoints store it
    bias: Float32


@dataclass(frozen=True)
class _Norm:
    gain: Float32
    shift: Float32


@dataclass(frozen=True)
class _Layer:
    query_key_value: _Linear  # The three projections stacked: one product instead of three.
    mix: _Linear
    mix_norm: _Norm
    up: _Linear
    down: _Linear
    down_norm: _Norm


@dataclass(frozen=True)
class MiniLM:
    """Embeddings and the first layers of the model; all weights float32."""

    word: Float32
    """One vector per token id [30522, 384]."""
    position: Float32
    """One vector per position, with the constant token-type vector added [512, 384]."""
    norm: _Norm
    """Normalisation of the embeddings."""
    layers: tuple[_Layer, ...]
    """In order."""

    @classmethod
    def from_file(cls, path: Path, n_layers: int) -> MiniLM:
        """Read the embeddings and the first `n_layers` of the six layers from `model.safetensors`."""
        try:
            from safetensors import SafetensorError, safe_open
        except ImportError as error:
            raise MissingExtra(
                "The demo's model needs the package 'safetensors', which is not installed",
                hint="Run: pip install 'saeatlas[demo]'",
            ) from error
        try:
            with safe_open(str(path), framework="numpy") as tensors:
                return cls._from_tensors(tensors.get_tensor, n_layers)
        except SafetensorError as error:
            raise SourceError(f"'{path}' cannot be read as the weights of MiniLM: {error}") from error

    @classmethod
    def _from_tensors(cls, get: Callable[[str], Float32], n_layers: int) -> MiniLM:
        def linear(*names: str) -> _Linear:
            return _Linear(
                np.concatenate([get(f"{name}.weight") for name in names]),
                np.concatenate([get(f"{name}.bias") for name in names]),
            )

        def norm(name: str) -> _Norm:
            return _Norm(get(f"{name}.weight"), get(f"{name}.bias"))

        layers = []
        for number in range(n_layers):
            layer = f"encoder.layer.{number}"
            heads = [f"{layer}.attention.self.{part}" for part in ("query", "key", "value")]
            layers.append(
                _Layer(
                    linear(*heads),
                    linear(f"{layer}.attention.output.dense"),
                    norm(f"{layer}.attention.output.LayerNorm"),
                    linear(f"{layer}.intermediate.dense"),
                    linear(f"{layer}.output.dense"),
                    norm(f"{layer}.output.LayerNorm"),
                )
            )
        return cls(
            get("embeddings.word_embeddings.weight"),
            get("embeddings.position_embeddings.weight") + get("embeddings.token_type_embeddings.weight")[0],
            norm("embeddings.LayerNorm"),
            tuple(layers),
        )

    def hidden_states(self, texts: Sequence[Ids], room: Room, workers: Workers) -> Float32:
        """Return the last layer's output for every token of `texts`, one text after the other.

        Parameters
        ----------
        texts
            Token ids of each text, [CLS] and [SEP] included. Texts of equal length beside each other are faster.
        room
            Memory to compute in; the answer lies there until the next call.
        workers
            Threads to use.

        Returns
        -------
        float32 [n_tokens of all texts, 384]
        """
        lengths = [len(text) for text in texts]
        rows = slice(sum(lengths))
        states, change, inner = room.states[rows], room.change[rows], room.inner[rows]
        np.take(self.word, np.concatenate(texts), axis=0, out=states)
        np.take(self.position, np.concatenate([np.arange(length) for length in lengths]), axis=0, out=change)
        _add_and_normalise(states, change, np.zeros(WIDTH, np.float32), self.norm, workers)
        for layer in self.layers:
            np.matmul(states, layer.query_key_value.weight.T, out=room.projected[rows])
            room.projected[rows] += layer.query_key_value.bias
            _attention(room, lengths, workers)
            np.matmul(room.mixed[rows], layer.mix.weight.T, out=change)
            _add_and_normalise(states, change, layer.mix.bias, layer.mix_norm, workers)
            np.matmul(states, layer.up.weight.T, out=inner)
            _activate(inner, layer.up.bias, workers)
            np.matmul(inner, layer.down.weight.T, out=change)
            _add_and_normalise(states, change, layer.down.bias, layer.down_norm, workers)
        return states


class Room:
    """Memory for the intermediate values of one batch, kept: asking for it anew each time costs more than the sums."""

    def __init__(self, n_rows: int, longest: int, n_threads: int) -> None:
        self.n_rows = n_rows
        self.states = np.empty((n_rows, WIDTH), np.float32)
        self.change = np.empty((n_rows, WIDTH), np.float32)
        self.projected = np.empty((n_rows, 3 * WIDTH), np.float32)
        self.mixed = np.empty((n_rows, WIDTH), np.float32)
        self.inner = np.empty((n_rows, 4 * WIDTH), np.float32)
        self.attention = np.empty((n_threads, n_rows * longest), np.float32)


def capture(model: MiniLM, documents: Sequence[Ids], out: Float32, workers: Workers, progress: Progress) -> None:
    """Write the hidden state of every token of every document into `out`, float32 [n_rows, 384].

    Each document is given to the model alone, between [CLS] and [SEP]; the states of these two are dropped.
    """
    starts = np.cumsum([0, *map(len, documents)])
    longest = max(map(len, documents)) + 2
    room = Room(max(_ROWS, longest), longest, workers.n_threads)
    with progress.task("Compute hidden states", total=int(starts[-1]), unit="tokens") as task:
        for batch in _batches([len(ids) + 2 for ids in documents], room.n_rows):
            states = model.hidden_states(
                [np.concatenate(([CLS], documents[one], [SEP])) for one in batch], room, workers
            )
            done = 0
            for one in batch:
                length = len(documents[one])
                out[starts[one] : starts[one + 1]] = states[done + 1 : done + 1 + length]
                done += length + 2
            task.advance(done - 2 * len(batch))


def _batches(lengths: Sequence[int], n_rows: int) -> Iterator[list[int]]:
    """Yield indices of texts, short ones first, that fill up to `n_rows` rows together."""
    batch: list[int] = []
    filled = 0
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if filled + lengths[index] > n_rows:
            yield batch
            batch, filled = [], 0
        batch.append(index)
        filled += lengths[index]
    if batch:
        yield batch


def _attention(room: Room, lengths: Sequence[int], workers: Workers) -> None:
    """Let each token take the values of the tokens whose keys answer its query: 12 heads of 32 dimensions.

    Only tokens of one text see each other. Texts of one length are computed together, so that nothing
    needs padding and nothing needs a mask.
    """

    def heads(part: slice) -> None:
        thread = part.start * workers.n_threads // _HEADS
        first = 0
        for length, same in groupby(lengths):
            shape = (len(list(same)), length)
            rows = slice(first, first + shape[0] * length)
            first = rows.stop
            # As views [3, heads, texts, tokens, 32] and [heads, texts, tokens, 32]: nothing is copied.
            query, key, value = room.projected[rows].reshape(*shape, 3, _HEADS, -1).transpose(2, 3, 0, 1, 4)
            mixed = room.mixed[rows].reshape(*shape, _HEADS, -1).transpose(2, 0, 1, 3)
            weight = room.attention[thread, : shape[0] * length * length].reshape(*shape, length)
            for head in range(part.start, part.stop):
                np.matmul(query[head], key[head].transpose(0, 2, 1), out=weight)
                _softmax(weight)
                np.matmul(weight, value[head], out=mixed[head])

    workers.each_slice(_HEADS, heads)


def _softmax(scores: Float32) -> None:
    """Turn each token's scores into shares that add up to 1, in place."""
    rows = scores.reshape(-1, scores.shape[-1])
    _below_largest(rows, np.float32((WIDTH // _HEADS) ** -0.5))
    np.exp(rows, out=rows)
    _divide_by_sum(rows)


def _activate(inner: Float32, bias: Float32, workers: Workers) -> None:
    def rows(part: slice) -> None:
        _gelu(inner[part], bias)

    workers.each_slice(len(inner), rows)


def _add_and_normalise(states: Float32, change: Float32, bias: Float32, norm: _Norm, workers: Workers) -> None:
    def rows(part: slice) -> None:
        _add_norm_rows(states[part], change[part], bias, norm.gain, norm.shift)

    workers.each_slice(len(states), rows)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _add_norm_rows(states: Float32, change: Float32, bias: Float32, gain: Float32, shift: Float32) -> None:
    """Add `change + bias` to each row, then bring the row to mean 0 and variance 1, scaled and shifted."""
    n, width = states.shape
    for i in range(n):
        total = np.float32(0)
        for c in range(width):
            states[i, c] += change[i, c] + bias[c]
            total += states[i, c]
        mean = total / np.float32(width)
        squares = np.float32(0)
        for c in range(width):
            states[i, c] -= mean
            squares += states[i, c] * states[i, c]
        scale = np.float32(1) / np.sqrt(squares / np.float32(width) + np.float32(1e-12))
        for c in range(width):
            states[i, c] = states[i, c] * scale * gain[c] + shift[c]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _gelu(inner: Float32, bias: Float32) -> None:
    """Replace each x + bias by x · Φ(x), the activation of BERT models, Φ being the normal distribution.

    erf is a quotient of polynomials (the one of Eigen, right to 4e-7): unlike `math.erf` it compiles to
    vector instructions, which makes it ten times faster.
    """
    n, width = inner.shape
    for i in range(n):
        for c in range(width):
            x = inner[i, c] + bias[c]
            t = min(max(x * np.float32(0.7071067811865476), np.float32(-4)), np.float32(4))
            s = t * t
            p = np.float32(-2.72614225801306e-10)
            p = p * s + np.float32(2.77068142495902e-08)
            p = p * s + np.float32(-2.10102402082508e-06)
            p = p * s + np.float32(-5.69250639462346e-05)
            p = p * s + np.float32(-7.34990630326855e-04)
            p = p * s + np.float32(-2.95459980854025e-03)
            p = p * s + np.float32(-1.60960333262415e-02)
            q = np.float32(-1.45660718464996e-05)
            q = q * s + np.float32(-2.13374055278905e-04)
            q = q * s + np.float32(-1.68282697438203e-03)
            q = q * s + np.float32(-7.37332916720468e-03)
            q = q * s + np.float32(-1.42647390514189e-02)
            inner[i, c] = np.float32(0.5) * x * (np.float32(1) + t * p / q)


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _below_largest(rows: Float32, scale: np.float32) -> None:
    """Subtract from each row its largest number, and scale: exp of the result cannot overflow."""
    n, width = rows.shape
    for i in range(n):
        largest = rows[i, 0]
        for c in range(width):
            largest = max(largest, rows[i, c])
        for c in range(width):
            rows[i, c] = (rows[i, c] - largest) * scale


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def _divide_by_sum(rows: Float32) -> None:
    n, width = rows.shape
    for i in range(n):
        total = np.float32(0)
        for c in range(width):
            total += rows[i, c]
        share = np.float32(1) / total
        for c in range(width):
            rows[i, c] *= share
