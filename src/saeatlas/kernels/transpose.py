"""Turn rows of entries into columns: a counting sort over ranges of features, so that memory is bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["Rows", "transpose"]

Array = npt.NDArray[Any]
Ranges = Callable[[npt.NDArray[np.int64]], Iterator[tuple[int, int]]]

N_THREADS = 2
"""Each takes half of the rows; more would steal cores from other worker processes."""


@dataclass(frozen=True)
class Rows:
    """Neighbouring rows, row-major."""

    first_row: int
    """Number of the first of them, below 2^32."""
    indptr: npt.NDArray[np.int64]
    """Where each row starts and ends in the other arrays, n_rows + 1 numbers from 0."""
    features: Array
    """Feature of each entry, ascending in each row, any unsigned dtype."""
    values: Array
    """Value of each entry."""


def transpose(
    parts: Sequence[Rows], n_features: int, dtype: npt.DTypeLike, cut: Ranges
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32], Array]]:
    """Yield ranges of features in order: bounds from 0, ascending rows, values.

    Rows and values are overwritten while the range after the next is made: be done with one range before asking for
    the next but one.

    Parameters
    ----------
    parts
        Rows in order.
    n_features
        All ids are below it.
    dtype
        Of the values that are yielded: 4 or 8 bytes; values are converted to it.
    cut
        Given the entries of each feature, int64 [n_features], yields (first, stop) of each range, in order.

    Notes
    -----
    Peak memory: the largest range of entries twice, 8 bytes per row, 8 bytes per feature and thread.
    """
    shares = _shares(parts)
    with ThreadPoolExecutor(len(shares), thread_name_prefix="saeatlas-transpose") as pool:
        counts = list(pool.map(lambda share: _counts(share, n_features), shares))
        total = np.sum(counts, axis=0)
        read_from = [[part.indptr[:-1].copy() for part in share] for share in shares]
        ranges = list(cut(total))
        sizes = [int(total[first:stop].sum()) for first, stop in ranges]
        # Memory that was never touched costs more than the sorting: what was yielded is written over.
        room = [(np.empty(max(sizes, default=0), np.uint32), np.empty(max(sizes, default=0), dtype)) for _ in "ab"]
        for number, ((first, stop), size) in enumerate(zip(ranges, sizes, strict=True)):
            indptr = np.zeros(stop - first + 1, np.int64)
            np.cumsum(total[first:stop], out=indptr[1:])
            rows, values = (array[:size] for array in room[number % 2])
            # Within each feature, a share begins behind the entries of the shares before it.
            nexts = [indptr[:-1].copy()]
            for count in counts[:-1]:
                nexts.append(nexts[-1] + count[first:stop])
            jobs = zip(shares, read_from, nexts, strict=True)
            waiting = [pool.submit(_scatter_share, *job, (first, stop), (rows, values)) for job in jobs]
            for job in waiting:
                job.result()
            yield indptr, rows, values


def _shares(parts: Sequence[Rows]) -> list[Sequence[Rows]]:
    """Cut the parts into `N_THREADS` neighbouring groups of about as many entries each."""
    ends = np.cumsum([part.features.size for part in parts])
    marks = (
        [int(np.searchsorted(ends, ends[-1] * n / N_THREADS)) + 1 for n in range(1, N_THREADS)] if len(parts) else []
    )
    bounds = [0, *marks, len(parts)]
    return [parts[low:high] for low, high in pairwise(bounds)]


def _counts(share: Sequence[Rows], n_features: int) -> npt.NDArray[np.int64]:
    counts = np.zeros(n_features, np.int64)
    for part in share:
        _count(part.features, counts)
    return counts


def _scatter_share(
    share: Sequence[Rows],
    read_from: Sequence[Array],
    nexts: npt.NDArray[np.int64],
    span: tuple[int, int],
    out: tuple[npt.NDArray[np.uint32], Array],
) -> None:
    rows, values = out
    unsigned = f"u{values.itemsize}"
    for part, starts in zip(share, read_from, strict=True):
        words = part.values.astype(values.dtype, copy=False).view(unsigned)
        _scatter(
            (part.indptr, part.features, words), part.first_row, starts, span, nexts, (rows, values.view(unsigned))
        )


@njit(cache=True, nogil=True)
def _count(features: Array, counts: Array) -> None:
    for at in range(features.size):
        counts[features[at]] += 1


@njit(cache=True, nogil=True)
def _scatter(
    source: tuple[Array, Array, Array],
    first_row: int,
    read_from: Array,
    span: tuple[int, int],
    nexts: Array,
    out: tuple[Array, Array],
) -> None:
    """Move the entries of a span from sorted rows to their places; `read_from` and `nexts` move on."""
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
