"""A full-text index as one SQLite file: FTS5 over folded words, and the vocabulary to correct misspelt ones with."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from saeatlas.errors import FormatError, InternalError, MissingExtra

if TYPE_CHECKING:
    from saeatlas.storage.store import Store

__all__ = ["SearchIndexReader", "SearchIndexWriter", "Term"]

_PAGE: Final = 4096
_CACHE_KIBIBYTES: Final = 32_768
_PENDING_BYTES: Final = 16_000_000
_AT_ONCE: Final = 50_000
_LAST: Final = "\U0010ffff"
# Beyond ASCII, the tokenizer named 'ascii' splits at spaces only: all folding and splitting was done before.
_SAFE: Final = {code: code - 0x20 + 0xFF00 for code in range(0x21, 0x7F) if not chr(code).isalnum()}
"""ASCII punctuation as its fullwidth form, which no folded word has: nothing in a word means anything to FTS5."""


@dataclass(frozen=True)
class Term:
    """One thing to look for."""

    words: tuple[str, ...]
    """Folded words that must stand side by side."""
    is_prefix: bool = False
    """Whether longer words that begin with the last one count too; words that are equal to it count more."""
    whole: str | None = None
    """Identifier of which the word is a part: where it stands as it was asked for, it counts too."""

    @property
    def phrases(self) -> list[tuple[str, ...]]:
        """What may stand for the term: its words, or the identifier."""
        return [self.words] if self.whole is None else [self.words, (self.whole,)]


class SearchIndexWriter:
    """Writes an index, line after line, in a `with` block.

    The bytes depend on the lines and the version of SQLite only. Peak memory is about 60 MB, whatever the size; a file
    of the same size stands beside the index while it is written.

    Parameters
    ----------
    path
        The file to make.
    columns
        Names of the columns of a line.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        if not columns or not all(name.isidentifier() and name.isascii() for name in columns):
            raise InternalError(f"Columns of an index are plain names, found: {columns}")
        self._path = path
        self._draft = path.with_name(f"{path.name}.draft")
        self._n_columns = len(columns)
        self._connection = sqlite3.connect(self._draft, isolation_level=None)
        try:
            self._begin(columns)
        except (sqlite3.Error, MissingExtra):
            self._connection.close()
            self._draft.unlink(missing_ok=True)
            raise

    def _begin(self, columns: Sequence[str]) -> None:
        run = self._connection.execute
        # Nobody reads the draft, and it is thrown away when anything stops: it needs neither a journal nor a sync.
        settings = {"page_size": _PAGE, "journal_mode": "off", "synchronous": "off", "locking_mode": "exclusive"}
        for name, value in {**settings, "cache_size": -_CACHE_KIBIBYTES}.items():
            run(f"pragma {name} = {value}")
        try:
            run(f"create virtual table lines using fts5({', '.join(columns)}, content='', tokenize='ascii')")
        except sqlite3.OperationalError as error:
            if "fts5" not in str(error):
                raise
            raise MissingExtra(
                f"The SQLite {sqlite3.sqlite_version} of this Python has no full-text search (FTS5)",
                hint="Use a Python whose SQLite was built with it, as those of python.org and the distributions are.",
            ) from error
        run("insert into lines(lines, rank) values('hashsize', ?)", (_PENDING_BYTES,))
        run("begin")
        self._insert = f"insert into lines(rowid, {', '.join(columns)}) values(?{', ?' * len(columns)})"

    def __enter__(self) -> SearchIndexWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._connection.close()
            self._draft.unlink(missing_ok=True)

    def add(self, line: int, words: Sequence[Sequence[str]]) -> None:
        """Add one line with the folded words of each column; lines come in ascending order, each once."""
        texts = (" ".join(column).translate(_SAFE) for column in words)
        self._connection.execute(self._insert, (line, *texts))

    def _finish(self) -> None:
        run = self._connection.execute
        run("insert into lines(lines) values('optimize')")
        run("create virtual table vocabulary using fts5vocab(lines, row)")
        run("create table words(length integer, word text, n integer, primary key(length, word)) without rowid")
        run("insert into words select length(term), term, doc from vocabulary order by 1, 2")
        run("commit")
        run("vacuum into ?", (str(self._path),))


class SearchIndexReader:
    """Reads an index that a store holds; any thread may ask.

    Parameters
    ----------
    store, key
        Where the file is. In a store without files it is held in memory.
    """

    def __init__(self, store: Store, key: str) -> None:
        self._key = key
        self._blob = store.open(key)
        self._data = None if self._blob.path else self._blob.read(0, self._blob.size)
        self._idle: deque[sqlite3.Connection] = deque()

    def has(self, term: Term) -> bool:
        """Whether any line has the last word of a term, for a prefix a word that begins with it, or its identifier."""
        word = term.words[-1].translate(_SAFE)
        last = word + _LAST if term.is_prefix else word
        found = self._ask("select 1 from vocabulary where term >= ? and term <= ? limit 1", (word, last))
        return bool(found) or (term.whole is not None and self.frequency(term.whole) > 0)

    def frequency(self, word: str) -> int:
        """Return how many lines have a word."""
        word = word.translate(_SAFE)
        found = self._ask("select n from words where length = ? and word = ?", (len(word), word))
        return int(found[0][0]) if found else 0

    def near(self, word: str, distance: int) -> list[tuple[int, int, str]]:
        """Return the words that at most `distance` slips of the pen away: (distance, minus lines, word), sorted.

        A slip inserts, leaves out or replaces a character, or swaps two neighbours.
        """
        from rapidfuzz.distance import OSA
        from rapidfuzz.process import extract

        found: list[tuple[int, int, str]] = []
        query = "select word, n from words where length between ? and ?"
        with self._connection() as connection:
            cursor = connection.execute(query, (max(1, len(word) - distance), len(word) + distance))
            while rows := cursor.fetchmany(_AT_ONCE):
                words = [row[0] for row in rows]
                best = extract(word, words, scorer=OSA.distance, processor=None, score_cutoff=distance, limit=50)
                found += [(int(slips), -rows[place][1], other) for other, slips, place in best]
        return sorted(found)

    def count(self, terms: Sequence[Term], *, is_any: bool = False) -> int:
        """Return how many lines have all terms, or any of them."""
        found = self._ask("select count(*) from lines where lines match ?", (_expression(terms, is_any=is_any),))
        return int(found[0][0])

    def best(
        self, terms: Sequence[Term], weights: Sequence[float], n: int, *, is_any: bool = False
    ) -> list[tuple[int, float]]:
        """Return the `n` lines with the highest BM25, of equal ones the first: (line, score).

        Parameters
        ----------
        weights
            How much a word counts in each column.
        """
        query = f"{_scored(weights)} order by score, rowid limit ?"
        found = self._ask(query, (_expression(terms, is_any=is_any), n))
        return [(int(line), -float(score)) for line, score in found]

    def matches(self, term: Term, weights: Sequence[float]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return every line that has a term, ascending, and its BM25, both [n]."""
        found = self._ask(f"{_scored(weights)} order by rowid", (_expression([term], is_any=False),))
        pairs = np.array(found, np.float64).reshape(-1, 2)
        return pairs[:, 0].astype(np.int64), -pairs[:, 1]

    def _ask(self, query: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        with self._connection() as connection:
            return connection.execute(query, values).fetchall()

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """Lend a connection that no other thread has."""
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._open()
        try:
            yield connection
        except sqlite3.Error as error:
            connection.close()
            raise self._damaged(error) from error
        self._idle.append(connection)

    def _open(self) -> sqlite3.Connection:
        # Immutable: an artifact never changes, so SQLite need neither lock it nor look for a journal.
        place = ":memory:" if self._blob.path is None else f"{self._blob.path.absolute().as_uri()}?mode=ro&immutable=1"
        try:
            connection = sqlite3.connect(place, uri=True, check_same_thread=False)
        except sqlite3.Error as error:
            raise self._damaged(error) from error
        try:
            if self._data is not None:
                connection.deserialize(self._data)
            connection.execute("pragma query_only = on")
        except sqlite3.Error as error:
            connection.close()
            raise self._damaged(error) from error
        return connection

    def _damaged(self, error: sqlite3.Error) -> FormatError:
        return FormatError(
            f"'{self._key}' cannot be searched: {error}",
            hint="Run 'saeatlas verify --deep' to see what else is damaged.",
            kind="corrupt-artifact",
        )

    def __del__(self) -> None:
        for connection in getattr(self, "_idle", ()):
            with closing(connection):
                continue


def _scored(weights: Sequence[float]) -> str:
    numbers = "".join(f", {float(weight)!r}" for weight in weights)
    return f"select rowid, bm25(lines{numbers}) as score from lines where lines match ?"  # noqa: S608 - numbers only


def _expression(terms: Sequence[Term], *, is_any: bool) -> str:
    """Return terms in the syntax of FTS5; every word is a string in quotes, and no word holds a quote."""
    return (" OR " if is_any else " AND ").join(map(_quoted, terms))


def _quoted(term: Term) -> str:
    whole, *others = [_phrase(words) for words in term.phrases]
    ways = [whole, f"{whole} *", *others] if term.is_prefix else [whole, *others]
    return f"({' OR '.join(ways)})" if len(ways) > 1 else whole


def _phrase(words: Sequence[str]) -> str:
    safe = [word.translate(_SAFE) for word in words]
    if not safe or not all(safe) or any(" " in word or '"' in word or "\0" in word for word in safe):
        raise InternalError(f"Not words to look for: {words!r}")
    return f'"{" ".join(safe)}"'
