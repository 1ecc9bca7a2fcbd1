"""Numbered commits: each is the full list of current artifacts, and the highest number is the atlas today."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from saeatlas.errors import AlreadyExists, Conflict, FormatError, NotFound, SaeatlasError, StorageError
from saeatlas.format.canonical import Record, read_document, take, write_document
from saeatlas.format.version import FORMAT, check_format, now, writer
from saeatlas.storage import Store

__all__ = ["EMPTY", "Commit", "Entry", "commit_key", "head", "list_commits", "load_commit", "publish_commit"]

_FILE = re.compile(r"([0-9]{8,})\.json")


@dataclass(frozen=True)
class Entry:
    """The current artifact of one logical name."""

    path: str
    """Prefix of the artifact in the store."""
    encoding_type: str
    key: str
    digest: str
    content: str


@dataclass(frozen=True)
class Commit:
    """The state of an atlas at one number. It never changes."""

    number: int
    write_id: str
    """Random; by it a writer knows its own commit when the reply was lost."""
    parent: int
    message: str
    written_at: str
    writer: str
    entries: Mapping[str, Entry]
    """Logical name → artifact."""

    def to_json(self) -> Record:
        """Return the members of the commit's document."""
        return {
            "format": FORMAT,
            "number": self.number,
            "write-id": self.write_id,
            "parent": self.parent,
            "message": self.message,
            "written-at": self.written_at,
            "writer": self.writer,
            "entries": {name: _entry_to_json(entry) for name, entry in self.entries.items()},
        }

    @classmethod
    def from_json(cls, record: Mapping[str, object], what: str) -> Commit:
        """Read what `to_json` gave; `FormatError` names `what` and the member that is wrong."""
        check_format(record.get("format"), what)
        entries = take(record, "entries", dict, what)
        return cls(
            number=take(record, "number", int, what),
            write_id=take(record, "write-id", str, what),
            parent=take(record, "parent", int, what),
            message=take(record, "message", str, what),
            written_at=take(record, "written-at", str, what),
            writer=take(record, "writer", str, what),
            entries={name: _entry_from_json(entry, what) for name, entry in entries.items()},
        )


EMPTY = Commit(0, "", 0, "", "", "", {})
"""The state of an atlas before its first commit."""


def commit_key(number: int) -> str:
    """Return the key of the commit with this number."""
    return f"commits/{number:08d}.json"


def list_commits(store: Store) -> list[int]:
    """Return the numbers of all commits that are kept, ascending."""
    found = (_FILE.fullmatch(name) for name in store.children("commits"))
    return sorted(int(match[1]) for match in found if match and commit_key(int(match[1])).endswith(f"/{match[0]}"))


def head(store: Store) -> Commit:
    """Return the latest commit, or `EMPTY`."""
    numbers = list_commits(store)
    return load_commit(store, numbers[-1]) if numbers else EMPTY


def load_commit(store: Store, number: int) -> Commit:
    """Return one commit.

    Raises
    ------
    NotFound
        When there is none of this number, or no longer.
    FormatError
        When its document is damaged, says another number, or is newer.
    """
    if number == 0:
        return EMPTY
    key = commit_key(number)
    try:
        data = store.get(key)
    except NotFound as error:
        kept = list_commits(store)
        hint = f"Kept are {kept[0]} to {kept[-1]}" if kept else "There is no commit yet"
        raise NotFound(f"No commit {number} in '{store.url}'", hint=hint) from error
    commit = Commit.from_json(read_document(data, key), key)
    if commit.number != number:
        raise FormatError(f"'{key}' says that it is commit {commit.number}", kind="corrupt-artifact")
    return commit


def publish_commit(store: Store, change: Callable[[dict[str, Entry]], dict[str, Entry]], message: str) -> Commit:
    """Apply a change to the latest entries and make the result the next commit.

    Parameters
    ----------
    store
        An atlas.
    change
        Gives the new entries from the current ones, which it may modify. It is called again on newer
        entries whenever another writer was faster.
    message
        One sentence for people.

    Returns
    -------
    Commit
        The new commit, or the latest when the entries stay as they are.
    """
    write_id = uuid.uuid4().hex
    latest = head(store)
    while True:
        entries = change(dict(latest.entries))
        if entries == latest.entries:
            return latest
        number = latest.number + 1
        commit = Commit(number, write_id, latest.number, message, now(), writer(), dict(sorted(entries.items())))
        try:
            store.put_new(commit_key(number), write_document(commit.to_json()))
        except (AlreadyExists, StorageError) as error:
            if _is_own(store, number, write_id):
                return commit
            if isinstance(error, StorageError):
                raise
            latest = _newer(store, latest)
        else:
            return commit


def _newer(store: Store, latest: Commit) -> Commit:
    found = head(store)
    if found.number <= latest.number:
        raise Conflict(
            f"Commit {latest.number + 1} exists in '{store.url}' but cannot be listed",
            hint="Look for something in 'commits/' that saeatlas did not write.",
        )
    return found


def _is_own(store: Store, number: int, write_id: str) -> bool:
    """Whether this commit was written by us after all, and only the reply was lost."""
    try:
        return load_commit(store, number).write_id == write_id
    except SaeatlasError:
        return False


def _entry_to_json(entry: Entry) -> Record:
    return {
        "path": entry.path,
        "encoding-type": entry.encoding_type,
        "key": entry.key,
        "digest": entry.digest,
        "content": entry.content,
    }


def _entry_from_json(record: object, what: str) -> Entry:
    if not isinstance(record, dict):
        raise FormatError(f"'{what}' must have objects as entries, found: {record!r:.100}", kind="corrupt-artifact")
    return Entry(*(take(record, name, str, what) for name in ("path", "encoding-type", "key", "digest", "content")))
