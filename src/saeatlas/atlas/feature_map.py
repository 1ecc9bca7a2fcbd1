"""The imported map of one SAE: positions of its features, and the edges between them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE
    from saeatlas.storage import Store

__all__ = ["FeatureMap", "map_of"]


class FeatureMap:
    """Where features lie, as the source has them; nothing is read before it is asked for."""

    def __init__(self, store: Store, path: str, attributes: Mapping[str, Any]) -> None:
        self._store = store
        self._path = path
        self.attributes = attributes
        """`n_nodes`, `n_edges`, `edge_metric` (what the weights are), `metadata` (as the source has it)."""

    def __repr__(self) -> str:
        return f"FeatureMap({self.attributes['n_nodes']:,} nodes, {self.attributes['n_edges']:,} edges)"

    @cached_property
    def nodes(self) -> pa.Table:
        """One line per feature on the map, ascending: `feature`, `x`, `y`, `z`, `category` (null without one)."""
        from saeatlas.format.feature_map import read_nodes

        return read_nodes(self._store, self._path)

    @cached_property
    def edges(self) -> pa.Table:
        """One line per edge: `source`, `target` (features), `weight`, `claimed` (what the source calls the edge)."""
        from saeatlas.format.feature_map import read_edges

        return read_edges(self._store, self._path)

    @property
    def features(self) -> npt.NDArray[np.int64]:
        """Ids of the features on the map, int64 [n_nodes], ascending."""
        return np.asarray(self.nodes["feature"].to_numpy(), np.int64)

    @property
    def positions(self) -> npt.NDArray[np.float64]:
        """Positions of `features`, float64 [n_nodes, 3]."""
        return np.column_stack([self.nodes[axis].to_numpy() for axis in ("x", "y", "z")])


def map_of(sae: SAE) -> FeatureMap | None:
    """Return the imported map of an SAE, or None when there is none."""
    logical = f"sae/{sae.name}/imported/map"
    entry = sae.atlas.entries.get(logical)
    if entry is None:
        return None
    return FeatureMap(sae.atlas.store, entry.path, sae.atlas.manifest(logical).attributes)
