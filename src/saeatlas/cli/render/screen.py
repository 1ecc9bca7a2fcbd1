"""What standard output is: a terminal to draw on, or a pipe that wants plain lines."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import sys
from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["ROWS_SHOWN", "console", "is_terminal", "say", "shows_blocks", "width", "write", "write_json"]

ROWS_SHOWN = 40
"""Lines of a long table that a terminal shows; files, pipes and JSON always get all of them."""

# Valid JSON, but not safe to show: C1 controls, line separators, bidirectional controls, halves of surrogates.
_JSON_UNSAFE = re.compile("[\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether a person looks at the stream (standard output unless given)."""
    target = sys.stdout if stream is None else stream
    return os.environ.get("TERM") != "dumb" and target.isatty()


def shows_blocks(stream: TextIO | None = None) -> bool:
    """Whether the stream's encoding has block characters."""
    encoding = (sys.stdout if stream is None else stream).encoding or "ascii"
    return encoding.lower().replace("-", "").startswith("utf")


def width() -> int:
    """Columns of the terminal; 80 where that is unknown."""
    return shutil.get_terminal_size((80, 24)).columns


def console() -> Console:
    """Make a rich console on standard output that takes every text literally."""
    from rich.console import Console

    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=False)


def write(text: str) -> None:
    """Write text and a line feed to standard output."""
    sys.stdout.write(text + "\n")


def say(text: str) -> None:
    """Write a sentence for the user to standard error, keeping standard output for data."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def write_json(value: object) -> None:
    """Write one JSON value. NaN, an undefined number, becomes null; infinity, which JSON lacks, the text 'inf'."""
    text = json.dumps(_plain(value), ensure_ascii=False, allow_nan=False, indent=2 if is_terminal() else None)
    write(_JSON_UNSAFE.sub(lambda match: f"\\u{ord(match.group()):04x}", text))


def _plain(value: object) -> object:
    """Return `value` in the types of JSON."""
    if isinstance(value, float):
        return None if math.isnan(value) else str(value) if math.isinf(value) else value
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value) if isinstance(value, timedelta | Decimal) else value
