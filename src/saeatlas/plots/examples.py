"""A feature in its contexts: texts with a shade behind each token, as strong as the feature is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from saeatlas.atlas.examples import Pick
from saeatlas.errors import InvalidInput
from saeatlas.pipeline.picture import Drawing, Look, Picture
from saeatlas.plots._axes import bare_axes
from saeatlas.plots._sheet import FINE_PRINT, head, measure_of, new_sheet
from saeatlas.plots._sources import reference_of, text_of
from saeatlas.plots._text import clipped, shown
from saeatlas.plots._theme import MILLIMETRE, Theme, shade, theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from saeatlas.atlas.contexts import Example
    from saeatlas.atlas.sae import SAE

__all__ = ["ExamplesPicture", "plugin"]

_SIZE = 6.5
_LINE = 3.6
"""Height of a line of text, mm."""
_ABOUT = 3.0
"""Height of the line that says where an example is from, mm."""
_GAP = 1.8
"""Between examples, mm."""
_MARGIN = 1.2
_HEAD = 10.0
"""Height of the title and the two lines below it, mm."""
_SCALE = 8.0
"""Height of the scale of shades, mm."""


@dataclass(frozen=True)
class _Piece:
    """A token, or the text between two tokens."""

    text: str
    value: float | None = None
    """Activation; None where the feature is not active."""
    is_focus: bool = False
    """Whether the example is about this token."""
    is_unseen: bool = False
    """Whether the model could not see it."""


@dataclass(frozen=True)
class _Block:
    """One example as it is set."""

    about: str
    lines: tuple[tuple[_Piece, ...], ...]

    @property
    def height(self) -> float:
        """Height, mm."""
        return _ABOUT + _LINE * len(self.lines) + _GAP


@dataclass(frozen=True, kw_only=True)
class ExamplesPicture(Picture):
    """A feature in its contexts: texts with a shade behind each token, as strong as the feature is there.

    Examples
    --------
    saeatlas plot examples gpt2-l8/16751 --n 8 --out examples.pdf --width 183
    """

    subject: ClassVar[Literal["feature", "sae"]] = "feature"

    pick: Pick = "top"
    """The strongest, some from each part of the values, or any."""
    n: int = 5
    """How many; with 'quantiles' from each part."""
    before: int = 15
    """Tokens to show before."""
    after: int = 8
    """Tokens to show after."""
    seed: int = 0
    """Of the random choice."""
    strata: int = 4
    """Parts that 'quantiles' makes."""

    def __post_init__(self) -> None:
        if isinstance(self.n, bool) or not isinstance(self.n, int) or not 1 <= self.n <= 50:
            raise InvalidInput(f"'n' must be a whole number from 1 to 50, found: {self.n!r}")

    def draw(self, sae: SAE, feature: int | None, look: Look) -> Drawing:
        """Draw one paragraph for each example; one whose tokens are not available says why."""
        assert feature is not None
        found = sae.feature(feature).examples(
            pick=self.pick, n=self.n, before=self.before, after=self.after, seed=self.seed, strata=self.strata
        )
        theme, title = theme_of(look.theme), reference_of(sae, feature)
        scratch, room = new_sheet(look, 50.0), (look.width - 2 * _MARGIN) * MILLIMETRE
        blocks = [_set(example, measure_of(scratch, _SIZE), room * scratch.dpi) for example in found]
        strongest = max((piece.value or 0.0 for block in blocks for line in block.lines for piece in line), default=0.0)
        scale = _SCALE if strongest > 0 else 0.0
        height = _HEAD + sum(block.height for block in blocks) + scale + _ABOUT * (not blocks)
        figure = new_sheet(look, height)
        text = text_of(sae, feature)
        chosen = {
            "top": "the strongest",
            "random": "drawn at random",
            "quantiles": f"from {self.strata} parts by strength",
        }
        head(figure, look, title, [*([text] if text else []), f"{len(found)} examples, {chosen[self.pick]}"])
        axes = _page(figure)
        top = figure.get_size_inches()[1] / MILLIMETRE - _HEAD
        for block in blocks:
            _write(axes, block, top, strongest, theme)
            top -= block.height
        if not blocks:
            axes.text(_MARGIN, top, "never active", color=theme.muted, va="top")
        if scale:
            _write_scale(axes, top, strongest, theme)
        return Drawing(figure, f"Examples of {title}")


def _page(figure: Figure) -> Axes:
    """Return axes over the whole figure whose unit is the millimetre."""
    figure.set_layout_engine("none")
    axes = figure.add_axes((0, 0, 1, 1), frameon=False)
    bare_axes(axes)
    width, height = (float(size) / MILLIMETRE for size in figure.get_size_inches())
    axes.set_xlim(0, width)
    axes.set_ylim(0, height)
    return axes


def _set(example: Example, measure: Callable[[str], float], room: float) -> _Block:
    """Break an example into lines."""
    about = f"{shown(example.document)}, position {example.position}: {example.value:.4g}"
    if example.stratum is not None:
        about = f"part {example.stratum + 1}; {about}"
    if not example.context_available:
        return _Block(clipped(f"{about} ({example.reason})", room, measure), ())
    lines: list[list[_Piece]] = [[]]
    for piece in _pieces(example):
        line = lines[-1]
        if line and measure("".join(part.text for part in line) + piece.text) > room:
            # A line does not begin with the space that it was broken at.
            if not piece.text.strip():
                continue
            lines.append([])
        text = piece.text if lines[-1] else piece.text.lstrip(" ")
        if text:
            lines[-1].append(
                _Piece(clipped(text, room, measure), piece.value, is_focus=piece.is_focus, is_unseen=piece.is_unseen)
            )
    return _Block(clipped(about, room, measure), tuple(tuple(line) for line in lines if line))


def _pieces(example: Example) -> Iterator[_Piece]:
    """Yield the tokens of an example, and the text between them where it is the document's own."""
    text, offset, end = example.text or "", example.tokens[0].start or 0, None
    for token in example.tokens:
        string = token.string
        if example.is_natural_text and token.start is not None and token.end is not None:
            string = text[token.start - offset : token.end - offset]
            if end is not None and token.start > end:
                yield _Piece(shown(text[end - offset : token.start - offset]), is_unseen=token.visible is False)
            end = token.end
        yield _Piece(
            shown(string),
            token.value if token.is_active else None,
            is_focus=token.position == example.position,
            is_unseen=token.visible is False,
        )


def _write(axes: Axes, block: _Block, top: float, strongest: float, theme: Theme) -> None:
    """Write an example below a height, mm."""
    from matplotlib.patches import Rectangle

    axes.text(_MARGIN, top, block.about, fontsize=FINE_PRINT, color=theme.muted, va="top")
    figure = axes.get_figure(root=True)
    assert figure is not None
    measure, unit = measure_of(figure, _SIZE), MILLIMETRE * figure.dpi
    for number, line in enumerate(block.lines):
        base = top - _ABOUT - _LINE * number - 0.72 * _LINE
        before = ""
        for piece in line:
            left, right = measure(before) / unit, measure(before + piece.text) / unit
            if piece.value is not None:
                colour = shade(theme, piece.value / strongest)
                edge = theme.ink if piece.is_focus else "none"
                box = Rectangle(
                    (_MARGIN + left, base - 0.26 * _LINE), right - left, 0.88 * _LINE, fc=colour, ec=edge, lw=0.5
                )
                axes.add_patch(box)
            before += piece.text
        _write_runs(axes, line, base, theme)


def _write_runs(axes: Axes, line: Sequence[_Piece], base: float, theme: Theme) -> None:
    """Write a line as one text for each stretch that the model could see, or could not."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    measure, unit = measure_of(figure, _SIZE), MILLIMETRE * figure.dpi
    before, run = "", ""
    for at, piece in enumerate(line):
        run += piece.text
        if at + 1 == len(line) or line[at + 1].is_unseen != piece.is_unseen:
            colour = theme.muted if piece.is_unseen else theme.ink
            axes.text(
                _MARGIN + measure(before) / unit, base, run, fontsize=_SIZE, color=colour, va="baseline", zorder=3
            )
            before, run = before + run, ""


def _write_scale(axes: Axes, top: float, strongest: float, theme: Theme) -> None:
    """Write what the shades mean: from no activation to the strongest one that is shown."""
    from matplotlib.patches import Rectangle

    steps, width = 40, 24.0
    for step in range(steps):
        colour = shade(theme, (step + 0.5) / steps)
        axes.add_patch(Rectangle((_MARGIN + width * step / steps, top - 2.2), width / steps, 2.2, fc=colour, ec="none"))
    for x, text, align in ((0.0, "0", "left"), (width, f"{strongest:.4g}", "right")):
        axes.text(_MARGIN + x, top - 2.8, text, fontsize=FINE_PRINT, color=theme.muted, va="top", ha=align)
    axes.text(_MARGIN + width + 1.5, top - 1.1, "activation", fontsize=FINE_PRINT, color=theme.muted, va="center")


plugin = ExamplesPicture
