"""What the directions of features are like, each by itself, and which are the same.

Sums are NumPy's own over the contiguous axis of products in float64, whose order depends on the length of a row only:
neither blocks nor the machine show in a number.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Duplicates", "cosines", "norms", "participation"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


def norms(rows: Array) -> Floats:
    """Return the Euclidean length of each row, [rows]."""
    wide = rows.astype(np.float64)
    return np.asarray(np.sqrt((wide * wide).sum(axis=1)))


def cosines(rows: Array, others: Array) -> Floats:
    """Return the cosine of each row with the other of the same place, or with the one vector given.

    Returns
    -------
    Floats
        [rows], -1 to 1; NaN where one of the two is zero.
    """
    wide, other = rows.astype(np.float64), np.atleast_2d(others.astype(np.float64))
    lengths = norms(wide) * norms(other)
    product = (wide * other).sum(axis=1)
    found = np.divide(product, lengths, out=np.full(len(wide), np.nan), where=lengths > 0)
    return np.asarray(np.clip(found, -1, 1))


def participation(rows: Array) -> Floats:
    """Return over how many axes each row spreads: (Σ x²)² / Σ x⁴, from 1 to the number of axes; NaN for zeros."""
    wide = np.abs(rows.astype(np.float64))
    largest = wide.max(axis=1, keepdims=True)
    # A row is compared with its largest number, so that powers neither vanish nor overflow.
    squares = np.square(np.divide(wide, largest, out=np.zeros_like(wide), where=largest > 0))
    fourth = np.square(squares).sum(axis=1)
    found = np.divide(np.square(squares.sum(axis=1)), fourth, out=np.full(len(wide), np.nan), where=fourth > 0)
    return np.asarray(found)


class Duplicates:
    """Finds rows that are the same, number for number, in blocks that come in order.

    Memory: 150 bytes per row.
    """

    def __init__(self, row: Callable[[int], Array]) -> None:
        self._row = row
        """Gives an earlier row again."""
        self._first: dict[bytes, int] = {}

    def of(self, rows: Array, start: int) -> npt.NDArray[np.int64]:
        """Return for each row the lowest id with the same numbers, or -1; rows of zeros are no direction, so -1.

        Parameters
        ----------
        rows
            The next rows.
        start
            Id of the first of them.
        """
        found = np.full(len(rows), -1, np.int64)
        # 0.0 and -0.0 are the same number.
        plain = np.ascontiguousarray(rows + 0.0)
        for place in np.flatnonzero(rows.any(axis=1)).tolist():
            digest = hashlib.blake2b(plain[place].tobytes(), digest_size=16).digest()
            first = self._first.setdefault(digest, start + place)
            earlier = plain[first - start] if first >= start else self._row(first)
            if first != start + place and np.array_equal(earlier, plain[place]):
                found[place] = first
        return found
