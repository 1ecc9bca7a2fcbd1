"""Float arrays in files of others, read in parts, so that a matrix larger than memory can be copied and turned."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from saeatlas.errors import SourceError

__all__ = ["BFLOAT16", "FLOATS", "Tensor", "TurnedTensor"]

Array = npt.NDArray[Any]

BFLOAT16: Final = "bfloat16"
"""The upper half of a float32; NumPy has no such type."""

FLOATS: Final = ("float16", BFLOAT16, "float32", "float64")
"""What a tensor may hold to be read."""

_BLOCK_BYTES: Final = 16_000_000


class Tensor:
    """One array of a file, of any number of axes; nothing is read before it is asked for.

    Numbers of 16 bits are widened to float32, which holds each of them exactly.

    Parameters
    ----------
    name
        As the file has it.
    where
        The file, for messages.
    shape
        Checked by whoever makes this: the file holds all of it.
    stored
        Type in the file: one of `FLOATS`, or any other word, with which reading is an error.
    place
        Gives the open file, and the byte where the array begins.
    is_big_endian
        Order of the bytes.
    """

    def __init__(
        self,
        name: str,
        where: str,
        shape: tuple[int, ...],
        stored: str,
        place: Callable[[], tuple[BinaryIO, int]],
        *,
        is_big_endian: bool = False,
    ) -> None:
        self.name = name
        self.where = where
        self.shape = shape
        self.stored = stored
        self._place = place
        self._order = ">" if is_big_endian else "<"

    def __repr__(self) -> str:
        return f"Tensor({self.name!r}, {self.stored}, {self.shape})"

    @property
    def size(self) -> int:
        """Numbers in all."""
        return int(np.prod(self.shape, dtype=object))

    @property
    def is_float(self) -> bool:
        """Whether it can be read."""
        return self.stored in FLOATS

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of what is read: float32 or float64."""
        return np.dtype(np.float64 if self.stored == "float64" else np.float32)

    def read(self) -> Array:
        """Return all of it."""
        return self._widened(self._raw(0, self.size)).reshape(self.shape)

    def rows(self, start: int, stop: int) -> Array:
        """Return a range along the first axis, [stop - start, ...]."""
        width = self.size // self.shape[0] if self.shape[0] else 0
        raw = self._raw(start * width, (stop - start) * width)
        return self._widened(raw).reshape(stop - start, *self.shape[1:])

    def columns(self, start: int, stop: int) -> Array:
        """Return a range along the second of two axes as rows, [stop - start, shape[0]].

        Every row of the file is visited once, and only its part read.
        """
        n_rows, n_columns = self.shape
        out = np.empty((stop - start, n_rows), self.dtype)
        step = max(1, _BLOCK_BYTES // max(1, (stop - start) * self._item.itemsize))
        for first in range(0, n_rows, step):
            last = min(n_rows, first + step)
            part = np.stack([self._raw(row * n_columns + start, stop - start) for row in range(first, last)])
            out[:, first:last] = self._widened(part).T
        return out

    def first_not_finite(self) -> tuple[int, ...] | None:
        """Return the place of the first NaN or infinity in the order of the file, or None."""
        step = _BLOCK_BYTES // self._item.itemsize
        for start in range(0, self.size, step):
            finite = np.isfinite(self._widened(self._raw(start, min(step, self.size - start))))
            if not finite.all():
                place = start + int(np.argmin(finite))
                return tuple(int(i) for i in np.unravel_index(place, self.shape))
        return None

    def check_float(self) -> None:
        """Raise `SourceError` when it holds something that cannot be read, such as integers."""
        if not self.is_float:
            raise SourceError(
                f"The tensor '{self.name}' of '{self.where}' holds {self.stored}, not floats",
                hint=f"Readable are {', '.join(FLOATS)}; quantised weights must be restored first.",
                kind="wrong-file-type",
            )

    @cached_property
    def _item(self) -> np.dtype[Any]:
        self.check_float()
        return np.dtype(self._order + ("u2" if self.stored == BFLOAT16 else np.dtype(self.stored).str[1:]))

    def _raw(self, start: int, count: int) -> Array:
        file, offset = self._place()
        file.seek(offset + start * self._item.itemsize)
        data = file.read(count * self._item.itemsize)
        if len(data) != count * self._item.itemsize:
            raise SourceError(
                f"'{self.where}' ends within the tensor '{self.name}'",
                hint="Compare its size with the original and copy it again.",
                kind="truncated-source",
            )
        return np.frombuffer(data, self._item)

    def _widened(self, raw: Array) -> Array:
        if self.stored != BFLOAT16:
            return raw.astype(self.dtype)
        return (raw.astype(np.uint32) << np.uint32(16)).view(np.float32)


class TurnedTensor(Tensor):
    """An array of two axes whose columns lie one after the other, in the order of Fortran; see `Tensor`."""

    @cached_property
    def _turned(self) -> Tensor:
        is_big_endian = self._order == ">"
        return Tensor(self.name, self.where, self.shape[::-1], self.stored, self._place, is_big_endian=is_big_endian)

    def read(self) -> Array:
        """Return all of it."""
        return np.ascontiguousarray(self._turned.read().T)

    def rows(self, start: int, stop: int) -> Array:
        """Return a range along the first axis; every column of the file is visited once."""
        return self._turned.columns(start, stop)

    def columns(self, start: int, stop: int) -> Array:
        """Return a range along the second axis as rows."""
        return self._turned.rows(start, stop)

    def first_not_finite(self) -> tuple[int, ...] | None:
        """Return the place of the first NaN or infinity in the order of the file, or None."""
        place = self._turned.first_not_finite()
        return place and place[::-1]
