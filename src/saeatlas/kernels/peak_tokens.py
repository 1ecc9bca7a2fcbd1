"""How varied the tokens of a group are, and how much two groups have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["TokenCounts", "count_tokens", "entropy_bits", "token_overlap"]

Floats = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TokenCounts:
    """How often each group holds each token."""

    indptr: Int64
    """Where each group starts and ends in the others, n_groups + 1 numbers from 0."""
    token: Int64
    """Tokens, ascending within a group, each once."""
    count: Int64
    """How often the group holds it."""


def count_tokens(indptr: Int64, tokens: npt.NDArray[np.integer[Any]]) -> TokenCounts:
    """Count the tokens of each group.

    Parameters
    ----------
    indptr
        Where each group starts and ends in `tokens`, int64 [groups + 1], from 0.
    tokens
        Token ids.
    """
    group = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
    order = np.lexsort((tokens, group))
    ordered, of = tokens[order].astype(np.int64), group[order]
    is_first = np.ones(ordered.size, np.bool_)
    is_first[1:] = (ordered[1:] != ordered[:-1]) | (of[1:] != of[:-1])
    first = np.flatnonzero(is_first)
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(is_first)])
    return TokenCounts(before[indptr], ordered[first], np.diff(np.append(first, ordered.size)))


def entropy_bits(counts: TokenCounts) -> Floats:
    """Return the Shannon entropy of each group's tokens in bits, NaN for a group without any.

    The plug-in estimate: -sum of p log2 p with p = count / n. Of n tokens it is at most log2 n, so groups can be
    compared only at about equal n.
    """
    return _entropy(counts.indptr, counts.count)


def token_overlap(counts: TokenCounts, first: Int64, second: Int64) -> Floats:
    """Return what two groups' tokens have in common, [pairs]: the sum over tokens of the lesser of the two shares.

    1 where both hold the same tokens equally often, 0 where they share none (1 minus the total variation distance);
    NaN where one group is empty.
    """
    return _overlap(counts.indptr, counts.token, counts.count, first, second)


@njit(cache=True, nogil=True)
def _entropy(indptr: Int64, count: Int64) -> Floats:
    out = np.full(indptr.size - 1, np.nan)
    for group in range(indptr.size - 1):
        low, high = indptr[group], indptr[group + 1]
        n = count[low:high].sum()
        if n == 0:
            continue
        total = 0.0
        for i in range(low, high):
            if count[i] < n:
                total += count[i] * np.log2(n / count[i])
        out[group] = total / n
    return out


@njit(cache=True, nogil=True)
def _overlap(indptr: Int64, token: Int64, count: Int64, first: Int64, second: Int64) -> Floats:
    out = np.full(first.size, np.nan)
    for pair in range(first.size):
        i, end = indptr[first[pair]], indptr[first[pair] + 1]
        j, other_end = indptr[second[pair]], indptr[second[pair] + 1]
        n, m = count[i:end].sum(), count[j:other_end].sum()
        if n == 0 or m == 0:
            continue
        shared = 0
        while i < end and j < other_end:
            a, b = token[i], token[j]
            if a == b:
                # Over the common denominator, so that equal shares add up to 1 exactly.
                shared += min(count[i] * m, count[j] * n)
            i += a <= b
            j += b <= a
        out[pair] = shared / (n * m)
    return out
