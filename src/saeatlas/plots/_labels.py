"""Places for labels: where they hide no other label and stay within the axes; a label without a place is left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

__all__ = ["Box", "Label", "Taken", "measured", "place_labels", "settle"]

_GAP = 1.0
"""Least distance between two labels, points."""
_DIRECTIONS = 16
_RINGS = (0.0, 7.0, 13.0, 20.0, 28.0, 38.0, 50.0)
"""Distances at which a place is looked for, points."""
_LEADER_FROM = 9.0
"""Further away than this, points, a line leads from the label to what it names."""


@dataclass(frozen=True)
class Box:
    """A rectangle, in pixels of the figure."""

    left: float
    bottom: float
    right: float
    top: float

    def overlaps(self, other: Box) -> bool:
        """Return whether two boxes share an area."""
        return (
            self.left < other.right and other.left < self.right and self.bottom < other.top and other.bottom < self.top
        )

    def lies_in(self, other: Box) -> bool:
        """Return whether it is within another box."""
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.bottom >= other.bottom
            and self.top <= other.top
        )


@dataclass(frozen=True)
class Label:
    """A text and the point that it names, in data coordinates."""

    text: str
    x: float
    y: float
    away_from: tuple[float, float] | None = None
    """Places on the far side of this point are tried first; otherwise that on the point itself."""
    frame: str = ""
    """Colour of a frame around it, to say whose label it is; none when empty."""


@dataclass
class Taken:
    """Places where no label may be put any more."""

    boxes: list[Box] = field(default_factory=list)

    def is_free(self, box: Box) -> bool:
        """Return whether a box hides nothing."""
        return not any(box.overlaps(other) for other in self.boxes)


def settle(figure: Figure) -> None:
    """Lay a figure out for good: what is measured afterwards stays where it is, in every format."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def measured(text: Text) -> Box:
    """Return the box of a text as it is drawn, with its frame if it has one."""
    extent, patch = text.get_window_extent(), text.get_bbox_patch()
    if patch is not None:
        canvas: Any = text.get_figure(root=True).canvas  # type: ignore[union-attr]
        text.update_bbox_position_size(canvas.get_renderer())
        extent = patch.get_window_extent()
    return Box(extent.x0, extent.y0, extent.x1, extent.y1)


def place_labels(axes: Axes, labels: Sequence[Label], taken: Taken, size: float, halo: str) -> int:
    """Write labels in their order, each at the first place that is free, and return how many found none.

    Parameters
    ----------
    axes
        Settled axes.
    labels
        The most important first.
    taken
        What must not be hidden; places of labels are added.
    size
        Of the text, points.
    halo
        Colour around letters, so that they can be read on points.
    """
    from matplotlib.patheffects import withStroke

    left_out = 0
    for label in labels:
        text = axes.text(0, 0, label.text, fontsize=size, ha="center", va="center", zorder=5, linespacing=1.1)
        text.set_path_effects([withStroke(linewidth=1.6, foreground=halo)])
        if label.frame:
            text.set_bbox({"boxstyle": "round,pad=0.25", "fc": halo, "ec": label.frame, "lw": 0.7, "alpha": 0.9})
        found = _place(axes, label, text, taken)
        if found is None:
            text.remove()
            left_out += 1
            continue
        taken.boxes.append(found)
        x, y = axes.transData.inverted().transform(((found.left + found.right) / 2, (found.bottom + found.top) / 2))
        text.set_position((float(x), float(y)))
        _lead(axes, label, found)
    return left_out


def _place(axes: Axes, label: Label, text: Text, taken: Taken) -> Box | None:
    """Return the first free box for a text, from near to far, or None."""
    window, pixel = axes.get_window_extent(), _pixels_per_point(axes)
    room = Box(window.x0, window.y0, window.x1, window.y1)
    extent = measured(text)
    width, height = extent.right - extent.left + _GAP * pixel, extent.top - extent.bottom + _GAP * pixel
    x, y = _at(axes, label.x, label.y)
    first = math.pi / 2
    if label.away_from is not None:
        from_x, from_y = _at(axes, *label.away_from)
        first = math.atan2(y - from_y, x - from_x)
    for ring in _RINGS[0 if label.away_from is None else 1 :]:
        for angle in _angles(first) if ring else (first,):
            # The edge of the box, not its middle, is at the distance of the ring.
            reach = ring * pixel + (abs(math.cos(angle)) * width + abs(math.sin(angle)) * height) / 2 if ring else 0.0
            centre_x, centre_y = x + reach * math.cos(angle), y + reach * math.sin(angle)
            box = Box(centre_x - width / 2, centre_y - height / 2, centre_x + width / 2, centre_y + height / 2)
            if box.lies_in(room) and taken.is_free(box):
                return box
    return None


def _angles(first: float) -> list[float]:
    """Return directions all around, those nearest to the first one first."""
    steps = sorted(range(-_DIRECTIONS // 2 + 1, _DIRECTIONS // 2 + 1), key=lambda step: (abs(step), step < 0))
    return [first + 2 * math.pi * step / _DIRECTIONS for step in steps]


def _lead(axes: Axes, label: Label, box: Box) -> None:
    """Draw a line from a point to its label when they are apart."""
    x, y = _at(axes, label.x, label.y)
    near_x, near_y = min(max(x, box.left), box.right), min(max(y, box.bottom), box.top)
    if math.dist((x, y), (near_x, near_y)) < _LEADER_FROM * _pixels_per_point(axes):
        return
    end = axes.transData.inverted().transform((near_x, near_y))
    axes.plot([label.x, float(end[0])], [label.y, float(end[1])], color=axes.xaxis.label.get_color(), lw=0.4, zorder=4)


def _at(axes: Axes, x: float, y: float) -> tuple[float, float]:
    """Return the pixel of a point in data coordinates."""
    found = axes.transData.transform((x, y))
    return float(found[0]), float(found[1])


def _pixels_per_point(axes: Axes) -> float:
    figure = axes.get_figure(root=True)
    assert figure is not None
    return float(figure.dpi) / 72
