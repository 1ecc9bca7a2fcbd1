"""A log of events: JSON, one object in a line, each line with its own checksum, never changed and never cut."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from saeatlas.errors import FormatError, InvalidInput
from saeatlas.format.canonical import Record, canonical_json, digest_bytes, read_document
from saeatlas.storage.appending import CANCEL

if TYPE_CHECKING:
    from saeatlas.storage.store import Store

__all__ = ["MAX_LINE", "EventLog", "LogProblem", "append_records", "check_log", "log_line", "put_records"]

MAX_LINE = 16_000_000
"""Bytes of one line at most."""
_GROWING = "log.jsonl"
_ENDING = ".jsonl"
_BLANK = "0" * 64


@dataclass(frozen=True)
class LogProblem:
    """Something in a log that is not a whole line."""

    key: str
    """Object of the store."""
    kind: str
    """'torn-line' when a writer was killed and nothing acknowledged is lost, else a kind of `FormatError`."""
    message: str


class EventLog:
    """Reads the log below a prefix, and on every further call what has been added since.

    A log is all objects `*.jsonl` directly below the prefix: one that grows, or one for each batch of events, or both.

    Parameters
    ----------
    store
        Where it is.
    prefix
        Such as 'labels/gpt2-l8'.
    """

    def __init__(self, store: Store, prefix: str) -> None:
        self._store = store
        self._prefix = prefix
        self._read: dict[str, tuple[int, int]] = {}
        """Key to the bytes and the lines of it that were read."""

    @property
    def position(self) -> int:
        """Bytes of whole lines that were read; it only grows while nothing is taken away."""
        return sum(end for end, _ in self._read.values())

    def new_records(self) -> list[Record] | None:
        """Return the objects of the lines that were added since the last call, or None when a part of the log is gone.

        After None everything is read anew by the next call. A last line without an end is still being written, or is
        what a killed writer left; it is not read.

        Raises
        ------
        FormatError
            Kind corrupt-artifact or digest-mismatch when a line is damaged; the message names it.
        """
        keys = _keys(self._store, self._prefix)
        if any(key not in keys for key in self._read):
            self.forget()
            return None
        found: list[Record] = []
        ends: dict[str, tuple[int, int]] = {}
        for key in keys:
            start, number = self._read.get(key, (0, 0))
            if start and not key.endswith(f"/{_GROWING}"):
                continue
            blob = self._store.open(key)
            if blob.size < start:
                self.forget()
                return None
            data = blob.read(start, blob.size - start)
            whole = data[: data.rfind(b"\n") + 1]
            found += [record for record in _records(whole, key, number) if record is not None]
            ends[key] = start + len(whole), number + whole.count(b"\n")
        # Only when every line was good: damage is met again by the next call, and nothing before it is passed over.
        self._read |= ends
        return found

    def go_on_from(self, other: EventLog) -> None:
        """Read, by the next call, what another reader of the same log has not read yet."""
        self._read = dict(other._read)

    def forget(self) -> None:
        """Read everything anew by the next call."""
        self._read = {}


def log_line(record: Mapping[str, object]) -> bytes:
    """Return the line of a record, whose first member is a `checksum` that covers all of its bytes."""
    body = canonical_json({name: value for name, value in record.items() if name != "checksum"})
    start = b'{"checksum":"'
    blank = start + _BLANK.encode() + b'",' + body[1:]
    if len(blank) > MAX_LINE:
        raise InvalidInput(
            f"An event takes {len(blank):,} bytes, at most {MAX_LINE:,} are allowed",
            hint="Say it in several events, about fewer features each.",
        )
    return start + digest_bytes(blank).encode() + blank[len(start) + len(_BLANK) :] + b"\n"


def append_records(store: Store, prefix: str, records: Iterable[Mapping[str, object]], name: str) -> None:
    """Add records to the growing object of a log; `name` is unique, and names the batch where objects do not grow."""
    lines = b"".join(log_line(record) for record in records)
    store.append(f"{prefix}/{_GROWING}", lines, beside=f"{prefix}/{name}{_ENDING}")


def put_records(store: Store, prefix: str, records: Iterable[Mapping[str, object]], name: str) -> None:
    """Add records to a log as one object of their own: all of them or none, whatever is killed."""
    store.put_new(f"{prefix}/{name}{_ENDING}", b"".join(log_line(record) for record in records))


def check_log(store: Store, prefix: str) -> tuple[list[LogProblem], int, int]:
    """Read a whole log and return what is not a whole line, the number of its objects, and their bytes."""
    problems: list[LogProblem] = []
    size = 0
    keys = _keys(store, prefix)
    for key in keys:
        data = store.get(key)
        size += len(data)
        whole = data[: data.rfind(b"\n") + 1]
        for number, line in enumerate(whole.split(b"\n")[:-1], 1):
            try:
                _record(line, f"{key}, line {number}")
            except FormatError as error:
                problems.append(LogProblem(key, error.kind, error.message))
        if len(whole) < len(data):
            message = (
                f"The last line of '{key}' has no end: a writer was killed, or writes now. Nothing acknowledged is "
                "lost, and the next label closes it"
            )
            problems.append(LogProblem(key, "torn-line", message))
    return problems, len(keys), size


def _keys(store: Store, prefix: str) -> list[str]:
    names = store.children(prefix)
    return [f"{prefix}/{name}" for name in names if name.endswith(_ENDING)]


def _records(whole: bytes, key: str, before: int) -> list[Record | None]:
    """Return the object of each line, None for one that a killed writer left; `before` counts the lines before."""
    return [_record(line, f"{key}, line {number}") for number, line in enumerate(whole.split(b"\n")[:-1], before + 1)]


def _record(line: bytes, what: str) -> Record | None:
    return None if line.endswith(CANCEL) else read_document(line, what)
