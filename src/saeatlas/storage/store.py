"""What a place that holds an atlas must be able to do."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["Blob", "Store"]


class Blob(Protocol):
    """One immutable object, open for reading at any offset from any thread."""

    @property
    def size(self) -> int:
        """Bytes in all."""
        ...

    @property
    def path(self) -> Path | None:
        """File of the object, for libraries that want a path, or None where objects are not files."""
        ...

    @property
    def age(self) -> float:
        """Seconds since the object was written."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`; fewer is a `FormatError` of kind corrupt-artifact."""
        ...

    def read_into(self, offset: int, out: npt.NDArray[np.generic]) -> None:
        """Fill the contiguous array `out` from `offset`; a short read is an error as in `read`."""
        ...


class Store(Protocol):
    """A flat key space of immutable objects. Keys are '/'-separated; a prefix is a key and a '/'.

    The one exception is an object that `append` makes: it may grow at its end.
    """

    @property
    def url(self) -> str:
        """What opens this store again, in another process too (memory stores excepted)."""
        ...

    def get(self, key: str) -> bytes:
        """Return a whole object; `NotFound` when there is none."""
        ...

    def open(self, key: str) -> Blob:
        """Open an object for ranged reads; `NotFound` when there is none."""
        ...

    def exists(self, key: str) -> bool:
        """Whether an object has this key."""
        ...

    def list(self, prefix: str) -> Iterator[str]:
        """Yield, sorted, the keys of all objects below `prefix`, at any depth."""
        ...

    def children(self, prefix: str) -> builtins.list[str]:
        """Return, sorted, the next name of every key below `prefix`, each once."""
        ...

    def put_new(self, key: str, data: bytes) -> None:
        """Write an object durably if there is none with this key, else raise `AlreadyExists`. Never partial."""
        ...

    def append(self, key: str, lines: bytes, *, beside: str) -> str:
        """Add whole lines durably to a log, and return the key of the object that holds them now.

        Where objects can grow that is `key`: the lines stand after every other writer's, never among them, and bytes
        that a writer left without a line end are closed with the byte 0x18 and a line feed. Elsewhere the lines
        become the new object `beside`, as with `put_new`.
        """
        ...

    def scratch(self) -> AbstractContextManager[Path]:
        """Give an empty local directory to build in. It is removed at the end unless it was published."""
        ...

    def publish(self, directory: Path, prefix: str, *, seal: str) -> bool:
        """Make the files of a scratch directory durable objects below `prefix`, `seal` last.

        Readers see nothing or everything. Returns False, and changes nothing, when the seal exists.
        """
        ...

    def delete(self, key: str) -> int:
        """Delete one object and return its size in bytes; 0 when there is none."""
        ...

    def delete_prefix(self, prefix: str, *, seal: str) -> int:
        """Delete all below `prefix`, the seal first, and return how many bytes were freed."""
        ...

    def sweep(self, *, min_age: float, dry_run: bool = False) -> int:
        """Remove what killed writers left in flight and untouched for `min_age` seconds; return its bytes."""
        ...
