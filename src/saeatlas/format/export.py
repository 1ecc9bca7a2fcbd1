"""Tables as files for other programs, in the format that the file's name asks for, whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from saeatlas.errors import InvalidInput, NotFound, StorageError
from saeatlas.format.delimited import write_delimited

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["check_place", "check_target", "export_table", "replace_file"]


def check_target(path: Path) -> None:
    """Refuse a file name that no table can be written to before any work is done."""
    check_place(path, "table", tuple(_WRITERS))


def check_place(path: Path, what: str, endings: Sequence[str]) -> None:
    """Refuse a file name without one of the endings, a directory, and a name in no directory.

    Raises
    ------
    InvalidInput
        When the format is not known, or a directory has the name.
    NotFound
        When the directory to write to does not exist.
    """
    if path.suffix.lower() not in endings:
        *most, last = endings
        raise InvalidInput(
            f"No {what} format is known by the ending of '{path.name}'",
            hint=f"End the name with {', '.join(most)} or {last}.",
        )
    if not path.parent.is_dir():
        raise NotFound(f"The directory to write to does not exist: '{path.parent}'", hint="Make it first.")
    if path.is_dir():
        raise InvalidInput(f"The file to write to is a directory: '{path}'")


def export_table(table: pa.Table, path: Path) -> None:
    """Write `table` to `path`; a file of that name is replaced at once when the new one is complete.

    In CSV and TSV, a text that a spreadsheet would compute gets a "'" before it.

    Raises
    ------
    StorageError
        When the file system refuses; nothing is left behind.
    """
    check_target(path)
    write = _WRITERS[path.suffix.lower()]
    replace_file(path, lambda file: write(table, file))


def replace_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file beside `path`, and put it in its place when it is complete and on disk.

    Raises
    ------
    StorageError
        When the file system refuses; nothing is left behind.
    """
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"Cannot write '{path}': {error.strerror or error}") from error


def _umask() -> int:
    # The only way to read it is to set it.
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _write_parquet(table: pa.Table, file: IO[bytes]) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, file, compression="zstd")


def _write_arrow(table: pa.Table, file: IO[bytes]) -> None:
    import pyarrow as pa

    with pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def _write_csv(table: pa.Table, file: IO[bytes]) -> None:
    write_delimited(table, file, ",")


def _write_tsv(table: pa.Table, file: IO[bytes]) -> None:
    write_delimited(table, file, "\t")


_WRITERS: dict[str, Callable[[pa.Table, IO[bytes]], None]] = {
    ".parquet": _write_parquet,
    ".arrow": _write_arrow,
    ".csv": _write_csv,
    ".tsv": _write_tsv,
}
