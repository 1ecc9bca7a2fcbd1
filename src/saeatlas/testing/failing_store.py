"""A store whose k-th write fails, before or after it took effect: what a full disk or a lost reply looks like."""

from __future__ import annotations

import builtins
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

from saeatlas.errors import StorageError
from saeatlas.storage import Blob, Store

__all__ = ["FailingStore"]

_T = TypeVar("_T")


class FailingStore:
    """Passes everything to another store, but raises `StorageError` at one write.

    Parameters
    ----------
    inner
        The store that holds the objects.
    fail_at
        Which write fails, counted from 1: `put_new`, `append`, `publish`, `delete` and `delete_prefix` count.
        0 never fails, so that `writes` says how many writes some work makes.
    after
        Fail after the write took effect, as when the reply of a server is lost.
    kind
        Kind of the error.
    """

    def __init__(self, inner: Store, fail_at: int, *, after: bool = False, kind: str = "disk-full") -> None:
        self.inner = inner
        self.fail_at = fail_at
        self.after = after
        self.kind = kind
        self.writes = 0
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        """The inner store's: another process that opens it meets no failure."""
        return self.inner.url

    def get(self, key: str) -> bytes:
        """Read from the inner store."""
        return self.inner.get(key)

    def open(self, key: str) -> Blob:
        """Open in the inner store."""
        return self.inner.open(key)

    def exists(self, key: str) -> bool:
        """Ask the inner store."""
        return self.inner.exists(key)

    def list(self, prefix: str) -> Iterator[str]:
        """List the inner store."""
        return self.inner.list(prefix)

    def children(self, prefix: str) -> builtins.list[str]:
        """List the inner store."""
        return self.inner.children(prefix)

    def put_new(self, key: str, data: bytes) -> None:
        """Write to the inner store, unless it is this write's turn to fail."""
        self._write(f"put_new '{key}'", lambda: self.inner.put_new(key, data))

    def append(self, key: str, lines: bytes, *, beside: str) -> str:
        """Append in the inner store, unless it is this write's turn to fail."""
        return self._write(f"append '{key}'", lambda: self.inner.append(key, lines, beside=beside))

    def scratch(self) -> AbstractContextManager[Path]:
        """Give a directory of the inner store."""
        return self.inner.scratch()

    def publish(self, directory: Path, prefix: str, *, seal: str) -> bool:
        """Publish in the inner store, unless it is this write's turn to fail."""
        return self._write(f"publish '{prefix}'", lambda: self.inner.publish(directory, prefix, seal=seal))

    def delete(self, key: str) -> int:
        """Delete from the inner store, unless it is this write's turn to fail."""
        return self._write(f"delete '{key}'", lambda: self.inner.delete(key))

    def delete_prefix(self, prefix: str, *, seal: str) -> int:
        """Delete from the inner store, unless it is this write's turn to fail."""
        return self._write(f"delete_prefix '{prefix}'", lambda: self.inner.delete_prefix(prefix, seal=seal))

    def sweep(self, *, min_age: float, dry_run: bool = False) -> int:
        """Clean the inner store."""
        return self.inner.sweep(min_age=min_age, dry_run=dry_run)

    def _write(self, what: str, write: Callable[[], _T]) -> _T:
        with self._lock:
            self.writes += 1
            fails = self.writes == self.fail_at
        if fails and not self.after:
            raise self._failure(what)
        result = write()
        if fails:
            raise self._failure(what)
        return result

    def _failure(self, what: str) -> StorageError:
        return StorageError(f"Write {self.fail_at} fails as a test asked: {what}", kind=self.kind)
