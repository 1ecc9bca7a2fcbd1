"""The clusters of an SAE: how they join, what they are called, how large and how stable they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from saeatlas.errors import InvalidInput
from saeatlas.pipeline.picture import Drawing, Look, Picture
from saeatlas.plots._axes import bare_axes, count_text
from saeatlas.plots._clusters import Group, groups_of
from saeatlas.plots._labels import settle
from saeatlas.plots._sheet import FINE_PRINT, head, measure_of, new_sheet
from saeatlas.plots._sources import needed_table
from saeatlas.plots._text import clipped, shown
from saeatlas.plots._theme import theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from saeatlas.atlas.sae import SAE

__all__ = ["ClustersPicture", "plugin"]

_ROW = 3.1
"""Height of a cluster, mm."""
_AROUND = 19.0
"""Height of head and axes, mm."""
_MOST_ROWS = 300


@dataclass(frozen=True)
class _Tree:
    """The top of Ward's tree: merges of clusters, by height."""

    order: tuple[int, ...]
    """Clusters from top to bottom, so that no lines cross."""
    merges: tuple[tuple[float, float, float, float, float], ...]
    """Heights of both sides and of the merge, and the rows of both sides."""


@dataclass(frozen=True, kw_only=True)
class ClustersPicture(Picture):
    """The clusters of an SAE: how they join, what they are called, how large and how stable they are.

    Examples
    --------
    saeatlas plot clusters --sae gpt2-l8 --out clusters.pdf --width 183
    """

    subject: ClassVar[Literal["feature", "sae"]] = "sae"

    method: str = "ward_10"
    """Column of analysis 'clusters' that is shown."""
    most: int = 90
    """Clusters shown at most, the largest; the others are one bar."""

    def __post_init__(self) -> None:
        if isinstance(self.most, bool) or not isinstance(self.most, int) or not 1 <= self.most <= _MOST_ROWS:
            raise InvalidInput(f"'most' must be a whole number from 1 to {_MOST_ROWS}, found: {self.most!r}")

    def draw(self, sae: SAE, feature: int | None, look: Look) -> Drawing:
        """Draw one row for each cluster, and rows for features that are in none or without direction."""
        del feature
        groups = groups_of(sae, self.method)
        rest = _rest(sae, groups, self.most)
        groups = groups[: self.most]
        tree = _tree(sae, groups) if self.method.startswith("ward_") and not rest.get("smaller clusters") else None
        if tree is not None:
            groups = [groups[cluster] for cluster in tree.order]
        figure = new_sheet(look, _AROUND + _ROW * (len(groups) + len(rest)))
        stable = [group.facts["stability_n"] for group in groups if group.facts["stability"] is not None]
        about = [f"{sae.name}: {len(groups)} cluster{'s' * (len(groups) != 1)} by {self.method} of {_of(groups)}"]
        if stable:
            about.append(f"stability: mean and middle 95 % of {max(stable)} resamples; grey tick: by chance")
        head(figure, look, about[0], about[1:])
        columns = _columns(figure, len(groups) + len(rest), has_tree=tree is not None, has_stability=bool(stable))
        if tree is not None:
            _draw_tree(columns["tree"], tree, look)
        _draw_sizes(columns["size"], [group.features.size for group in groups], list(rest.values()), look)
        if stable:
            _draw_stability(columns["stability"], groups, look)
        settle(figure)
        _write_names(figure, columns["name"], [*(group.name(6) for group in groups), *rest], look)
        return Drawing(figure, f"Clusters of {sae.name}", ("clusters",))


def _of(groups: list[Group]) -> str:
    """Return what was clustered, in words."""
    of = groups[0].facts["of"] if groups else ""
    return {"decoder": "decoder directions", "encoder": "encoder directions", "umap": "places on a map"}.get(
        of, "vectors"
    )


def _rest(sae: SAE, groups: list[Group], most: int) -> dict[str, int]:
    """Return what is in no row of its own: features by why."""
    data = needed_table(sae, "clusters")
    # Whoever has a vector has a cluster in every cut of the tree.
    ward = next(name for name in data.column_names if name.startswith("ward_"))
    n_vectors = data.num_rows - data[ward].null_count
    found = {
        "smaller clusters": sum(group.features.size for group in groups[most:]),
        "in no cluster": n_vectors - sum(group.features.size for group in groups),
        "without any vector": data.num_rows - n_vectors,
    }
    return {why: n for why, n in found.items() if n}


def _tree(sae: SAE, groups: list[Group]) -> _Tree | None:
    """Return how the clusters of a cut join: the last merges of the stored tree."""
    if len(groups) < 2:
        return None
    linkage = needed_table(sae, "clusters", "linkage")
    node, left, right = (linkage[name].to_pylist() for name in ("node", "left", "right"))
    height = linkage["distance"].to_pylist()
    first = len(node) - (len(groups) - 1)
    below = {node[i]: (left[i], right[i]) for i in range(len(node))}
    cluster_of = {int(feature): at for at, group in enumerate(groups) for feature in group.features.tolist()}
    # Each side of a top merge is a top merge or a cluster, which any feature below it names.
    rows: dict[int, float] = {}
    order: list[int] = []
    stack = [node[-1]]
    while stack:
        current = stack.pop()
        if current in below and current >= node[first]:
            stack += sorted(below[current], key=lambda side: (_size(side, linkage, node[0]), side))
            continue
        rows[current] = len(order)
        order.append(cluster_of[_any_feature(current, below)])
    merges, heights = [], dict.fromkeys(rows, 0.0)
    for i in range(first, len(node)):
        a, b = left[i], right[i]
        merges.append((heights[a], heights[b], height[i], rows[a], rows[b]))
        rows[node[i]], heights[node[i]] = (rows[a] + rows[b]) / 2, height[i]
    return _Tree(tuple(order), tuple(merges))


def _size(node: int, linkage: Any, first: int) -> int:  # noqa: ANN401  # pyarrow has no types
    return 1 if node < first else int(linkage["size"][node - first].as_py())


def _any_feature(node: int, below: dict[int, tuple[int, int]]) -> int:
    while node in below:
        node = below[node][0]
    return node


def _columns(figure: Figure, n_rows: int, *, has_tree: bool, has_stability: bool) -> dict[str, Axes]:
    """Return axes side by side with the same rows, the first on top."""
    widths = {"tree": 1.0 * has_tree, "name": 2.6, "size": 1.3, "stability": 1.3 * has_stability}
    widths = {name: width for name, width in widths.items() if width}
    found = figure.subplots(1, len(widths), sharey=True, width_ratios=list(widths.values()))
    columns = dict(zip(widths, np.atleast_1d(found).tolist(), strict=True))
    for axes in columns.values():
        axes.tick_params(left=False, labelleft=False)
        axes.spines["left"].set_visible(False)
    columns["size"].set_ylim(n_rows - 0.4, -0.6)
    bare_axes(columns["name"])
    return columns


def _draw_tree(axes: Axes, tree: _Tree, look: Look) -> None:
    from matplotlib.ticker import MaxNLocator

    theme = theme_of(look.theme)
    for low_a, low_b, height, row_a, row_b in tree.merges:
        axes.plot([low_a, height, height, low_b], [row_a, row_a, row_b, row_b], color=theme.ink, lw=0.6)
    axes.set_xlim(1.03 * max(merge[2] for merge in tree.merges), 0)
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.set_xlabel("height")


def _draw_sizes(axes: Axes, sizes: list[int], others: list[int], look: Look) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    theme = theme_of(look.theme)
    axes.barh(range(len(sizes)), sizes, height=0.7, color=theme.accent)
    axes.barh(range(len(sizes), len(sizes) + len(others)), others, height=0.7, color=theme.missing)
    axes.set_xlim(0, 1.05 * max([*sizes, *others, 1]))
    axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count_text(round(value))))
    axes.set_xlabel("features")


def _draw_stability(axes: Axes, groups: list[Group], look: Look) -> None:
    theme = theme_of(look.theme)
    rows = [row for row, group in enumerate(groups) if group.facts["stability"] is not None]
    mean, low, high, chance = (
        np.array([groups[row].facts[f"stability{part}"] for row in rows]) for part in ("", "_low", "_high", "_chance")
    )
    places: npt.NDArray[np.int64] = np.array(rows)
    axes.hlines(places, low, high, color=theme.accent, lw=0.8)
    axes.plot(mean, places, ls="", marker="o", ms=2.8, mew=0, color=theme.accent)
    axes.plot(chance, places, ls="", marker="|", ms=4.0, mew=0.8, color=theme.missing)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    axes.grid(axis="x", color=theme.faint, linewidth=0.4)
    axes.set_xlabel("stability")


def _write_names(figure: Figure, axes: Axes, names: list[str], look: Look) -> None:
    """Write a name in each row, clipped to its column; those that are no cluster's are of second rank."""
    size, room = FINE_PRINT + 0.5, axes.get_window_extent().width
    measure = measure_of(figure, size)
    theme = theme_of(look.theme)
    for row, name in enumerate(names):
        text = clipped(shown(name), room, measure)
        axes.text(0.0, row, text, transform=axes.get_yaxis_transform(), va="center", fontsize=size, color=theme.ink)


plugin = ClustersPicture
