"""What a text is made of, as a set of numbers: its character n-grams, or its words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

__all__ = ["MAX_SIZE", "WORD", "TextSets", "character_ngrams", "word_sets"]

Int64 = npt.NDArray[np.int64]

MAX_SIZE = 6
"""Characters of the longest n-gram."""
WORD = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff]|[^\W\u2e80-\u9fff\uf900-\ufaff]+")
"""A word: a run of letters, digits and underscores, or one ideograph or kana."""

_BREAK = 0x110000
_BITS = 21  # Bits of a code point, so that three make one number.


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


def character_ngrams(texts: Sequence[str], size: int) -> TextSets:
    """Return the set of n-grams of `size` neighbouring characters of each text, exact, without hashing.

    White space is no character and ends an n-gram, and so does U+FFFD, which stands for a part of one.

    Parameters
    ----------
    texts
        Any texts.
    size
        Characters of an n-gram, from 1 to `MAX_SIZE`.

    Notes
    -----
    Holds about 40 bytes per character.
    """
    letters, starts = _letters(texts)
    keys, is_whole = _keys(letters, size)
    # Where the n-grams of each text start among those that are whole.
    before = np.concatenate([np.zeros(1, np.int64), np.cumsum(is_whole)])
    # The last n-grams of a text reach its separator, so they are not whole, and the borders are right.
    indptr = before[np.minimum(starts, is_whole.size)]
    return _sets(indptr, keys[is_whole])


def word_sets(texts: Iterable[str]) -> TextSets:
    """Return the set of words of each text; see `WORD`. Case counts."""
    numbers: dict[str, int] = {}
    ids: list[int] = []
    indptr = [0]
    for text in texts:
        ids += sorted({numbers.setdefault(word, len(numbers)) for word in WORD.findall(text)})
        indptr.append(len(ids))
    return TextSets(np.array(indptr, np.int64), np.array(ids, np.int64))


def _letters(texts: Sequence[str]) -> tuple[Int64, Int64]:
    """Return the code points of all texts, each text closed by a break, and where each text starts."""
    joined = "\n".join(texts) + "\n"
    letters = np.frombuffer(joined.encode("utf-32-le", errors="surrogatepass"), np.uint32).astype(np.int64)
    breaks = [ord(letter) for letter in set(joined) if letter.isspace() or letter == "\ufffd"]
    letters[np.isin(letters, breaks)] = _BREAK
    starts = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) + 1 for text in texts], out=starts[1:])
    return letters, starts


def _keys(letters: Int64, size: int) -> tuple[Int64, npt.NDArray[np.bool_]]:
    """Return a number for the n-gram that begins at each place, and whether it is within one run of characters."""
    n = max(letters.size - size + 1, 0)
    is_whole = np.ones(n, np.bool_)
    for offset in range(size):
        is_whole &= letters[offset : offset + n] != _BREAK
    head = min(size, 3)
    keys = np.zeros(n, np.int64)
    for offset in range(head):
        keys |= letters[offset : offset + n] << (_BITS * offset)
    if size > head:
        # Ranks of the two halves fit one number, where their characters would not.
        rest, _ = _keys(letters[head:], size - head)
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
