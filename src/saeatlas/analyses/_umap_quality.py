"""How faithful the maps of an SAE are, as lines of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.kernels.directions import Read

__all__ = ["Map", "Measured", "quality_columns", "quality_lines"]

Array = npt.NDArray[Any]
_K = 15
"""Neighbours for which quality is always measured, beside those that shape the map: what most papers report."""


@dataclass(frozen=True)
class Map:
    """Positions in two or three dimensions."""

    positions: npt.NDArray[np.float64]
    """[n, dim], centred, the largest coordinate of any at 50 or -50."""
    scale: float
    """How many of these units make one of umap-learn's, in which `min_dist` and `spread` are given."""


@dataclass(frozen=True)
class Measured:
    """Whose neighbours are compared with whose."""

    read: Read
    """Gives the directions that are on the map, of all features of their SAE."""
    n_rows: int
    """Features of that SAE."""
    rows: npt.NDArray[np.int64]
    """Which of them have a place, ascending; the rest have no direction."""
    n_neighbors: int
    """Of the map."""
    sample: int
    """Features that are measured at most; they are drawn by `seed`. 0 for all."""
    seed: int


def quality_columns() -> list[pa.Field]:
    """Return the columns of the table."""
    import pyarrow as pa

    whole = [pa.field(name, pa.int64(), nullable=False) for name in ("n_features", "n_measured")]
    names = ("trustworthiness", "trustworthiness_se", "recall", "recall_se", "recall_chance", "scale")
    numbers = [pa.field(name, pa.float64()) for name in names]
    return [*(pa.field(name, pa.int32(), nullable=False) for name in ("dimensions", "k")), *whole, *numbers]


def quality_lines(
    maps: Mapping[int, Map],
    over: Measured,
    new: tuple[Array, Mapping[int, Array]] | None = None,
    advance: Callable[[float], None] | None = None,
) -> list[dict[str, Any]]:
    """Compare the neighbours on each map with those by cosine.

    Parameters
    ----------
    maps
        By number of dimensions.
    over
        What is on them.
    new
        Directions [m, d] and positions of features that were placed on the maps; then they are measured, against those
        that were there before.
    advance
        Called with the number of products computed since the last call.
    """
    from saeatlas.kernels.map_quality import map_neighbors, ranks_of, recall, trustworthiness

    n = over.rows.size
    n_asked = n if new is None else len(new[0])
    n_others = n - 1 if new is None else n
    ks = [k for k in sorted({_K, over.n_neighbors}) if k <= n_others] or [n_others]
    asked = _drawn(n_asked, over)
    if n_others < 1 or not n_asked:
        return []
    own = asked if new is None else np.full(asked.size, -1)
    shown = {
        dim: map_neighbors(one.positions, own, ks[-1], None if new is None else new[1][dim][asked])
        for dim, one in maps.items()
    }
    queries = over.rows[asked] if new is None else new[0][asked]
    others = over.rows[np.concatenate(list(shown.values()), axis=1)]
    ranks = ranks_of(queries, others, over.read, over.n_rows, advance=advance)
    lines = []
    for (dim, one), part in zip(maps.items(), np.split(ranks, len(maps), axis=1), strict=True):
        for k in ks:
            line: dict[str, Any] = {"dimensions": dim, "k": k, "n_features": n_asked, "n_measured": asked.size}
            line |= _mean("trustworthiness", trustworthiness(part[:, :k], n_others), n_asked)
            line |= _mean("recall", recall(part[:, :k]), n_asked)
            lines.append(line | {"recall_chance": k / n_others, "scale": one.scale})
    return lines


def _mean(name: str, numbers: npt.NDArray[np.float64], n_all: int) -> dict[str, float | None]:
    """Return a mean over some of `n_all` features drawn without replacement, and its standard error; null for NaN."""
    m = numbers.size
    if np.isnan(numbers).any():
        return {name: None, f"{name}_se": None}
    error = float(numbers.std(ddof=1) * np.sqrt((1.0 - m / n_all) / m)) if m > 1 else None
    return {name: float(numbers.mean()), f"{name}_se": error if m < n_all else 0.0}


def _drawn(n: int, over: Measured) -> npt.NDArray[np.int64]:
    if over.sample == 0 or n <= over.sample:
        return np.arange(n)
    return np.sort(np.random.default_rng(over.seed).choice(n, over.sample, replace=False))
