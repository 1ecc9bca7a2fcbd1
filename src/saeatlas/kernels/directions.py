"""Directions of features and the cosines between them, with NumPy alone: one feature must not load a compiler.

A cosine is `dot / sqrt(squares_i squares_j)` in float64. Sums of products run in 64 lanes, element t in lane
t mod 64, which are added as a tree at the end: an order that compiled code can follow to the last bit. So the cosine of
a pair is the same number whichever of the two is asked, and whoever computes it; equal rows have a cosine of exactly 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from saeatlas.errors import InvalidInput

__all__ = [
    "LANES",
    "Read",
    "blocks_of",
    "check_finite",
    "cosines_to",
    "nearest_to_one",
    "prepared",
    "product_error",
    "square_sums",
]

Array = npt.NDArray[Any]
Read = Callable[[int, int], Array]
"""Gives the rows from a start up to a stop, float32 or float64 [stop - start, d]."""

LANES = 64
"""Enough to keep a processor busy that adds eight numbers at once, several times in flight."""
_BLOCK_BYTES = 32_000_000


def prepared(rows: Array, first: int = 0) -> Array:
    """Return rows as they are compared: each times a power of two, so that its largest number lies in [0.5, 1).

    Such a factor is exact and changes no cosine; without it squares of tiny or huge numbers would leave the range of
    floating point. float32 and float64 stay, everything else becomes float64.

    Raises
    ------
    InvalidInput
        When a number is NaN or infinite; `first` is the id of the first row, for the message.
    """
    rows = np.asarray(rows)
    rows = rows if rows.dtype in (np.float32, np.float64) else rows.astype(np.float64)
    if not rows.size:
        return np.ascontiguousarray(rows)
    largest = np.maximum(rows.max(axis=1), -rows.min(axis=1))
    check_finite(largest, first)
    exponents = -np.frexp(largest)[1][:, None]
    if np.abs(exponents).max() < 100:
        # The same numbers as those of `ldexp`, in a fraction of the time.
        return np.asarray(rows * np.ldexp(np.ones((), rows.dtype), exponents))
    return np.asarray(np.ldexp(rows, exponents))


def check_finite(largest: Array, first: int) -> None:
    """Raise `InvalidInput` when one of the largest numbers of rows is not finite; `first` is the id of the first."""
    finite = np.isfinite(largest)
    if not finite.all():
        where = first + int(np.argmin(finite))
        raise InvalidInput(f"The direction of feature {where} holds a number that is not finite")


def square_sums(rows: Array) -> npt.NDArray[np.float64]:
    """Return the sum of squares of each prepared row, float64; 0 for a row without direction."""
    return _in_lanes(rows, rows)


def cosines_to(rows: Array, squares: Array, row: Array, square: float) -> npt.NDArray[np.float64]:
    """Return the cosine of each of some prepared rows with another one; none of them may be zero.

    Parameters
    ----------
    rows, squares
        [n, d], and their sums of squares [n].
    row, square
        [d], and its sum of squares.
    """
    found = _in_lanes(rows, row[None, :]) / np.sqrt(squares * square)
    return np.minimum(1.0, np.maximum(-1.0, found))


def product_error(d: int) -> float:
    """Return how far a float32 product of two directions of length `d` may be from their cosine, at most.

    Adding d products in any order, fused or not, errs by at most d u / (1 - d u) of the sum of their magnitudes, which
    Cauchy and Schwarz bound by 1 (Higham, N. J., Accuracy and Stability of Numerical Algorithms, 2nd ed., section 3.1;
    u = 2^-24). Twelve more roundings are allowed for the scaling to length 1 and for float64 rows made float32.
    """
    rounding = (d + 12) * 2.0**-24
    if rounding >= 0.5:
        raise InvalidInput(f"Directions of {d:,} numbers are too long to be compared in float32")
    return rounding / (1.0 - rounding)


def blocks_of(read: Read, n_rows: int, row_bytes: int) -> Iterator[tuple[int, Array]]:
    """Yield (first, prepared rows) over all rows, in blocks of about 32 MB."""
    step = max(1, _BLOCK_BYTES // max(1, row_bytes))
    for first in range(0, n_rows, step):
        yield first, prepared(read(first, min(first + step, n_rows)), first)


def nearest_to_one(
    read: Read, n_rows: int, feature: int, k: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return the `k` rows with the largest cosines to one of them, itself left out: ids and cosines, best first.

    Exact: float32 products choose whatever could be among them, float64 decides; of equal cosines the lower id comes
    first. Rows of zeros have no direction: they are near to nothing, and nothing is near to them.

    Notes
    -----
    Peak memory: three blocks of 32 MB, and the rows that could be among them: k, unless many are equally near.
    """
    asked = prepared(read(feature, feature + 1), feature)
    square = float(square_sums(asked)[0])
    ids, cosines = np.empty(0, np.int64), np.empty(0)
    if square == 0 or k < 1:
        return ids, cosines
    row = asked[0]
    narrow, error = row.astype(np.float32), product_error(row.size)
    for first, block in blocks_of(read, n_rows, row.nbytes):
        products = block.astype(np.float32, copy=False) @ narrow
        sizes = np.einsum("ij,ij->i", block, block, dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            near = products / np.sqrt(sizes * square)
        near[sizes == 0] = -np.inf
        if first <= feature < first + len(block):
            near[feature - first] = -np.inf
        least = _least(near, k) - 2 * error
        if ids.size >= k:
            # Whoever is further than the k-th so far cannot be among the k nearest.
            least = max(least, cosines[-1] - error)
        chosen = np.flatnonzero((near >= least) & (near > -np.inf))
        rows = block[chosen]
        ids = np.concatenate([ids, first + chosen])
        cosines = np.concatenate([cosines, cosines_to(rows, square_sums(rows), row, square)])
        order = np.lexsort((ids, -cosines))[:k]
        ids, cosines = ids[order], cosines[order]
    return ids, cosines


def _least(near: Array, k: int) -> float:
    """Return the k-th largest, or minus infinity when there are no more than k."""
    return float(np.partition(near, near.size - k)[near.size - k]) if near.size > k else -np.inf


def _in_lanes(rows: Array, others: Array) -> npt.NDArray[np.float64]:
    """Return the sums of products along the last axis, in the order that the module states."""
    n, d = rows.shape
    sums = np.empty(n)
    step = max(1, 4_000_000 // max(1, d))
    for first in range(0, n, step):
        part = slice(first, min(first + step, n))
        products = np.zeros((part.stop - first, -(-max(d, 1) // LANES) * LANES))
        other = others if len(others) == 1 else others[part]
        np.multiply(rows[part], other, out=products[:, :d], dtype=np.float64)
        # Over an axis that is not the last one NumPy adds one line after the other.
        lanes = np.add.reduce(products.reshape(part.stop - first, -1, LANES), axis=1)
        while lanes.shape[1] > 1:
            half = lanes.shape[1] // 2
            lanes = lanes[:, :half] + lanes[:, half:]
        # A sum of products that are all -0.0 is 0.0 where it starts at 0.0.
        sums[part] = lanes[:, 0] + 0.0
    return sums
