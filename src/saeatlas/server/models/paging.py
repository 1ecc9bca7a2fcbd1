"""Pages of tables: lines after a key, never after a number of lines, so that nothing is shown twice or left out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import Request

from saeatlas.server.respond import as_arrow

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

__all__ = ["PAGE", "Page", "Stretch", "page_of", "stretch_of"]

PAGE = 1_000
"""Lines of a table in JSON when no limit is given; Arrow has none."""


@dataclass(frozen=True)
class Page:
    """Some lines of a table."""

    lines: pa.Table
    """The lines."""
    total: int
    """Lines of the whole table."""
    following: str | None
    """Where the next page goes on; None at the end."""


@dataclass(frozen=True)
class Stretch:
    """Which lines of a table a page holds."""

    start: int
    """The first."""
    stop: int
    """One past the last."""
    following: str | None
    """Where the next page goes on; None at the end."""


def stretch_of(
    request: Request, keys: Sequence[int] | npt.NDArray[Any], limit: int | None, after: int | None
) -> Stretch:
    """Return which lines are on a page.

    Parameters
    ----------
    request
        Whether it wants JSON decides how many lines come without a limit.
    keys
        A whole number for each line, ascending, no two the same.
    limit, after
        Lines at most, and the key of the last line of the page before.
    """
    start = 0 if after is None else bisect_right(keys, after)
    n = PAGE if limit is None and not as_arrow(request) else limit
    stop = len(keys) if n is None else min(len(keys), start + n)
    return Stretch(start, stop, str(int(keys[stop - 1])) if start < stop < len(keys) else None)


def page_of(request: Request, lines: pa.Table, key: str, limit: int | None, after: int | None) -> Page:
    """Cut a page out of a table, by the column of its keys."""
    found = stretch_of(request, lines.column(key).to_numpy(), limit, after)
    return Page(lines.slice(found.start, found.stop - found.start), lines.num_rows, found.following)
