"""What a text is made of, as a set of numbers: its character n-grams, or its words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

__all__ = ["MAX_SIZE", "WORD", "Letters", "TextSets", "character_ngrams", "letters_of", "word_sets"]

Int64 = npt.NDArray[np.int64]

MAX_SIZE = 6
"""Characters of the longest n-gram."""
WORD = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff]|[^\W\u2e80-\u9fff\uf900-\ufaff]+")
"""A word: a run of letters, digits and underscores, or one ideograph or kana."""

_CODE_POINTS = 0x110000
_BITS_OF_A_KEY = 63


@dataclass(frozen=True)
class TextSets:
    """The set of each text."""

    indptr: Int64
    """Where each text starts and ends in `ids`, n_texts + 1 numbers from 0."""
    ids: Int64
    """Members, ascending within a text, each once. Numbers of different calls do not mean the same."""

    @property
    def sizes(self) -> Int64:
        """Members per text."""
        return np.diff(self.indptr)


@dataclass(frozen=True)
class Letters:
    """The characters of many texts as small numbers."""

    starts: Int64
    """Where each text starts in `symbols`, and where the last one ends, n_texts + 1 numbers."""
    symbols: Int64
    """Number of each character, from 1; 0 for what is none. Each text ends with a 0."""
    n_symbols: int
    """Different characters."""


def letters_of(texts: Sequence[str]) -> Letters:
    """Return the characters of texts, numbered; white space is none, nor is U+FFFD, which stands for a part of one.

    Notes
    -----
    Holds about 30 bytes per character, and 10 MB.
    """
    joined = "\n".join(texts) + "\n"
    codes = np.frombuffer(joined.encode("utf-32-le", errors="surrogatepass"), np.uint32)
    number = np.zeros(_CODE_POINTS, np.int64)
    used = sorted(letter for letter in set(joined) if not letter.isspace() and letter != "\ufffd")
    number[[ord(letter) for letter in used]] = np.arange(1, len(used) + 1)
    starts = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) + 1 for text in texts], out=starts[1:])
    return Letters(starts, number[codes], len(used))


def character_ngrams(letters: Letters, size: int) -> TextSets:
    """Return the set of n-grams of `size` neighbouring characters of each text, exact, without hashing.

    Parameters
    ----------
    letters
        The texts.
    size
        Characters of an n-gram, from 1 to `MAX_SIZE`.

    Notes
    -----
    Holds about 40 bytes per character, twice that where all characters of an n-gram do not fit one number.
    """
    keys, is_whole = _keys(letters.symbols, size, letters.n_symbols)
    # Where the n-grams of each text start among those that are whole.
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(is_whole)])
    # The last n-grams of a text reach its closing 0, so they are not whole, and the borders are right.
    return _sets(before[np.minimum(letters.starts, is_whole.size)], keys[is_whole])


def word_sets(texts: Iterable[str]) -> TextSets:
    """Return the set of words of each text; see `WORD`. Case counts."""
    numbers: dict[str, int] = {}
    ids: list[int] = []
    indptr = [0]
    for text in texts:
        ids += sorted({numbers.setdefault(word, len(numbers)) for word in WORD.findall(text)})
        indptr.append(len(ids))
    return TextSets(np.array(indptr, np.int64), np.array(ids, np.int64))


def _keys(symbols: Int64, size: int, n_symbols: int) -> tuple[Int64, npt.NDArray[np.bool_]]:
    """Return a number for the n-gram that begins at each place, and whether it is within one run of characters."""
    n = max(symbols.size - size + 1, 0)
    bits = max(n_symbols.bit_length(), 1)
    head = min(size, _BITS_OF_A_KEY // bits)
    is_whole = np.ones(n, np.bool_)
    keys = np.zeros(n, np.int64)
    for offset in range(size):
        part = symbols[offset : offset + n]
        is_whole &= part != 0
        if offset < head:
            keys |= part << (bits * offset)
    if size > head:
        # Ranks of the two parts fit one number, where their characters would not.
        rest, _ = _keys(symbols[head:], size - head, n_symbols)
        keys = _ranks(keys) << 32 | _ranks(rest[:n])
    return keys, is_whole


def _ranks(keys: Int64) -> Int64:
    return np.unique(keys, return_inverse=True)[1].astype(np.int64)


def _sets(indptr: Int64, keys: Int64) -> TextSets:
    """Sort each text's keys and keep one of each."""
    for low, high in pairwise(indptr.tolist()):
        keys[low:high].sort()
    is_first = np.ones(keys.size, np.bool_)
    is_first[1:] = keys[1:] != keys[:-1]
    is_first[indptr[:-1][np.diff(indptr) > 0]] = True
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(is_first)])
    return TextSets(before[indptr], keys[is_first])
