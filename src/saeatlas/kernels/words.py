"""What a text is searched by: its folded words, parts of identifiers, and neighbours in scripts without spaces."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple

__all__ = ["MAX_WORD", "Kind", "Piece", "fold", "pieces_of", "words_of"]

MAX_WORD: Final = 64
"""Characters of a word that count: longer ones, such as data in base 64, are cut."""

_MARKS = (
    "\u00ad\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u064b-\u065f\u0670"
    "\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u0711\u0730-\u074a\u07a6-\u07b0\u0900-\u0963\u0981-\u0df3\u0e31\u0e34-\u0e3a"
    "\u0e47-\u0e4e\u0eb1-\u0ebc\u0ec8-\u0ece\u0f18\u0f19\u0f35-\u0f39\u0f71-\u0f84\u0f86-\u0fbc\u102b-\u103e\u1056-\u1060"
    "\u135d-\u135f\u17b4-\u17d3\u1ab0-\u1aff\u1dc0-\u1dff\u200c\u200d\u302a-\u302f\u3099\u309a\ufe20-\ufe2f"
)
"""Marks that belong to the letter before, which `\\w` leaves out, and what joins letters without being one."""
_UNSPACED = (
    "\u0e01-\u0e4e\u0e81-\u0edf\u1000-\u109f\u1780-\u17d3\u3005\u3041-\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U000323af"
)
"""Scripts that write words without spaces: Han, kana, Thai, Lao, Khmer, Burmese."""
_SKIPPED = "\ufe00-\ufe0f\u200b-\u200f\u2060-\u206f\U0001f3fb-\U0001f3ff\U000e0000-\U000e01ef"
"""Selectors, joiners and skin tones, which change how a symbol looks and not what it is."""
_RUN = re.compile(rf"(\w[\w{_MARKS}]*)|[^\s{_SKIPPED}]")
_SCRIPT_RUN = re.compile(f"([{_UNSPACED}]+)|[^{_UNSPACED}]+")
_OF_CAMEL = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^A-Za-z]+")
_CAMEL = re.compile(r"[a-z][A-Z]|[A-Z]{2}[a-z]")
_LETTERS: Final = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "\u0131": "i", "ð": "d", "þ": "th", "ħ": "h"}
)
"""Letters of Latin that have no decomposition, as people type them."""
_MARKED_SCRIPTS: Final = ("LATIN", "GREEK", "CYRILLIC", "HEBREW", "ARABIC")
"""Scripts that are read without their marks; in others a mark is a vowel or makes another letter."""
_JOINERS: Final = str.maketrans(dict.fromkeys("\u00ad\u200c\u200d"))


class Kind(Enum):
    """How a piece of a text came about."""

    WORD = "word"
    """A word as it is spaced, underscores left out."""
    PART = "part"
    """A part of an identifier: between underscores, or by its capitals."""
    PAIR = "pair"
    """Two neighbours of a script without spaces."""
    LETTER = "letter"
    """One character of such a script."""
    SYMBOL = "symbol"
    """One symbol or emoji."""
    PUNCTUATION = "punctuation"
    """One mark of punctuation, or any other ASCII character that is neither letter nor digit."""


class Piece(NamedTuple):
    """A word and where it stands."""

    start: int
    stop: int
    word: str
    """Folded; equal words are found by each other."""
    kind: Kind


def pieces_of(text: str) -> Iterator[Piece]:
    """Yield everything that a text is found by, from its start.

    An identifier gives itself and then its parts, a run of an unspaced script its pairs and then its characters, so
    that what is asked for as a phrase stands side by side.
    """
    for found in _RUN.finditer(text):
        start = found.start()
        for piece in _of_run(found[0]) if found[1] else _of_symbol(found[0]):
            yield Piece(start + piece.start, start + piece.stop, piece.word, piece.kind)


def words_of(text: str, *, has_punctuation: bool = True) -> list[str]:
    """Return the words of `pieces_of`, in order."""
    words: list[str] = []
    for found in _RUN.finditer(text):
        pieces = _of_run(found[0]) if found[1] else _of_symbol(found[0])
        words += [piece.word for piece in pieces if has_punctuation or piece.kind is not Kind.PUNCTUATION]
    return words


def fold(text: str) -> str:
    """Return a text as it compares: compatible forms, lower case, without the marks that people leave out."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text.translate(_JOINERS).casefold()).casefold()
    kept: list[str] = []
    base = ""
    for letter in plain:
        if unicodedata.category(letter) != "Mn":
            base = letter
            kept.append(letter)
        elif not (base and _loses_marks(base)):
            kept.append(letter)
    # Some signs stand for several words, or for a mark on a space.
    return "".join(unicodedata.normalize("NFC", "".join(kept)).translate(_LETTERS).split())


@lru_cache(maxsize=4096)
def _loses_marks(base: str) -> bool:
    return unicodedata.name(base, "").startswith(_MARKED_SCRIPTS)


def _of_run(run: str) -> tuple[Piece, ...]:
    """Return the pieces of letters, digits and underscores without a space between them."""
    return _known_run(run) if len(run) <= MAX_WORD else _new_run(run)


def _new_run(run: str) -> tuple[Piece, ...]:
    if run.isascii():
        return tuple(_of_word(run, 0))
    found: list[Piece] = []
    for part in _SCRIPT_RUN.finditer(run):
        found += _of_unspaced(part[0], part.start()) if part[1] else _of_word(part[0], part.start())
    return tuple(found)


_known_run = lru_cache(maxsize=1 << 16)(_new_run)
"""Most words of a corpus are few, and are folded once."""


def _of_word(run: str, at: int) -> Iterator[Piece]:
    whole = fold(run.replace("_", ""))[:MAX_WORD]
    if not whole:
        yield Piece(at, at + len(run), "_", Kind.PUNCTUATION)
        return
    yield Piece(at, at + len(run), whole, Kind.WORD)
    if "_" not in run and not _CAMEL.search(run):
        return
    spans = [span for span in _parts(run) if span[1] > span[0]]
    if len(spans) > 1:
        for start, stop in spans:
            yield Piece(at + start, at + stop, fold(run[start:stop])[:MAX_WORD], Kind.PART)


def _parts(run: str) -> Iterator[tuple[int, int]]:
    for word in re.finditer("[^_]+", run):
        if not _CAMEL.search(word[0]):
            yield word.span()
            continue
        edges = [part.span() for part in _OF_CAMEL.finditer(word[0])]
        start = 0
        for (_, stop), (after, _) in pairwise([*edges, (len(word[0]), 0)]):
            # Digits and letters beyond ASCII belong to the part before them.
            if after == len(word[0]) or word[0][after].isupper():
                yield word.start() + start, word.start() + stop
                start = stop


def _of_unspaced(run: str, at: int) -> Iterator[Piece]:
    letters = [(at + found.start(), at + found.end(), fold(found[0])) for found in _LETTER.finditer(run)]
    letters = [letter for letter in letters if letter[2]]
    for (start, _, one), (_, stop, other) in pairwise(letters):
        yield Piece(start, stop, one + other, Kind.PAIR)
    for start, stop, letter in letters:
        yield Piece(start, stop, letter, Kind.LETTER)


_LETTER = re.compile(f".[{_MARKS}\uff9e\uff9f]*", re.S)
"""A character of an unspaced script with the marks on it."""


@lru_cache(maxsize=1 << 12)
def _of_symbol(symbol: str) -> tuple[Piece, ...]:
    category = unicodedata.category(symbol)
    if category[0] == "P" or symbol.isascii():
        return (Piece(0, 1, fold(symbol), Kind.PUNCTUATION),) if symbol.isprintable() else ()
    # What this Python does not know yet may be a new emoji.
    is_symbol = category[0] == "S" or category in {"Cn", "Co"}
    return (Piece(0, 1, fold(symbol) or symbol, Kind.SYMBOL),) if is_symbol else ()
