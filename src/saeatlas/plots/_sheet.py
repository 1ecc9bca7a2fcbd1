"""An empty figure of a size in millimetres, with its theme, room for the footer, and a title that fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from saeatlas.plots._text import clipped, shown
from saeatlas.plots._theme import MILLIMETRE, POINT, theme_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from saeatlas.pipeline.picture import Look

__all__ = ["FINE_PRINT", "head", "measure_of", "new_sheet"]

FINE_PRINT = 5.5
"""Size of the smallest text, points."""
_STRIP = 3.2
"""Height of the footer, mm."""
_MARGIN = 1.2
"""Around everything, mm."""
_TITLE = 7.5
_LINE = 1.25
"""Lines of text are this much apart, times their size."""


def new_sheet(look: Look, height: float) -> Figure:
    """Return an empty figure.

    Parameters
    ----------
    look
        Theme, width and footer.
    height
        Without the footer, mm.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    strip = _STRIP if look.footer else 0.0
    total = height + strip
    figure = Figure(figsize=(look.width * MILLIMETRE, total * MILLIMETRE), layout="constrained")
    FigureCanvasAgg(figure)
    rest = (0.0, strip / total, 1.0, 1.0 - strip / total)
    margin = _MARGIN * MILLIMETRE
    _engine_of(figure).set(rect=rest, w_pad=margin, h_pad=margin)
    if look.footer:
        x, room = _MARGIN / look.width, (look.width - 2 * _MARGIN) * MILLIMETRE * figure.dpi
        text = clipped(shown(look.footer), room, measure_of(figure, FINE_PRINT))
        figure.text(x, _MARGIN / total, text, fontsize=FINE_PRINT, color=theme_of(look.theme).muted, va="bottom")
    return figure


def head(figure: Figure, look: Look, title: str, lines: list[str]) -> None:
    """Write a title and lines below it at the top, each clipped to the width, and lay out the rest beneath.

    Parameters
    ----------
    figure
        From `new_sheet`, with its height chosen so that the head has room.
    look
        Theme and width.
    title, lines
        Plain text; characters that cannot be drawn are replaced.
    """
    width, height = figure.get_size_inches()
    room = (look.width - 2 * _MARGIN) * MILLIMETRE * figure.dpi
    top = height - _MARGIN * MILLIMETRE
    sizes = [_TITLE, *[FINE_PRINT + 0.5] * len(lines)]
    for text, size in zip([title, *lines], sizes, strict=True):
        figure.text(
            _MARGIN * MILLIMETRE / width,
            top / height,
            clipped(shown(text), room, measure_of(figure, size)),
            fontsize=size,
            fontweight="normal",
            color=theme_of(look.theme).ink if size == _TITLE else theme_of(look.theme).muted,
            va="top",
        )
        top -= size * _LINE * POINT
    engine = _engine_of(figure)
    left, bottom, across, _ = engine.get()["rect"]
    engine.set(rect=(left, bottom, across, top / height - bottom))


def _engine_of(figure: Figure) -> ConstrainedLayoutEngine:
    engine = figure.get_layout_engine()
    assert engine is not None
    return cast("ConstrainedLayoutEngine", engine)


def measure_of(figure: Figure, size: float) -> Callable[[str], float]:
    """Return what measures a line of text of a size, points, in pixels of a figure."""
    from matplotlib.font_manager import FontProperties

    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    font = FontProperties(size=size)

    def measure(text: str) -> float:
        return float(renderer.get_text_width_height_descent(text, font, ismath=False)[0]) if text else 0.0

    return measure
