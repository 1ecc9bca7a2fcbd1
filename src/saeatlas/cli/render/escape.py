"""Make text from data safe to show: control characters must never reach a terminal."""

from __future__ import annotations

import re

__all__ = ["visible"]

# Controls (C0, DEL, C1), line separators, bidirectional overrides and isolates, zero-width
# joiners' unseen kin, tags, and halves of surrogate pairs: all can move the cursor, reorder or hide text.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_UNSAFE_BUT_LINES = re.compile(_UNSAFE.pattern.replace("\x00-\x1f", "\x00-\x09\x0b-\x1f"))
_NAMED = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def visible(text: str, *, keep_lines: bool = False) -> str:
    r"""Return `text` with every character that is not plainly visible written as an escape such as `\x1b`.

    With `keep_lines` line feeds stay, for messages that are laid out in lines.
    """
    return (_UNSAFE_BUT_LINES if keep_lines else _UNSAFE).sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    if character in _NAMED:
        return _NAMED[character]
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
