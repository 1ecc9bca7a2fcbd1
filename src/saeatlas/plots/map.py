"""Where the features of an SAE lie on a map, and which clusters they are in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from saeatlas.errors import InvalidInput, NotFound
from saeatlas.pipeline.picture import Drawing, Look, Picture
from saeatlas.plots._axes import bare_axes, count_text, power_text
from saeatlas.plots._clusters import Group, groups_of
from saeatlas.plots._labels import Label, Taken, place_labels, settle
from saeatlas.plots._sheet import head, new_sheet
from saeatlas.plots._sources import densities, needed_table
from saeatlas.plots._text import shown
from saeatlas.plots._theme import ramp, theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from saeatlas.atlas.sae import SAE

__all__ = ["MapPicture", "plugin"]

_MOST_OUTLINES = 20_000
"""More points than this are an image within the vector file, which would otherwise be of many megabytes."""
_LABEL_SIZE = 6.0


@dataclass(frozen=True)
class _Places:
    """Features with a place on the map."""

    features: npt.NDArray[np.int64]
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    axis: str
    """What the axes are."""
    tables: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class MapPicture(Picture):
    """Where the features of an SAE lie on a map in two dimensions, coloured by cluster or by density.

    Examples
    --------
    saeatlas plot map --sae gpt2-l8 --out map.svg --theme dark
    """

    subject: ClassVar[Literal["feature", "sae"]] = "sae"

    of: Literal["umap", "imported"] = "umap"
    """The map that analysis 'umap' draws, or the one that was imported."""
    by: Literal["cluster", "density", "none"] = "cluster"
    """What the colours say."""
    method: str = "ward_10"
    """Column of analysis 'clusters' that is shown."""
    labels: int = 12
    """Clusters that are named at most, the largest first."""

    def __post_init__(self) -> None:
        if isinstance(self.labels, bool) or not isinstance(self.labels, int) or not 0 <= self.labels <= 1000:
            raise InvalidInput(f"'labels' must be a whole number from 0 to 1,000, found: {self.labels!r}")

    def draw(self, sae: SAE, feature: int | None, look: Look) -> Drawing:
        """Draw the map; features that have no place on it are counted in the head."""
        del feature
        places = _imported(sae) if self.of == "imported" else _from_umap(sae)
        figure = new_sheet(look, look.width)
        without = sae.n_features - places.features.size
        line = f"{count_text(places.features.size)} features by {places.axis}, which has no unit"
        head(figure, look, sae.name, [line + (f"; {count_text(without)} without a place" if without else "")])
        axes = figure.add_subplot()
        bare_axes(axes)
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_xlabel(f"{places.axis} x", loc="right")
        axes.set_ylabel(f"{places.axis} y")
        left_out, tables = self._fill(figure, axes, sae, places, look)
        notes = [f"cluster labels without a place: {left_out}"] if left_out else []
        return Drawing(figure, f"Map of {sae.name}", (*places.tables, *tables), tuple(notes))

    def _fill(self, figure: Figure, axes: Axes, sae: SAE, places: _Places, look: Look) -> tuple[int, tuple[str, ...]]:
        """Draw the points and return how many labels found no place, and what the colours were read from."""
        theme = theme_of(look.theme)
        if self.by == "none":
            _scatter(axes, places, np.ones(places.x.size, np.bool_), color=theme.accent)
        elif self.by == "density":
            _by_density(figure, axes, sae, places, look)
        else:
            groups = groups_of(sae, self.method)
            _by_cluster(axes, groups, places, look)
            settle(figure)
            return _name(axes, groups[: self.labels], places, look), ("clusters",)
        settle(figure)
        return 0, ()


def _from_umap(sae: SAE) -> _Places:
    known = needed_table(sae, "umap").select(["feature", "x", "y"]).drop_null()
    x, y = (known[name].to_numpy().astype(np.float64) for name in ("x", "y"))
    return _Places(known["feature"].to_numpy().astype(np.int64), x, y, "UMAP", ("umap",))


def _imported(sae: SAE) -> _Places:
    found = sae.map
    if found is None:
        raise NotFound(
            f"No map was imported for SAE '{sae.name}'",
            hint=f"Run: saeatlas import feature-map FILE --sae {sae.name}",
        )
    positions = found.positions
    return _Places(found.features, positions[:, 0], positions[:, 1], "imported map", ())


def _scatter(axes: Axes, places: _Places, chosen: npt.NDArray[Any], **look: Any) -> Any:  # noqa: ANN401  # matplotlib's
    n = max(places.x.size, 1)
    size = float(np.clip(6000 / n, 0.35, 9.0))
    return axes.scatter(places.x[chosen], places.y[chosen], s=size, linewidths=0, rasterized=n > _MOST_OUTLINES, **look)


def _by_density(figure: Figure, axes: Axes, sae: SAE, places: _Places, look: Look) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    theme, found = theme_of(look.theme), densities(sae)[places.features]
    dead = found == 0
    if dead.any():
        _scatter(axes, places, dead, color=theme.missing)
    if not dead.all():
        points = _scatter(axes, places, ~dead, c=np.log10(found[~dead]), cmap=ramp(theme))
        bar = figure.colorbar(points, ax=axes, shrink=0.5, aspect=30, pad=0.01)
        bar.outline.set_visible(False)
        bar.set_label("density")
        bar.ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: power_text(round(value))))
    _legend(axes, [(f"never active: {count_text(int(dead.sum()))}", theme.missing)] if dead.any() else [])


def _by_cluster(axes: Axes, groups: list[Group], places: _Places, look: Look) -> None:
    """Give the largest clusters a colour each; smaller ones share one, and so do features in no cluster."""
    theme = theme_of(look.theme)
    own, legend = groups[: len(theme.groups)], []
    shared = np.isin(
        places.features, np.concatenate([np.empty(0, np.int64), *(g.features for g in groups[len(own) :])])
    )
    anywhere = np.isin(places.features, np.concatenate([np.empty(0, np.int64), *(g.features for g in groups)]))
    if not anywhere.all():
        _scatter(axes, places, ~anywhere, color=theme.faint)
        legend.append((f"in no cluster: {count_text(int(np.count_nonzero(~anywhere)))}", theme.faint))
    if shared.any():
        _scatter(axes, places, shared, color=theme.missing)
        legend.append((f"smaller clusters ({len(groups) - len(own)}): {count_text(int(shared.sum()))}", theme.missing))
    for group, colour in zip(own, theme.groups, strict=False):
        _scatter(axes, places, np.isin(places.features, group.features), color=colour)
    _legend(axes, legend)


def _legend(axes: Axes, entries: list[tuple[str, str]]) -> None:
    from matplotlib.lines import Line2D

    if entries:
        marks = [Line2D([], [], ls="", marker="o", ms=2.5, mew=0, color=colour, label=text) for text, colour in entries]
        axes.legend(handles=marks, loc="upper left", bbox_to_anchor=(0.0, 0.0), handletextpad=0.2, borderaxespad=0.2)


def _name(axes: Axes, groups: list[Group], places: _Places, look: Look) -> int:
    """Write the names of clusters where most of their features are, framed in their colours."""
    theme, labels = theme_of(look.theme), []
    for at, group in enumerate(groups):
        colour = theme.groups[at] if at < len(theme.groups) else theme.missing
        inside = np.isin(places.features, group.features)
        if inside.any():
            # The median of each axis may lie where no feature is; the feature nearest to it does not.
            x, y = places.x[inside], places.y[inside]
            nearest = int(np.argmin((x - np.median(x)) ** 2 + (y - np.median(y)) ** 2))
            labels.append(Label(shown(group.name(2)), float(x[nearest]), float(y[nearest]), frame=colour))
    return place_labels(axes, labels, Taken(), _LABEL_SIZE, theme.page)


plugin = MapPicture
