"""The `tokens` artifact: which token each row is, where it stands in its text, and the vocabulary."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from saeatlas.errors import InternalError, InvalidInput
from saeatlas.format.array import ArrayReader, ArrayWriter, write_array, write_group

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.format.codecs import Profile
    from saeatlas.format.documents import DocumentsReader
    from saeatlas.storage.store import Store

__all__ = ["COUNT_DIFFERS", "NO_TEXT", "NO_TOKEN", "NO_TOKENS", "OK", "TokensReader", "TokensWriter"]

UInt32 = npt.NDArray[np.uint32]

NO_TOKEN: Final = 0xFFFFFFFF
"""Stands where a row's token, or the start and end of its span, is not known."""
OK: Final = 0
"""Status of a document whose tokens and rows agree in number."""
NO_TEXT: Final = 1
"""Status of a document without a text to tokenise."""
COUNT_DIFFERS: Final = 2
"""Status of a document with more or fewer tokens than rows; all its rows have no token."""
NO_TOKENS: Final = 3
"""Status of a document for which no tokens were given, or that has no rows."""

_ROWS_AT_ONCE = 2_000_000
_GAP = 4096  # Rows further apart are read apart: one more read costs about as much as these bytes.
_FIRST = 5


class TokensWriter:
    """Writes a `tokens` artifact from tokens in any order of documents.

    Use it in a `with` block. Tokens wait in a scratch file of 4 or 12 bytes a row beside the artifact, so
    memory does not grow with the rows.

    Parameters
    ----------
    directory
        Empty directory to write in.
    documents
        The documents that own the rows.
    has_spans
        Whether every token comes with the characters it covers.
    profile
        How arrays are stored.
    """

    def __init__(
        self, directory: Path, documents: DocumentsReader, *, has_spans: bool, profile: Profile = "fast"
    ) -> None:
        self._directory = directory
        self._documents = documents
        self._profile = profile
        self._scratch = _Scratch(directory, documents.n_rows, has_spans=has_spans)
        self.status = np.full(documents.n_documents, NO_TOKENS, np.uint8)
        """Status of each document, [documents]; to be set before `finish`."""
        self.has_spans = has_spans

    def __enter__(self) -> TokensWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._scratch.close()

    def put(self, rows: npt.NDArray[np.int64], tokens: UInt32, spans: UInt32 | None = None) -> None:
        """Set the tokens of some rows.

        Parameters
        ----------
        rows
            Global rows, [n].
        tokens
            Index of each row's token in the vocabulary given to `finish`, [n].
        spans
            First character and the one after the last, in the document's text, [n, 2].
        """
        self._scratch.put(rows, tokens, spans)

    def finish(self, ids: Sequence[int | None], strings: Sequence[str]) -> dict[str, Any]:
        """Write the artifact and return its attributes.

        The vocabulary is stored sorted by id, then string, so that the order of `put` does not show.

        Parameters
        ----------
        ids, strings
            The tokenizer's id of each token of the vocabulary, None when unknown, and what it reads as, [vocabulary].
        """
        order = sorted(range(len(strings)), key=lambda i: (ids[i] is None, ids[i] or 0, strings[i]))
        final = np.empty(len(strings) + 1, np.uint32)
        final[order] = np.arange(len(strings), dtype=np.uint32)
        final[-1] = NO_TOKEN
        write_group(self._directory, "")
        write_group(self._directory, "row")
        write_group(self._directory, "document")
        self._write_rows(final)
        write_array(self._directory, "document/status", self.status, _plain(self._profile))
        self._write_vocabulary([ids[i] for i in order], [strings[i] for i in order])
        lengths = self._documents.lengths()
        differing = np.flatnonzero((self.status == COUNT_DIFFERS) & (lengths > 0))
        return {
            "n_rows": self._documents.n_rows,
            "n_tokens": len(strings),
            "has_spans": self.has_spans,
            "documents_ok": int((self.status == OK).sum()),
            "documents_without_text": int(((self.status == NO_TEXT) & (lengths > 0)).sum()),
            "documents_count_differs": int(differing.size),
            "documents_without_tokens": int(((self.status == NO_TOKENS) & (lengths > 0)).sum()),
            "first_documents_count_differs": self._documents.ids(differing[:_FIRST]).to_pylist(),
        }

    def _write_rows(self, final: UInt32) -> None:
        available = self.status == OK
        with ArrayWriter(self._directory, "row/token", dtype=np.uint32, profile=self._profile) as out:
            for start, stop in _steps(self._documents.n_rows):
                raw = self._scratch.tokens(start, stop)
                known = available[self._documents.row_documents(start, stop)]
                if (raw[known] == NO_TOKEN).any():
                    raise InternalError(f"A row from {start} to {stop} has no token though its document has all")
                out.append(final[np.where(known, raw, final.size - 1)])
        if not self.has_spans:
            return
        path = "row/span"
        with ArrayWriter(self._directory, path, dtype=np.uint32, row_shape=(2,), profile=self._profile) as out:
            for start, stop in _steps(self._documents.n_rows):
                known = available[self._documents.row_documents(start, stop)]
                spans = self._scratch.spans(start, stop)
                out.append(np.where(known[:, None], spans, np.uint32(NO_TOKEN)))

    def _write_vocabulary(self, ids: list[int | None], strings: list[str]) -> None:
        import pyarrow as pa

        from saeatlas.format.table import write_table

        schema = pa.schema(
            [
                pa.field("token", pa.uint32(), nullable=False),
                ("id", pa.int64()),
                pa.field("string", pa.string(), nullable=False),
            ]
        )
        columns = [np.arange(len(strings), dtype=np.uint32), ids, strings]
        table = pa.table([pa.array(c, t) for c, t in zip(columns, schema.types, strict=True)], schema=schema)
        write_table(self._directory, table, schema, name="vocabulary")


class TokensReader:
    """Reads a `tokens` artifact.

    Parameters
    ----------
    store, prefix
        Where the artifact is.
    attributes
        What its manifest says.
    """

    def __init__(self, store: Store, prefix: str, attributes: Mapping[str, Any]) -> None:
        self._store = store
        self._prefix = prefix
        self.attributes = attributes
        self.n_tokens = int(attributes["n_tokens"])
        self.has_spans = bool(attributes["has_spans"])

    def read(self, start: int, stop: int) -> UInt32:
        """Return the token of each row from `start` to `stop`; `NO_TOKEN` where it is not known."""
        return self._token.read(start, stop).astype(np.uint32, copy=False)

    def tokens(self, rows: npt.NDArray[np.integer[Any]]) -> UInt32:
        """Return the token of each row, [n]; rows must be sorted."""
        return _gather(self._token, np.asarray(rows))

    def spans(self, rows: npt.NDArray[np.integer[Any]]) -> UInt32:
        """Return the span of each row, [n, 2]; rows must be sorted. `InvalidInput` when the artifact has no spans."""
        if not self.has_spans:
            raise InvalidInput("The tokens have no character spans", hint="Look at `has_spans` before asking.")
        return _gather(self._span, np.asarray(rows))

    def strings(self, token_ids: npt.NDArray[np.integer[Any]] | Sequence[int]) -> list[str]:
        """Return what tokens read as. `NO_TOKEN` has no string and is an `InvalidInput` like any other."""
        wanted = np.asarray(token_ids, np.int64)
        if wanted.size and not 0 <= int(wanted.min()) <= int(wanted.max()) < self.n_tokens:
            raise InvalidInput(f"Tokens must be from 0 to {self.n_tokens - 1}, found: {wanted.min()} to {wanted.max()}")
        strings = self._strings
        return [strings[i] for i in wanted.tolist()]

    def vocabulary(self) -> pa.Table:
        """Return the vocabulary: `token`, `id` (the tokenizer's, or null) and `string`."""
        from saeatlas.format.table import read_table

        return read_table(self._store, self._prefix, "vocabulary")

    def status(self, document: int) -> int:
        """Return `OK`, `NO_TEXT`, `COUNT_DIFFERS` or `NO_TOKENS`."""
        return int(self.statuses()[document])

    def statuses(self) -> npt.NDArray[np.uint8]:
        """Return the status of every document, [documents]."""
        return self._statuses

    @cached_property
    def _token(self) -> ArrayReader:
        return ArrayReader(self._store, f"{self._prefix}/row/token")

    @cached_property
    def _span(self) -> ArrayReader:
        return ArrayReader(self._store, f"{self._prefix}/row/span")

    @cached_property
    def _statuses(self) -> npt.NDArray[np.uint8]:
        array = ArrayReader(self._store, f"{self._prefix}/document/status")
        return array.read(0, array.shape[0]).astype(np.uint8, copy=False)

    @cached_property
    def _strings(self) -> list[str]:
        return self.vocabulary().column("string").to_pylist()  # type: ignore[no-any-return]


class _Scratch:
    """Raw tokens and spans of all rows in an unnamed file, mapped so that they can be set in any order."""

    def __init__(self, directory: Path, n_rows: int, *, has_spans: bool) -> None:
        self._width = 3 if has_spans else 1
        self._file = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115  # open as long as this object
        self._file.truncate(max(1, n_rows * self._width) * 4)
        self._map = mmap.mmap(self._file.fileno(), 0)
        self._array = np.frombuffer(self._map, np.uint32, n_rows * self._width).reshape(n_rows, self._width)
        self._touched = 0

    def put(self, rows: npt.NDArray[np.int64], tokens: UInt32, spans: UInt32 | None) -> None:
        # The file begins as zeros; tokens are kept plus one, so that zero says 'not set' without a first pass.
        self._array[rows, 0] = tokens + np.uint32(1)
        if spans is not None:
            self._array[rows, 1:] = spans
        self._release(rows.size)

    def tokens(self, start: int, stop: int) -> UInt32:
        found = self._array[start:stop, 0] - np.uint32(1)
        self._release(stop - start)
        return found

    def spans(self, start: int, stop: int) -> UInt32:
        found = self._array[start:stop, 1:].copy()
        self._release(stop - start)
        return found

    def _release(self, n_rows: int) -> None:
        self._touched += n_rows
        # Mapped pages count as memory of the process until it lets go of them; the file keeps what they hold.
        if self._touched >= _ROWS_AT_ONCE and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)
            self._touched = 0

    def close(self) -> None:
        del self._array
        self._map.close()
        self._file.close()


def _plain(profile: Profile) -> Profile:
    return "fast" if profile == "fast" else "balanced"


def _steps(n_rows: int) -> Iterator[tuple[int, int]]:
    for start in range(0, n_rows, _ROWS_AT_ONCE):
        yield start, min(n_rows, start + _ROWS_AT_ONCE)


def _gather(array: ArrayReader, rows: npt.NDArray[np.integer[Any]]) -> npt.NDArray[Any]:
    """Read the elements of sorted rows: neighbours in one read, never more than a few million rows at once."""
    out = np.empty((rows.size, *array.shape[1:]), array.dtype)
    if not rows.size:
        return out
    if int(rows[0]) < 0 or int(rows[-1]) >= array.shape[0] or (rows[1:] < rows[:-1]).any():
        raise InvalidInput(f"Rows must be sorted and from 0 to {array.shape[0] - 1}")
    block = rows // _ROWS_AT_ONCE
    apart = (np.diff(rows.astype(np.int64)) > _GAP) | (block[1:] != block[:-1])
    edges = [0, *(np.flatnonzero(apart) + 1).tolist(), rows.size]
    for first, last in pairwise(edges):
        start = int(rows[first])
        out[first:last] = array.read(start, int(rows[last - 1]) + 1)[rows[first:last] - start]
    return out
