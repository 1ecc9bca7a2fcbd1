"""What a search asks for: its words, phrases and beginnings of words, and how to spell them otherwise."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from saeatlas.errors import InvalidInput
from saeatlas.format.search_index import Term
from saeatlas.kernels.words import Kind, Piece, pieces_of

__all__ = ["MAX_QUERY", "Asked", "Query", "parse_query"]

MAX_QUERY = 1000
"""Characters of a query at most."""
_MOST_TERMS = 32
_SHORTEST_PREFIX = 3
_PHRASE = re.compile(r'"([^"]*)"')


@dataclass(frozen=True)
class Asked:
    """One term, and where it was written."""

    term: Term
    start: int
    stop: int
    is_correctable: bool
    """Whether it is one word that may be misspelt: no phrase, and no script without spaces."""


@dataclass(frozen=True)
class Query:
    """A query that is understood."""

    original: str
    """As it was given."""
    text: str
    """As it is searched for."""
    asked: tuple[Asked, ...]
    """What must be found, each once."""

    @property
    def terms(self) -> tuple[Term, ...]:
        """The terms alone."""
        return tuple(one.term for one in self.asked)

    def corrected(self, words: Mapping[str, str]) -> Query:
        """Return the query with other words in the place of some: word → what to look for instead."""
        text = self.text
        asked = list(self.asked)
        for place, one in sorted(enumerate(self.asked), key=lambda pair: -pair[1].start):
            other = words.get(one.term.words[0]) if one.is_correctable else None
            if other is not None:
                text = text[: one.start] + other + text[one.stop :]
                asked[place] = replace(one, term=replace(one.term, words=(other,), whole=None))
        return Query(self.original, text, tuple(asked))


def parse_query(text: str) -> Query:
    """Return what a query asks for.

    Every word must be found, as a word or as the beginning of one; what stands in "double quotes" must be found side by
    side and whole. Nothing else has a meaning of its own. Punctuation counts where there is nothing else.

    Raises
    ------
    InvalidInput
        When there is nothing to look for, or too much.
    """
    if len(text) > MAX_QUERY:
        raise InvalidInput(
            f"A query has at most {MAX_QUERY:,} characters, found: {len(text):,}", hint="Search for a few words of it."
        )
    found = [one for start, stop, is_phrase in _stretches(text) for one in _asked(text, start, stop, is_phrase)]
    if not found:
        found = [_single(piece, 0, is_last=False) for piece in pieces_of(text) if piece.kind is Kind.PUNCTUATION]
    unique: dict[tuple[str, ...], Asked] = {}
    for one in found:
        unique.setdefault(one.term.words, one)
    if not unique:
        raise InvalidInput("There is nothing to look for in the query", hint="Give a word, such as: refund")
    if len(unique) > _MOST_TERMS:
        raise InvalidInput(
            f"A query has at most {_MOST_TERMS} different words, found: {len(unique)}",
            hint="Search for a few words of it.",
        )
    return Query(text, text, tuple(unique.values()))


def _stretches(text: str) -> Iterator[tuple[int, int, bool]]:
    """Yield start, stop and whether it is a phrase."""
    last = 0
    for found in _PHRASE.finditer(text):
        yield last, found.start(), False
        yield found.start(1), found.end(1), True
        last = found.end()
    yield last, len(text), False


def _asked(text: str, start: int, stop: int, is_phrase: bool) -> list[Asked]:  # noqa: FBT001 - a field of a stretch
    units = list(_units(text[start:stop]))
    if is_phrase:
        words = tuple(word for unit in units for word in unit[2])
        return [Asked(Term(words), start, stop, is_correctable=False)] if words else []
    found = []
    for first, last, words, kind, whole in units:
        if kind in {Kind.WORD, Kind.PART}:
            is_last = start + last == len(text)
            one = _single(Piece(first, last, words[0], kind), start, is_last=is_last)
            found.append(replace(one, term=replace(one.term, whole=whole)))
        else:
            found.append(Asked(Term(words), start + first, start + last, is_correctable=False))
    return found


def _single(piece: Piece, start: int, *, is_last: bool) -> Asked:
    is_word = piece.kind in {Kind.WORD, Kind.PART}
    # While somebody still types, the last word may be short; otherwise short beginnings find too much.
    is_prefix = is_word and len(piece.word) >= _SHORTEST_PREFIX - is_last
    return Asked(Term((piece.word,), is_prefix), start + piece.start, start + piece.stop, is_correctable=is_word)


def _units(text: str) -> Iterator[tuple[int, int, tuple[str, ...], Kind, str | None]]:
    """Yield what is looked for together: a word, a part of an identifier with that, or a run of an unspaced script."""
    pieces = [piece for piece in pieces_of(text) if piece.kind is not Kind.PUNCTUATION]
    place = 0
    while place < len(pieces):
        first = pieces[place]
        if first.kind is Kind.WORD:
            parts = _within(pieces, place, first.stop)
            for piece in parts or [first]:
                yield piece.start, piece.stop, (piece.word,), piece.kind, first.word if parts else None
            place += 1 + len(parts)
        elif first.kind is Kind.PAIR:
            pairs = _chain(pieces, place)
            yield first.start, pairs[-1].stop, tuple(piece.word for piece in pairs), Kind.PAIR, None
            # The characters of the pairs follow them.
            place += 2 * len(pairs) + 1
        else:
            yield first.start, first.stop, (first.word,), first.kind, None
            place += 1


def _chain(pieces: list[Piece], place: int) -> list[Piece]:
    """Return the pairs of one run: each begins within the one before."""
    found = [pieces[place]]
    for piece in pieces[place + 1 :]:
        if piece.kind is not Kind.PAIR or piece.start >= found[-1].stop:
            break
        found.append(piece)
    return found


def _within(pieces: list[Piece], place: int, stop: int) -> list[Piece]:
    """Return the parts of an identifier that ends at `stop`."""
    found = []
    for piece in pieces[place + 1 :]:
        if piece.kind is not Kind.PART or piece.stop > stop:
            break
        found.append(piece)
    return found
