"""A small atlas with everything that pictures show, and what is measured of a figure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest

from saeatlas.atlas.atlas import Atlas
from saeatlas.atlas.sae import SAE
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.pipeline.build import build
from saeatlas.pipeline.picture import Drawing, Look, Picture
from saeatlas.pipeline.registries import analyses, plots
from saeatlas.plots import write_picture
from saeatlas.plots._labels import Box
from saeatlas.progress import Progress
from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import make_atlas

if TYPE_CHECKING:
    import pyarrow as pa
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

Draw = Callable[..., Drawing]


@dataclass(frozen=True, kw_only=True)
class Umap(Analysis):
    """Stands in for the analysis of that name: the imported map in two dimensions, one feature without a place."""

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.FEATURE
    needs: ClassVar[frozenset[str]] = frozenset({"map"})

    def schema(self) -> dict[str, pa.Schema]:
        import pyarrow as pa

        return {"data": pa.schema([("feature", pa.uint32()), ("x", pa.float64()), ("y", pa.float64())])}

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table]:
        import pyarrow as pa

        assert sae.map is not None
        known = np.arange(sae.n_features) != 5
        columns = [pa.array(sae.map.positions[:, i], mask=~known) for i in (0, 1)]
        return {"data": pa.table([np.arange(sae.n_features), *columns], schema=self.schema()["data"])}


@cache
def _atlas() -> Atlas:
    atlas = make_atlas(MemoryStore(), n_rows=600, n_features=60, k=5, n_documents=12, parts=True)
    clusters = analyses()["clusters"](cuts=(4, 10, 30), min_cluster_size=4, resamples=5)
    return build(atlas.store, analyses()["top-tokens"](), clusters, Umap())


@pytest.fixture
def sae() -> SAE:
    """An SAE of 60 features with activations, tokens, weights, labels, a map and clusters; the last one never fires."""
    return _atlas().sae()


@pytest.fixture
def draw(sae: SAE, tmp_path: Path) -> Draw:
    """Draw a picture by name, of the SAE or of a feature of it, and return the drawing; the file is 'picture.*'."""

    def run(name: str, *, to: str = "svg", on: SAE | None = None, feature: int = 3, **given: Any) -> Drawing:
        look = Look(given.pop("theme", "light"), given.pop("width", 89.0))
        signed = given.pop("signed", False)
        plugin = plots()[name]
        picture = plugin(**given)
        assert isinstance(picture, Picture)
        target = feature if picture.subject == "feature" else None
        path = tmp_path / f"picture.{to}"
        return write_picture(picture, on or sae, path, feature=target, look=look, signed=signed)

    return run


class Reading:
    """What a reader sees in a figure."""

    def __init__(self, drawing: Drawing) -> None:
        self.figure: Figure = drawing.figure
        self.figure.canvas.draw()
        self.texts = [(text.get_text(), _box(text)) for text in _texts(self.figure) if text.get_text().strip()]
        """Every text that is drawn, and its box in pixels."""

    @property
    def words(self) -> str:
        """Every text, one on each line."""
        return "\n".join(text for text, _ in self.texts)

    def overlapping(self) -> list[tuple[str, str]]:
        """Return pairs of texts whose boxes share an area of more than half a pixel on both sides."""
        return [
            (one, other)
            for i, (one, box) in enumerate(self.texts)
            for other, near in self.texts[i + 1 :]
            if min(box.right, near.right) - max(box.left, near.left) > 0.5
            and min(box.top, near.top) - max(box.bottom, near.bottom) > 0.5
        ]

    def outside(self) -> list[str]:
        """Return texts that the edge of the figure cuts."""
        width, height = self.figure.get_size_inches() * self.figure.dpi
        page = Box(-0.5, -0.5, float(width) + 0.5, float(height) + 0.5)
        return [text for text, box in self.texts if not box.lies_in(page)]

    def axes(self, label: str) -> Axes:
        """Return the axes whose horizontal axis has a name."""
        (found,) = [axes for axes in self.figure.axes if axes.get_xlabel() == label]
        return found


@pytest.fixture
def read() -> type[Reading]:
    """Read a drawing."""
    return Reading


def _texts(figure: Figure) -> Iterator[Text]:
    yield from figure.texts
    for axes in figure.axes:
        legend = axes.get_legend()
        yield from legend.get_texts() if legend is not None else []
        for text in (*axes.texts, axes.title, axes.xaxis.label, axes.yaxis.label):
            if text.get_visible():
                yield text
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            # Marks beyond the ends of an axis are there, but not drawn.
            drawn = [tick for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
            yield from (text for tick in drawn for text in (tick.label1, tick.label2) if text.get_visible())


def _box(text: Text) -> Box:
    extent = text.get_window_extent()
    return Box(extent.x0, extent.y0, extent.x1, extent.y1)
