"""Dense matrices: one Zarr array of rows each, such as decoder weights or embeddings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from saeatlas.errors import InvalidInput, NotFound
from saeatlas.format.array import ArrayReader, write_array, write_group
from saeatlas.format.codecs import Profile
from saeatlas.storage import Store
from saeatlas.storage.keys import join_key

__all__ = ["MatrixReader", "write_matrix"]

_RUN = 64
"""Rows that may lie between two wanted ones when both are still fetched by one read."""


def write_matrix(
    directory: Path, matrix: npt.NDArray[np.generic], name: str = "data", *, profile: Profile = "fast"
) -> None:
    """Write a matrix [rows, columns] of numbers as the Zarr array `name` below a directory."""
    if matrix.ndim != 2 or not matrix.shape[1]:
        raise InvalidInput(f"A matrix has rows and at least one column, found the shape: {matrix.shape}")
    write_group(directory)
    write_array(directory, name, matrix, profile)


class MatrixReader:
    """Reads rows of one matrix of the artifact at `prefix`; nothing is read before it is needed."""

    def __init__(self, store: Store, prefix: str, name: str = "data") -> None:
        key = join_key(prefix, name)
        if not store.exists(f"{key}/zarr.json"):
            raise NotFound(f"No matrix '{name}' in '{prefix}'")
        self._array = ArrayReader(store, key)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        n_rows, n_columns = self._array.shape
        return n_rows, n_columns

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of the numbers."""
        return self._array.dtype

    def read(self, start: int = 0, stop: int | None = None) -> npt.NDArray[Any]:
        """Return rows `start` to `stop` (the end when None), [stop - start, columns]."""
        return self._array.read(start, self.shape[0] if stop is None else stop)

    def take(self, row_ids: npt.NDArray[np.integer[Any]]) -> npt.NDArray[Any]:
        """Return any rows in the order asked, [len(row_ids), columns]; near ones share a read."""
        row_ids = np.asarray(row_ids, np.int64)
        out = np.empty((row_ids.size, self.shape[1]), self.dtype)
        if not row_ids.size:
            return out
        order = np.argsort(row_ids, kind="stable")
        ordered = row_ids[order]
        if ordered[0] < 0 or ordered[-1] >= self.shape[0]:
            raise InvalidInput(f"Rows must be from 0 to {self.shape[0] - 1}, found: {ordered[0]} to {ordered[-1]}")
        for piece in np.split(np.arange(row_ids.size), np.flatnonzero(np.diff(ordered) > _RUN) + 1):
            first, last = int(ordered[piece[0]]), int(ordered[piece[-1]])
            out[order[piece]] = self.read(first, last + 1)[ordered[piece] - first]
        return out
