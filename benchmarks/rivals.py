"""Other ways to answer "all activations of one feature": each writes its own files and reads a feature from them.

Every reader returns (rows, values) of one feature, rows ascending, so that the answers can be compared.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import anndata
import h5py
import numpy as np
import numpy.typing as npt
import zarr

Answer = tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]
Read = Callable[[int], Answer]
SCAN = 262_144


class RawMmap:
    """Feature-major arrays in .npy files, memory-mapped; a query copies two slices. The floor to measure against."""

    def __init__(self, folder: Path) -> None:
        self.indptr = np.load(folder / "indptr.npy")
        self.rows = np.load(folder / "rows.npy", mmap_mode="r")
        self.values = np.load(folder / "values.npy", mmap_mode="r")

    def feature(self, feature: int) -> Answer:
        start, stop = int(self.indptr[feature]), int(self.indptr[feature + 1])
        return np.array(self.rows[start:stop]), np.array(self.values[start:stop])


class RawPread:
    """The same files without a mapping, one positioned read an array: the floor of a cold read.

    Pages that a process has mapped cannot be dropped from the cache, so no RawMmap may be alive beside it.
    """

    def __init__(self, folder: Path) -> None:
        self.indptr = np.load(folder / "indptr.npy")
        self.files = [folder / "rows.npy", folder / "values.npy"]
        self.handles = [file.open("rb", buffering=0) for file in self.files]

    def feature(self, feature: int) -> Answer:
        start, stop = int(self.indptr[feature]), int(self.indptr[feature + 1])
        rows, values = np.empty(stop - start, np.uint32), np.empty(stop - start, np.float32)
        for handle, out in zip(self.handles, (rows, values), strict=True):
            if os.preadv(handle.fileno(), [out], 128 + start * 4) != out.nbytes:
                raise SystemExit("a raw file is too short")
        return rows, values


def write_raw(folder: Path, counts: npt.NDArray[np.int64], features: Iterator[tuple[int, Answer]]) -> None:
    """Write the arrays of RawMmap from an iterator of (feature, answer)."""
    folder.mkdir(parents=True, exist_ok=True)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    rows = np.lib.format.open_memmap(folder / "rows.npy", "w+", np.uint32, (int(indptr[-1]),))
    values = np.lib.format.open_memmap(folder / "values.npy", "w+", np.float32, (int(indptr[-1]),))
    for feature, (r, v) in features:
        rows[indptr[feature] : indptr[feature + 1]], values[indptr[feature] : indptr[feature + 1]] = r, v
    rows.flush()
    values.flush()
    np.save(folder / "indptr.npy", indptr)


def scan_hdf5(path: Path) -> Read:
    """Vectorised NumPy comparison over the whole HDF5 file, in chunks."""

    def read(feature: int) -> Answer:
        rows, values = [], []
        with h5py.File(path) as file:
            for start in range(0, file["z_idx"].shape[0], SCAN):
                index, value = file["z_idx"][start : start + SCAN], file["z_val"][start : start + SCAN]
                row, slot = np.nonzero(index == feature)
                rows.append(row + start)
                values.append(value[row, slot])
        return np.concatenate(rows), np.concatenate(values)

    return read


def loop_hdf5(path: Path, n_rows: int) -> Read:
    """One Python iteration per token, as source documents show it, over the first n_rows tokens."""

    def read(feature: int) -> Answer:
        with h5py.File(path) as file:
            index, value = file["z_idx"][:n_rows], file["z_val"][:n_rows]
        found = np.zeros(n_rows, np.float32)
        for token in range(n_rows):
            mask = index[token] == feature
            if np.any(mask):
                found[token] = value[token][mask][0]
        rows = np.flatnonzero(found)
        return rows, found[rows]

    return read


def dense_zarr(folder: Path, features: list[int], n_rows: int, source: Read) -> Read:
    """Dense float32 [feature, row] in Zarr with chunks (1, 10000), holding the listed features only."""
    array = zarr.create_array(
        store=folder, shape=(len(features), n_rows), chunks=(1, 10_000), dtype="f4", overwrite=True
    )
    line = np.zeros(n_rows, np.float32)
    for i, feature in enumerate(features):
        rows, values = source(feature)
        line[:] = 0
        line[rows] = values
        array[i] = line
    places = {feature: i for i, feature in enumerate(features)}
    opened = zarr.open_array(folder, mode="r")

    def read(feature: int) -> Answer:
        line = opened[places[feature]]
        rows = np.flatnonzero(line)
        return rows, line[rows]

    return read


def feature_files(folder: Path, features: list[int], source: Read) -> Read:
    """Two .npy files per feature (float32 values, int64 rows), holding the listed features only."""
    for feature in features:
        place = folder / f"feature_{feature:05d}"
        place.mkdir(parents=True, exist_ok=True)
        rows, values = source(feature)
        np.save(place / "rows.npy", rows.astype(np.int64))
        np.save(place / "values.npy", values.astype(np.float32))

    def read(feature: int) -> Answer:
        place = folder / f"feature_{feature:05d}"
        return np.load(place / "rows.npy"), np.load(place / "values.npy")

    return read


def csc_h5ad(path: Path, raw: RawMmap, n_rows: int) -> Read:
    """A rows × features CSC matrix in an .h5ad file, opened backed and sliced by column through anndata."""
    if not path.exists():
        with h5py.File(path, "w") as file:
            file.attrs.update({"encoding-type": "anndata", "encoding-version": "0.1.0"})
            group = file.create_group("X")
            shape = np.array([n_rows, raw.indptr.size - 1])
            group.attrs.update({"encoding-type": "csc_matrix", "encoding-version": "0.1.0", "shape": shape})
            group.create_dataset("indptr", data=raw.indptr)
            group.create_dataset("indices", (raw.rows.size,), "int32", chunks=(65_536,))
            group.create_dataset("data", (raw.values.size,), "float32", chunks=(65_536,))
            for start in range(0, raw.rows.size, 1 << 24):
                group["indices"][start : start + (1 << 24)] = raw.rows[start : start + (1 << 24)]
                group["data"][start : start + (1 << 24)] = raw.values[start : start + (1 << 24)]
    matrix = anndata.io.sparse_dataset(h5py.File(path)["X"])

    def read(feature: int) -> Answer:
        column = matrix[:, feature].tocsc()
        return column.indices, column.data

    return read
