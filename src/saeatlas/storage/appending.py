"""Add whole lines to the end of a file, one writer at a time: a kill loses at most what was not acknowledged."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

__all__ = ["CANCEL", "append_lines"]

CANCEL = b"\x18"
"""Last byte of a line that its writer left without an end: the character CAN, which no JSON holds as such."""


def append_lines(path: Path, lines: bytes, sync_directory: Callable[[Path], None]) -> None:
    """Append `lines` durably, after every other writer's and never among them.

    The lock is the kernel's and goes with the process that holds it, however that ends. Bytes that a writer which was
    killed, or refused by the file system, left without a line end are closed with `CANCEL` and a line feed, and so told
    from every whole line. After an error, whole lines may be there all the same, as after a reply that was lost.
    """
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        size = os.fstat(fd).st_size
        if size == 0:
            # The name is durable before the first byte is: a file that holds anything cannot be lost by its directory.
            sync_directory(path.parent)
        is_torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
        # What fails in the middle stays as it is: a reader may have gone past it, so that nothing may be cut off.
        _write_all(fd, CANCEL + b"\n" + lines if is_torn else lines)
        os.fsync(fd)
    finally:
        os.close(fd)


def _write_all(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]
