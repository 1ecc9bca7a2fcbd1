"""A store in a directory of a local or network file system."""

from __future__ import annotations

import builtins
import errno
import os
import shutil
import stat
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt

from saeatlas.errors import AlreadyExists, FormatError, InvalidInput, NotFound, StorageError
from saeatlas.storage.appending import append_lines
from saeatlas.storage.faults import is_fault_of_disk, mapped, raise_limit_of_open_files, storage_error
from saeatlas.storage.keys import STAGING, check_key, check_prefix

__all__ = ["LocalBlob", "LocalStore"]

# The type stubs of Python 3.11 do not know that an array is a buffer.
_preadv = cast("Callable[[int, tuple[object], int], int]", os.preadv)
_ABSENT = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class LocalBlob:
    """An open file. It stays readable when the file is deleted, and closes when nothing refers to it."""

    __slots__ = ("_fd", "_key", "_written_at", "is_file", "path", "size")

    def __init__(self, fd: int, key: str, path: Path) -> None:
        self._fd = fd
        self._key = key
        self.path: Path | None = path
        status = os.fstat(fd)
        self.size = status.st_size
        self._written_at = status.st_mtime
        self.is_file = stat.S_ISREG(status.st_mode)

    def __del__(self, close: object = os.close) -> None:
        # The default argument keeps `close` alive while the interpreter shuts down.
        if callable(close):
            close(self._fd)

    @property
    def age(self) -> float:
        """Seconds since the file was written."""
        return max(0.0, time.time() - self._written_at)

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise self._too_short(offset, length)
        data = os.pread(self._fd, length, offset)
        if len(data) == length:
            return data
        out = np.empty(length, np.uint8)
        self._fill(offset, out, 0)
        return out.tobytes()

    def read_into(self, offset: int, out: npt.NDArray[np.generic]) -> None:
        """Fill the contiguous array `out` from `offset` with one system call where that is enough."""
        if offset < 0:  # To preadv, -1 is the file's current position.
            raise self._too_short(offset, out.nbytes)
        try:
            done = _preadv(self._fd, (out,), offset)
        except (OSError, ValueError):
            # The reason is found again, with a better name, in the slow path.
            done = 0
        if done != out.nbytes:
            self._fill(offset, out, done)

    def _fill(self, offset: int, out: npt.NDArray[np.generic], done: int) -> None:
        """Go on after `done` bytes: one call moves at most 2 GiB, and a signal may cut it short."""
        if not (out.flags.c_contiguous and out.flags.writeable):
            raise InvalidInput("The array to read into must be contiguous and writeable")
        if offset + out.nbytes > self.size:
            raise self._too_short(offset, out.nbytes)
        raw = out.reshape(-1).view(np.uint8)
        while done < raw.nbytes:
            with mapped(f"read '{self._key}'"):
                count = _preadv(self._fd, (raw[done:],), offset + done)
            if count == 0:
                raise self._too_short(offset, raw.nbytes)
            done += count

    def _too_short(self, offset: int, length: int) -> FormatError:
        return FormatError(
            f"'{self._key}' is too short: asked for {length} bytes at {offset}, it has {os.fstat(self._fd).st_size}",
            hint="Run 'saeatlas verify --deep' to see what else is damaged.",
            kind="corrupt-artifact",
        )


class LocalStore:
    """Objects are files below one directory.

    Parameters
    ----------
    path
        The directory.
    create
        Make the directory, and those above it, when it is missing. Otherwise `NotFound`.
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow the user's own links
        if create:
            with mapped(f"make the directory '{self.path}'"):
                self.path.mkdir(parents=True, exist_ok=True)
        if not self.path.is_dir():
            found = "a file" if self.path.exists() else "nothing"
            raise NotFound(
                f"No directory '{self.path}': found {found}", hint="Make an atlas with 'saeatlas init PATH'."
            )

    @property
    def url(self) -> str:
        """The absolute path."""
        return str(self.path)

    def get(self, key: str) -> bytes:
        """Return a whole object; `NotFound` when there is none."""
        try:
            return self._file(key).read_bytes()
        except _ABSENT as error:
            raise self._no_object(key) from error
        except OSError as error:
            raise storage_error(error, f"read '{key}' in '{self.path}'") from error

    def open(self, key: str) -> LocalBlob:
        """Open an object for ranged reads; `NotFound` when there is none."""
        path = self._file(key)
        try:
            fd = _open_file(path)
        except _ABSENT as error:
            raise self._no_object(key) from error
        except OSError as error:
            raise storage_error(error, f"open '{key}' in '{self.path}'") from error
        blob = LocalBlob(fd, key, path)
        if not blob.is_file:
            raise self._no_object(key)
        return blob

    def exists(self, key: str) -> bool:
        """Whether an object has this key."""
        return self._file(key).is_file()

    def list(self, prefix: str) -> Iterator[str]:
        """Yield, sorted, the keys of all objects below `prefix`; what is in flight is left out."""
        start = check_prefix(prefix)
        root = self.path / start if start else self.path
        keys = []
        with mapped(f"list '{root}'"):
            for directory, folders, names in os.walk(root, onerror=_raise_unless_absent):
                if directory == str(self.path):
                    folders[:] = [name for name in folders if name != STAGING]
                below = Path(directory).relative_to(self.path).as_posix()
                keys += [name if below == "." else f"{below}/{name}" for name in names]
        yield from sorted(keys)

    def children(self, prefix: str) -> builtins.list[str]:
        """Return, sorted, the next name of every key below `prefix`, each once."""
        start = check_prefix(prefix)
        root = self.path / start if start else self.path
        with mapped(f"list '{root}'"):
            try:
                # A directory listing knows what is a directory, so that thousands of commits cost no call each.
                with os.scandir(root) as entries:
                    names = [entry.name for entry in entries if not entry.is_dir() or _holds_a_file(Path(entry.path))]
            except _ABSENT:
                return []
        return sorted(name for name in names if start or name != STAGING)

    def put_new(self, key: str, data: bytes) -> None:
        """Write an object durably and at once, or raise `AlreadyExists`.

        The bytes are complete on disk under a name in staging before the key is linked to them.
        """
        target = self._file(key)
        with mapped(f"write '{key}' in '{self.path}'"):
            if target.exists():
                raise self._exists(key)
            temporary = self._new_staging_path()
            try:
                _write_durably(temporary, data)
                _make_directories(target.parent, self.path)
                is_new = _link(temporary, target)
                _sync_directory(target.parent)
            finally:
                with suppress(OSError):
                    temporary.unlink()
        if not is_new:
            raise self._exists(key)

    def append(self, key: str, lines: bytes, *, beside: str) -> str:
        """Add whole lines to the file of `key`, one writer at a time; `beside` is for stores without such files."""
        check_key(beside)
        target = self._file(key)
        with mapped(f"append to '{key}' in '{self.path}'"):
            _make_directories(target.parent, self.path)
            append_lines(target, lines, _sync_directory)
        return key

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give an empty directory in the atlas to build in; an error of the disk inside it says so."""
        with mapped(f"make a directory in '{self.path / STAGING}'"):
            directory = self._new_staging_path()
            directory.mkdir()
        try:
            yield directory
        except OSError as error:
            if is_fault_of_disk(error):
                raise storage_error(error, f"write below '{self.path}'") from error
            raise
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def publish(self, directory: Path, prefix: str, *, seal: str) -> bool:
        """Make a finished scratch directory the directory of `prefix`, in one rename.

        What a killed deletion left there, which has no seal, gives way.
        """
        target = self._directory(prefix)
        if not (directory / seal).is_file():
            raise InvalidInput(f"The directory to publish as '{prefix}' has no '{seal}'")
        with mapped(f"publish '{prefix}' in '{self.path}'"):
            if (target / seal).is_file():
                return False
            _sync_tree(directory)
            _make_directories(target.parent, self.path)
            while not _rename_directory(directory, target):
                if (target / seal).is_file():
                    return False
                self._set_aside(target, seal)
            _sync_directory(target.parent)
        return True

    def delete(self, key: str) -> int:
        """Delete one object and return its size in bytes; 0 when there is none."""
        target = self._file(key)
        with mapped(f"delete '{key}' in '{self.path}'"):
            freed = _remove(target)
            if freed:
                _sync_directory(target.parent)
        return freed

    def delete_prefix(self, prefix: str, *, seal: str) -> int:
        """Delete all below `prefix`, the seal first, and return how many bytes were freed."""
        target = self._directory(prefix)
        with mapped(f"delete '{prefix}' in '{self.path}'"):
            freed = _remove(target / seal)
            aside = self._new_staging_path()
            try:
                _sync_directory(target)
                target.rename(aside)
            except _ABSENT:
                return freed
            _sync_directory(target.parent)
            freed += _size_of_tree(aside)
            shutil.rmtree(aside, ignore_errors=True)
        return freed

    def sweep(self, *, min_age: float, dry_run: bool = False) -> int:
        """Remove what killed writers left in flight at least `min_age` seconds ago; return its bytes."""
        freed = 0
        with mapped(f"clean '{self.path / STAGING}'"):
            staging = self.path / STAGING
            for path in sorted(staging.iterdir()) if staging.is_dir() else []:
                if time.time() - _last_change(path) < min_age:
                    continue
                freed += _size_of_tree(path)
                if dry_run:
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
        return freed

    def _file(self, key: str) -> Path:
        return self.path / check_key(key)

    def _directory(self, prefix: str) -> Path:
        start = check_prefix(prefix)
        if not start:
            raise InvalidInput("A whole store is neither published nor deleted through its prefix")
        return self.path / start

    def _new_staging_path(self) -> Path:
        staging = self.path / STAGING
        staging.mkdir(exist_ok=True)
        return staging / uuid.uuid4().hex

    def _set_aside(self, target: Path, seal: str) -> None:
        """Move remains out of the way; a whole artifact that another writer published meanwhile goes back."""
        aside = self._new_staging_path()
        try:
            target.rename(aside)
        except _ABSENT:
            return
        if not (aside / seal).is_file() or not _rename_directory(aside, target):
            shutil.rmtree(aside, ignore_errors=True)

    def _no_object(self, key: str) -> NotFound:
        return NotFound(f"No object '{key}' in '{self.path}'")

    def _exists(self, key: str) -> AlreadyExists:
        return AlreadyExists(f"There is an object '{key}' in '{self.path}' already")


def _open_file(path: Path) -> int:
    flags = os.O_RDONLY | os.O_CLOEXEC
    try:
        return os.open(path, flags)
    except OSError as error:
        if error.errno == errno.EMFILE and raise_limit_of_open_files():
            return os.open(path, flags)
        raise


def _write_durably(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _link(temporary: Path, target: Path) -> bool:
    """Give a file its name; False when the name is taken."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        # On NFS the reply to a link that succeeded may be lost; the file then has two names all the same.
        return temporary.stat().st_nlink > 1
    except OSError as error:
        if error.errno in {errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK}:
            raise StorageError(
                f"The file system has no hard links: could not write '{target}'",
                hint="Keep the atlas on a file system with hard links, such as ext4, xfs, apfs or NFS.",
            ) from error
        raise
    return True


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _sync_tree(directory: Path) -> None:
    for folder, _, names in os.walk(directory, topdown=False):
        for name in names:
            fd = os.open(Path(folder) / name, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        _sync_directory(Path(folder))


def _make_directories(path: Path, root: Path) -> None:
    """Make `path` and what is missing between it and `root`, each name durable in its parent."""
    if path == root or path.is_dir():
        return
    _make_directories(path.parent, root)
    path.mkdir(exist_ok=True)
    _sync_directory(path.parent)


def _rename_directory(source: Path, target: Path) -> bool:
    try:
        source.rename(target)
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            return False
        raise
    return True


def _remove(path: Path) -> int:
    try:
        size = path.stat().st_size
        path.unlink()
    except _ABSENT:
        return 0
    return size


def _size_of_tree(path: Path) -> int:
    if not path.is_dir():
        return path.stat().st_size if path.exists() else 0
    return sum(_size_of_file(Path(folder) / name) for folder, _, names in os.walk(path) for name in names)


def _size_of_file(path: Path) -> int:
    try:
        return path.lstat().st_size
    except _ABSENT:
        return 0


def _last_change(path: Path) -> float:
    """Time of the newest change in a tree: a writer that still works there is not old."""
    times = [path.lstat().st_mtime] if path.exists() else [time.time()]
    for folder, _, names in os.walk(path):
        for name in [".", *names]:
            with suppress(*_ABSENT):
                times.append((Path(folder) / name).lstat().st_mtime)
    return max(times)


def _holds_a_file(path: Path) -> bool:
    return any(names for _, _, names in os.walk(path))


def _raise_unless_absent(error: OSError) -> None:
    if not isinstance(error, _ABSENT):
        raise error
