"""The features whose directions are nearest to one feature's, and how near they are to each other."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from saeatlas.errors import InvalidInput
from saeatlas.pipeline.picture import Drawing, Look, Picture
from saeatlas.plots._axes import bare_axes
from saeatlas.plots._labels import Box, Label, Taken, measured, place_labels, settle
from saeatlas.plots._sheet import FINE_PRINT, head, measure_of, new_sheet
from saeatlas.plots._sources import reference_of, words_for
from saeatlas.plots._text import clipped, shown
from saeatlas.plots._theme import MILLIMETRE, theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from saeatlas.atlas.sae import SAE

__all__ = ["NeighborsPicture", "plugin"]

_HALF_HEIGHT = 1.32
_NEAREST = 0.4
"""Where the highest ring lies, the lowest being at 1; further in, neighbours would hide the middle."""
_LABEL_WIDTH = 21.0
"""Of a label, mm."""
_NODE = 4.5
"""Diameter of a node, points."""


@dataclass(frozen=True)
class _Ring:
    """What is drawn: neighbours in the order in which they go around."""

    features: npt.NDArray[np.int64]
    cosines: npt.NDArray[np.float64]
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    between: npt.NDArray[np.float64]
    """Cosines between neighbours, [n, n]."""
    levels: tuple[float, float]
    """Cosines at the outer and at the inner ring."""


@dataclass(frozen=True, kw_only=True)
class NeighborsPicture(Picture):
    """The features whose directions are nearest to one feature's: nearer to the middle, and joined where alike.

    Examples
    --------
    saeatlas plot neighbors gpt2-l8/16751 --out neighbors.svg
    """

    subject: ClassVar[Literal["feature", "sae"]] = "feature"

    n: int = 10
    """How many neighbours."""
    by: Literal["decoder", "encoder"] = "decoder"
    """Which directions are compared."""
    joined_from: float = 0.3
    """Cosine between two neighbours from which a line joins them."""

    def __post_init__(self) -> None:
        if isinstance(self.n, bool) or not isinstance(self.n, int) or not 1 <= self.n <= 40:
            raise InvalidInput(f"'n' must be a whole number from 1 to 40, found: {self.n!r}")
        if not -1 <= self.joined_from <= 1:
            raise InvalidInput(f"'joined_from' must be a cosine, found: {self.joined_from}")

    def draw(self, sae: SAE, feature: int | None, look: Look) -> Drawing:
        """Draw the neighbours around the feature; one without direction has none, and the figure says so."""
        assert feature is not None
        found = sae.feature(feature).similar(self.n, self.by)
        title = reference_of(sae, feature)
        words = words_for(sae, [feature, *found["feature"].to_pylist()])
        figure = new_sheet(look, 0.82 * look.width)
        about = f"nearest by {self.by} cosine; lines join neighbours at {self.joined_from:g} or more"
        head(figure, look, title, [*([words[feature]] if words[feature] else []), about])
        axes = figure.add_subplot()
        bare_axes(axes)
        settle(figure)
        window = axes.get_window_extent()
        # Equal units on both axes, so that rings are round.
        axes.set_xlim(*(end * _HALF_HEIGHT * window.width / window.height for end in (-1, 1)))
        axes.set_ylim(-_HALF_HEIGHT, _HALF_HEIGHT)
        if not found.num_rows:
            axes.text(0, 0, "no direction, so no neighbours", ha="center", color=theme_of(look.theme).muted)
            return Drawing(figure, f"Neighbours of {title}")
        ring = _arranged(found["feature"].to_numpy(), found["cosine"].to_numpy(), _vectors(sae, self.by, found))
        taken = self._lines(axes, ring, look)
        left_out = place_labels(axes, _labels(figure, ring, words), taken, FINE_PRINT, theme_of(look.theme).page)
        notes = [f"labels without a place: {left_out}"] if left_out else []
        return Drawing(figure, f"Neighbours of {title}", notes=tuple(notes))

    def _lines(self, axes: Axes, ring: _Ring, look: Look) -> Taken:
        """Draw rings, lines and nodes, and return what labels must leave free."""
        theme, taken = theme_of(look.theme), Taken()
        for level in _levels(*ring.levels):
            radius = _radius(level, ring.levels)
            angles = np.linspace(0, 2 * np.pi, 181)
            axes.plot(radius * np.cos(angles), radius * np.sin(angles), color=theme.faint, lw=0.5, zorder=1)
            # Between the last neighbour and the first one, where no node can be.
            at = math.pi / 2 + math.pi / ring.features.size
            text = axes.text(
                radius * math.cos(at), radius * math.sin(at), f"{level:g}", ha="center", va="center", zorder=2
            )
            text.set(fontsize=FINE_PRINT, color=theme.muted, backgroundcolor=theme.page)
            text.set_bbox({"fc": theme.page, "ec": "none", "pad": 0.4})
            taken.boxes.append(measured(text))
        for i, j in zip(*np.nonzero(np.triu(ring.between >= self.joined_from, 1)), strict=True):
            strength = float(ring.between[i, j] - self.joined_from)
            axes.plot(ring.x[[i, j]], ring.y[[i, j]], color=theme.muted, lw=0.4 + 2.0 * strength, zorder=2)
        for x, y in zip(ring.x, ring.y, strict=True):
            axes.plot([0, x], [0, y], color=theme.accent, lw=0.5, alpha=0.5, zorder=2)
        axes.plot(ring.x, ring.y, ls="", marker="o", ms=_NODE, mew=0, color=theme.accent, zorder=3)
        axes.plot([0], [0], ls="", marker="o", ms=1.4 * _NODE, mew=0, color=theme.ink, zorder=3)
        taken.boxes += [_node_box(axes, x, y) for x, y in [(0.0, 0.0), *zip(ring.x, ring.y, strict=True)]]
        return taken


def _vectors(sae: SAE, by: str, found: Any) -> npt.NDArray[np.float64]:  # noqa: ANN401  # pyarrow has no types
    """Return the directions of the neighbours, of length 1, float64 [n, d]."""
    weights = sae.weights
    assert weights is not None
    rows = [weights.directions(by, f, f + 1)[0].astype(np.float64) for f in found["feature"].to_pylist()]
    return np.stack([row / np.linalg.norm(row) for row in rows])


def _arranged(
    features: npt.NDArray[np.int64], cosines: npt.NDArray[np.float64], vectors: npt.NDArray[np.float64]
) -> _Ring:
    """Place neighbours around the middle: the nearest on top, and after each the one most like it that is left."""
    between = vectors @ vectors.T
    order, left = [0], list(range(1, features.size))
    while left:
        following = max(left, key=lambda i: (between[order[-1], i], -i))
        left.remove(following)
        order.append(following)
    low, high = math.floor(cosines.min() * 10) / 10, math.ceil(cosines.max() * 10) / 10
    levels = (low, high if high > low else low + 0.1)
    radius = np.array([_radius(float(cosine), levels) for cosine in cosines[order]])
    angle = math.pi / 2 - 2 * math.pi * np.arange(features.size) / features.size
    return _Ring(
        features[order],
        cosines[order],
        radius * np.cos(angle),
        radius * np.sin(angle),
        between[order][:, order],
        levels,
    )


def _radius(cosine: float, levels: tuple[float, float]) -> float:
    """Return how far from the middle a cosine lies: linear between the rings."""
    low, high = levels
    return 1.0 - (1.0 - _NEAREST) * (cosine - low) / (high - low)


def _levels(low: float, high: float) -> list[float]:
    """Return the cosines of the rings: the two ends, and tenths between them while there are few."""
    steps = round((high - low) * 10)
    every = 1 if steps <= 3 else -(-steps // 3)
    return [round(high - step / 10, 1) for step in range(0, steps, every)] + [round(low, 1)]


def _node_box(axes: Axes, x: float, y: float) -> Box:
    at_x, at_y = (float(value) for value in axes.transData.transform((x, y)))
    half = _NODE / 2 * axes.figure.dpi / 72
    return Box(at_x - half, at_y - half, at_x + half, at_y + half)


def _labels(figure: Figure, ring: _Ring, words: dict[int, str]) -> list[Label]:
    """Return id, cosine and words for each neighbour, to stand away from the middle."""
    measure = measure_of(figure, FINE_PRINT)
    room = _LABEL_WIDTH * MILLIMETRE * figure.dpi
    labels = []
    for feature, cosine, x, y in zip(ring.features.tolist(), ring.cosines.tolist(), ring.x, ring.y, strict=True):
        lines = [f"{feature} ({cosine:.2f})", *([clipped(shown(words[feature]), room, measure)] * bool(words[feature]))]
        labels.append(Label("\n".join(lines), float(x), float(y), away_from=(0.0, 0.0)))
    return labels


plugin = NeighborsPicture
