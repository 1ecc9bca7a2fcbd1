"""The tokens on which each feature fires, and where in documents: terms, entropy, stability and position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from saeatlas.kernels.stats import Counts, Floats, Values, float32_or_64

__all__ = ["NO_TOKEN", "Positions", "Terms", "inverse_document_frequency", "positions", "terms"]

NO_TOKEN = 0xFFFFFFFF
"""Stands where the token of a row is not available, or where a feature has no token at all."""


@dataclass(frozen=True)
class Terms:
    """The tokens of each of some neighbouring features: numbers about all of them, and the best ones by TF-IDF."""

    n_active: Counts
    """Active rows per feature."""
    n_without_token: Counts
    """Active rows whose token is not available; they are in none of the numbers below."""
    n_tokens: Counts
    """Different tokens per feature."""
    entropy: Floats
    """Shannon entropy in bits of the tokens of the active rows, plug-in estimate; NaN without tokens."""
    top_token: npt.NDArray[np.uint32]
    """Most frequent token, of equally frequent ones the lower; `NO_TOKEN` without tokens."""
    top_count: Counts
    """Active rows with the most frequent token."""
    indptr: Counts
    """Where each feature starts and ends in the arrays below, n_features + 1 numbers from 0."""
    token: npt.NDArray[np.uint32]
    """By descending TF-IDF; of equal ones the more frequent, then the lower token first."""
    count: Counts
    """Active rows with the token."""
    mean: Floats
    """Mean of their values."""
    std: Floats
    """Population standard deviation of their values, 0 for equal ones and for a single one."""

    @property
    def n_with_token(self) -> Counts:
        """Active rows whose token is available."""
        return self.n_active - self.n_without_token

    @property
    def entropy_corrected(self) -> Floats:
        """Entropy in bits with the correction of Miller and Madow for its bias: plus (n_tokens - 1) / (2 n ln 2).

        Miller, G. A. (1955), Note on the bias of information estimates, in H. Quastler (ed.), Information Theory in
        Psychology, 95-100. It corrects for the tokens that were seen; tokens that were never seen remain unknown.
        """
        n = self.n_with_token
        correction = (self.n_tokens - 1) / (2.0 * np.log(2.0) * np.maximum(n, 1))
        return np.asarray(np.where(n > 0, self.entropy + correction, np.nan), np.float64)


@dataclass(frozen=True)
class Positions:
    """Where in their documents each of some neighbouring features is active; 0 is the first row, 1 the last."""

    mean: Floats
    """Mean relative position, NaN without active rows."""
    std: Floats
    """Population standard deviation of the relative position, NaN without active rows."""
    counts: Counts
    """Active rows by bin, [n_features, n_bins]; bins are of equal width, the last one closed."""


def inverse_document_frequency(document_frequency: Counts, n_documents: int) -> Floats:
    """Return ln(N + 1) - ln(df + 1) of each token: 0 for one that every document has."""
    return np.asarray(np.log(n_documents + 1.0) - np.log(document_frequency + 1.0), np.float64)


def terms(indptr: Counts, tokens: npt.NDArray[Any], values: Values, idf: Floats, n: int) -> Terms:
    """Count the tokens of the rows where each feature is active, and keep the `n` best by TF-IDF.

    Parameters
    ----------
    indptr
        int64 [n_features + 1], from 0.
    tokens
        Vocabulary index of each entry, or `NO_TOKEN`.
    values
        Value of each entry; those at or below 0 are not active.
    idf
        Inverse document frequency of each token of the vocabulary, float64 [tokens].
    n
        Tokens to keep per feature.

    Notes
    -----
    TF-IDF is count / active rows with a token times idf. Entropy is the sum of p log2(1 / p), p being the share of
    a token among them. Standard deviations take a second pass over the entries, with deviations from the mean.
    Holds 44 bytes per vocabulary entry, and at most 32 for each of min(n, listed) tokens per feature.
    """
    found = _terms(
        np.ascontiguousarray(indptr, np.int64),
        np.ascontiguousarray(tokens, np.uint32),
        float32_or_64(values),
        np.ascontiguousarray(idf, np.float64),
        n,
    )
    return Terms(*found[0], *found[1])


def positions(
    indptr: Counts,
    documents: npt.NDArray[np.uint32],
    places: npt.NDArray[np.uint32],
    values: Values,
    lengths: Counts,
    n_bins: int,
) -> Positions:
    """Describe where in their documents the active rows of each feature are.

    Parameters
    ----------
    indptr
        int64 [n_features + 1], from 0.
    documents, places
        Document of each entry and its position there, from 0.
    values
        Value of each entry; those at or below 0 are not active.
    lengths
        Rows of each document, int64 [n_documents].
    n_bins
        Bins from 0 to 1.

    Notes
    -----
    The relative position is place / max(length - 1, 1). Bins are found with whole numbers, because products such as
    0.6 * 5 may round to the wrong side of a border.
    """
    found = _positions(
        np.ascontiguousarray(indptr, np.int64),
        (np.ascontiguousarray(documents, np.uint32), np.ascontiguousarray(places, np.uint32)),
        float32_or_64(values),
        np.ascontiguousarray(lengths, np.int64),
        n_bins,
    )
    return Positions(*found)


_PerFeature = tuple[Counts, Counts, Counts, Floats, npt.NDArray[np.uint32], Counts]
_PerToken = tuple[Counts, npt.NDArray[np.uint32], Counts, Floats, Floats]


@njit(cache=True, nogil=True)
def _terms(
    indptr: Counts, tokens: npt.NDArray[np.uint32], values: Values, idf: Floats, n: int
) -> tuple[_PerFeature, _PerToken]:
    n_features = indptr.size - 1
    room = 0
    for feature in range(n_features):
        room += min(n, idf.size, indptr[feature + 1] - indptr[feature])
    out_indptr = np.zeros(n_features + 1, np.int64)
    out_token, out_count = np.empty(room, np.uint32), np.empty(room, np.int64)
    out_mean, out_std = np.empty(room, np.float64), np.empty(room, np.float64)
    n_active, n_without = np.zeros(n_features, np.int64), np.zeros(n_features, np.int64)
    n_tokens, entropy = np.zeros(n_features, np.int64), np.full(n_features, np.nan)
    top_token, top_count = np.full(n_features, NO_TOKEN, np.uint32), np.zeros(n_features, np.int64)
    count, touched = np.zeros(idf.size, np.int64), np.empty(idf.size, np.uint32)
    # Rows: sum, later mean; sum of squared deviations; smallest and largest value.
    sums = np.zeros((idf.size, 4), np.float64)
    best = np.empty(min(n, idf.size), np.float64)
    at = 0
    for feature in range(n_features):
        span = (indptr[feature], indptr[feature + 1])
        n_active[feature], n_touched = _count(span, tokens, values, count, touched, sums)
        n_with, h = 0, 0.0
        for j in range(n_touched):
            n_with += count[touched[j]]
        for j in range(n_touched):
            token = touched[j]
            share = count[token] / n_with
            h += share * np.log2(n_with / count[token])
            if count[token] > top_count[feature] or (count[token] == top_count[feature] and token < top_token[feature]):
                top_token[feature], top_count[feature] = token, count[token]
        n_without[feature], n_tokens[feature] = n_active[feature] - n_with, n_touched
        if n_with:
            entropy[feature] = h
        kept = _keep_best(touched[:n_touched], count, idf, n_with, (best, out_token[at:], out_count[at:]))
        for j in range(at, at + kept):
            token, size = out_token[j], out_count[j]
            out_mean[j], out_std[j] = sums[token, 0], np.sqrt(sums[token, 1] / size)
        for j in range(n_touched):
            count[touched[j]] = 0
        at += kept
        out_indptr[feature + 1] = at
    of_features = n_active, n_without, n_tokens, entropy, top_token, top_count
    return of_features, (out_indptr, out_token[:at], out_count[:at], out_mean[:at], out_std[:at])


@njit(cache=True, nogil=True)
def _count(
    span: tuple[int, int],
    tokens: npt.NDArray[np.uint32],
    values: Values,
    count: Counts,
    touched: npt.NDArray[np.uint32],
    sums: Floats,
) -> tuple[int, int]:
    """Count one feature's tokens; return how many rows are active and how many different tokens they have."""
    n_active = n_touched = 0
    for i in range(span[0], span[1]):
        value = np.float64(values[i])
        if not value > 0.0:
            continue
        n_active += 1
        token = tokens[i]
        if token == NO_TOKEN:
            continue
        if count[token] == 0:
            touched[n_touched] = token
            n_touched += 1
            sums[token, 0], sums[token, 1], sums[token, 2], sums[token, 3] = 0.0, 0.0, value, value
        count[token] += 1
        sums[token, 0] += value
        sums[token, 2] = min(sums[token, 2], value)
        sums[token, 3] = max(sums[token, 3], value)
    for j in range(n_touched):
        token = touched[j]
        # The rounding of a sum must not give equal values a spread.
        is_one = sums[token, 2] == sums[token, 3]
        sums[token, 0] = sums[token, 2] if is_one else sums[token, 0] / count[token]
    for i in range(span[0], span[1]):
        value, token = np.float64(values[i]), tokens[i]
        if value > 0.0 and token != NO_TOKEN:
            sums[token, 1] += (value - sums[token, 0]) ** 2
    return n_active, n_touched


@njit(cache=True, nogil=True)
def _keep_best(
    touched: npt.NDArray[np.uint32],
    count: Counts,
    idf: Floats,
    n_with: int,
    out: tuple[Floats, npt.NDArray[np.uint32], Counts],
) -> int:
    """Write the tokens of the largest TF-IDF in order, and return how many they are."""
    best, out_token, out_count = out
    kept = 0
    for token in touched:
        size = count[token]
        score = size / n_with * idf[token]
        here = kept
        while here > 0 and (
            best[here - 1] < score
            or (
                best[here - 1] == score
                and (out_count[here - 1] < size or (out_count[here - 1] == size and out_token[here - 1] > token))
            )
        ):
            here -= 1
        if here == best.size:
            continue
        kept = min(kept + 1, best.size)
        for k in range(kept - 1, here, -1):
            best[k], out_token[k], out_count[k] = best[k - 1], out_token[k - 1], out_count[k - 1]
        best[here], out_token[here], out_count[here] = score, token, size
    return kept


@njit(cache=True, nogil=True)
def _positions(
    indptr: Counts,
    where: tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]],
    values: Values,
    lengths: Counts,
    n_bins: int,
) -> tuple[Floats, Floats, Counts]:
    documents, places = where
    n_features = indptr.size - 1
    mean, std = np.full(n_features, np.nan), np.full(n_features, np.nan)
    counts = np.zeros((n_features, n_bins), np.int64)
    for feature in range(n_features):
        low, high = indptr[feature], indptr[feature + 1]
        n, total = 0, 0.0
        for i in range(low, high):
            if values[i] > 0:
                last = max(lengths[documents[i]] - 1, 1)
                place = np.int64(places[i])
                counts[feature, min(place * n_bins // last, n_bins - 1)] += 1
                total += place / last
                n += 1
        if n == 0:
            continue
        middle, squares = total / n, 0.0
        for i in range(low, high):
            if values[i] > 0:
                relative = np.int64(places[i]) / max(lengths[documents[i]] - 1, 1)
                squares += (relative - middle) ** 2
        mean[feature], std[feature] = middle, np.sqrt(squares / n)
    return mean, std, counts
