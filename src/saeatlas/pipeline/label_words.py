"""Words of labels as they are written from now on: names without space around them, and something to see in each.

Logs that are there are read as they are; hence these rules are not those of the format.
"""

from __future__ import annotations

import unicodedata
from dataclasses import replace

from saeatlas.errors import InvalidInput
from saeatlas.format.labels import Said, check_line

__all__ = ["neat_name", "neat_said", "shows_something"]

_UNSEEN = frozenset({"Cf", "Cc", "Zs", "Zl", "Zp"})
"""Formats such as U+200B, controls and spaces."""
# Fillers, the blank Braille pattern and selectors of variants, which Unicode counts as letters, symbols and marks.
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {chr(n) for n in range(0xFE00, 0xFE10)}


def neat_name(text: str, what: str) -> str:
    """Return the name of an author or a category without space around it; `what` is a member of `LIMITS`.

    Names that look the same are then the same.

    Raises
    ------
    InvalidInput
        When it is blank or invisible, too long, or has control characters.
    """
    return _visible(check_line(text, what).strip(), what)


def neat_said(said: Said) -> Said:
    """Return what is said with its category neat; `InvalidInput` when nothing is to be seen of a text, note or tag."""
    for what, text in (("text", said.text), ("notes", said.notes), ("source", said.source)):
        if text is not None:
            _visible(text, what)
    for tag in said.tags:
        _visible(tag, "tag")
    return said if said.category is None else replace(said, category=neat_name(said.category, "category"))


def shows_something(text: str) -> bool:
    """Whether a reader sees anything of a text."""
    return any(unicodedata.category(one) not in _UNSEEN and one not in _FILLERS for one in text)


def _visible(text: str, what: str) -> str:
    if not shows_something(text):
        raise InvalidInput(
            f"The {what} of a label has only invisible characters, such as U+{ord(text[0]):04X}",
            hint="Leave out what is not said.",
        )
    return text
