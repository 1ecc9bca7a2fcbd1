"""Ids of events: unique across processes without asking anyone, and in the order in which events were made."""

from __future__ import annotations

import re
import secrets
import time

from saeatlas.errors import InvalidInput

__all__ = ["check_event_id", "new_event_ids"]

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_RANDOM = 74
"""Bits of an id that are no time."""
_STEP = 56
"""Ids of one millisecond are this many random bits apart, so that two processes that go on from the same id differ."""


def new_event_ids(n: int, after: str = "", *, milliseconds: int | None = None) -> list[str]:
    """Return `n` ascending ids, all greater than `after`.

    They are UUIDs of version 7: milliseconds since 1970, then random bits. Where the clock stands before `after`, which
    another machine may have made, they go on from `after`: who has seen an event makes a later one. With
    `milliseconds`, ids are of that time since 1970 and not of now.
    """
    moment = time.time_ns() // 1_000_000 if milliseconds is None else milliseconds
    value = moment << _RANDOM | secrets.randbits(_RANDOM)
    last = _number(after) if after else -1
    found = []
    for _ in range(n):
        last = value if value > last else last + 1 + secrets.randbits(_STEP)
        found.append(_text(last))
    return found


def check_event_id(text: object) -> str:
    """Return `text` when it is an id of an event, else raise `InvalidInput`."""
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise InvalidInput(f"Not the id of an event: {text!r:.100}", hint="Ids are listed by 'saeatlas label history'.")
    return text


def _text(value: int) -> str:
    """Write the 122 bits around the version and the variant of a UUID, which stand at fixed places."""
    milliseconds, high, low = value >> _RANDOM, (value >> 62) & 0xFFF, value & ((1 << 62) - 1)
    digits = f"{milliseconds:012x}7{high:03x}{0b10 << 62 | low:016x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _number(text: str) -> int:
    digits = check_event_id(text).replace("-", "")
    low = int(digits[16:], 16) & ((1 << 62) - 1)
    return int(digits[:12], 16) << _RANDOM | int(digits[13:16], 16) << 62 | low
