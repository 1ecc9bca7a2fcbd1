"""NPZ metadata read as a stream, since one padded array of texts can be larger than memory."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from numpy.lib import format as npy

from saeatlas.errors import SourceError
from saeatlas.importers._columns import column_from_numpy

__all__ = ["NpzMetadata"]

_READ_BYTES = 16_000_000


@dataclass(frozen=True)
class _Member:
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class NpzMetadata:
    """The one-dimensional arrays of an NPZ file, read a few megabytes at a time.

    Arrays of Python objects are pickles, which run code when read: they are refused unless `trust_pickle`, and then
    read whole.
    """

    def __init__(self, path: Path, *, trust_pickle: bool = False) -> None:
        self.path = path
        self._trust_pickle = trust_pickle
        members = self._members()
        if not members:
            raise SourceError(f"Not an NPZ file: '{path}' has no arrays", kind="wrong-file-type")
        flat = {name: member for name, member in members.items() if len(member.shape) == 1}
        self.notes = tuple(
            f"The array '{name}' of the metadata is left out: it has shape {member.shape}, not one value for a document"
            for name, member in members.items()
            if len(member.shape) != 1
        )
        unfit = [name for name, member in flat.items() if member.dtype.kind not in "USiufbMO"]
        self.notes += tuple(
            f"The array '{name}' of the metadata is left out: it holds {flat[name].dtype}" for name in unfit
        )
        self._flat = {name: member for name, member in flat.items() if name not in unfit}
        self.names = tuple(self._flat)
        self.n_rows = next((member.shape[0] for member in self._flat.values()), 0)
        for name, member in self._flat.items():
            if member.shape[0] != self.n_rows:
                raise SourceError(
                    f"The arrays of the metadata differ in length: '{self.names[0]}' has {self.n_rows}, "
                    f"'{name}' has {member.shape[0]}",
                    hint="Each array needs one value for a document; remove the ones that have not.",
                    kind="shape-mismatch",
                )
            if member.dtype.hasobject and not trust_pickle:
                raise SourceError(
                    f"The array '{name}' of '{path}' is a pickle, which can run any code when it is read",
                    hint="If you trust whoever made the file, add --trust-pickle; else save it again with text arrays.",
                    kind="pickled-source",
                )

    def read(self, name: str, *, as_text: bool = False) -> Iterator[pa.Array]:
        """Yield a column in pieces."""
        member = self._flat[name]
        with self._open() as archive, archive.open(f"{name}.npy") as file:
            _header(file)
            if member.dtype.hasobject:
                file.seek(0)
                whole = npy.read_array(file, allow_pickle=self._trust_pickle)
                yield _column(whole, name, 0, as_text=as_text)
                return
            size = max(1, member.dtype.itemsize)
            step = max(1, _READ_BYTES // size)
            for start in range(0, self.n_rows, step):
                count = min(step, self.n_rows - start)
                data = file.read(count * size)
                if len(data) != count * size:
                    raise EOFError(f"'{name}' ends after {start + len(data) // size} of {self.n_rows} values")
                # An array of empty strings has items of no bytes, from which NumPy cannot tell a count.
                array = np.frombuffer(data, member.dtype) if member.dtype.itemsize else np.zeros(count, member.dtype)
                yield _column(array, name, start, as_text=as_text)

    def _members(self) -> dict[str, _Member]:
        members = {}
        with self._open() as archive:
            for name in archive.namelist():
                if name.endswith(".npy"):
                    with archive.open(name) as file:
                        members[name.removesuffix(".npy")] = _header(file)
        return members

    @contextmanager
    def _open(self) -> Iterator[zipfile.ZipFile]:
        try:
            with zipfile.ZipFile(self.path) as archive:
                yield archive
        except (zipfile.BadZipFile, EOFError, zlib.error, ValueError, OSError) as error:
            raise SourceError(
                f"The NPZ file is cut short or damaged: '{self.path}': {error}",
                hint="Compare its size with the original and copy it again.",
                kind="truncated-source",
            ) from error


def _header(file: IO[bytes]) -> _Member:
    version = npy.read_magic(file)
    if version not in {(1, 0), (2, 0)}:
        raise ValueError(f"NPY version {version} is not known")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    return _Member(shape, dtype)


def _column(array: np.ndarray[Any, Any], name: str, first_row: int, *, as_text: bool) -> pa.Array:
    column = column_from_numpy(array, f"The array '{name}' of the metadata", first_row, as_text=as_text)
    if column is None:
        raise SourceError(f"The array '{name}' of the metadata holds {array.dtype}, which no table can hold")
    return column.cast(pa.string()) if as_text else column
