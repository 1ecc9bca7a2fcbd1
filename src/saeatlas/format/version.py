"""Which format this version writes, and what makes a directory an atlas."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from saeatlas._version import __version__
from saeatlas.errors import AlreadyExists, FormatError, NotFound
from saeatlas.format.canonical import read_document, take, write_document
from saeatlas.storage import Store

__all__ = ["ATLAS", "FORMAT", "check_format", "create_atlas", "now", "read_atlas", "writer"]

FORMAT = 1
"""The format that this version writes; it reads this one and all before it."""

ATLAS = "atlas.json"
"""Key of the document that makes a store an atlas."""


def check_format(found: object, what: str) -> int:
    """Return a format or encoding version that this version can read.

    Raises
    ------
    FormatError
        Kind unsupported-format when it is newer, kind corrupt-artifact when it is no version at all.
    """
    if not isinstance(found, int) or isinstance(found, bool) or found < 1:
        raise FormatError(f"'{what}' has no format version, found: {found!r:.100}", kind="corrupt-artifact")
    if found > FORMAT:
        raise FormatError(
            f"'{what}' has format {found}, and this saeatlas reads formats up to {FORMAT}: made by a newer saeatlas",
            hint="Upgrade: pip install --upgrade saeatlas",
            kind="unsupported-format",
        )
    return found


def create_atlas(store: Store) -> str:
    """Make an empty store an atlas and return its new id; `AlreadyExists` when it is one."""
    atlas_id = uuid.uuid4().hex
    try:
        store.put_new(ATLAS, write_document({"format": FORMAT, "id": atlas_id}))
    except AlreadyExists as error:
        raise AlreadyExists(f"There is an atlas in '{store.url}' already", hint="Open it instead.") from error
    return atlas_id


def read_atlas(store: Store) -> str:
    """Return the id of the atlas in a store.

    Raises
    ------
    FormatError
        Kind not-an-atlas when there is none, unsupported-format when it is newer, or corrupt-artifact.
    """
    try:
        data = store.get(ATLAS)
    except NotFound as error:
        raise FormatError(
            f"'{store.url}' is not an atlas: it has no '{ATLAS}'",
            hint="Name an atlas with --atlas or SAEATLAS_ATLAS, or make one with 'saeatlas init PATH'.",
            kind="not-an-atlas",
        ) from error
    record = read_document(data, ATLAS)
    check_format(record.get("format"), ATLAS)
    return take(record, "id", str, ATLAS)


def now() -> str:
    """Return the time in UTC as ISO 8601 to the second, as documents record it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def writer() -> str:
    """Return the name and version of the program that writes, as documents record it."""
    return f"saeatlas {__version__}"
