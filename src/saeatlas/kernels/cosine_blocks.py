"""Blocks of rows and the float32 products between them, with one panel of rows held; and cosines of single pairs.

Rows are as `kernels.directions.prepared` gives them. A row of zeros has no direction: its scale is NaN, so that no
comparison with it holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from saeatlas.kernels.directions import LANES, Read, check_finite

__all__ = ["CHUNK", "DEFAULT", "N_THREADS", "Plan", "Rows", "Table", "any_above", "cosine", "rows_of", "score", "spans"]

Array = npt.NDArray[Any]

N_THREADS = 2
"""Each takes half of the rows; more would steal cores from other worker processes."""
CHUNK = 64
"""Products that are compared at once before any of them is looked at."""


@dataclass(frozen=True)
class Plan:
    """How much is held at once; it does not show in any answer."""

    block_rows: int = 2048
    """Rows on either side of one product."""
    panel_bytes: int = 1 << 30
    """Rows that are kept while all others pass by."""
    spare: int = 4
    """Candidates beyond those asked for: with fewer, more rows must be looked up again."""

    def panel_rows(self, row_bytes: int) -> int:
        """Return how many rows are kept: as many blocks as fit, one at least."""
        return max(1, self.panel_bytes // max(1, row_bytes * self.block_rows)) * self.block_rows


DEFAULT = Plan()


@dataclass(frozen=True)
class Rows:
    """Rows as they are compared."""

    first: int
    """Id of the first of them."""
    rows: Array
    """Prepared, float32 or float64 [n, d]."""
    narrow: Array
    """The same in float32."""
    scales: npt.NDArray[np.float32]
    """1 / length; NaN where there is no direction, so that no comparison with it holds."""
    squares: npt.NDArray[np.float64]
    """Sums of squares."""

    def part(self, start: int, stop: int) -> Rows:
        """Return neighbouring ones of them, without a copy."""
        span = slice(start, stop)
        rows = self.rows[span]
        narrow = rows if self.narrow is self.rows else self.narrow[span]
        return Rows(self.first + start, rows, narrow, self.scales[span], self.squares[span])


def rows_of(rows: Array, first: int) -> Rows:
    """Make rows ready to be compared; `first` is the id of the first of them."""
    rows = np.asarray(rows)
    made = _room(first, rows.shape, np.dtype(np.float32 if rows.dtype == np.float32 else np.float64))
    _fill(made, rows)
    return made


def _room(first: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Rows:
    rows = np.empty(shape, dtype)
    narrow = rows if dtype == np.float32 else np.empty(shape, np.float32)
    return Rows(first, rows, narrow, np.empty(shape[0], np.float32), np.empty(shape[0]))


def _fill(made: Rows, rows: Array) -> None:
    """Write rows as `directions.prepared` has them, and what belongs to them, in two passes."""
    rows = np.ascontiguousarray(rows, made.rows.dtype)
    integers = f"i{rows.itemsize}"
    largest = np.zeros(len(rows), integers)
    _largest_bits(rows.view(integers), largest)
    numbers = largest.view(rows.dtype)
    check_finite(numbers, made.first)
    exponents = np.frexp(numbers)[1].astype(np.int64)
    # In two steps, because one factor alone may be beyond the range.
    factors = np.ldexp(1.0, -(exponents // 2)), np.ldexp(1.0, exponents // 2 - exponents)
    _scale_rows(rows, factors, made.rows, made.squares)
    if made.narrow is not made.rows:
        made.narrow[:] = made.rows
    with np.errstate(divide="ignore"):
        made.scales[:] = 1.0 / np.sqrt(made.squares)
    made.scales[made.squares == 0] = np.nan


class Table:
    """All rows, of which one panel is held, and room for one block of products."""

    def __init__(self, read: Read, n_rows: int, plan: Plan) -> None:
        self._read, self._n_rows, self._block_rows = read, n_rows, plan.block_rows
        sample = rows_of(read(0, 1), 0).rows
        self.d = sample.shape[1]
        self._dtype = sample.dtype
        # float64 rows are held in float32 too.
        self._panel_rows = plan.panel_rows(self.d * (4 if self._dtype == np.float32 else 12))
        self._panel = rows_of(sample[:0], 0)
        self._room = np.empty(min(plan.block_rows, n_rows) ** 2, np.float32)

    def products(self, one: Rows, other: Rows) -> Array:
        """Return float32 products [one, other], in the same memory each time."""
        shape = len(one.rows), len(other.rows)
        return np.dot(one.narrow, other.narrow.T, out=self._room[: shape[0] * shape[1]].reshape(shape))

    def hold(self) -> None:
        """Keep all rows when they fit into one panel, so that several passes read them once."""
        if self._panel_rows >= self._n_rows:
            self._load(0, self._n_rows)

    def take(self, ids: Array) -> Rows:
        """Return rows by ascending id, in memory of their own."""
        held = self._panel
        if len(held.rows) == self._n_rows:
            rows = held.rows[ids]
            narrow = rows if held.narrow is held.rows else held.narrow[ids]
            return Rows(0, rows, narrow, held.scales[ids], held.squares[ids])
        taken = []
        for first in range(0, self._n_rows, self._block_rows):
            wanted = ids[np.searchsorted(ids, first) : np.searchsorted(ids, first + self._block_rows)]
            if wanted.size:
                start = int(wanted[0])
                taken.append(self._read(start, int(wanted[-1]) + 1)[wanted - start])
        return rows_of(np.concatenate(taken), 0)

    def blocks(self, start: int = 0) -> Iterator[Rows]:
        """Yield blocks from the one that starts at `start`; those of the panel in hand are not read again."""
        for first in range(start, self._n_rows, self._block_rows):
            stop = min(first + self._block_rows, self._n_rows)
            held = self._panel
            if held.first <= first and stop <= held.first + len(held.rows):
                yield held.part(first - held.first, stop - held.first)
            else:
                yield rows_of(self._read(first, stop), first)

    def pairs(self) -> Iterator[tuple[Rows, Rows]]:
        """Yield every pair of blocks once, the earlier block first; a block with itself too."""
        for panel in self._panels():
            for other in self.blocks(panel.first):
                for start in range(0, min(len(panel.rows), other.first - panel.first + 1), self._block_rows):
                    yield panel.part(start, min(start + self._block_rows, len(panel.rows))), other

    def panels(self) -> Iterator[tuple[Rows, Rows]]:
        """Yield (rows, others) so that every row meets every other one, and itself."""
        for panel in self._panels():
            for other in self.blocks():
                yield panel, other

    def _panels(self) -> Iterator[Rows]:
        for first in range(0, self._n_rows, self._panel_rows):
            stop = min(first + self._panel_rows, self._n_rows)
            if (self._panel.first, len(self._panel.rows)) != (first, stop - first):
                self._load(first, stop)
            yield self._panel

    def _load(self, first: int, stop: int) -> None:
        n = stop - first
        # What was held is given back before room for the next is taken.
        self._panel = rows_of(np.empty((0, self.d), self._dtype), 0)
        panel = _room(first, (n, self.d), self._dtype)
        for at in range(0, n, self._block_rows):
            part = panel.part(at, min(at + self._block_rows, n))
            _fill(part, self._read(part.first, part.first + len(part.rows)))
        self._panel = panel


def spans(n: int) -> list[tuple[int, int]]:
    """Cut a range into one part for each thread."""
    bounds = np.linspace(0, n, N_THREADS + 1).astype(np.int64).tolist()
    return [(start, stop) for start, stop in pairwise(bounds) if start < stop]


def score(pool: Executor, one: Rows, other: Rows, ids: Array, scores: Array) -> None:
    """Fill in the cosines of `one` with those rows named beside it, int64 [one, any], that are among `other`."""
    arguments = (one.rows, one.squares), (other.rows, other.squares), other.first, ids, scores
    for job in [pool.submit(_score_rows, *arguments, part) for part in spans(len(one.rows))]:
        job.result()


@njit(cache=True, nogil=True)
def any_above(row: Array, scales: Array, own: float, least: float) -> bool:
    """Whether any product is above a number; counting in 32 bits lets sixteen of them be compared at once."""
    hits = np.int32(0)
    for j in range(row.size):
        hits = np.int32(hits + np.int32(row[j] * scales[j] * own > least))
    return bool(hits > 0)


@njit(cache=True, nogil=True)
def _dot(one: Array, other: Array, lanes: Array) -> float:
    """Return the sum of products of two rows; it runs in `LANES` lanes, float64, as in `kernels.directions`."""
    d = one.size
    whole = d - d % LANES
    lanes[:] = 0.0
    for start in range(0, whole, LANES):
        for lane in range(LANES):
            lanes[lane] += np.float64(one[start + lane]) * np.float64(other[start + lane])
    for lane in range(d - whole):
        lanes[lane] += np.float64(one[whole + lane]) * np.float64(other[whole + lane])
    half = LANES // 2
    while half > 0:
        for lane in range(half):
            lanes[lane] += lanes[lane + half]
        half //= 2
    return float(lanes[0])


@njit(cache=True, nogil=True)
def cosine(one: Array, other: Array, square: float, other_square: float, lanes: Array) -> float:
    """Return the cosine of two rows, float64, from their sums of squares; `lanes` is room for `LANES` numbers."""
    return float(min(1.0, max(-1.0, _dot(one, other, lanes) / np.sqrt(square * other_square))))


@njit(cache=True, nogil=True)
def _largest_bits(bits: Array, out: Array) -> None:
    """Find the largest number of each row, whatever its sign, by its bits: without the sign they order as numbers."""
    mask = ~(bits.dtype.type(1) << bits.dtype.type(8 * bits.itemsize - 1))
    for i in range(bits.shape[0]):
        largest = bits.dtype.type(0)
        for j in range(bits.shape[1]):
            largest = max(largest, bits[i, j] & mask)
        out[i] = largest


@njit(cache=True, nogil=True)
def _scale_rows(rows: Array, factors: tuple[Array, Array], out: Array, squares: Array) -> None:
    lanes = np.empty(LANES)
    one, other = factors
    for i in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            out[i, j] = np.float64(rows[i, j]) * one[i] * other[i]
        squares[i] = _dot(out[i], out[i], lanes)


@njit(cache=True, nogil=True)
def _score_rows(
    one: tuple[Array, Array], other: tuple[Array, Array], first: int, ids: Array, scores: Array, span: tuple[int, int]
) -> None:
    rows, squares = one
    others, other_squares = other
    lanes = np.empty(LANES)
    for i in range(span[0], span[1]):
        for place in range(ids.shape[1]):
            at = ids[i, place] - first
            if 0 <= at < others.shape[0] and ids[i, place] >= 0:
                scores[i, place] = cosine(rows[i], others[at], squares[i], other_squares[at], lanes)
