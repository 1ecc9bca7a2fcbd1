"""Text from data in figures: every character is visible, in a font that has it, and as long as there is room."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from functools import cache

__all__ = ["FAMILY", "clipped", "families", "shown"]

FAMILY = "DejaVu Sans"
"""Comes with matplotlib, so that figures are the same everywhere."""

_OTHER_SCRIPTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans JP",
    "Noto Sans SC",
    "Noto Sans KR",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Noto Sans Symbols2",
    "Hiragino Sans",
    "PingFang SC",
    "Yu Gothic",
    "Microsoft YaHei",
    "Arial Unicode MS",
    "WenQuanYi Zen Hei",
)
"""Fonts of other scripts that systems have; those that are installed are used for what the first lacks."""

_MARKS = {"\n": "\u23ce", "\t": "\u21e5", "\r": "\u240d"}
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def families() -> tuple[str, ...]:
    """Return the fonts in which a character is looked for, one after the other."""
    return (FAMILY, *(family for family in _OTHER_SCRIPTS if family in _installed()))


def shown(text: str) -> str:
    r"""Return text in which nothing is hidden: line feeds and tabs as marks, what no font has as such as `\u65e5`."""
    return "".join(_shown(character) for character in text)


def clipped(text: str, width: float, measure: Callable[[str], float]) -> str:
    """Return as much of a text as fits into a width, with an ellipsis where it was cut.

    Parameters
    ----------
    text
        One line.
    width
        Room, in the unit of `measure`.
    measure
        Gives the width of a text.
    """
    if measure(text) <= width:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if measure(text[:middle].rstrip() + "\u2026") <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "\u2026" if low else "\u2026"


@cache
def _shown(character: str) -> str:
    if character in _MARKS:
        return _MARKS[character]
    code = ord(character)
    if unicodedata.category(character) in _INVISIBLE or not any(code in _characters(family) for family in families()):
        return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
    return character


@cache
def _installed() -> frozenset[str]:
    from matplotlib.font_manager import fontManager

    return frozenset(entry.name for entry in fontManager.ttflist)


@cache
def _characters(family: str) -> frozenset[int]:
    from matplotlib.font_manager import findfont, get_font

    return frozenset(get_font(findfont(family, fallback_to_default=False)).get_charmap())
