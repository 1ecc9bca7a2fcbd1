"""How good the SAE is, measured on documents that it has not learned from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from saeatlas.demo.topk import Codes, Float32, TopKSae, decode

__all__ = ["Figures", "Quality", "measure", "unexplained"]

_ROWS = 8192  # Tokens reconstructed at once.


@dataclass(frozen=True)
class Quality:
    """Figures of one SAE; the first four from the held-out documents alone."""

    fvu: float
    """Fraction of variance unexplained: 0 is perfect, 1 is what the mean state alone would reach."""
    l0: float
    """Mean number of active features (value above 0) on a token."""
    n_held_out_tokens: int
    """Tokens of the held-out documents."""
    dead_held_out: int
    """Features active on none of the held-out tokens."""
    dead: int
    """Features active on no token at all, learned from or held out."""
    fvu_training: float
    """The fraction on the tokens learned from; much below `fvu` would mean learning by heart."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What the demo made and how good it is, all of it measured."""

    quality: Quality
    """Of the SAE."""
    n_tokens: int
    """Tokens, each one row of the activations."""
    n_documents: int
    """Documents."""
    n_held_out_documents: int
    """The last of them, which the SAE did not learn from."""
    n_cut_documents: int
    """Docstrings longer than the model's window, of which only the beginning was taken."""
    n_features: int
    """Features of the SAE."""
    k: int
    """Features listed for each token."""
    epochs: int
    """Times the SAE saw each training token."""
    seed: int
    """Of the training."""
    python: str
    """Version of the Python whose docstrings these are; other versions have other ones."""
    corpus_sha256: str
    """Over ids and texts of the documents."""
    model_sha256: str
    """Of the language model's weights."""
    sae_sha256: str
    """Of the SAE's weights."""
    seconds: Mapping[str, float]
    """Time each stage took when it was done, which may have been an earlier run."""


def unexplained(sae: TopKSae, states: Float32, codes: Codes) -> float:
    """Return the summed squared error over the summed squared distance of `states` from their own mean."""
    mean = states.mean(axis=0, dtype=np.float64).astype(np.float32)
    error = spread = 0.0
    for first in range(0, len(states), _ROWS):
        rows = slice(first, first + _ROWS)
        rendered = decode(sae, Codes(codes.ids[rows], codes.values[rows]))
        error += float(np.sum(np.square(rendered - states[rows]), dtype=np.float64))
        spread += float(np.sum(np.square(states[rows] - mean), dtype=np.float64))
    return error / spread if spread > 0 else math.nan


def measure(sae: TopKSae, states: Float32, codes: Codes, first_held_out: int) -> Quality:
    """Measure an SAE.

    Parameters
    ----------
    sae
        The SAE.
    states
        Hidden states of all tokens, float32 [n_rows, width].
    codes
        What the SAE made of them.
    first_held_out
        Row from which on the documents were held out.
    """
    learned = slice(first_held_out)
    held = slice(first_held_out, len(states))
    n_held_out = held.stop - held.start
    held_codes = Codes(codes.ids[held], codes.values[held])
    return Quality(
        fvu=unexplained(sae, states[held], held_codes),
        l0=float(np.count_nonzero(held_codes.values > 0) / n_held_out),
        n_held_out_tokens=n_held_out,
        dead_held_out=_silent(held_codes, sae.n_features),
        dead=_silent(codes, sae.n_features),
        fvu_training=unexplained(sae, states[learned], Codes(codes.ids[learned], codes.values[learned])),
    )


def _silent(codes: Codes, n_features: int) -> int:
    active = codes.ids[codes.values > 0]
    return int(n_features - np.count_nonzero(np.bincount(active, minlength=n_features)))
