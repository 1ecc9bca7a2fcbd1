"""Bars of block characters: small histograms that fit in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from saeatlas.cli.render import screen
from saeatlas.cli.render.numbers import count, number
from saeatlas.cli.render.tables import Column, write_table

__all__ = ["bar", "write_histogram"]

_EIGHTHS = " ▏▎▍▌▋▊▉"


def bar(share: float, cells: int, *, blocks: bool) -> str:
    """Draw a bar of `share` (0 to 1) of `cells` characters; whatever is above zero shows at least a sliver."""
    if share <= 0:
        return ""
    if not blocks:
        return "#" * max(1, round(share * cells))
    eighths = max(1, round(min(share, 1.0) * cells * 8))
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def write_histogram(edges: Sequence[float], counts: Sequence[int], *, join: int = 1) -> None:
    """Draw how many values fall between consecutive edges; a table of bins when piped.

    Parameters
    ----------
    edges
        Borders of the bins, one more than `counts`.
    counts
        Values in each bin.
    join
        Neighbouring bins to draw as one.
    """
    counts = [sum(counts[start : start + join]) for start in range(0, len(counts), join)]
    edges = [*edges[:-1:join], *edges[-1:]]
    bins = list(zip(edges, edges[1:], counts, strict=False))
    if not screen.is_terminal():
        write_table([Column("lower"), Column("upper"), Column("count")], bins)
        return
    from rich.text import Text

    blocks = screen.shows_blocks()
    largest = max(counts, default=0) or 1
    labels = [f"{number(low)} to {number(high)}" for low, high, _ in bins]
    before = max(map(len, labels), default=0)
    after = max((len(count(n)) for n in counts), default=0)
    room = max(8, min(50, screen.width() - before - after - 4))
    target = screen.console()
    for label, (_, _, n) in zip(labels, bins, strict=True):
        line = Text(f"{label:>{before}}  ", style="dim")
        line.append(f"{bar(n / largest, room, blocks=blocks):<{room}}", style="not dim blue")
        line.append(f"  {count(n):>{after}}", style="not dim")
        target.print(line)
