"""Association of features with a property of documents: effect sizes, p-values and false discovery rates."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from saeatlas.kernels.documents import DocumentSums
from saeatlas.kernels.stats import Counts, Floats

__all__ = [
    "CramersV",
    "LevelSums",
    "Spearman",
    "average_ranks",
    "benjamini_hochberg",
    "chi_square_tail",
    "correlation_tail",
    "cramers_v",
    "per_level",
    "rank_order",
    "spearman",
]

_LEAST_EXPECTED = 5.0
_EPSILON = 1e-16
_TINY = 1e-300


@dataclass(frozen=True)
class LevelSums:
    """Sums by feature and level, each [n_features, n_levels]."""

    n_active: Counts
    """Active rows in documents of the level."""
    sum: Floats
    """Sum of their values."""
    n_documents_active: Counts
    """Documents of the level with at least one active row."""


@dataclass(frozen=True)
class CramersV:
    """One number per feature; NaN where a feature fires in no document or in all of them."""

    effect: Floats
    """Cramér's V, 0 to 1."""
    corrected: Floats
    """The same with Bergsma's correction of its bias."""
    p: Floats
    """Upper tail of the chi-square distribution with levels - 1 degrees of freedom; exact bound for small counts."""
    min_expected: Floats
    """Smallest expected count of the table; below 5, where the chi-square approximation fails, p is the exact bound."""


@dataclass(frozen=True)
class Spearman:
    """One number per feature; NaN where it is undefined."""

    rho: Floats
    """Spearman's rank correlation, ties at their average rank."""
    p: Floats
    """Two-sided, by the t distribution with n - 2 degrees of freedom."""
    n_documents_active: Counts
    """Documents with a value in which the feature is active."""


def per_level(sums: DocumentSums, levels: npt.NDArray[np.int32], n_levels: int) -> LevelSums:
    """Add up sums by document over the documents of each level.

    Parameters
    ----------
    sums
        Sums by feature and document.
    levels
        Level of each document, int32 [n_documents]; -1 leaves a document out.
    n_levels
        Number of levels.
    """
    return LevelSums(*_per_level(sums.indptr, sums.documents, sums.count, sums.sum, levels, n_levels))


def cramers_v(n_documents_active: Counts, n_documents: Counts) -> CramersV:
    """Measure how much the share of documents in which a feature fires differs between levels.

    Parameters
    ----------
    n_documents_active
        Documents with the feature, int64 [n_features, n_levels].
    n_documents
        Documents, int64 [n_levels]. Levels without documents are left out.

    Notes
    -----
    Pearson's chi-square of the table of fires or not by level, without continuity correction; V = sqrt(chi² / n).
    Corrected: Bergsma, W. (2013), A bias-correction for Cramér's V and Tschuprow's T,
    J. Korean Stat. Soc. 42(3), 323-328.

    Where the smallest expected count is below 5, chi-square promises far too much: of features that are active in a
    few documents, one in a hundred would have p < 1e-4 by chance. There, p is that of the most surprising level, times
    the number of levels (Bonferroni; two levels are one question). A level's p is twice the exact tail of the
    hypergeometric distribution beyond its count. This holds for any counts and errs on the careful side.
    """
    used = n_documents > 0
    found = _cramers_v(
        np.ascontiguousarray(n_documents_active[:, used], np.int64), np.ascontiguousarray(n_documents[used], np.int64)
    )
    return CramersV(*found)


def rank_order(sums: DocumentSums, n_rows: Counts) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return each document's mean activation over all its rows, and the order that sorts it within a feature.

    Parameters
    ----------
    sums
        Sums by feature and document.
    n_rows
        Rows of each document, int64 [n_documents], above 0 wherever a feature is active.

    Returns
    -------
    means
        Aligned with `sums.documents`: sum / n_rows.
    order
        Positions in `means`; within each feature by ascending mean.
    """
    means = sums.sum / n_rows[sums.documents]
    order = np.empty(means.size, np.int64)
    bounds = sums.indptr.tolist()
    # NumPy's argsort has SIMD. It is not stable, but ties all get their average rank.
    for low, high in pairwise(bounds):
        if high > low:
            order[low:high] = np.argsort(means[low:high])
            order[low:high] += low
    return means, order


def spearman(sums: DocumentSums, means: Floats, order: npt.NDArray[np.int64], ranks: Floats) -> Spearman:
    """Correlate ranks of documents by mean activation with their ranks by a number.

    Documents without the feature have mean 0 and share the lowest average rank.

    Parameters
    ----------
    sums, means, order
        As `rank_order` takes and gives them.
    ranks
        Average rank from 1 of each document by the number, float64 [n_documents]; NaN leaves a document out.
    """
    return Spearman(*_spearman(sums.indptr, sums.documents, means, order, ranks))


def average_ranks(values: npt.NDArray[Any]) -> Floats:
    """Rank numbers from 1, equal ones at their average rank."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[inverse], np.float64)


def benjamini_hochberg(p: Floats) -> Floats:
    """Return the false discovery rate at which each hypothesis is rejected; NaN is no hypothesis and stays NaN.

    Notes
    -----
    Benjamini, Y. & Hochberg, Y. (1995), Controlling the false discovery rate, J. R. Stat. Soc. B 57(1), 289-300.
    """
    q = np.full(p.size, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    scaled = p[order] * order.size / np.arange(1, order.size + 1)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


@njit(cache=True, nogil=True)
def _per_level(
    indptr: Counts,
    documents: npt.NDArray[np.uint32],
    count: Counts,
    total: Floats,
    levels: npt.NDArray[np.int32],
    n_levels: int,
) -> tuple[Counts, Floats, Counts]:
    n_features = indptr.size - 1
    n_active = np.zeros((n_features, n_levels), np.int64)
    sums = np.zeros((n_features, n_levels), np.float64)
    n_documents = np.zeros((n_features, n_levels), np.int64)
    for feature in range(n_features):
        for i in range(indptr[feature], indptr[feature + 1]):
            level = levels[documents[i]]
            if level >= 0:
                n_active[feature, level] += count[i]
                sums[feature, level] += total[i]
                n_documents[feature, level] += 1
    return n_active, sums, n_documents


@njit(cache=True, nogil=True)
def _cramers_v(active: Counts, totals: Counts) -> tuple[Floats, Floats, Floats, Floats]:
    n_features, n_levels = active.shape
    effect, corrected = np.full(n_features, np.nan), np.full(n_features, np.nan)
    p, min_expected = np.full(n_features, np.nan), np.full(n_features, np.nan)
    n, least_total = 0, totals[0] if n_levels else 0
    for total in totals:
        n += total
        least_total = min(least_total, total)
    for feature in range(n_features):
        fires = 0
        for level in range(n_levels):
            fires += active[feature, level]
        if fires == 0 or fires == n or n_levels < 2:  # noqa: PLR1714  # a tuple compiles slowly
            continue
        share = fires / n
        statistic = 0.0
        for level in range(n_levels):
            difference = active[feature, level] - totals[level] * share
            statistic += difference * difference / (totals[level] * share * (1.0 - share))
        effect[feature] = math.sqrt(min(statistic / n, 1.0))
        min_expected[feature] = least_total * min(share, 1.0 - share)
        if min_expected[feature] < _LEAST_EXPECTED:
            p[feature] = _exact_bound(active[feature], totals, fires, n)
        else:
            p[feature] = chi_square_tail(statistic, n_levels - 1)
        if n > 1:
            excess = max(statistic / n - (n_levels - 1) / (n - 1), 0.0)
            rows = 2.0 - 1.0 / (n - 1)
            columns = n_levels - (n_levels - 1) ** 2 / (n - 1)
            least = min(rows, columns) - 1.0
            if least > 0.0:
                corrected[feature] = math.sqrt(min(excess / least, 1.0))
    return effect, corrected, p, min_expected


@njit(cache=True, nogil=True)
def _exact_bound(active: Counts, totals: Counts, fires: int, n: int) -> float:
    """Return twice the exact tail of the most surprising level, times the levels when there are more than two."""
    least = 1.0
    for level in range(totals.size):
        least = min(least, _hypergeometric_tail(active[level], totals[level], fires, n))
    return min(2.0 * least * (totals.size if totals.size > 2 else 1), 1.0)


@njit(cache=True, nogil=True)
def _hypergeometric_tail(count: int, total: int, fires: int, n: int) -> float:
    """Return the chance of `count` or further from the mean on its side, of `total` drawn from `n` with `fires`."""
    if count * n < fires * total:
        # Few that fire among those drawn are many that are silent.
        count, fires = total - count, n - fires
    log_first = _log_choose(fires, count) + _log_choose(n - fires, total - count) - _log_choose(n, total)
    term = whole = 1.0
    x = count
    # Beyond the mean terms fall, so what is left is soon too small to count.
    while term > whole * _EPSILON and x < min(fires, total):
        term *= (fires - x) * (total - x) / ((x + 1.0) * (n - fires - total + x + 1.0))
        whole += term
        x += 1
    return min(whole * math.exp(log_first), 1.0)


@njit(cache=True, nogil=True)
def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1.0) - math.lgamma(k + 1.0) - math.lgamma(n - k + 1.0)


@njit(cache=True, nogil=True)
def _spearman(
    indptr: Counts, documents: npt.NDArray[np.uint32], means: Floats, order: npt.NDArray[np.int64], ranks: Floats
) -> tuple[Floats, Floats, Counts]:
    n_features = indptr.size - 1
    rho, p = np.full(n_features, np.nan), np.full(n_features, np.nan)
    n_active = np.zeros(n_features, np.int64)
    n = 0
    for rank in ranks:
        n += 0 if math.isnan(rank) else 1
    middle, spread = (n + 1) / 2, 0.0
    centred = ranks - middle
    for rank in centred:
        spread += 0.0 if math.isnan(rank) else rank * rank
    for feature in range(n_features):
        low, high = indptr[feature], indptr[feature + 1]
        for i in range(low, high):
            n_active[feature] += 0 if math.isnan(centred[documents[i]]) else 1
        if n_active[feature] == 0 or n < 3 or spread == 0.0:
            continue
        n_silent = n - n_active[feature]
        silent_rank = (n_silent + 1) / 2 - middle
        own_spread = n_silent * silent_rank * silent_rank
        product, others, below = 0.0, 0.0, n_silent
        i = low
        while i < high:
            # Ranks are halves, so the sum over a tie is exact and does not depend on the order within it.
            value, tie, total = means[order[i]], 0, 0.0
            while i < high and means[order[i]] == value:
                rank = centred[documents[order[i]]]
                if not math.isnan(rank):
                    tie += 1
                    total += rank
                i += 1
            own = below + (tie + 1) / 2 - middle
            product += own * total
            own_spread += tie * own * own
            others += total
            below += tie
        product -= silent_rank * others
        if own_spread > 0.0:
            found = min(max(product / math.sqrt(own_spread * spread), -1.0), 1.0)
            rho[feature], p[feature] = found, correlation_tail(found, n)
    return rho, p, n_active


@njit(cache=True, nogil=True)
def chi_square_tail(statistic: float, degrees: int) -> float:
    """Return the probability that a chi-square variable exceeds `statistic` (regularised upper incomplete gamma)."""
    a, x = 0.5 * degrees, 0.5 * statistic
    if x <= 0.0:
        return 1.0
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1.0:
        term = total = 1.0 / a
        k = a
        while term > total * _EPSILON:
            k += 1.0
            term *= x / k
            total += term
        return min(max(1.0 - total * scale, 0.0), 1.0)
    # Lentz's continued fraction.
    b = x + 1.0 - a
    c, d = 1.0 / _TINY, 1.0 / b
    h = d
    for i in range(1, 100_000):
        step = -i * (i - a)
        b += 2.0
        d = step * d + b
        d = 1.0 / (d if abs(d) > _TINY else _TINY)
        c = b + step / c
        c = c if abs(c) > _TINY else _TINY
        h *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return min(max(scale * h, 0.0), 1.0)


@njit(cache=True, nogil=True)
def correlation_tail(r: float, n: int) -> float:
    """Return the two-sided p-value of a correlation of `n` pairs: t = r sqrt((n - 2) / (1 - r²)), n - 2 degrees."""
    # The tail of t is the regularised incomplete beta function of 1 - r² with (n - 2) / 2 and 1 / 2.
    a, b, y = 0.5 * (n - 2), 0.5, r * r
    if y >= 1.0:
        return 0.0
    if y <= 0.0:
        return 1.0
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log1p(-y) + b * math.log(y)
    front = math.exp(log_front)
    if 1.0 - y < (a + 1.0) / (a + b + 2.0):
        return min(front * _beta_fraction(a, b, 1.0 - y) / a, 1.0)
    return min(max(1.0 - front * _beta_fraction(b, a, y) / b, 0.0), 1.0)


@njit(cache=True, nogil=True)
def _beta_fraction(a: float, b: float, x: float) -> float:
    """Evaluate the continued fraction of the incomplete beta function by Lentz's method."""
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > _TINY else _TINY)
    h = d
    for m in range(1, 100_000):
        step = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        d = 1.0 + step * d
        d = 1.0 / (d if abs(d) > _TINY else _TINY)
        c = 1.0 + step / c
        c = c if abs(c) > _TINY else _TINY
        h *= d * c
        step = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        d = 1.0 + step * d
        d = 1.0 / (d if abs(d) > _TINY else _TINY)
        c = 1.0 + step / c
        c = c if abs(c) > _TINY else _TINY
        h *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return h
