"""Maps of features in two and three dimensions, on which features that point alike lie together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from saeatlas.analyses._columns import check_whole, nullable
from saeatlas.analyses._directions import directions_of, search_bytes, with_direction
from saeatlas.analyses._umap_graph import Shape, graph_among, n_epochs_of
from saeatlas.analyses._umap_place import Existing, place
from saeatlas.analyses._umap_quality import Map, Measured, quality_columns, quality_lines
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE
    from saeatlas.atlas.weights import Weights
    from saeatlas.kernels.directions import Read
    from saeatlas.kernels.layout import Graph

__all__ = ["Umap", "plugin"]

Array = npt.NDArray[Any]

_COLUMNS = {2: ("x", "y"), 3: ("x3", "y3", "z3")}
_DIMENSIONS = {"both": (2, 3), "2": (2,), "3": (3,)}
_REACH = 50.0
_FEW = 4
"""Features up to which a map is their principal axes: they have no neighbourhoods to keep."""


@dataclass(frozen=True, kw_only=True)
class Umap(Analysis):
    """Maps in two and three dimensions on which features with similar directions lie together (UMAP).

    One line per feature; a second table, `quality`, says how faithful each map is.

    Examples
    --------
    saeatlas analyze umap --seed 7
    """

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.FEATURE
    needs: ClassVar[frozenset[str]] = frozenset({"weights"})
    libraries: ClassVar[tuple[str, ...]] = ("umap", "scipy")
    descriptions: ClassVar[Mapping[str, str]] = {
        column: f"{place} coordinate on the map in {dimensions} dimensions, scaled to reach 50 or −50; "
        "null without a direction, or where that map was not asked for."
        for dimensions, columns in (("two", _COLUMNS[2]), ("three", _COLUMNS[3]))
        for place, column in zip(("First", "Second", "Third"), columns, strict=False)
    }

    of: Literal["decoder", "encoder"] = "decoder"
    """Which directions to map."""
    dimensions: Literal["both", "2", "3"] = "both"
    """Which maps to draw."""
    n_neighbors: int = 40
    """Nearest features, itself among them, that each feature is kept near to: fewer show finer structure."""
    min_dist: float = 0.02
    """How near features may come to each other, in the unit of `spread`."""
    spread: float = 1.0
    """How far apart neighbours lie."""
    repulsion_strength: float = 1.5
    """How strongly features that are no neighbours are pushed apart."""
    n_epochs: int = 0
    """Rounds of the optimisation; 0: 500 up to 10,000 features, 200 above."""
    seed: int = 42
    """Of everything random; the same seed draws the same map."""
    quality_sample: int = 2000
    """Features whose neighbours are compared for the quality, at most; 0 for all."""
    onto: str = ""
    """Name of an SAE on whose maps the features are placed; empty to draw maps of their own."""

    def __post_init__(self) -> None:
        check_whole(
            self, n_neighbors=(2, 1000), n_epochs=(0, 1_000_000), seed=(0, 2**32 - 1), quality_sample=(0, 2**31)
        )
        for name, least in (("spread", 0.0), ("repulsion_strength", 0.0)):
            if not least < getattr(self, name) < math.inf:
                raise InvalidInput(f"'{name}' must be a finite number above {least:g}, found: {getattr(self, name)}")
        if not 0 <= self.min_dist <= self.spread:
            raise InvalidInput(f"'min_dist' must be from 0 to spread ({self.spread:g}), found: {self.min_dist}")
        for name, choices in (("of", ("decoder", "encoder")), ("dimensions", tuple(_DIMENSIONS))):
            if getattr(self, name) not in choices:
                raise InvalidInput(f"'{name}' must be one of {', '.join(choices)}, found: {getattr(self, name)!r}")

    def requires(self) -> frozenset[str]:
        """Return weights, and those and the maps of the SAE that features are placed beside."""
        if not self.onto:
            return type(self).needs
        return frozenset({"weights", f"sae/{self.onto}/weights", f"sae/{self.onto}/umap"})

    def schema(self) -> dict[str, pa.Schema]:
        """Return the schemas; see docs/reference/analyses/umap.md for each column."""
        import pyarrow as pa

        places = [pa.field(name, pa.float64()) for names in _COLUMNS.values() for name in names]
        return {
            "data": pa.schema([pa.field("feature", pa.uint32(), nullable=False), *places]),
            "quality": pa.schema(quality_columns()),
        }

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table]:
        """Draw the maps, or place the features on others, and measure them; memory as `peak_bytes` says."""
        import pyarrow as pa

        weights = directions_of(sae, self.of)
        rows = with_direction(partial(weights.directions, self.of), weights.n_features)
        if self.onto:
            maps, lines = self._placed(sae, weights, rows, progress)
        else:
            maps, lines = self._drawn(weights, rows, progress)
        columns: dict[str, Any] = {"feature": np.arange(sae.n_features, dtype=np.uint32)}
        for dim, names in _COLUMNS.items():
            for axis, name in enumerate(names):
                numbers = np.full(sae.n_features, np.nan)
                if dim in maps:
                    numbers[rows] = maps[dim][:, axis]
                columns[name] = nullable(numbers)
        schemas = self.schema()
        return {"data": pa.table(columns), "quality": pa.Table.from_pylist(lines, schemas["quality"])}

    def peak_bytes(self, sae: SAE) -> int:
        """Return 600 MB for the program, what the search holds, the directions measured, 100 bytes per neighbour."""
        weights = sae.weights
        if weights is None:
            return 600_000_000
        measured = min(self.quality_sample or weights.n_features, weights.n_features)
        d = int(weights.directions(self.of, 0, 0).shape[1])
        graph = 100 * self.n_neighbors * weights.n_features
        return 600_000_000 + search_bytes(sae, self.of, self.n_neighbors) + graph + 16 * measured * d

    def _shape(self) -> Shape:
        return Shape(self.n_neighbors, self.min_dist, self.spread, self.repulsion_strength)

    def _drawn(
        self, weights: Weights, rows: npt.NDArray[np.int64], progress: Progress
    ) -> tuple[Mapping[int, Array], list[dict[str, Any]]]:
        """Return positions of the features with a direction on maps of their own, and the lines of their quality."""
        read, n = partial(weights.directions, self.of), weights.n_features
        dims = _DIMENSIONS[self.dimensions]
        if rows.size <= _FEW:
            maps = {dim: _framed(_few(read, rows, dim, self.seed)) for dim in dims}
        else:
            graph = self._graph(read, n, rows, progress)
            maps = {dim: _framed(p) for dim, p in self._positions(graph, read, rows, progress).items()}
        over = Measured(read, n, rows, self.n_neighbors, self.quality_sample, self.seed)
        measured = min(self.quality_sample or rows.size, rows.size)
        with progress.task("measure the maps", total=measured * n, unit="pairs") as task:
            lines = quality_lines(maps, over, advance=task.advance)
        return {dim: one.positions for dim, one in maps.items()}, lines

    def _graph(self, read: Read, n: int, rows: npt.NDArray[np.int64], progress: Progress) -> Graph:
        """Return the fuzzy graph of the features with a direction, numbered among themselves."""
        from saeatlas.kernels.neighbors import Neighbors, nearest

        k = min(self.n_neighbors, rows.size) - 1
        with progress.task("compare directions", total=n * (n + 1) / 2, unit="pairs") as task:
            found = nearest(read, n, k, advance=task.advance)
        # Every feature with a direction has k neighbours, all others none.
        indptr = np.arange(rows.size + 1) * k
        own = Neighbors(indptr, np.searchsorted(rows, found.ids), found.cosines)
        return graph_among(own, n_epochs_of(self.n_epochs, rows.size))

    def _positions(
        self,
        graph: Graph,
        read: Read,
        rows: npt.NDArray[np.int64],
        progress: Progress,
    ) -> dict[int, npt.NDArray[np.float64]]:
        """Return the optimised positions on each map; the two maps are drawn at the same time."""
        from saeatlas.kernels.layout import optimise
        from saeatlas.kernels.layout_start import start_of

        dims = _DIMENSIONS[self.dimensions]
        starts = start_of(graph, read, rows, max(dims), self.seed)
        n_epochs, curve = n_epochs_of(self.n_epochs, rows.size), self._shape().curve()
        draw = partial(optimise, graph=graph, curve=curve, n_epochs=n_epochs, seed=self.seed)
        with (
            ThreadPoolExecutor(1, "saeatlas-umap") as pool,
            progress.task("draw", total=n_epochs, unit="epochs") as task,
        ):
            waiting = {dim: pool.submit(draw, starts[dim]) for dim in dims[:-1]}
            found = {dims[-1]: draw(starts[dims[-1]], advance=task.advance)}
            found |= {dim: job.result() for dim, job in waiting.items()}
        return {dim: found[dim].astype(np.float64) for dim in dims}

    def _placed(
        self, sae: SAE, weights: Weights, rows: npt.NDArray[np.int64], progress: Progress
    ) -> tuple[Mapping[int, Array], list[dict[str, Any]]]:
        """Return positions of the features with a direction on the maps of another SAE, and how well they fit there."""
        if self.onto == sae.name:
            raise InvalidInput(f"The features of SAE '{sae.name}' cannot be placed on their own map")
        other = sae.atlas.sae(self.onto)
        others = directions_of(other, self.of)
        existing = self._existing(other, others)
        directions = weights.directions(self.of)[rows]
        with progress.task("place features", total=2, unit="steps") as task:
            placed = place(directions, existing, self._shape(), n_epochs=self.n_epochs, seed=self.seed)
            task.advance(1)
            over = Measured(
                existing.read, existing.n_rows, existing.rows, self.n_neighbors, self.quality_sample, self.seed
            )
            lines = quality_lines(existing.maps, over, (directions, placed))
            task.advance(1)
        return placed, lines

    def _existing(self, other: SAE, weights: Weights) -> Existing:
        """Return what is on the maps of another SAE, which must have been drawn by the same measures."""
        from saeatlas.atlas.tables import state_of

        table, quality = other.table("umap"), other.table("umap", "quality")
        if table is None or quality is None:
            raise NotFound(f"There is no map to place features on: {other.why_no_table('umap')}")
        params = state_of(other, "umap").params
        for name in ("of", "min_dist", "spread", "repulsion_strength"):
            own = getattr(self, name)
            if params[name] != own:
                raise InvalidInput(
                    f"The map of SAE '{other.name}' was drawn with {name} {params[name]}, asked for: {own}",
                    hint="Give the same to both.",
                )
        scales = dict(zip(quality["dimensions"].to_pylist(), quality["scale"].to_pylist(), strict=True))
        rows = np.flatnonzero(table[_COLUMNS[max(scales, default=2)][0]].is_valid().to_numpy())
        maps = {}
        for dim in sorted(set(scales) & set(_DIMENSIONS[self.dimensions])):
            columns = [table[name].to_numpy()[rows] for name in _COLUMNS[dim]]
            maps[dim] = Map(np.column_stack(columns).astype(np.float64), scales[dim])
        if not maps:
            raise NotFound(
                f"SAE '{other.name}' has no map with dimensions '{self.dimensions}' and more than one feature",
                hint=f"Run 'saeatlas analyze umap --sae {other.name}' for both.",
            )
        return Existing(partial(weights.directions, self.of), rows, weights.n_features, maps)


def _few(read: Read, rows: npt.NDArray[np.int64], dim: int, seed: int) -> npt.NDArray[np.float64]:
    """Return the coordinates of a few directions along the axes on which they differ most."""
    from saeatlas.kernels.layout_start import part_centres, principal_axes

    if not rows.size:
        return np.empty((0, dim))
    return principal_axes(part_centres(read, rows, np.arange(rows.size), rows.size), dim, seed)


def _framed(positions: npt.NDArray[np.float64]) -> Map:
    """Centre positions, and scale all axes alike so that the largest coordinate of any is 50 or -50."""
    centred = positions - positions.mean(axis=0) if len(positions) else positions
    most = float(np.abs(centred).max(initial=0.0))
    scale = _REACH / most if most > 0 else 1.0
    return Map(centred * scale, scale)


plugin = Umap
