"""Where an atlas's bytes live: one small protocol, a local and an in-memory implementation."""

from __future__ import annotations

from pathlib import Path

from saeatlas.errors import InvalidInput
from saeatlas.storage.local import LocalStore
from saeatlas.storage.memory import MemoryStore
from saeatlas.storage.store import Blob, Store

__all__ = ["Blob", "LocalStore", "MemoryStore", "Store", "open_store"]


def open_store(url: str | Path, *, create: bool = False) -> Store:
    """Open the store at a path or 'file://' URL.

    Parameters
    ----------
    url
        A directory; '~' is the home directory.
    create
        Make the directory when it is missing. Otherwise `NotFound`.

    Raises
    ------
    InvalidInput
        When no store serves the URL's scheme.
    """
    if isinstance(url, str):
        scheme, separator, rest = url.partition("://")
        if separator and scheme != "file":
            raise InvalidInput(f"No store serves '{scheme}://': asked for '{url}'", hint="Give a path to a directory.")
        if not url.strip():
            raise InvalidInput("The path of an atlas is empty", hint="Give a path to a directory.")
        url = Path(_path_of_file_url(rest) if separator else url)
    return LocalStore(url.expanduser(), create=create)


def _path_of_file_url(rest: str) -> str:
    from urllib.parse import unquote

    host, _, path = rest.partition("/")
    if host not in {"", "localhost"}:
        raise InvalidInput(f"A file URL must not name another machine: 'file://{rest}'")
    return unquote(f"/{path}")
