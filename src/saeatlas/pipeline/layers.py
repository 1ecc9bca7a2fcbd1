"""Read a list of layers as people write it: `0-5,10`."""

from __future__ import annotations

import re
from typing import Final

from saeatlas.errors import InvalidInput

__all__ = ["parse_layers"]

_PART: Final = re.compile(r"([0-9]{1,9})(?:[ \t]*-[ \t]*([0-9]{1,9}))?")
_MOST_LAYERS: Final = 10_000
"""Layers that one list may name where the number of layers is not known: above any model, and small."""


def parse_layers(text: str, *, n_layers: int | None = None) -> tuple[int, ...]:
    """Return the layers that a list names, sorted, each once.

    A list is made of parts between commas; a part is a layer or a range with both ends in it. Blanks may stand around
    a part and around a dash. Only the digits 0 to 9 count, without a sign and without '_'. Every part is checked
    before a range is spread out, so that `0-999999999` costs nothing.

    Parameters
    ----------
    text
        Such as '0-5,10'.
    n_layers
        Layers that there are, so that 0 to `n_layers` - 1 are allowed; None when that is not known.

    Raises
    ------
    InvalidInput
        When a part is no layer and no range, a range runs backwards, or a layer is not there.
    """
    if not text.strip():
        raise InvalidInput("The list of layers is empty", hint="Write it like this: 0-5,10")
    parts = text.split(",")
    ranges = [_range(part.strip(" \t"), place, text) for place, part in enumerate(parts, start=1)]
    last = _MOST_LAYERS if n_layers is None else n_layers - 1
    outside = [part.strip() for part, found in zip(parts, ranges, strict=True) if found.stop - 1 > last]
    if outside:
        named = ", ".join(f"'{part}'" for part in outside[:5]) + (", …" if len(outside) > 5 else "")
        allowed = f"0 to {last}" if last > 0 else "0" if last == 0 else "none"
        raise InvalidInput(f"There is no such layer: {named} in '{_short(text)}'", hint=f"Layers that exist: {allowed}")
    return tuple(sorted({layer for found in ranges for layer in found}))


def _range(part: str, place: int, text: str) -> range:
    """Return the layers of one part; nothing is built."""
    if not part:
        raise InvalidInput(
            f"Part {place} of the list of layers is empty: '{_short(text)}'",
            hint="Put one comma between two parts, and none at the end.",
        )
    found = _PART.fullmatch(part)
    if found is None:
        raise InvalidInput(f"Not a layer or a range of layers: '{_short(part)}'", hint=_hint(part))
    first, last = int(found[1]), int(found[2] or found[1])
    if first > last:
        raise InvalidInput(f"The range of layers runs backwards: '{part}'", hint=f"Write it as {last}-{first}.")
    return range(first, last + 1)


def _hint(part: str) -> str:
    """Return what to write instead of a part that means nothing."""
    if re.search("[\u2010-\u2015\u2212]", part):
        return "A range is written with the hyphen of the keyboard, like this: 0-5"
    if re.search(r"[^\x00-\x7f]", part) and any(letter.isdigit() for letter in part):
        return "Write layers with the digits 0 to 9."
    if part.startswith("-") and part[1:].isdecimal():
        return "Layers are counted from 0."
    return "A layer is a whole number from 0, a range looks like this: 0-5"


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}…"
