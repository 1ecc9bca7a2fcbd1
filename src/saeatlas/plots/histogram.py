"""How the active values of a feature are distributed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from saeatlas.atlas.statistics import Scale
from saeatlas.pipeline.picture import Drawing, Look, Picture
from saeatlas.plots._axes import count_axis, count_text, plain_axes, power_axis, share_text
from saeatlas.plots._labels import settle
from saeatlas.plots._sheet import head, new_sheet
from saeatlas.plots._sources import reference_of, text_of
from saeatlas.plots._theme import theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from saeatlas.atlas.sae import SAE
    from saeatlas.atlas.statistics import FeatureStats, Histogram

__all__ = ["HistogramPicture", "plugin"]


@dataclass(frozen=True, kw_only=True)
class HistogramPicture(Picture):
    """How the active values of a feature are distributed, with how many rows are active.

    Examples
    --------
    saeatlas plot histogram gpt2-l8/16751 --out histogram.svg
    """

    subject: ClassVar[Literal["feature", "sae"]] = "feature"

    bins: int = 40
    """Number of bins."""
    scale: Scale = "linear"
    """Bins of equal width, or of equal ratio on a logarithmic axis."""
    counts: Literal["linear", "log"] = "linear"
    """Axis of the counts."""
    inactive: bool = False
    """Also a bar of the rows where the feature is not active; the axis of the counts is then logarithmic."""

    def draw(self, sae: SAE, feature: int | None, look: Look) -> Drawing:
        """Draw it; a feature that is never active has an empty frame that says so."""
        assert feature is not None
        found = sae.feature(feature)
        histogram, stats = found.histogram(self.bins, self.scale), found.stats()
        text = text_of(sae, feature)
        title = reference_of(sae, feature)
        figure = new_sheet(look, 50.0 + 2.5 * bool(text))
        head(figure, look, title, [*([text] if text else []), _numbers(stats)])
        main = self._frames(figure, look, histogram)
        self._bars(main, look, histogram)
        settle(figure)
        return Drawing(figure, f"Activations of {title}")

    def _frames(self, figure: Figure, look: Look, histogram: Histogram) -> Axes:
        """Return the axes of the bars; with `inactive` its own axes beside them hold the bar of the other rows."""
        if not self.inactive:
            axes = figure.add_subplot()
            plain_axes(axes, look)
            axes.set_ylabel("rows")
            return axes
        side, main = figure.subplots(1, 2, sharey=True, width_ratios=[1, 9])
        for axes in (side, main):
            plain_axes(axes, look)
        side.bar([0], [histogram.n_inactive], width=0.8, color=theme_of(look.theme).missing)
        side.set_xticks([0], ["inactive"])
        side.set_xlim(-0.7, 0.7)
        side.set_ylabel("rows")
        main.tick_params(left=False, labelleft=False)
        main.spines["left"].set_visible(False)
        axes_of_counts: Axes = main
        count_axis(side, max(histogram.n_inactive, *histogram.counts, 1), is_log=True)
        return axes_of_counts

    def _bars(self, axes: Axes, look: Look, histogram: Histogram) -> None:
        theme = theme_of(look.theme)
        axes.set_xlabel("activation")
        if not histogram.n_active:
            axes.text(0.5, 0.5, "never active", transform=axes.transAxes, ha="center", color=theme.muted)
            axes.set_xticks([])
            if not self.inactive:
                axes.set_yticks([])
            return
        edges, counts = np.array(histogram.edges), np.array(histogram.counts)
        if self.scale == "log":
            axes.set_xscale("log")
            power_axis(axes.xaxis, edges[0], edges[-1])
        axes.bar(
            edges[:-1], counts, np.diff(edges), align="edge", color=theme.accent, edgecolor=theme.page, linewidth=0.3
        )
        axes.set_xlim(edges[0], edges[-1])
        if not self.inactive:
            count_axis(axes, int(counts.max()), is_log=self.counts == "log")


def _numbers(stats: FeatureStats) -> str:
    active = f"active at {count_text(stats.n_active)} of {count_text(stats.n_rows)} rows"
    if stats.density is None or stats.density_low is None or stats.density_high is None:
        return active
    interval = f"{share_text(stats.density_low)} to {share_text(stats.density_high)}"
    return f"{active}: {share_text(stats.density)} (95 % interval {interval})"


plugin = HistogramPicture
