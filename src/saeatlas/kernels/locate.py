"""Which range each of many sorted numbers falls in, by one merge instead of a search for each."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["places_in", "range_of"]

Int64 = npt.NDArray[np.int64]
UInt32 = npt.NDArray[np.uint32]


def places_in(
    starts: Int64, owner: UInt32, offset: UInt32, numbers: npt.NDArray[np.integer[Any]]
) -> tuple[UInt32, UInt32]:
    """Return the owner of the range that each number falls in, and its place there, both [numbers].

    Parameters
    ----------
    starts
        Where each range starts, int64 [ranges + 1], ascending; the last one is where the last range ends.
    owner, offset
        Of each range: whose it is, and the place of its first number, [ranges].
    numbers
        Sorted, from `starts[0]` to below `starts[-1]`.
    """
    fixed = numbers if numbers.dtype == np.uint32 else numbers.astype(np.int64, copy=False)
    return _places(starts, owner, offset, np.ascontiguousarray(fixed))


@njit(cache=True, nogil=True)
def range_of(starts: Int64, at: int, number: np.int64) -> int:
    """Return the last range that starts at or before a number, which does not lie before range `at`."""
    # Steps that double find the next range in few steps when numbers are far apart, in one when they are near.
    step = 1
    while at + step < starts.size and starts[at + step] <= number:
        at += step
        step *= 2
    while step > 1:
        step //= 2
        if at + step < starts.size and starts[at + step] <= number:
            at += step
    return at


@njit(cache=True, nogil=True)
def _places(starts: Int64, owner: UInt32, offset: UInt32, numbers: npt.NDArray[Any]) -> tuple[UInt32, UInt32]:
    owners = np.empty(numbers.size, np.uint32)
    places = np.empty(numbers.size, np.uint32)
    i, at = 0, 0
    while i < numbers.size:
        at = range_of(starts, at, np.int64(numbers[i]))
        end, mine, base = starts[at + 1], owner[at], np.int64(offset[at]) - starts[at]
        # Neighbours mostly share a range: what is known of it is not read again.
        while i < numbers.size and numbers[i] < end:
            owners[i] = mine
            places[i] = base + np.int64(numbers[i])
            i += 1
    return owners, places
