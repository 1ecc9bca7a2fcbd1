"""NPZ and NPY files of arrays: headers are checked before anything is allocated, and nothing is ever unpickled."""

from __future__ import annotations

import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, cast

import numpy as np
from numpy.lib import format as npy

from saeatlas.errors import SaeatlasError, SourceError
from saeatlas.format.tensor import Tensor, TurnedTensor
from saeatlas.storage.faults import mapped

__all__ = ["read_npy_header", "read_npz_headers"]

_COPY_BYTES: Final = 4_000_000
_MOST_RATIO: Final = 100
"""Weights are noise, which hardly compresses; what does so this well is empty or meant to fill a disk."""
_UNSUSPICIOUS_BYTES: Final = 100_000_000
"""Members up to this size may compress as well as they like."""


@dataclass(frozen=True)
class _Header:
    shape: tuple[int, ...]
    is_fortran: bool
    dtype: np.dtype[Any]
    begin: int
    """Bytes before the numbers."""


@dataclass(frozen=True)
class _File:
    path: Path
    n_bytes: int
    open_files: ExitStack


def read_npz_headers(file: BinaryIO, path: Path, n_bytes: int, open_files: ExitStack) -> dict[str, Tensor]:
    """Return the arrays of an open NPZ file by name, in its order.

    An array that was stored is read in place, after its checksum was found right. One that was compressed is unpacked
    when it is first read, into a temporary file without a name, which joins `open_files`, and read from there.

    Raises
    ------
    SourceError
        Kind truncated-source when the file is damaged or cut short; pickled-source for an array of Python objects;
        wrong-file-type for what is not an NPZ file, a name twice, a shape that does not fit its bytes, or arrays that
        unpack to more than a hundred times their size.
    """
    tensors = {}
    with _damage(path):
        archive = zipfile.ZipFile(file)
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            if name == info.filename:
                continue
            if name in tensors:
                raise _not(path, f"it has the array '{name}' twice")
            tensors[name] = _member(archive, info, _File(path, n_bytes, open_files))
    if any(name.endswith("data.pkl") for name in archive.namelist()):
        raise SourceError(
            f"The file is a checkpoint of PyTorch, which is a pickle and can run any code when it is read: '{path}'",
            hint="Save its tensors with safetensors, on a machine that may run it.",
            kind="pickled-source",
        )
    if not tensors:
        raise _not(path, "it has no arrays")
    return tensors


def read_npy_header(file: BinaryIO, path: Path, n_bytes: int) -> Tensor:
    """Return the array of an open NPY file."""
    file.seek(0)
    with _damage(path):
        header = _read_header(file, n_bytes, path.stem, path)
    return _tensor(path.stem, path, header, lambda: (file, header.begin))


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, whole: _File) -> Tensor:
    name, path = info.filename.removesuffix(".npy"), whole.path
    is_stored = info.compress_type == zipfile.ZIP_STORED
    if info.flag_bits & 1:
        raise _not(path, f"the array '{name}' is encrypted")
    if info.header_offset + info.compress_size > whole.n_bytes or (is_stored and info.compress_size != info.file_size):
        raise zipfile.BadZipFile(f"'{name}' should have {info.compress_size:,} bytes")
    if info.file_size > max(_UNSUSPICIOUS_BYTES, _MOST_RATIO * info.compress_size):
        raise _not(path, f"the array '{name}' would unpack from {info.compress_size:,} bytes to {info.file_size:,}")
    with archive.open(info) as member:
        header = _read_header(member, info.file_size, name, path)

    @cache
    def place() -> tuple[BinaryIO, int]:
        with _damage(path):
            if not is_stored:
                return _unpacked(archive, info, whole.open_files), header.begin
            with archive.open(info) as member:
                while member.read(_COPY_BYTES):
                    pass  # At its end the checksum is compared.
            file = cast("BinaryIO", archive.fp)
            return file, _begin_of_data(file, info) + header.begin

    return _tensor(name, path, header, place)


def _tensor(name: str, path: Path, header: _Header, place: Callable[[], tuple[BinaryIO, int]]) -> Tensor:
    is_turned = header.is_fortran and len(header.shape) > 1
    if is_turned and len(header.shape) > 2:
        raise SourceError(
            f"The array '{name}' of '{path}' has {len(header.shape)} axes in the order of Fortran",
            hint="Save it again with np.ascontiguousarray.",
            kind="wrong-file-type",
        )
    kind = TurnedTensor if is_turned else Tensor
    is_big_endian = header.dtype.byteorder == ">"
    return kind(name, str(path), header.shape, header.dtype.name, place, is_big_endian=is_big_endian)


def _read_header(file: IO[bytes], n_bytes: int, name: str, path: Path) -> _Header:
    version = npy.read_magic(file)
    if version not in {(1, 0), (2, 0)}:
        raise ValueError(f"NPY version {version} is not known")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    with warnings.catch_warnings():
        # Files of Python 2 draw a warning about their header, which is read all the same.
        warnings.simplefilter("ignore", UserWarning)
        shape, is_fortran, dtype = read(file)
    if dtype.hasobject:
        raise SourceError(
            f"The array '{name}' of '{path}' is a pickle, which can run any code when it is read",
            hint="Save the weights as plain float arrays.",
            kind="pickled-source",
        )
    n_numbers = 1
    for axis in shape:
        n_numbers *= axis
    begin = file.tell()
    if min(shape, default=0) < 0 or begin + n_numbers * dtype.itemsize > n_bytes:
        found = f"'{name}' should hold {shape} of {dtype}, and {n_bytes - begin:,} bytes follow its header"
        raise ValueError(found)
    return _Header(tuple(shape), bool(is_fortran), dtype, begin)


def _begin_of_data(file: BinaryIO, info: zipfile.ZipInfo) -> int:
    """Return where the bytes of a stored member begin: its name and extra field stand there a second time."""
    file.seek(info.header_offset)
    local = file.read(30)
    return info.header_offset + 30 + int.from_bytes(local[26:28], "little") + int.from_bytes(local[28:30], "little")


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, open_files: ExitStack) -> BinaryIO:
    with mapped(f"unpack '{info.filename}'"):
        copy = open_files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  # closed with the others
    with archive.open(info) as member:
        while block := member.read(_COPY_BYTES):
            with mapped(f"unpack '{info.filename}'"):
                copy.write(block)
    return cast("BinaryIO", copy)


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    try:
        yield
    except SaeatlasError:
        raise
    except (zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error, ValueError, OSError) as error:
        raise SourceError(
            f"The file is cut short or damaged: '{path}': {error}",
            hint="Compare its size with the original and copy it again.",
            kind="truncated-source",
        ) from error


def _not(path: Path, why: str) -> SourceError:
    return SourceError(
        f"Not an NPZ file of weights: '{path}': {why}",
        hint="Give the file that the training or the release wrote.",
        kind="wrong-file-type",
    )
