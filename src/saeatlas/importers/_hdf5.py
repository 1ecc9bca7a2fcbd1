"""Top-k activations in HDF5: headers, blocks of rows, and the runs of equal document ids."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from saeatlas.errors import MissingExtra, SourceError
from saeatlas.format.source_file import HDF5_MAGIC, check_file

__all__ = [
    "Header",
    "IdRuns",
    "chunk_rows",
    "id_runs",
    "open_hdf5",
    "read_ids",
    "read_rows",
    "survey_hdf5",
]

_BLOCK_ROWS = 131_072
_BLOCK_BYTES = 64_000_000
_ID_ROWS = 1_000_000
_MOST_CACHE = 256_000_000


@dataclass(frozen=True)
class Header:
    """What the headers of the three datasets say."""

    n_rows: int
    """Rows, the first dimension of all three."""
    k: int
    """Slots in a row."""


@dataclass(frozen=True)
class IdRuns:
    """Consecutive runs of rows with one document id."""

    first_row: int
    """Global row of the first run."""
    ids: npt.NDArray[Any]
    """Id of each run, [runs]: fixed-length bytes, Python bytes, or integers."""
    lengths: npt.NDArray[np.int64]
    """Rows of each run, [runs]. Neighbouring runs may have the same id where a block ended."""


@contextmanager
def open_hdf5(path: Path, *, cache_bytes: int = 1_048_576) -> Iterator[h5py.File]:
    """Open an HDF5 file for the length of a `with` block; what HDF5 cannot read becomes a `SourceError`."""
    head = check_file(path, "HDF5")
    # HDF5 allows a user block of 512 bytes or more before the signature, so its absence at 0 is not yet a verdict.
    if not head.startswith(HDF5_MAGIC) and not h5py.is_hdf5(path):
        raise SourceError(
            f"Not an HDF5 file: '{path}' begins with {head[:8]!r}",
            hint="Give the file with the activations; metadata goes to --metadata.",
            kind="wrong-file-type",
        )
    try:
        with h5py.File(path, "r", rdcc_nbytes=cache_bytes) as file:
            yield file
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> SourceError:
    reason = str(error)
    if "filter" in reason and "truncated" not in reason:
        return SourceError(f"A filter of '{path}' failed: {reason}", hint="The data may be damaged: copy it again.")
    return SourceError(
        f"The HDF5 file is cut short or damaged: '{path}': {reason}",
        hint="Compare its size with the original and copy it again.",
        kind="truncated-source",
    )


def survey_hdf5(file: h5py.File, names: Mapping[str, str]) -> Header:
    """Check that the datasets are there and fit together.

    Parameters
    ----------
    file
        The open file.
    names
        Name of the dataset of each field: 'indices', 'values' and 'documents'.
    """
    indices, values, documents = (_dataset(file, field, names[field]) for field in ("indices", "values", "documents"))
    _check_rank(names["indices"], indices, 2)
    _check_rank(names["values"], values, 2)
    _check_rank(names["documents"], documents, 1)
    shapes = {names["indices"]: indices.shape, names["values"]: values.shape, names["documents"]: documents.shape}
    if indices.shape != values.shape or len(documents) != len(indices):
        found = ", ".join(f"'{name}' {shape}" for name, shape in shapes.items())
        raise SourceError(
            f"The datasets do not have the same rows and slots: {found}",
            hint="All three need the same first dimension, and the first two the same second one.",
            kind="shape-mismatch",
        )
    _check_kind(names["indices"], indices, "iu", "whole numbers")
    _check_kind(names["values"], values, "f", "floating-point numbers")
    if documents.dtype.kind not in "Siu" and h5py.check_string_dtype(documents.dtype) is None:
        raise SourceError(
            f"'{names['documents']}' must hold text or whole numbers, found: {documents.dtype}", kind="shape-mismatch"
        )
    if not indices.size:
        raise SourceError(
            f"There are no activations: '{names['indices']}' has shape {indices.shape}", kind="empty-source"
        )
    for name in names.values():
        if name in file:
            _check_filters(file[name])
    return Header(len(indices), indices.shape[1])


def _dataset(file: h5py.File, field: str, name: str) -> h5py.Dataset:
    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        there: list[str] = []
        file.visititems(lambda path, item: there.append(path) if isinstance(item, h5py.Dataset) else None)
        shown = ", ".join(f"'{path}'" for path in there[:20]) or "none"
        raise SourceError(
            f"There is no dataset '{name}' in '{file.filename}'; it has: {shown}",
            hint=f"If it has another name, say so with --{field}.",
            kind="missing-dataset",
        )
    return found


def _check_rank(name: str, dataset: h5py.Dataset, rank: int) -> None:
    if dataset.shape is None or len(dataset.shape) != rank:
        raise SourceError(
            f"'{name}' must have {rank} dimension{'s' * (rank > 1)}, found shape: {dataset.shape}",
            kind="shape-mismatch",
        )


def _check_kind(name: str, dataset: h5py.Dataset, kinds: str, what: str) -> None:
    fits = dataset.dtype.kind in kinds and dataset.dtype.itemsize <= 8
    if not fits:
        raise SourceError(
            f"'{name}' must hold {what} of at most 64 bits, found: {dataset.dtype}", kind="shape-mismatch"
        )


def _check_filters(dataset: h5py.Dataset) -> None:
    """Make sure that HDF5 can undo the filters of a dataset, with the plug-ins of hdf5plugin where needed."""
    created = dataset.id.get_create_plist()
    for i in range(created.get_nfilters()):
        code, _, _, name = created.get_filter(i)
        if h5py.h5z.filter_avail(code):
            continue
        label = f"{code} ({name.decode(errors='replace')})" if name else str(code)
        try:
            import hdf5plugin  # noqa: F401  # importing it registers the filters
        except ImportError as error:
            raise MissingExtra(
                f"'{dataset.name}' is compressed with HDF5 filter {label}, which is not installed",
                hint="Run: pip install 'saeatlas[hdf5-filters]'",
            ) from error
        if not h5py.h5z.filter_avail(code):
            raise SourceError(
                f"'{dataset.name}' is compressed with HDF5 filter {label}, which even hdf5plugin does not have",
                hint="Copy the file with h5repack and another filter.",
            )


def _block_rows(*datasets: h5py.Dataset) -> int:
    """Return how many rows to read at a time so that every chunk is decompressed once, within 64 MB a dataset."""
    width = max(int(np.prod(d.shape[1:])) * d.dtype.itemsize for d in datasets)
    most = int(max(1, min(_BLOCK_ROWS, _BLOCK_BYTES // width)))
    step = chunk_rows(*datasets)
    return most // step * step or most


def chunk_rows(*datasets: h5py.Dataset) -> int:
    """Return after how many rows the chunks of all datasets end together, or of the largest where that is too far."""
    chunks = [int(d.chunks[0]) for d in datasets if d.chunks]
    step = math.lcm(*chunks)
    return step if step <= _BLOCK_ROWS else max(chunks)


def _chunk_cache(datasets: list[h5py.Dataset]) -> int:
    """Bytes of chunk cache that hold one row of chunks, for chunks larger than a block."""
    rows = [d.chunks[0] * int(np.prod(d.shape[1:])) * d.dtype.itemsize for d in datasets if d.chunks]
    return int(min(_MOST_CACHE, max([1_048_576, *rows])))


def read_rows(
    path: Path, names: tuple[str, str], rows: range
) -> Iterator[tuple[int, npt.NDArray[Any], npt.NDArray[Any]]]:
    """Yield blocks of rows: the first row, indices [n, k], values [n, k], both in native byte order.

    Blocks begin and end on chunks. Peak memory is two blocks of each dataset and one row of chunks.
    """
    with open_hdf5(path) as file:
        cache = _chunk_cache([file[name] for name in names])
    with open_hdf5(path, cache_bytes=cache) as file:
        indices, values = file[names[0]], file[names[1]]
        for name in names:
            _check_filters(file[name])
        step = _block_rows(indices, values)
        start = rows.start
        while start < rows.stop:
            stop = min(rows.stop, (start // step + 1) * step)
            yield start, _native(indices[start:stop]), _native(values[start:stop])
            start = stop


def _native(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def id_runs(path: Path, name: str) -> Iterator[IdRuns]:
    """Yield the runs of equal neighbours in a dataset of document ids, a block of rows at a time."""
    with open_hdf5(path) as file:
        dataset = file[name]
        _check_filters(dataset)
        chunk = dataset.chunks[0] if dataset.chunks else 1
        width = dataset.dtype.itemsize
        most = max(1, min(_ID_ROWS, _BLOCK_BYTES // width))
        step = most // chunk * chunk or most
        for start in range(0, len(dataset), step):
            ids = dataset[start : start + step]
            edge = np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]]))
            yield IdRuns(start, ids[edge], np.diff(np.append(edge, len(ids))).astype(np.int64))


def read_ids(path: Path, name: str) -> npt.NDArray[Any] | None:
    """Return a whole dataset of ids, or None when the file has none of that name."""
    with open_hdf5(path) as file:
        if not name or not isinstance(file.get(name), h5py.Dataset):
            return None
        _check_rank(name, file[name], 1)
        _check_filters(file[name])
        return np.asarray(file[name][()])
