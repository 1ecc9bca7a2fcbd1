"""How often the features of an SAE are active."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from saeatlas.errors import InvalidInput
from saeatlas.pipeline.picture import Drawing, Look, Picture
from saeatlas.plots._axes import count_axis, count_text, plain_axes, power_text, share_text
from saeatlas.plots._labels import settle
from saeatlas.plots._sheet import head, new_sheet
from saeatlas.plots._sources import densities
from saeatlas.plots._theme import theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from saeatlas.atlas.sae import SAE

__all__ = ["DensityPicture", "plugin"]


@dataclass(frozen=True, kw_only=True)
class DensityPicture(Picture):
    """How often the features of an SAE are active, over the whole corpus; dead ones have a bar of their own.

    Examples
    --------
    saeatlas plot density --sae gpt2-l8 --out density.pdf
    """

    subject: ClassVar[Literal["feature", "sae"]] = "sae"

    bins: int = 40
    """Number of bins, of equal ratio."""
    counts: Literal["linear", "log"] = "linear"
    """Axis of the counts."""

    def __post_init__(self) -> None:
        if isinstance(self.bins, bool) or not isinstance(self.bins, int) or not 1 <= self.bins <= 1000:
            raise InvalidInput(f"'bins' must be a whole number from 1 to 1,000, found: {self.bins!r}")

    def draw(self, sae: SAE, feature: int | None, look: Look) -> Drawing:
        """Draw the densities of all features."""
        del feature
        found = densities(sae)
        live = found[found > 0]
        figure = new_sheet(look, 50.0)
        head(figure, look, sae.name, _numbers(found, sae.n_rows))
        side, main = figure.subplots(1, 2, sharey=True, width_ratios=[1, 9])
        counts, edges = self._counted(live, sae.n_rows)
        theme = theme_of(look.theme)
        for axes in (side, main):
            plain_axes(axes, look)
        side.bar([0], [found.size - live.size], width=0.8, color=theme.missing)
        side.set_xticks([0], ["dead"])
        side.set_xlim(-0.7, 0.7)
        side.set_ylabel("features")
        main.bar(
            edges[:-1], counts, np.diff(edges), align="edge", color=theme.accent, edgecolor=theme.page, linewidth=0.3
        )
        _share_axis(main, edges[0], edges[-1])
        main.tick_params(left=False, labelleft=False)
        main.spines["left"].set_visible(False)
        count_axis(side, max(found.size - live.size, int(counts.max())), is_log=self.counts == "log")
        settle(figure)
        return Drawing(figure, f"Feature densities of {sae.name}")

    def _counted(
        self, live: npt.NDArray[np.float64], n_rows: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Count features between edges in log10 of the density, from once in the corpus, or the rarest, to always."""
        rarest = math.log10(live.min()) if live.size else -math.log10(n_rows)
        edges = np.linspace(min(rarest, -1.0), 0.0, self.bins + 1)
        # Rounding may put the rarest below the first edge.
        places = np.clip(np.log10(live) if live.size else live, edges[0], 0.0)
        return np.histogram(places, edges)[0].astype(np.int64), edges


def _share_axis(axes: Axes, low: float, high: float) -> None:
    """Mark powers of ten on an axis of logarithms."""
    from matplotlib.ticker import FixedLocator, FuncFormatter

    step = max(1, math.ceil(-low / 6))
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(FixedLocator([float(p) for p in range(0, math.floor(low), -step) if p >= low]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: power_text(round(value))))
    axes.set_xlabel("density (share of rows)")


def _numbers(found: npt.NDArray[np.float64], n_rows: int) -> list[str]:
    dead = int(np.count_nonzero(found == 0))
    live: Any = found[found > 0]
    line = f"{count_text(found.size)} features over {count_text(n_rows)} rows: {count_text(dead)} dead"
    if dead:
        line += f" ({share_text(dead / found.size)})"
    if not live.size:
        return [line]
    # The densities of all features sum to the mean number of features that are active at a row.
    return [line, f"median density of the others {share_text(float(np.median(live)))}; mean L0 {found.sum():.4g}"]


plugin = DensityPicture
