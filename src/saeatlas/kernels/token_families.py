"""Activation by level of a property that every document has one level of: moments over all documents, intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from saeatlas.kernels.association import correlation_tail
from saeatlas.kernels.stats import Counts, Floats

__all__ = [
    "Cells",
    "add_up",
    "cell_moments",
    "mean_interval",
    "partial_correlation",
    "t_quantile",
    "welch_interval",
]

_Z = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""
_EPSILON = 2.220446049250313e-16
_LEAST_EXPANDED = 30.0
"""Degrees of freedom from which the expansion of Student's quantile is good to seven digits."""


@dataclass(frozen=True)
class Cells:
    """Features by cells, a cell being the documents of one level of one family; arrays [n_features, n_cells]."""

    n_documents: npt.NDArray[Any]
    """Documents of each cell, silent ones included; int64 [n_cells], or [n_features, n_cells]."""
    n_active: Counts
    """Documents of the cell in which the feature fires."""
    sum: Floats
    """Sum of its activations there."""
    squares: Floats
    """Sum of squared deviations from the cell's mean, over all documents of the cell, silent ones being 0."""

    @property
    def mean(self) -> Floats:
        """Mean over all documents of the cell; NaN for a cell without documents."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.sum / self.n_documents, np.float64)

    @property
    def mean_active(self) -> Floats:
        """Mean over those in which the feature fires; NaN without any."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.sum / self.n_active, np.float64)

    @property
    def std(self) -> Floats:
        """Sample standard deviation over all documents of the cell; NaN for fewer than two."""
        n = np.broadcast_to(self.n_documents, self.squares.shape)
        spread = np.sqrt(self.squares / np.maximum(n - 1, 1))
        return np.asarray(np.where(n > 1, spread, np.nan), np.float64)


def cell_moments(
    indptr: Counts,
    documents: npt.NDArray[np.uint32],
    activations: Floats,
    cells: npt.NDArray[np.int32],
    n_documents: Counts,
) -> Cells:
    """Add up activations by cell.

    Parameters
    ----------
    indptr, documents, activations
        Documents in which each feature fires, and its activation there, above 0.
    cells
        Cell of each document in each family, int32 [n_documents, n_families]; -1 leaves a document out.
    n_documents
        Documents of each cell, int64 [n_cells].

    Notes
    -----
    Deviations are from the mean, in a second pass; a cell's silent documents add their number times the mean squared.
    """
    found = _moments(indptr, documents, activations, np.ascontiguousarray(cells, np.int32), n_documents)
    return Cells(n_documents, *found)


def add_up(cells: Cells) -> Cells:
    """Return all cells taken together as one, [n_features, 1]."""
    n = np.broadcast_to(cells.n_documents, cells.sum.shape)
    whole, total = n.sum(axis=1, keepdims=True), cells.sum.sum(axis=1, keepdims=True)
    mean = total / np.maximum(whole, 1)
    own = np.where(n > 0, cells.sum / np.maximum(n, 1), 0.0)
    # Squares of float64 values beyond 1e154 overflow: what they belong to is then undefined.
    with np.errstate(over="ignore", invalid="ignore"):
        squares = (cells.squares + n * (own - mean) ** 2).sum(axis=1, keepdims=True)
        squares[squares <= whole * (whole * _EPSILON * mean) ** 2] = 0.0
    return Cells(whole, cells.n_active.sum(axis=1, keepdims=True), total, squares)


def t_quantile(degrees: npt.NDArray[Any]) -> Floats:
    """Return the 97.5 % quantile of Student's distribution; NaN for degrees of freedom that are not above 0.

    Notes
    -----
    Below 30 degrees of freedom by bisection of its tail, above by the expansion in 1 / degrees, Abramowitz, M. &
    Stegun, I. A. (1964), Handbook of Mathematical Functions, 26.7.5.
    """
    flat = np.asarray(degrees, np.float64)
    return _t_quantiles(np.ascontiguousarray(flat.ravel())).reshape(flat.shape)


def mean_interval(cells: Cells) -> tuple[Floats, Floats]:
    """Return the 95 % interval of each cell's mean: Student's; NaN where no spread is seen."""
    n = np.broadcast_to(cells.n_documents, cells.sum.shape)
    spread = cells.std
    half = t_quantile(n - 1) * spread / np.sqrt(np.maximum(n, 1))
    half = np.where(spread > 0, half, np.nan)
    return cells.mean - half, cells.mean + half


def welch_interval(one: Cells, other: Cells) -> tuple[Floats, Floats]:
    """Return the 95 % interval of the difference of two means, `one` less `other`; NaN where no spread is seen.

    Notes
    -----
    Welch, B. L. (1947), The generalization of "Student's" problem when several different population variances are
    involved, Biometrika 34, 28-35: variances need not be equal, and the degrees of freedom are estimated.
    """
    difference = one.mean - other.mean
    n1, n2 = (np.broadcast_to(cells.n_documents, difference.shape) for cells in (one, other))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        part1, part2 = one.std**2 / n1, np.broadcast_to(other.std**2 / other.n_documents, difference.shape)
        variance = part1 + part2
        degrees = variance**2 / (part1**2 / (n1 - 1) + part2**2 / (n2 - 1))
    half = t_quantile(degrees) * np.sqrt(variance)
    return difference - half, difference + half


def partial_correlation(xy: Floats, xz: Floats, yz: float, n: int) -> tuple[Floats, Floats]:
    """Return the correlation of x and y with z held fixed, and its two-sided p by t with n - 3 degrees of freedom.

    Parameters
    ----------
    xy, xz, yz
        Correlations of `n` triples, of ranks or of numbers. NaN in `xz` or `yz` is a z that is constant, so that there
        is nothing to hold fixed: then the answer is `xy`, with n - 2 degrees of freedom.

    Returns
    -------
    correlation, p
        NaN where `xy` is, where z says all about x or y, and for fewer than four triples.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        held = (xy - xz * yz) / np.sqrt((1.0 - xz**2) * (1.0 - yz**2))
    is_free = np.isnan(xz) | np.isnan(yz)
    found = np.where(is_free, xy, np.where(np.isfinite(held) & (n > 3), np.clip(held, -1.0, 1.0), np.nan))
    return found, _tails(found, np.where(is_free, n, n - 1).astype(np.float64))


@njit(cache=True, nogil=True)
def _tails(r: Floats, n: Floats) -> Floats:
    out = np.full(r.size, np.nan)
    for i in range(r.size):
        if not np.isnan(r[i]):
            out[i] = correlation_tail(r[i], n[i])
    return out


@njit(cache=True, nogil=True)
def _moments(
    indptr: Counts,
    documents: npt.NDArray[np.uint32],
    activations: Floats,
    cells: npt.NDArray[np.int32],
    n_documents: Counts,
) -> tuple[Counts, Floats, Floats]:
    n_features, n_cells = indptr.size - 1, n_documents.size
    n_active = np.zeros((n_features, n_cells), np.int64)
    total, squares = np.zeros((n_features, n_cells)), np.zeros((n_features, n_cells))
    mean = np.empty(n_cells)
    for feature in range(n_features):
        low, high = indptr[feature], indptr[feature + 1]
        for i in range(low, high):
            for family in range(cells.shape[1]):
                cell = cells[documents[i], family]
                if cell >= 0:
                    n_active[feature, cell] += 1
                    total[feature, cell] += activations[i]
        for cell in range(n_cells):
            mean[cell] = total[feature, cell] / n_documents[cell] if n_documents[cell] else 0.0
            squares[feature, cell] = (n_documents[cell] - n_active[feature, cell]) * mean[cell] ** 2
        for i in range(low, high):
            for family in range(cells.shape[1]):
                cell = cells[documents[i], family]
                if cell >= 0:
                    squares[feature, cell] += (activations[i] - mean[cell]) ** 2
        for cell in range(n_cells):
            # The rounding of a mean must not give equal values a spread.
            if squares[feature, cell] <= n_documents[cell] * (n_documents[cell] * _EPSILON * mean[cell]) ** 2:
                squares[feature, cell] = 0.0
    return n_active, total, squares


@njit(cache=True, nogil=True)
def _t_quantiles(degrees: Floats) -> Floats:
    out = np.full(degrees.size, np.nan)
    for i in range(degrees.size):
        v = degrees[i]
        if v >= _LEAST_EXPANDED:
            z, s = _Z, _Z * _Z
            first = (s + 1.0) / 4.0
            second = ((5.0 * s + 16.0) * s + 3.0) / 96.0
            third = (((3.0 * s + 19.0) * s + 17.0) * s - 15.0) / 384.0
            fourth = ((((79.0 * s + 776.0) * s + 1482.0) * s - 1920.0) * s - 945.0) / 92160.0
            out[i] = z * (1.0 + (first + (second + (third + fourth / v) / v) / v) / v)
        elif v > 0.0:
            # t = r sqrt(v / (1 - r²)), whose two-sided tail falls from 1 at r = 0 to 0 at r = 1.
            low, high = 0.0, 1.0
            for _ in range(60):
                r = 0.5 * (low + high)
                if correlation_tail(r, v + 2.0) > 0.05:
                    low = r
                else:
                    high = r
            out[i] = low * np.sqrt(v / ((1.0 - low) * (1.0 + low)))
    return out
