"""What an operating system error means to the user: one place that maps errno to kind and hint."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from saeatlas.errors import SaeatlasError, StorageError

__all__ = ["is_fault_of_disk", "mapped", "raise_limit_of_open_files", "storage_error"]

_FULL = {
    errno.ENOSPC: "The disk is full",
    errno.EDQUOT: "The disk quota is used up",
    errno.EFBIG: "The file would be larger than allowed",
}
_REFUSED = {
    errno.EROFS: "The file system is read-only",
    errno.EACCES: "Permission denied",
    errno.EPERM: "The operation is not permitted",
}


def is_fault_of_disk(error: OSError) -> bool:
    """Whether an error says that a disk is full or read-only, and not that a file is missing or the like."""
    return not isinstance(error, SaeatlasError) and (error.errno in _FULL or error.errno == errno.EROFS)


def storage_error(error: OSError, doing: str) -> StorageError:
    """Return the `StorageError` for an `OSError` met while `doing` something, such as "write 'a/b'"."""
    code = error.errno or 0
    if code in _FULL:
        hint = "Free some space and run again: finished work is kept."
        return StorageError(f"{_FULL[code]}: could not {doing}", hint=hint, kind="disk-full")
    if code in _REFUSED:
        hint = "Check the permissions and the mount, or copy the atlas to a place where you may write."
        return StorageError(f"{_REFUSED[code]}: could not {doing}", hint=hint, kind="read-only")
    if code in {errno.EMFILE, errno.ENFILE}:
        hint = "Raise the limit with 'ulimit -n', or run 'saeatlas compact' so that there are fewer files."
        return StorageError(f"Too many open files: could not {doing}", hint=hint)
    reason = error.strerror or str(error)
    return StorageError(f"{reason}: could not {doing}", hint="Check the disk and run again: finished work is kept.")


@contextmanager
def mapped(doing: str) -> Iterator[None]:
    """Turn an `OSError` of the block into the `StorageError` that says what could not be done."""
    try:
        yield
    except SaeatlasError:
        raise
    except OSError as error:
        raise storage_error(error, doing) from error


def raise_limit_of_open_files() -> bool:
    """Lift this process's soft limit of open files to its hard limit; False when that changes nothing.

    A blob keeps its file open, so that it stays readable whatever gc deletes; many systems allow only 1,024.
    """
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return False
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        return False
    return True
