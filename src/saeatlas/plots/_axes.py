"""Axes of figures: plain frames, and numbers along them that do not run into each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from saeatlas.plots._theme import theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

    from saeatlas.pipeline.picture import Look

__all__ = ["bare_axes", "count_axis", "count_text", "plain_axes", "power_axis", "power_text", "share_text"]

_SUPERSCRIPTS = str.maketrans("-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")
_MOST_POWERS = 6


def plain_axes(axes: Axes, look: Look) -> None:
    """Give axes a faint horizontal grid and few numbers."""
    from matplotlib.ticker import MaxNLocator

    axes.grid(axis="y", color=theme_of(look.theme).faint, linewidth=0.4)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.yaxis.set_major_locator(MaxNLocator(5))


def bare_axes(axes: Axes) -> None:
    """Leave nothing of axes but their room."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def count_axis(axes: Axes, most: int, *, is_log: bool) -> None:
    """Make the vertical axis one of counts, from 0 or, with a logarithmic axis, from half of one."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    if is_log:
        axes.set_yscale("log")
        axes.set_ylim(0.5, max(most, 1) * 1.5)
        power_axis(axes.yaxis, 1.0, max(most, 1) * 1.5)
        return
    axes.set_ylim(0, max(most, 1) * 1.05)
    axes.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: count_text(round(value))))


def power_axis(axis: Axis, low: float, high: float) -> None:
    """Mark some powers of ten along a logarithmic axis, or numbers between them where it has less than two."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    if last - first < 1:
        places = [m * 10.0**p for p in range(first - 1, last + 1) for m in (1, 2, 5)]
        axis.set_major_locator(FixedLocator([place for place in places if low <= place <= high]))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        step = -(-(last - first + 1) // _MOST_POWERS)
        axis.set_major_locator(FixedLocator([10.0**power for power in range(first, last + 1, step)]))
        axis.set_major_formatter(FuncFormatter(lambda value, _: power_text(round(math.log10(value)))))
    axis.set_minor_locator(NullLocator())


def power_text(power: int) -> str:
    """Return a power of ten as text: '1', '10', '100' and '0.1', '0.01' are clearer than powers."""
    if -2 <= power <= 3:
        return f"{10**power:,}" if power >= 0 else f"{10.0**power:g}"
    return "10" + str(power).translate(_SUPERSCRIPTS)


def count_text(count: int) -> str:
    """Return a whole number with separators."""
    return f"{count:,}"


def share_text(share: float) -> str:
    """Return a share in per cent, with three digits that count."""
    return f"{100 * share:.3g} %"
