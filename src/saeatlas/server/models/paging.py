"""Pages of tables: lines after a key, never after a number of lines, so that nothing is shown twice or left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from fastapi import Request

from saeatlas.server.respond import as_arrow

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["PAGE", "Page", "page_of"]

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


def page_of(request: Request, lines: pa.Table, key: str, limit: int | None, after: int | None) -> Page:
    """Cut a page out of a table.

    Parameters
    ----------
    request
        Whether it wants JSON decides how many lines come without a limit.
    lines
        All lines, ascending by `key`.
    key
        A column of whole numbers that no two lines share.
    limit, after
        Lines at most, and the key of the last line of the page before.
    """
    keys = lines.column(key).to_numpy()
    start = 0 if after is None else int(np.searchsorted(keys, after, "right"))
    n = PAGE if limit is None and not as_arrow(request) else limit
    stop = lines.num_rows if n is None else min(lines.num_rows, start + n)
    following = str(int(keys[stop - 1])) if start < stop < lines.num_rows else None
    return Page(lines.slice(start, stop - start), lines.num_rows, following)
