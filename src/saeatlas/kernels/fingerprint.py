"""A fingerprint of sparse entries that depends on what they say, not on how they are stored or cut into segments.

The fingerprint of a set of entries is the sum, modulo 2^128, of the 128-bit hash of each entry. So it is the same in
row-major and in feature-major order, for every codec and every exact value type, and the fingerprint of several
segments is the sum of theirs. It notices damage and difference; it is no defence against one who
wants a collision.

The hash of the entry (row r from the corpus's first row, feature f, value v), all arithmetic modulo 2^64:

    mix(z):  z = (z xor (z >> 30)) * 0xBF58476D1CE4E5B9
             z = (z xor (z >> 27)) * 0x94D049BB133111EB
             z xor (z >> 31)                               (the finaliser of SplitMix64)
    bits(v): the IEEE 754 binary64 encoding of v as an integer; -0.0 counts as +0.0
    low  = mix(mix(mix(r + 0x9E3779B97F4A7C15) + f) xor bits(v))
    high = mix(mix(mix(r + 0xD1B54A32D192ED03) + f + 0xA0761D6478BD642F) xor bits(v))
    hash = high * 2^64 + low
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from saeatlas.kernels.splitmix import scrambled

__all__ = ["feature_fingerprint", "fingerprint"]

Array = npt.NDArray[Any]

_ROW_LOW = np.uint64(0x9E3779B97F4A7C15)
_ROW_HIGH = np.uint64(0xD1B54A32D192ED03)
_FEATURE_HIGH = np.uint64(0xA0761D6478BD642F)


def fingerprint(first_row: int, indptr: Array, features: Array, values: Array, sums: Array | None = None) -> int:
    """Return the fingerprint of row-major entries, 0 to 2^128 - 1.

    Parameters
    ----------
    first_row
        Global row of the first of these rows.
    indptr
        int64 [n_rows + 1]; `features` and `values` start at `indptr[0]`.
    features
        uint16 or uint32.
    values
        float16, float32 or float64.
    sums
        uint64, one per feature: `low` of each entry is added to its feature's, for finding where two sides differ.
    """
    low, high = _by_row(
        np.uint64(first_row), np.asarray(indptr, np.int64), features, _wide(values), _sums(sums), sums is not None
    )
    return (int(high) << 64) | int(low)


def feature_fingerprint(
    first_row: int, first_feature: int, indptr: Array, rows: Array, values: Array, sums: Array | None = None
) -> int:
    """Return the fingerprint of feature-major entries: the same as of the same entries by row.

    Parameters
    ----------
    first_row
        Global row of local row 0.
    first_feature
        Feature of the first bounds in `indptr`.
    indptr
        int64 [n + 1]; `rows` and `values` start at `indptr[0]`.
    rows
        Local rows, uint32.
    values
        float16, float32 or float64.
    sums
        As in `fingerprint`, indexed by the feature itself.
    """
    entries = np.asarray(indptr, np.int64), rows, _wide(values)
    low, high = _by_feature(np.uint64(first_row), first_feature, entries, _sums(sums), sums is not None)
    return (int(high) << 64) | int(low)


def _wide(values: Array) -> Array:
    return values.astype(np.float32) if values.dtype.itemsize == 2 else values


def _sums(sums: Array | None) -> Array:
    return np.empty(0, np.uint64) if sums is None else sums


@njit(cache=True, nogil=True)
def _by_row(
    first_row: np.uint64,
    indptr: Array,
    features: Array,
    values: Array,
    sums: Array,
    with_sums: bool,  # noqa: FBT001
) -> tuple[np.uint64, np.uint64]:
    low = np.uint64(0)
    high = np.uint64(0)
    number = np.empty(1, np.float64)
    bits = number.view(np.uint64)
    for row in range(indptr.size - 1):
        own = first_row + np.uint64(row)
        row_low = scrambled(own + _ROW_LOW)
        row_high = scrambled(own + _ROW_HIGH) + _FEATURE_HIGH
        for at in range(indptr[row] - indptr[0], indptr[row + 1] - indptr[0]):
            feature = np.uint64(features[at])
            number[0] = np.float64(values[at]) + 0.0
            one = scrambled(scrambled(row_low + feature) ^ bits[0])
            low += one
            high += scrambled(scrambled(row_high + feature) ^ bits[0]) + np.uint64(low < one)
            if with_sums:
                sums[features[at]] += one
    return low, high


@njit(cache=True, nogil=True)
def _by_feature(
    first_row: np.uint64,
    first_feature: int,
    entries: tuple[Array, Array, Array],
    sums: Array,
    with_sums: bool,  # noqa: FBT001
) -> tuple[np.uint64, np.uint64]:
    indptr, rows, values = entries
    low = np.uint64(0)
    high = np.uint64(0)
    number = np.empty(1, np.float64)
    bits = number.view(np.uint64)
    for i in range(indptr.size - 1):
        feature = np.uint64(first_feature + i)
        total = np.uint64(0)
        for at in range(indptr[i] - indptr[0], indptr[i + 1] - indptr[0]):
            own = first_row + np.uint64(rows[at])
            number[0] = np.float64(values[at]) + 0.0
            one = scrambled(scrambled(scrambled(own + _ROW_LOW) + feature) ^ bits[0])
            low += one
            total += one
            high += scrambled(scrambled(scrambled(own + _ROW_HIGH) + _FEATURE_HIGH + feature) ^ bits[0]) + np.uint64(
                low < one
            )
        if with_sums:
            sums[first_feature + i] += total
    return low, high
