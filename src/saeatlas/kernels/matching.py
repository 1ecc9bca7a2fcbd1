"""The best one-to-one assignment between two sets of features, given scores of pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["assign"]

_MAX_DENSE = 1 << 22
"""Scores that are laid out in full: 34 MB."""


def assign(
    sizes: tuple[int, int], left: npt.NDArray[Any], right: npt.NDArray[Any], score: npt.NDArray[np.float64]
) -> npt.NDArray[np.int64]:
    """Choose pairs, each left and each right one in at most one of them, so that their scores sum to the most.

    Parameters
    ----------
    sizes
        How many there are on the left and on the right.
    left, right, score
        Pairs, each once, and what each is worth, above 0. No other pair can be chosen.

    Returns
    -------
    int64 [left]
        The right one of each left one, or -1.

    Notes
    -----
    Few pairs in all are solved as a dense problem, many as a sparse one; both are exact. A sparse problem needs an
    answer in which everything on the left has a partner: each gets a private one, worth nothing.

    Crouse, D. F. (2016). On implementing 2D rectangular assignment algorithms. IEEE Transactions on Aerospace and
    Electronic Systems 52(4), 1679-1696. Jonker, R. and Volgenant, A. (1987). A shortest augmenting path algorithm for
    dense and sparse linear assignment problems. Computing 38, 325-340.
    """
    n_left, n_right = sizes
    found = np.full(n_left, -1, np.int64)
    if not score.size:
        return found
    if n_left * n_right <= _MAX_DENSE:
        from scipy.optimize import linear_sum_assignment

        table = np.zeros(sizes)
        table[left, right] = score
        rows, columns = linear_sum_assignment(table, maximize=True)
        worth = table[rows, columns] > 0
        found[rows[worth]] = columns[worth]
        return found
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    everyone = np.arange(n_left)
    # Costs must not be 0, and every left one has exactly one: a constant on all of them changes nothing.
    nothing = float(score.max()) + 1.0
    cost = np.concatenate([nothing - score, np.full(n_left, nothing)])
    ends = np.concatenate([left, everyone]), np.concatenate([right, n_right + everyone])
    lines, partners = min_weight_full_bipartite_matching(csr_array((cost, ends), (n_left, n_right + n_left)))
    real = partners < n_right
    found[lines[real]] = partners[real]
    return found
