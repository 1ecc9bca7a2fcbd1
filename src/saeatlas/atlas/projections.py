"""The maps of one SAE's features, computed and imported, as tables of positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from saeatlas.atlas.tables import no_such, state_of

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE

__all__ = ["Projection", "projection_of", "projections_of"]

_AXES = {"umap-2d": ("x", "y"), "umap-3d": ("x3", "y3", "z3")}
_IMPORTED = "imported"


@dataclass(frozen=True)
class Projection:
    """One map of features."""

    name: str
    """'umap-2d', 'umap-3d' or 'imported'."""
    dimensions: int
    """2 or 3."""
    source: str
    """'umap' when that analysis drew it, 'import' when it came with the SAE."""
    quality: list[dict[str, Any]] | None
    """How well it keeps neighbours, one entry for each number of neighbours; None when nobody measured it."""


def projections_of(sae: SAE) -> list[Projection]:
    """Return the maps that can be shown now."""
    found = []
    quality = sae.table("umap", "quality")
    lines = [] if quality is None else quality.to_pylist()
    for name, axes in _AXES.items():
        own = [line for line in lines if line["dimensions"] == len(axes)]
        if own:
            found.append(Projection(name, len(axes), "umap", own))
    if f"sae/{sae.name}/imported/map" in sae.atlas.entries:
        found.append(Projection(_IMPORTED, 3, "import", None))
    return found


def projection_of(sae: SAE, name: str) -> tuple[Projection, pa.Table]:
    """Return a map and the features that have a place on it.

    Returns
    -------
    tuple[Projection, pa.Table]
        The table has `feature` (ascending), `x`, `y` and, with three dimensions, `z`.

    Raises
    ------
    NotFound
        When there is no such map now; the hint lists those that there are.
    """
    known = {one.name: one for one in projections_of(sae)}
    if name not in known:
        why = state_of(sae, "umap").reason if name in _AXES else ""
        raise no_such("map", sae, name, known, why)
    one = known[name]
    if name == _IMPORTED:
        assert sae.map is not None
        return one, sae.map.nodes.select(["feature", "x", "y", "z"])
    table = sae.table("umap")
    assert table is not None
    return one, table.select(["feature", *_AXES[name]]).rename_columns(
        ["feature", *"xyz"[: one.dimensions]]
    ).drop_null()
