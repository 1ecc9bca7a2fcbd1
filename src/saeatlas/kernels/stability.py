"""Whether clusters are found again: the best match of each cluster in other clusterings of some of the same things."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["best_jaccard"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def best_jaccard(reference: Ints, other: Ints) -> Floats:
    """Return for each cluster of one clustering its largest Jaccard similarity to a cluster of another.

    The Jaccard similarity of two sets is the size of their intersection over that of their union. Its mean over
    clusterings of resampled data says how stable a cluster is (C. Hennig, 2007, Cluster-wise assessment of cluster
    stability, Computational Statistics & Data Analysis 52(1), 258-271).

    Parameters
    ----------
    reference
        Cluster of each thing from 0; negative in no cluster. int64 [n].
    other
        The same by the other clustering, of the same things, int64 [n].

    Returns
    -------
    Floats
        float64 [clusters of `reference`, up to the largest number]: 0 when the other clustering has no cluster that
        shares a thing, NaN for a number that no thing has, because such a cluster was not there to be found.
    """
    n_reference = int(reference.max(initial=-1)) + 1
    n_other = int(other.max(initial=-1)) + 1
    return _best(reference, other, n_reference, n_other)


@njit(cache=True, nogil=True)
def _best(reference: Ints, other: Ints, n_reference: int, n_other: int) -> Floats:
    sizes, other_sizes = np.zeros(n_reference, np.int64), np.zeros(n_other, np.int64)
    for i in range(reference.size):
        if reference[i] >= 0:
            sizes[reference[i]] += 1
        if other[i] >= 0:
            other_sizes[other[i]] += 1
    # Things by cluster of the reference, so that one line of counts is enough.
    starts = np.zeros(n_reference + 1, np.int64)
    starts[1:] = np.cumsum(sizes)
    things, fill = np.empty(starts[-1], np.int64), starts[:-1].copy()
    for i in range(reference.size):
        if reference[i] >= 0:
            things[fill[reference[i]]] = i
            fill[reference[i]] += 1
    out = np.full(n_reference, np.nan)
    shared = np.zeros(n_other, np.int64)
    for cluster in range(n_reference):
        members = things[starts[cluster] : starts[cluster + 1]]
        best = 0.0
        for i in members:
            if other[i] >= 0:
                shared[other[i]] += 1
        for i in members:
            match = other[i]
            if match >= 0 and shared[match] > 0:
                found = shared[match] / (members.size + other_sizes[match] - shared[match])
                best = max(best, found)
                shared[match] = 0
        if members.size:
            out[cluster] = best
    return out
