"""Bring rows as sources give them into canonical form: empty slots dropped, sorted by feature, everything checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["CanonicalRows", "Fault", "canonical_rows"]

Array = npt.NDArray[Any]

_KINDS = ("", "index-out-of-range", "not-finite", "duplicate-index")
_OUT_OF_RANGE, _NOT_FINITE, _DUPLICATE = 1, 2, 3
_RANKED = 160
"""Longest row that is sorted by counting smaller ids: the loop is vectorised and needs no branches."""


@dataclass(frozen=True)
class CanonicalRows:
    """Rows with strictly ascending features and finite values."""

    features: npt.NDArray[np.uint32]
    """Feature of each entry."""
    values: Array
    """Value of each entry, float32 or float64."""
    indptr: npt.NDArray[np.int64]
    """Where each row starts and ends, n_rows + 1 numbers from 0."""
    n_empty: int
    """Slots that were dropped because they were empty."""


@dataclass(frozen=True)
class Fault:
    """The first slot that breaks a rule."""

    kind: str
    """`index-out-of-range`, `duplicate-index` or `not-finite`: a kind of `saeatlas.errors`."""
    row: int
    """Row, counted from the start of the batch."""
    slot: int
    """Slot within the row, from 0; for a duplicate, the later of the two."""
    found: float
    """The feature id or the value found there."""


def canonical_rows(
    features: Array,
    values: Array,
    indptr: Array,
    *,
    empty_feature: int | None = None,
    empty_value: float | None = None,
    n_features: int | None = None,
) -> CanonicalRows | Fault:
    """Drop empty slots, sort each row by feature, and check every entry.

    Parameters
    ----------
    features
        Feature of each slot, 1-D, any integer dtype.
    values
        Value of each slot, float16, float32 or float64. Zeros and negatives are kept.
    indptr
        Where each row starts and ends in the slots, n_rows + 1 ascending numbers from 0.
    empty_feature, empty_value
        A slot is empty when its feature or its value equals this; a value of NaN means any NaN.
    n_features
        Ids must be below this; None means below 2^32.

    Returns
    -------
    CanonicalRows or Fault
        The fault with the lowest row: there, the first slot with a wrong id or value, else the first repeated id.

    Raises
    ------
    ValueError
        When the arrays do not fit each other.

    Notes
    -----
    Beside the input: 8 (float64: 12) bytes per slot, 4 to 8 more where the ids must be converted.
    """
    indptr = _checked_bounds(features, values, indptr)
    ids = _signed(features)
    numbers = np.ascontiguousarray(values, np.float64 if values.dtype.itemsize > 4 else np.float32)
    out_features = np.empty(features.size, np.uint32)
    out_values = np.empty(features.size, numbers.dtype)
    out_indptr = np.zeros(indptr.size, np.int64)
    longest = int(np.max(np.diff(indptr), initial=0))
    code, row, slot = _canonicalise(
        (ids, numbers, indptr),
        _rules(features.dtype, numbers.dtype, empty_feature, empty_value, n_features),
        (out_features, out_values, out_indptr),
        (np.empty(longest, np.uint32), np.empty(longest, numbers.dtype), np.empty(longest, np.int64)),
    )
    if code:
        at = int(indptr[row]) + slot
        return Fault(_KINDS[code], row, slot, float((values if code == _NOT_FINITE else features)[at]))
    n_kept = int(out_indptr[-1])
    return CanonicalRows(out_features[:n_kept], out_values[:n_kept], out_indptr, features.size - n_kept)


def _checked_bounds(features: Array, values: Array, indptr: Array) -> npt.NDArray[np.int64]:
    indptr = np.ascontiguousarray(indptr, np.int64)
    if indptr.size < 1 or indptr[0] != 0 or indptr[-1] != features.size or features.shape != values.shape:
        raise ValueError(f"{features.shape} features, {values.shape} values and {indptr.size} row bounds do not fit")
    if np.any(indptr[1:] < indptr[:-1]):
        raise ValueError("The row bounds do not ascend")
    return indptr


def _rules(
    id_dtype: np.dtype[Any],
    value_dtype: np.dtype[Any],
    empty_feature: int | None,
    empty_value: float | None,
    n_features: int | None,
) -> tuple[bool, int, bool, float, int]:
    """Return what the kernel checks: whether an id marks empty slots, that id, the same of values, the width."""
    limits = np.iinfo(id_dtype)
    by_id = empty_feature is not None and limits.min <= empty_feature <= limits.max
    # As int64, an unsigned id from 2^63 on is negative; so must be the sentinel that means it.
    empty_id = int(np.int64(np.uint64(empty_feature & 0xFFFFFFFFFFFFFFFF))) if by_id and empty_feature else 0
    # Values were widened exactly or not at all, and the sentinel must be what they would be.
    empty_number = float(value_dtype.type(0.0 if empty_value is None else empty_value))
    return by_id, empty_id, empty_value is not None, empty_number, 1 << 32 if n_features is None else n_features


def _signed(features: Array) -> Array:
    """Convert ids to int32 or int64: two compiled kernels instead of eight."""
    is_small = features.dtype.itemsize < 4 or features.dtype == np.int32
    return np.ascontiguousarray(features).astype(np.int32 if is_small else np.int64, copy=False)


@njit(cache=True, nogil=True)
def _canonicalise(
    slots: tuple[Array, Array, Array],
    rules: tuple[bool, int, bool, float, int],
    out: tuple[Array, Array, Array],
    scratch: tuple[Array, Array, Array],
) -> tuple[int, int, int]:
    """Fill `out` (features, values, indptr); return the code, row and slot of the first fault, or zeros."""
    ids, values, indptr = slots
    by_id, empty_id, by_value, empty_value, n_features = rules
    features_out, values_out, indptr_out = out
    row_ids, row_values, ranks = scratch
    done = 0
    for row in range(indptr.size - 1):
        n = 0
        is_sorted = True
        last = np.int64(-1)
        for at in range(indptr[row], indptr[row + 1]):
            feature = np.int64(ids[at])
            value = values[at]
            if (by_id and feature == empty_id) or (by_value and _is_same(value, empty_value)):
                continue
            if feature < 0 or feature >= n_features:
                return _OUT_OF_RANGE, row, at - indptr[row]
            if not np.isfinite(value):
                return _NOT_FINITE, row, at - indptr[row]
            is_sorted = bool(is_sorted and feature > last)
            last = feature
            features_out[done + n] = feature
            values_out[done + n] = value
            n += 1
        if not is_sorted:
            # Row-wise copies first: the ranks say where each entry goes in the output itself.
            for i in range(n):
                row_ids[i] = features_out[done + i]
                row_values[i] = values_out[done + i]
            if not _rank(row_ids, n, ranks):
                return _DUPLICATE, row, _repeated_slot(slots, rules, row)
            for i in range(n):
                features_out[done + ranks[i]] = row_ids[i]
                values_out[done + ranks[i]] = row_values[i]
        done += n
        indptr_out[row + 1] = done
    return 0, 0, 0


@njit(cache=True, nogil=True)
def _is_same(value: float, empty: float) -> bool:
    return bool(value == empty or (np.isnan(value) and np.isnan(empty)))


@njit(cache=True, nogil=True)
def _rank(ids: Array, n: int, ranks: Array) -> bool:
    """Write the sorted place of each of the first `n` ids; False when two are equal."""
    if n <= _RANKED:
        total = np.int64(0)
        for i in range(n):
            place = -1
            own = ids[i]
            for j in range(n):
                place += int(ids[j] <= own)
            ranks[i] = place
            total += place
        # Equal ids count each other, which makes the sum too large.
        return bool(total == n * (n - 1) // 2)
    order = np.argsort(ids[:n])
    is_distinct = True
    for i in range(n):
        ranks[order[i]] = i
        if i and ids[order[i]] == ids[order[i - 1]]:
            is_distinct = False
    return is_distinct


@njit(cache=True, nogil=True)
def _repeated_slot(slots: tuple[Array, Array, Array], rules: tuple[bool, int, bool, float, int], row: int) -> int:
    """Return the first slot of a row whose id stands in an earlier slot that is not empty either."""
    ids, values, indptr = slots
    by_id, empty_id, by_value, empty_value, _ = rules
    start = indptr[row]
    for at in range(start, indptr[row + 1]):
        if (by_id and ids[at] == empty_id) or (by_value and _is_same(values[at], empty_value)):
            continue
        for other in range(start, at):
            if ids[other] == ids[at] and not (by_value and _is_same(values[other], empty_value)):
                return int(at - start)
    return 0
