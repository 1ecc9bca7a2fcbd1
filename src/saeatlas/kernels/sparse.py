"""Sparse activations between row-major and feature-major order, and over segments."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
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
    "feature_counts",
    "feature_fingerprint",
    "fingerprint",
    "first_unsorted",
    "merge_features",
    "scatter_features",
    "top_values",
    "transpose",
    "value_facts",
]

Array = npt.NDArray[Any]

_SMALL = 1 << 20
"""Entries below which a second thread costs more than it gains."""


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


def feature_counts(features: Array, n_features: int) -> npt.NDArray[np.int64]:
    """Count the entries of each feature; every id must be below `n_features`."""
    counts = np.zeros(n_features, np.int64)
    _count(features, counts)
    return counts


@njit(cache=True, nogil=True)
def _count(features: Array, counts: Array) -> None:
    for at in range(features.size):
        counts[features[at]] += 1


def transpose(
    indptr: Array, features: Array, values: Array, n_features: int, *, n_threads: int = 2
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32], Array]:
    """Turn row-major entries into feature-major ones by a counting sort.

    Parameters
    ----------
    indptr
        int64 [n_rows + 1] from 0.
    features
        uint16 or uint32, below `n_features`.
    values
        Aligned, any dtype of 2, 4 or 8 bytes.
    n_features
        Number of features.
    n_threads
        Each takes a range of rows; small inputs use one.

    Returns
    -------
    indptr
        int64 [n_features + 1].
    rows
        uint32, ascending within a feature.
    values
        Aligned with `rows`.
    """
    n_rows = indptr.size - 1
    n_parts = n_threads if features.size >= _SMALL else 1
    cuts = [n_rows * part // n_parts for part in range(n_parts + 1)]
    out_indptr = np.zeros(n_features + 1, np.int64)
    rows = np.empty(features.size, np.uint32)
    found = np.empty(features.size, values.dtype)
    words, found_words = values.view(f"u{values.itemsize}"), found.view(f"u{values.itemsize}")
    with ThreadPoolExecutor(n_parts) as pool:
        spans = [slice(int(indptr[low]), int(indptr[high])) for low, high in pairwise(cuts)]
        counts = list(pool.map(lambda span: feature_counts(features[span], n_features), spans))
        np.cumsum(sum(counts), out=out_indptr[1:])
        nexts = [out_indptr[:-1] + sum(counts[:part]) for part in range(n_parts)]

        def scatter(part: int) -> None:
            low, high = cuts[part], cuts[part + 1]
            _scatter((indptr[low : high + 1], features, words), low, nexts[part], (rows, found_words))

        list(pool.map(scatter, range(n_parts)))
    return out_indptr, rows, found


@njit(cache=True, nogil=True)
def _scatter(source: tuple[Array, Array, Array], first_row: int, nexts: Array, out: tuple[Array, Array]) -> None:
    indptr, features, words = source
    rows, found = out
    for i in range(indptr.size - 1):
        row = np.uint32(first_row + i)
        for at in range(indptr[i], indptr[i + 1]):
            feature = features[at]
            place = nexts[feature]
            nexts[feature] = place + 1
            rows[place] = row
            found[place] = words[at]


def scatter_features(
    source: tuple[Array, Array, Array],
    first_row: int,
    read_from: Array,
    span: tuple[int, int],
    nexts: Array,
    out: tuple[Array, Array],
) -> None:
    """Move the entries of a range of features from sorted rows to their places.

    Parameters
    ----------
    source
        indptr int64 [n + 1] from 0, features ascending in each row, values.
    first_row
        Local row of the first of these rows.
    read_from
        int64 [n]: how far each row was read; moved on. Calls must go through the features in order.
    span
        First feature, and one past the last.
    nexts
        int64, one per feature of the span: the next free place in `out`; moved on.
    out
        Rows (uint32) and values to fill.
    """
    indptr, features, values = source
    unsigned = f"u{values.itemsize}"
    words = (indptr, features, values.view(unsigned))
    _scatter_range(words, first_row, read_from, span, nexts, (out[0], out[1].view(unsigned)))


@njit(cache=True, nogil=True)
def _scatter_range(
    source: tuple[Array, Array, Array],
    first_row: int,
    read_from: Array,
    span: tuple[int, int],
    nexts: Array,
    out: tuple[Array, Array],
) -> None:
    indptr, features, words = source
    rows, found = out
    first, stop = span
    for i in range(indptr.size - 1):
        at = read_from[i]
        end = indptr[i + 1]
        row = np.uint32(first_row + i)
        while at < end:
            feature = np.int64(features[at])
            if feature >= stop:
                break
            place = nexts[feature - first]
            nexts[feature - first] = place + 1
            rows[place] = row
            found[place] = words[at]
            at += 1
        read_from[i] = at


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
