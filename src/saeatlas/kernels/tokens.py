"""The tokens on which a feature is active most often."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from saeatlas.kernels.stats import Counts, Floats, Values, float32_or_64

__all__ = ["NO_TOKEN", "TokenCounts", "top_tokens"]

NO_TOKEN = 0xFFFFFFFF
"""Stands where the token of a row is not available."""


@dataclass(frozen=True)
class TokenCounts:
    """The most frequent tokens of each of some neighbouring features, most frequent first."""

    indptr: Counts
    """Where each feature starts and ends in `token`, `count` and `sum`, n_features + 1 numbers from 0."""
    token: npt.NDArray[np.uint32]
    """Vocabulary index; of equally frequent tokens the lower index comes first."""
    count: Counts
    """Active rows with the token."""
    sum: Floats
    """Sum of their values, added in the order of the rows."""
    n_with_token: Counts
    """Active rows per feature whose token is available."""
    n_without_token: Counts
    """Active rows per feature whose token is not available; they are in no other number."""
    n_tokens: Counts
    """Different tokens per feature."""


def top_tokens(
    indptr: Counts, tokens: npt.NDArray[Any], values: Values, n_tokens: int, n: int, floor: float = 0.0
) -> TokenCounts:
    """Count the tokens of the rows where each feature is active, and keep the `n` most frequent.

    Parameters
    ----------
    indptr
        int64 [n_features + 1], from 0.
    tokens
        Vocabulary index of each entry, below `n_tokens`, or `NO_TOKEN`.
    values
        Value of each entry.
    n_tokens
        Size of the vocabulary.
    n
        Tokens to keep per feature.
    floor
        Values at or below it are not active.

    Notes
    -----
    Holds 20 bytes per vocabulary entry, and at most 20 bytes for each of min(n, listed) tokens per feature.
    """
    found = _count_tokens(
        np.ascontiguousarray(indptr, np.int64),
        np.ascontiguousarray(tokens, np.uint32),
        float32_or_64(values),
        n_tokens,
        n,
        float(floor),
    )
    return TokenCounts(*found)


@njit(cache=True, nogil=True)
def _count_tokens(
    indptr: Counts, tokens: npt.NDArray[np.uint32], values: Values, n_tokens: int, n: int, floor: float
) -> tuple[Counts, npt.NDArray[np.uint32], Counts, Floats, Counts, Counts, Counts]:
    n_features = indptr.size - 1
    room = 0
    for feature in range(n_features):
        room += min(n, indptr[feature + 1] - indptr[feature])
    out_indptr = np.zeros(n_features + 1, np.int64)
    out_token, out_count, out_sum = np.empty(room, np.uint32), np.empty(room, np.int64), np.empty(room, np.float64)
    n_with = np.zeros(n_features, np.int64)
    n_without = np.zeros(n_features, np.int64)
    n_distinct = np.zeros(n_features, np.int64)
    count, total = np.zeros(n_tokens, np.int64), np.zeros(n_tokens, np.float64)
    touched = np.empty(n_tokens, np.uint32)
    at = 0
    for feature in range(n_features):
        n_touched = 0
        for i in range(indptr[feature], indptr[feature + 1]):
            value = np.float64(values[i])
            if not value > floor:
                continue
            token = tokens[i]
            if token == NO_TOKEN:
                n_without[feature] += 1
                continue
            if count[token] == 0:
                touched[n_touched] = token
                n_touched += 1
            count[token] += 1
            total[token] += value
            n_with[feature] += 1
        n_distinct[feature] = n_touched
        kept = min(n, n_touched)
        stop = at
        for j in range(n_touched):
            token = touched[j]
            here = stop
            while here > at and (
                out_count[here - 1] < count[token]
                or (out_count[here - 1] == count[token] and out_token[here - 1] > token)
            ):
                here -= 1
            if here < at + kept:
                last = min(stop, at + kept - 1)
                for k in range(last, here, -1):
                    out_token[k], out_count[k], out_sum[k] = out_token[k - 1], out_count[k - 1], out_sum[k - 1]
                out_token[here], out_count[here], out_sum[here] = token, count[token], total[token]
                stop = last + 1
        for j in range(n_touched):
            count[touched[j]], total[touched[j]] = 0, 0.0
        at += kept
        out_indptr[feature + 1] = at
    return out_indptr, out_token[:at], out_count[:at], out_sum[:at], n_with, n_without, n_distinct
