"""Which positions of a document stand around one of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["window_bounds"]

Int64 = npt.NDArray[np.int64]


def window_bounds(
    positions: npt.NDArray[np.integer[Any]], lengths: npt.NDArray[np.integer[Any]], size: int, *, is_shifted: bool
) -> tuple[Int64, Int64]:
    """Return the first position of each window and the one after its last, both int64 [n].

    A window of `size` positions has `size // 2` of them before its centre, so an even one has one less behind it.

    Parameters
    ----------
    positions
        Centre of each window, from 0 and below its length, [n].
    lengths
        Positions of each document, [n].
    size
        Positions of a window, at least 1.
    is_shifted
        Whether a window that would reach beyond an end of the document is moved until it does not, so that it is
        shorter than `size` only where the document is. Otherwise what lies beyond is cut off.
    """
    start = np.asarray(positions, np.int64) - size // 2
    length = np.asarray(lengths, np.int64)
    if is_shifted:
        start = np.clip(start, 0, np.maximum(length - size, 0))
    return np.maximum(start, 0), np.minimum(start + size, length)
