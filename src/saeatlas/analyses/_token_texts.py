"""What tokens read as, without the marks by which tokenizers write spaces, bytes and pieces of words."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from saeatlas.format.token_text import SPACE_MARK, byte_fallback, byte_level

__all__ = ["letters_of", "natural_bytes", "natural_texts"]

_PIECE = re.compile(r"##\w")


def natural_bytes(strings: Sequence[str]) -> list[bytes]:
    """Return the UTF-8 of each token of a vocabulary, spaces being spaces; it may be a part of a character.

    Notes
    -----
    Vocabularies that came with a tokenizer read as text already. Those that came as a table may have the tokenizer's
    own spelling, of which there are four; which one it is can be seen from the vocabulary as a whole:

    - SentencePiece writes U+2581 for a space, and `<0x0A>` for a byte;
    - byte-level tokenizers write each byte as a visible character, 'Ġ' being the space;
    - WordPiece begins pieces within a word with '##'; all others begin a word, so they get a space before them;
    - plain text.
    """
    has_space = any(" " in string or SPACE_MARK in string for string in strings)
    if not has_space and any(string.startswith("Ġ") for string in strings):
        return [_or_text(byte_level(string), string) for string in strings]
    if not has_space and any(_PIECE.match(string) for string in strings):
        return [(string[2:] if _PIECE.match(string) else f" {string}").encode() for string in strings]
    return [_or_text(byte_fallback(string), string.replace(SPACE_MARK, " ")) for string in strings]


def natural_texts(strings: Sequence[str]) -> list[str]:
    """Return the text of each token of a vocabulary; a byte that is only a part of a character reads as U+FFFD."""
    return [found.decode(errors="replace") for found in natural_bytes(strings)]


def letters_of(texts: Sequence[str], gap: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64]]:
    """Return the characters of all texts and where each text starts and ends in them.

    Parameters
    ----------
    texts
        What tokens read as.
    gap
        Stands for white space, and for a character of which there is only a part.

    Returns
    -------
    letters
        Code points, uint32.
    indptr
        int64 [texts + 1], from 0.
    """
    indptr = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(text) for text in texts], out=indptr[1:])
    joined = "".join(texts)
    letters = np.frombuffer(joined.encode("utf-32-le"), np.uint32).copy()
    gaps = {ord(letter) for letter in set(joined) if letter.isspace() or letter == "\ufffd"}
    letters[np.isin(letters, list(gaps))] = gap
    return letters, indptr


def _or_text(found: bytes | None, text: str) -> bytes:
    return text.encode() if found is None else found
