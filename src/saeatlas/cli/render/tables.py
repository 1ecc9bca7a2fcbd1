"""Tables: aligned on a terminal, tab-separated everywhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from saeatlas.cli.render import screen
from saeatlas.cli.render.escape import visible
from saeatlas.cli.render.numbers import cell, count, percent, plain

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Column", "columns_of", "write_facts", "write_heading", "write_rows", "write_table"]

_IDS = frozenset({"row", "document", "position", "feature", "token", "index", "id"})
"""Columns of numbers that name something: no thousands apart."""
_SHARES = frozenset({"share", "density", "rate", "corpus_share"})
"""Columns of parts of a whole."""


@dataclass(frozen=True)
class Column:
    """One column of a table."""

    name: str
    """Heading, and the name in the tab-separated form."""
    show: Callable[..., str] = cell
    """How a value reads on a terminal."""
    is_text: bool = False
    """Text goes to the left and may be folded; numbers go to the right and never are."""


def write_table(columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> None:
    """Write rows, each as long as `columns`."""
    if screen.is_terminal():
        _draw(columns, rows)
        return
    screen.write("\t".join(column.name for column in columns))
    for row in rows:
        screen.write("\t".join(visible(plain(value)) for value in row))


def columns_of(table: pa.Table) -> list[Column]:
    """Choose how each column of an Arrow table is shown, by its name and type."""
    import pyarrow as pa

    columns = []
    for field in table.schema:
        is_text = pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
        show: Callable[..., str] = cell
        if field.name in _IDS:
            show = str
        elif field.name in _SHARES:
            show = percent
        columns.append(Column(field.name, show, is_text=is_text))
    return columns


def write_rows(columns: Sequence[Column], table: pa.Table, n_all: int | None = None) -> None:
    """Write an Arrow table: all of it when piped; on a terminal its first lines, and how many there are in all.

    Parameters
    ----------
    columns
        Which columns, in which order, and how they are shown.
    table
        Holds them by name; it may be only the beginning.
    n_all
        Lines in all when `table` is only the beginning.
    """
    total = table.num_rows if n_all is None else n_all
    shown = table.slice(0, screen.ROWS_SHOWN) if screen.is_terminal() else table
    lines = (
        line
        for batch in shown.select([column.name for column in columns]).to_batches(max_chunksize=65_536)
        for line in zip(*(values.to_pylist() for values in batch.columns), strict=True)
    )
    write_table(columns, lines)
    if shown.num_rows < total:
        screen.say(
            f"The first {shown.num_rows} of {count(total)} lines; pipe the output, or use --out or --json, for all."
        )


def write_facts(facts: Mapping[str, object]) -> None:
    """Write names and values, one pair in a line; texts among the values are shown as they are, numbers as numbers."""
    if not screen.is_terminal():
        for name, value in facts.items():
            screen.write(f"{name}\t{visible(plain(value))}")
        return
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column()
    for name, value in facts.items():
        grid.add_row(Text(name, style="dim"), Text(visible(cell(value))))
    screen.console().print(grid)


def write_heading(text: str) -> None:
    """Write the title of the next part, after an empty line."""
    safe = visible(text)
    if not screen.is_terminal():
        screen.write(f"\n{safe}")
        return
    from rich.text import Text

    screen.console().print(Text(f"\n{safe}", style="bold"))


def _draw(columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        justify = "left" if column.is_text else "right"
        table.add_column(Text(column.name), justify=justify, no_wrap=not column.is_text, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        shown = (column.show(value) for column, value in zip(columns, row, strict=True))
        table.add_row(*(Text(visible(text)) for text in shown))
    screen.console().print(table)
