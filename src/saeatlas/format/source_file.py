"""What every source file must be before a reader opens it, and its fingerprint."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from saeatlas.errors import SourceError

__all__ = ["HDF5_MAGIC", "PARQUET_MAGIC", "ZIP_MAGIC", "check_file", "fingerprint"]

HDF5_MAGIC: Final = b"\x89HDF\r\n\x1a\n"
ZIP_MAGIC: Final = b"PK\x03\x04"
PARQUET_MAGIC: Final = b"PAR1"

_LFS: Final = b"version https://git-lfs.github.com/spec/"
_WHOLE = 64_000_000
_BLOCK = 65_536
_N_BLOCKS = 64


def check_file(path: Path, what: str) -> bytes:
    """Return the first bytes of a file that exists, is not empty and holds data.

    Parameters
    ----------
    path
        Where it should be.
    what
        What it is to the caller, for messages, such as 'metadata'.

    Raises
    ------
    SourceError
        When there is no such file, it is a folder, it is empty, or it is a Git LFS pointer.
    """
    if not path.exists():
        raise SourceError(f"There is no {what} file at '{path}'", hint="Check the path.")
    if not path.is_file():
        raise SourceError(f"The {what} is not a file: '{path}'", hint="Give a file.", kind="wrong-file-type")
    try:
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        raise SourceError(f"The {what} file cannot be read: {error}", hint="Check its permissions.") from error
    if not head:
        raise SourceError(f"The {what} file is empty: '{path}'", hint="Copy it again.", kind="empty-source")
    if head.startswith(_LFS):
        raise SourceError(
            f"The {what} file is a Git LFS pointer, not the data: '{path}'",
            hint=f"Run `git lfs pull --include {path.name}` in its repository, then import again.",
            kind="wrong-file-type",
        )
    return head


def fingerprint(path: Path) -> str:
    """Return a digest of a file's content, or of a sample of it when it is large.

    A file below 64 MB is read whole, and copies of it have the same fingerprint. Of a larger file, the size, the time
    of its last change and 64 blocks of 64 KiB, evenly spaced from its first byte to its last, are read: a change
    between two blocks that also keeps size and time is not seen, and a copy counts as the same file only if the copy
    kept the time.
    """
    facts = path.stat()
    digest = hashlib.sha256()
    with path.open("rb") as file:
        if facts.st_size < _WHOLE:
            while block := file.read(1 << 20):
                digest.update(block)
            return digest.hexdigest()
        digest.update(f"{facts.st_size} {facts.st_mtime_ns}".encode())
        for i in range(_N_BLOCKS):
            file.seek((facts.st_size - _BLOCK) * i // (_N_BLOCKS - 1))
            digest.update(file.read(_BLOCK))
    return digest.hexdigest()
