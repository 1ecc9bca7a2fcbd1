"""Tokens as a tokenizer's file has them, as the text that they stand for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

__all__ = ["SPACE_MARK", "TokenText", "byte_fallback", "byte_level"]

SPACE_MARK: Final = "\u2581"
"""What SentencePiece writes for a space."""
_BYTE: Final = re.compile("<0x[0-9A-Fa-f]{2}>")


class TokenText:
    """Reads tokens by what the tokenizer's decoder does: bytes become the text they are, marks become spaces.

    Parameters
    ----------
    decoder
        The member `decoder` of a `tokenizer.json`.
    """

    def __init__(self, decoder: object) -> None:
        self._kinds = set(_types(decoder))

    def read(self, word: str) -> str:
        """Return what a token reads as; one that is part of a character reads as U+FFFD."""
        kinds = self._kinds
        found = byte_level(word) if "ByteLevel" in kinds else None
        if found is None and "ByteFallback" in kinds:
            found = byte_fallback(word)
        if found is not None:
            return found.decode(errors="replace")
        return word.replace(SPACE_MARK, " ") if kinds & {"Metaspace", "Replace"} else word


def byte_level(word: str) -> bytes | None:
    """Return the bytes that a byte-level tokenizer writes as these characters, or None when some stand for none."""
    return bytes(_BYTE_OF[letter] for letter in word) if all(map(_BYTE_OF.__contains__, word)) else None


def byte_fallback(word: str) -> bytes | None:
    """Return the byte of a token such as '<0x0A>', or None when it is none."""
    return bytes.fromhex(word[3:5]) if _BYTE.fullmatch(word) else None


def _types(decoder: Any) -> Iterator[str]:  # noqa: ANN401  # a decoder is any JSON value
    if isinstance(decoder, dict):
        yield str(decoder.get("type", ""))
        for inner in decoder.get("decoders", []):
            yield from _types(inner)


def _bytes_by_character() -> dict[str, int]:
    """Invert the table by which byte-level tokenizers write each byte as a visible character."""
    shown = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    table = {chr(byte): byte for byte in shown}
    hidden = (byte for byte in range(256) if byte not in shown)
    return table | {chr(256 + place): byte for place, byte in enumerate(hidden)}


_BYTE_OF = _bytes_by_character()
