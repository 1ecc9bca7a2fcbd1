"""Sparse activations between row-major and feature-major order, and over segments."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from saeatlas.kernels.canonical_rows import CanonicalRows, Fault, canonical_rows
from saeatlas.kernels.fingerprint import feature_fingerprint, fingerprint
from saeatlas.kernels.strongest import FeatureSummary, top_values

__all__ = [
    "CanonicalRows",
    "Fault",
    "FeatureSummary",
    "ValueFacts",
    "canonical_rows",
    "feature_fingerprint",
    "fingerprint",
    "first_unsorted",
    "merge_features",
    "top_values",
    "value_facts",
]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class ValueFacts:
    """What a batch of finite values needs and contains."""

    fits_float16: bool
    """Whether every value survives float16 exactly."""
    fits_float32: bool
    """Whether every value survives float32 exactly."""
    n_active: int
    """Values above 0."""
    min: float
    """Smallest, infinity when there is none."""
    max: float
    """Largest, minus infinity when there is none."""


def value_facts(values: Array) -> ValueFacts:
    """Look once at a batch of finite float16, float32 or float64 values."""
    if values.dtype.itemsize == 2:
        facts = _value_facts(values.astype(np.float32))
        return ValueFacts(
            fits_float16=True, fits_float32=True, n_active=int(facts[2]), min=float(facts[3]), max=float(facts[4])
        )
    facts = _value_facts(values)
    return ValueFacts(bool(facts[0]), bool(facts[1]), int(facts[2]), float(facts[3]), float(facts[4]))


@njit(cache=True, nogil=True)
def _value_facts(values: Array) -> tuple[bool, bool, int, float, float]:
    half, single = True, True
    n_active = 0
    low, high = np.inf, -np.inf
    for at in range(values.size):
        value = np.float64(values[at])
        n_active += int(value > 0)
        low, high = min(low, value), max(high, value)
        if single:
            narrow = np.float32(value)
            single = bool(np.float64(narrow) == value)
            if half:
                size = abs(value)
                # Float16 has 11 significant bits down to 2^-14, and steps of 2^-24 below.
                scaled = float(value) * 16777216.0
                if size >= 6.103515625e-05:
                    scaled = math.frexp(value)[0] * 2048.0
                half = bool(single and size <= 65504.0 and scaled == math.floor(scaled))
    return half and single, single, n_active, low, high


def merge_features(
    pieces: list[tuple[npt.NDArray[np.int64], Array, Array, int]], dtype: npt.DTypeLike
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32], Array]:
    """Join the same features of consecutive segments, segment after segment within each feature.

    Parameters
    ----------
    pieces
        Of each segment: indptr int64 [n + 1], local rows uint32, values, and what to add to its rows.
    dtype
        Value type of the result.

    Returns
    -------
    indptr, rows, values
        As of one segment; rows uint32.
    """
    counts = [np.diff(indptr) for indptr, _, _, _ in pieces]
    out_indptr = np.zeros(pieces[0][0].size, np.int64)
    np.cumsum(sum(counts), out=out_indptr[1:])
    rows = np.empty(int(out_indptr[-1]), np.uint32)
    values = np.empty(rows.size, dtype)
    words = values.view(f"u{values.itemsize}")
    places = out_indptr[:-1].copy()
    for (indptr, own_rows, own_values, offset), count in zip(pieces, counts, strict=True):
        own_words = own_values.astype(dtype, copy=False).view(words.dtype)
        _place((indptr, own_rows, own_words), np.uint32(offset), places, (rows, words))
        places += count
    return out_indptr, rows, values


@njit(cache=True, nogil=True)
def _place(entries: tuple[Array, Array, Array], offset: np.uint32, places: Array, out: tuple[Array, Array]) -> None:
    indptr, rows, words = entries
    out_rows, found = out
    for i in range(indptr.size - 1):
        start = indptr[i] - indptr[0]
        place = places[i]
        for step in range(indptr[i + 1] - indptr[i]):
            out_rows[place + step] = np.uint32(rows[start + step] + offset)
            found[place + step] = words[start + step]


def first_unsorted(indptr: Array, ids: Array, limit: int) -> int:
    """Return the first group whose ids do not ascend strictly or reach `limit`, or -1 when all are right.

    `ids` start at `indptr[0]`; a group is a row (its features) or a feature (its rows).
    """
    return int(_first_unsorted(np.asarray(indptr, np.int64), ids, limit))


@njit(cache=True, nogil=True)
def _first_unsorted(indptr: Array, ids: Array, limit: int) -> int:
    for i in range(indptr.size - 1):
        last = np.int64(-1)
        for at in range(indptr[i] - indptr[0], indptr[i + 1] - indptr[0]):
            current = np.int64(ids[at])
            if current <= last or current >= limit:
                return i
            last = current
    return -1
