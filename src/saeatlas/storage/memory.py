"""A store in this process's memory, for tests and throw-away atlases."""

from __future__ import annotations

import builtins
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from saeatlas.errors import AlreadyExists, FormatError, InvalidInput, NotFound
from saeatlas.storage.keys import check_key, check_prefix

__all__ = ["MemoryBlob", "MemoryStore"]


class MemoryBlob:
    """An object held in memory."""

    __slots__ = ("_data", "_key", "_written_at", "path")

    def __init__(self, key: str, data: bytes, written_at: float) -> None:
        self._key = key
        self._data = data
        self._written_at = written_at
        self.path: Path | None = None

    @property
    def size(self) -> int:
        """Bytes in all."""
        return len(self._data)

    @property
    def age(self) -> float:
        """Seconds since the object was put."""
        return max(0.0, time.time() - self._written_at)

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`."""
        self._check(offset, length)
        return self._data[offset : offset + length]

    def read_into(self, offset: int, out: npt.NDArray[np.generic]) -> None:
        """Fill the contiguous array `out` from `offset`."""
        if not out.flags.c_contiguous:
            raise InvalidInput("The array to read into must be contiguous")
        self._check(offset, out.nbytes)
        out.reshape(-1).view(np.uint8)[:] = np.frombuffer(self._data, np.uint8, out.nbytes, offset) if out.nbytes else 0

    def _check(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > len(self._data):
            raise FormatError(
                f"'{self._key}' is too short: asked for {length} bytes at {offset}, it has {len(self._data)}",
                kind="corrupt-artifact",
            )


class MemoryStore:
    """Objects in a dictionary. Safe for threads; it ends with the process."""

    def __init__(self) -> None:
        self._objects: dict[str, tuple[bytes, float]] = {}
        self._lock = threading.Lock()
        self._name = uuid.uuid4().hex

    @property
    def url(self) -> str:
        """A name for messages; no other process can open it."""
        return f"memory://{self._name}"

    def get(self, key: str) -> bytes:
        """Return a whole object; `NotFound` when there is none."""
        return self._found(key)[0]

    def open(self, key: str) -> MemoryBlob:
        """Open an object for ranged reads; it stays readable after it was deleted."""
        return MemoryBlob(key, *self._found(key))

    def exists(self, key: str) -> bool:
        """Whether an object has this key."""
        return check_key(key) in self._objects

    def list(self, prefix: str) -> Iterator[str]:
        """Yield, sorted, the keys of all objects below `prefix`."""
        start = check_prefix(prefix)
        with self._lock:
            keys = sorted(key for key in self._objects if key.startswith(start))
        yield from keys

    def children(self, prefix: str) -> builtins.list[str]:
        """Return, sorted, the next name of every key below `prefix`, each once."""
        start = len(check_prefix(prefix))
        return sorted({key[start:].partition("/")[0] for key in self.list(prefix)})

    def put_new(self, key: str, data: bytes) -> None:
        """Add an object, or raise `AlreadyExists`."""
        check_key(key)
        with self._lock:
            if key in self._objects:
                raise AlreadyExists(f"There is an object '{key}' in {self.url} already")
            self._objects[key] = (bytes(data), time.time())

    def append(self, key: str, lines: bytes, *, beside: str) -> str:
        """Add the lines as a new object, as an object store does; `key` is for stores whose objects grow."""
        check_key(key)
        self.put_new(beside, lines)
        return beside

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a temporary directory to build in."""
        import tempfile

        with tempfile.TemporaryDirectory(prefix="saeatlas-") as directory:
            yield Path(directory)

    def publish(self, directory: Path, prefix: str, *, seal: str) -> bool:
        """Copy the files of a directory below `prefix`, all at once; False when the seal is there."""
        start = check_prefix(prefix)
        files = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*") if path.is_file()}
        if seal not in files:
            raise InvalidInput(f"The directory to publish as '{prefix}' has no '{seal}'")
        loaded = {check_key(f"{start}{name}"): (path.read_bytes(), time.time()) for name, path in files.items()}
        with self._lock:
            if f"{start}{seal}" in self._objects:
                return False
            for key in [key for key in self._objects if key.startswith(start)]:
                del self._objects[key]
            self._objects.update(loaded)
        return True

    def delete(self, key: str) -> int:
        """Delete one object and return its size; 0 when there is none."""
        check_key(key)
        with self._lock:
            return len(self._objects.pop(key, (b"", 0.0))[0])

    def delete_prefix(self, prefix: str, *, seal: str) -> int:
        """Delete all below `prefix` and return how many bytes were freed."""
        start = check_prefix(prefix)
        if not start:
            raise InvalidInput("A whole store is not deleted through its prefix")
        check_key(f"{start}{seal}")
        with self._lock:
            keys = [key for key in self._objects if key.startswith(start)]
            return sum(len(self._objects.pop(key)[0]) for key in keys)

    def sweep(self, *, min_age: float, dry_run: bool = False) -> int:  # noqa: ARG002
        """Return 0: a scratch directory of this store lives no longer than its block."""
        return 0

    def _found(self, key: str) -> tuple[bytes, float]:
        found = self._objects.get(check_key(key))
        if found is None:
            raise NotFound(f"No object '{key}' in {self.url}")
        return found
