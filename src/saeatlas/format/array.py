"""Arrays on disk: Zarr v3, one shard per array, written as a stream and read with one ranged read per request.

An array is `zarr.json` and one object, `c/0` (`c/0/0` when it has two axes): its chunks along the first axis, one after
the other, then the shard index (offset and length of each chunk as uint64) and the CRC-32C of the index. An
uncompressed array is therefore a raw array followed by an index. An array without rows has no shard.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt

from saeatlas.errors import FormatError, InternalError, InvalidInput, NotFound
from saeatlas.format.codecs import Codec, Profile, chunk_elements, codec_for, codec_from_metadata, codec_pool
from saeatlas.storage.faults import mapped
from saeatlas.storage.store import Blob, Store

__all__ = ["ArrayReader", "ArrayWriter", "write_array", "write_group"]

_DTYPES = frozenset(
    {"uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "float16", "float32", "float64"}
)
_INDEX_ENTRY = 16
_CHECKSUM = 4


def _checksum(data: bytes) -> bytes:
    import google_crc32c

    return int(google_crc32c.value(data)).to_bytes(_CHECKSUM, "little")


def _shard_name(n_axes: int) -> str:
    return "/".join(["c", *["0"] * n_axes])


def write_group(directory: Path, path: str = "", attributes: Mapping[str, object] | None = None) -> None:
    """Write the `zarr.json` that makes a folder a Zarr group; `path` is relative, empty for the directory itself."""
    folder = directory / path
    with mapped(f"write the group '{path}'"):
        folder.mkdir(parents=True, exist_ok=True)
        _write_json(
            folder / "zarr.json", {"attributes": dict(attributes or {}), "zarr_format": 3, "node_type": "group"}
        )


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def write_array(directory: Path, path: str, array: npt.NDArray[np.generic], profile: Profile) -> None:
    """Write a whole array of one or two axes below `directory`."""
    with ArrayWriter(directory, path, dtype=array.dtype, row_shape=array.shape[1:], profile=profile) as writer:
        writer.append(array)


class ArrayWriter:
    """Writes one array as a stream of rows. Leaving the `with` block without an error completes it.

    Peak memory beside what is appended: one chunk, and the compressed chunks of one `append`.
    """

    def __init__(
        self, directory: Path, path: str, *, dtype: npt.DTypeLike, row_shape: tuple[int, ...] = (), profile: Profile
    ) -> None:
        self.dtype: np.dtype[np.generic] = np.dtype(dtype).newbyteorder("<")
        if self.dtype.name not in _DTYPES or len(row_shape) > 1 or min(row_shape, default=1) < 1:
            raise InternalError(f"An array cannot hold rows of {self.dtype.name} {row_shape}: '{path}'")
        self.row_shape = row_shape
        self.n_rows = 0
        self._items = int(np.prod(row_shape, dtype=np.int64))
        self._chunk_rows = max(1, chunk_elements(profile) // self._items)
        self._codec: Codec = codec_for(profile, self.dtype)
        self._folder = directory / path
        self._shard = self._folder / _shard_name(1 + len(row_shape))
        self._doing = f"write the array '{path}'"
        with mapped(self._doing):
            self._shard.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = self._shard.open("wb", buffering=1 << 20)
        self._rest: list[npt.NDArray[np.generic]] = []
        self._n_rest = 0
        self._sizes: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            # The file is thrown away; a disk that is full would only hide the first error.
            with suppress(OSError):
                self._file.close()
            return
        with mapped(self._doing):
            with self._file:
                self._complete()
            if not self.n_rows:
                self._shard.unlink()
                for empty in list(self._shard.parents)[: 1 + len(self.row_shape)]:
                    empty.rmdir()

    def append(self, rows: npt.NDArray[np.generic]) -> None:
        """Add rows, shape [n, *row_shape], of exactly the array's dtype."""
        if rows.dtype != self.dtype or rows.shape[1:] != self.row_shape:
            raise InternalError(
                f"Rows of {rows.dtype.name} {rows.shape[1:]} do not fit '{self._folder.name}', "
                f"which has {self.dtype.name} {self.row_shape}"
            )
        rows = np.ascontiguousarray(rows)
        self.n_rows += len(rows)
        with mapped(self._doing):
            self._add(rows)

    def _add(self, rows: npt.NDArray[np.generic]) -> None:
        if self._codec.is_raw:
            self._file.write(self._codec.encode(rows))
            return
        start = 0
        if self._n_rest:
            start = min(len(rows), self._chunk_rows - self._n_rest)
            self._keep(rows[:start])
            if self._n_rest == self._chunk_rows:
                self._encode([self._take_rest()])
        stop = start + (len(rows) - start) // self._chunk_rows * self._chunk_rows
        self._encode([rows[at : at + self._chunk_rows] for at in range(start, stop, self._chunk_rows)])
        self._keep(rows[stop:])

    def _keep(self, rows: npt.NDArray[np.generic]) -> None:
        if len(rows):
            # A view would keep the caller's whole batch alive, or change under us when the caller reuses it.
            self._rest.append(rows.copy())
            self._n_rest += len(rows)

    def _take_rest(self) -> npt.NDArray[np.generic]:
        rows = np.concatenate(self._rest) if len(self._rest) > 1 else self._rest[0]
        self._rest, self._n_rest = [], 0
        return rows

    def _encode(self, chunks: list[npt.NDArray[np.generic]]) -> None:
        encoded = codec_pool().map(self._codec.encode, chunks) if len(chunks) > 1 else map(self._codec.encode, chunks)
        for data in encoded:
            self._sizes.append(len(data))
            self._file.write(data)

    def _complete(self) -> None:
        chunk_rows = min(self._chunk_rows, self.n_rows) or self._chunk_rows
        n_chunks = -(-self.n_rows // chunk_rows)
        padding = np.zeros((n_chunks * chunk_rows - self.n_rows, *self.row_shape), self.dtype)
        if self._codec.is_raw:
            self._file.write(self._codec.encode(padding))
            self._sizes = [chunk_rows * self._items * self.dtype.itemsize] * n_chunks
        elif self._n_rest:
            self._rest.append(padding)
            self._encode([self._take_rest()])
        if n_chunks:
            self._file.write(_index_bytes(self._sizes))
        self._write_metadata(chunk_rows, n_chunks)

    def _write_metadata(self, chunk_rows: int, n_chunks: int) -> None:
        is_float = self.dtype.kind == "f"
        sharding = {
            "chunk_shape": [chunk_rows, *self.row_shape],
            "codecs": self._codec.metadata(self.dtype),
            "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
            "index_location": "end",
        }
        shard = [max(1, n_chunks) * chunk_rows, *self.row_shape]
        content = {
            "shape": [self.n_rows, *self.row_shape],
            "data_type": self.dtype.name,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": shard}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "fill_value": 0.0 if is_float else 0,
            "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
            "attributes": {},
            "zarr_format": 3,
            "node_type": "array",
            "storage_transformers": [],
        }
        _write_json(self._folder / "zarr.json", content)


def _index_bytes(sizes: list[int]) -> bytes:
    index = np.empty((len(sizes), 2), "<u8")
    index[:, 1] = sizes
    index[0, 0] = 0
    np.cumsum(index[:-1, 1], out=index[1:, 0])
    data = index.tobytes()
    return data + _checksum(data)


@dataclass(frozen=True)
class _Layout:
    """What `zarr.json` says."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    chunk_rows: int
    codec: Codec

    @property
    def items(self) -> int:
        """Elements in one row."""
        return int(np.prod(self.shape[1:], dtype=np.int64))


def _parse_layout(data: bytes, key: str) -> _Layout:
    try:
        meta = json.loads(data)
        dtype_name, (sharding,) = meta["data_type"], meta["codecs"]
        inner = sharding["configuration"]
        shape = tuple(int(n) for n in meta["shape"])
        shard_shape = meta["chunk_grid"]["configuration"]["chunk_shape"]
        chunk_shape = inner["chunk_shape"]
        chain = [dict(codec) for codec in inner["codecs"]]
        index = [codec["name"] for codec in inner["index_codecs"]]
        plain = (meta["node_type"], meta["zarr_format"], sharding["name"], inner["index_location"], index)
    except (ValueError, KeyError, TypeError) as error:
        raise FormatError(
            f"Not the metadata of an array: '{key}' ({type(error).__name__}: {error})", kind="corrupt-artifact"
        ) from error
    codec = codec_from_metadata(chain, np.dtype(dtype_name)) if dtype_name in _DTYPES else None
    if (
        plain != ("array", 3, "sharding_indexed", "end", ["bytes", "crc32c"])
        or codec is None
        or len(shape) not in {1, 2}
    ):
        raise FormatError(
            f"An array of a kind that this version cannot read: '{key}'",
            hint="Upgrade saeatlas, or read it with zarr-python",
            kind="unsupported-format",
        )
    whole_rows = tuple(chunk_shape[1:]) == shape[1:] == tuple(shard_shape[1:])
    if (
        shape[0] < 0
        or min(shape[1:], default=1) < 1
        or chunk_shape[0] < 1
        or shard_shape[0] < shape[0]
        or not whole_rows
    ):
        raise FormatError(f"The shapes do not fit each other: '{key}'", kind="corrupt-artifact")
    return _Layout(shape, np.dtype(dtype_name).newbyteorder("<"), int(chunk_shape[0]), codec)


class ArrayReader:
    """Reads row ranges of one array. Nothing is read before it is needed; any thread may call any method."""

    def __init__(self, store: Store, prefix: str) -> None:
        self.prefix = prefix
        self._store = store
        self._lock = threading.Lock()
        self._layout: _Layout | None = None
        self._blob: Blob | None = None
        self._is_raw = False
        self._n_rows = 0
        self._row_bytes = 0
        self._offsets: npt.NDArray[np.int64] = np.zeros(1, np.int64)

    @property
    def layout(self) -> _Layout:
        """What `zarr.json` says, read once."""
        if self._layout is None:
            key = f"{self.prefix}/zarr.json"
            try:
                data = self._store.get(key)
            except NotFound as error:
                raise FormatError(f"An array is missing: '{key}'", kind="corrupt-artifact") from error
            self._layout = _parse_layout(data, key)
        return self._layout

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the whole array."""
        return self.layout.shape

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Element type, little-endian."""
        return self.layout.dtype

    def __len__(self) -> int:
        return self.layout.shape[0]

    def read(self, start: int = 0, stop: int | None = None) -> npt.NDArray[Any]:
        """Return rows `start` to `stop` (the end when None) as a new array of shape [stop - start, *row_shape]."""
        shape = self.layout.shape
        stop = shape[0] if stop is None else stop
        out = np.empty(stop - start if len(shape) == 1 else (stop - start, shape[1]), self.layout.dtype)
        self.read_into(start, stop, out)
        return out

    def read_into(self, start: int, stop: int, out: npt.NDArray[np.generic]) -> None:
        """Fill `out`, contiguous and of this array's dtype, with rows `start` to `stop`."""
        if self._blob is None:
            self._open()
        if not 0 <= start <= stop <= self._n_rows:
            raise InvalidInput(f"Rows {start} to {stop} are outside the {self._n_rows} rows of '{self.prefix}'")
        if start == stop or self._blob is None:
            return
        if self._is_raw:
            self._blob.read_into(start * self._row_bytes, out)
        else:
            self._decode(self._blob, start, stop, out)

    def _open(self) -> None:
        with self._lock:
            layout = self.layout
            if self._blob is not None or not layout.shape[0]:
                return
            key = f"{self.prefix}/{_shard_name(len(layout.shape))}"
            try:
                blob = self._store.open(key)
            except NotFound as error:
                raise FormatError(f"The data of an array is missing: '{key}'", kind="corrupt-artifact") from error
            self._offsets = _read_index(blob, layout, key)
            self._n_rows = layout.shape[0]
            self._row_bytes = layout.items * layout.dtype.itemsize
            self._is_raw = layout.codec.is_raw
            self._blob = blob  # Last: other threads take it as the sign that all is ready.

    def _decode(self, blob: Blob, start: int, stop: int, out: npt.NDArray[np.generic]) -> None:
        layout = self.layout
        rows, items = layout.chunk_rows, layout.items
        first, last = start // rows, (stop - 1) // rows
        base = int(self._offsets[first])
        bounds = (self._offsets[first : last + 2] - base).tolist()
        data = memoryview(blob.read(base, bounds[-1]))
        flat = out.reshape(-1)
        for chunk in range(first, last + 1):
            begin, end = chunk * rows, (chunk + 1) * rows
            piece = data[bounds[chunk - first] : bounds[chunk - first + 1]]
            try:
                if start <= begin and end <= stop:
                    layout.codec.decode_into(piece, flat[(begin - start) * items : (end - start) * items])
                    continue
                whole = np.empty(rows * items, layout.dtype)
                layout.codec.decode_into(piece, whole)
            except (ValueError, RuntimeError) as error:
                raise FormatError(
                    f"Chunk {chunk} cannot be decoded: '{self.prefix}/{_shard_name(len(layout.shape))}' ({error})",
                    hint="Run `saeatlas verify --deep` and do what it says",
                    kind="corrupt-artifact",
                ) from error
            lower, upper = max(start, begin), min(stop, end)
            flat[(lower - start) * items : (upper - start) * items] = whole[
                (lower - begin) * items : (upper - begin) * items
            ]


def _read_index(blob: Blob, layout: _Layout, key: str) -> npt.NDArray[np.int64]:
    """Return the offset of each chunk and the end of the last, int64 [n_chunks + 1], after checking them."""
    n_chunks = -(-layout.shape[0] // layout.chunk_rows)
    n_bytes = n_chunks * _INDEX_ENTRY + _CHECKSUM
    if blob.size < n_bytes:
        raise _broken_index(key, f"{blob.size} bytes cannot hold the index of {n_chunks} chunks")
    data = blob.read(blob.size - n_bytes, n_bytes)
    if _checksum(data[:-_CHECKSUM]) != data[-_CHECKSUM:]:
        raise _broken_index(key, "the checksum of the index is wrong")
    index = np.frombuffer(data[:-_CHECKSUM], "<u8").reshape(n_chunks, 2).astype(np.int64)
    offsets = np.zeros(n_chunks + 1, np.int64)
    np.cumsum(index[:, 1], out=offsets[1:])
    if index.min() < 0 or not np.array_equal(index[:, 0], offsets[:-1]) or offsets[-1] != blob.size - n_bytes:
        raise _broken_index(key, "the chunks do not fill the file one after the other")
    chunk_bytes = layout.chunk_rows * layout.items * layout.dtype.itemsize
    if layout.codec.is_raw and not bool(np.all(index[:, 1] == chunk_bytes)):
        raise _broken_index(key, f"uncompressed chunks must have {chunk_bytes} bytes each")
    return offsets


def _broken_index(key: str, found: str) -> FormatError:
    return FormatError(
        f"The data of an array is damaged: '{key}', {found}",
        hint="Run `saeatlas verify --deep` and do what it says",
        kind="corrupt-artifact",
    )
