"""Fetch a column that is aligned with rows for entries that are ordered by feature."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["gather_into"]

Array = npt.NDArray[Any]


def gather_into(
    out: Array, column: Array, rows: Array, first_row: int, *, starts: npt.NDArray[np.int64], counts: Array
) -> None:
    """Set `out[i] = column[rows[i] - first_row]` for the entries of one segment.

    Parameters
    ----------
    out
        Aligned with `rows`.
    column
        One number per row of the segment.
    rows
        Global rows, by feature, then row.
    first_row
        First row of the segment.
    starts, counts
        Where the segment's entries of each feature start in `rows`, and how many they are, [features].
    """
    _gather(out, np.ascontiguousarray(column), rows, first_row, starts, counts)


@njit(cache=True, nogil=True)
def _gather(out: Array, column: Array, rows: Array, first_row: int, starts: Array, counts: Array) -> None:
    for feature in range(starts.size):
        start = starts[feature]
        for at in range(start, start + counts[feature]):
            out[at] = column[np.int64(rows[at]) - first_row]
