"""Clusters as pictures need them: who is in which, what it is called, and how stable it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from saeatlas.errors import InvalidInput
from saeatlas.plots._sources import needed_table

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE

__all__ = ["Group", "groups_of"]


@dataclass(frozen=True)
class Group:
    """One cluster."""

    cluster: int
    """Its number."""
    features: npt.NDArray[np.int64]
    """Who is in it, ascending."""
    facts: dict[str, Any]
    """Its line of the table 'clusters'."""

    def name(self, n_terms: int) -> str:
        """Return its first terms, or its number where it has none."""
        terms = self.facts["terms"]
        return ", ".join(terms[:n_terms]) if terms else f"cluster {self.cluster}"


def groups_of(sae: SAE, method: str) -> list[Group]:
    """Return the clusters of one clustering, largest first; of nested ones those of the first level.

    Raises
    ------
    NotFound
        When analysis 'clusters' is not current.
    InvalidInput
        When it has no such clustering.
    """
    data, clusters = needed_table(sae, "clusters"), needed_table(sae, "clusters", "clusters")
    known = [name for name in data.column_names if name not in {"feature", "hdbscan_probability"}]
    if method not in known:
        raise InvalidInput(
            f"Analysis 'clusters' has no '{method}'",
            hint=f"Known: {', '.join(known)}. More with: saeatlas analyze clusters --cuts {method.rpartition('_')[2]}"
            if method.startswith("ward_")
            else f"Known: {', '.join(known)}",
        )
    column = data[method].to_pylist()
    if method == "recursive":
        column = [None if path is None else int(path.partition("/")[0]) for path in column]
    number = np.array([-1 if cluster is None else cluster for cluster in column], np.int64)
    return [
        Group(line["cluster"], np.flatnonzero(number == line["cluster"]), line)
        for line in clusters.to_pylist()
        if line["method"] == method and line["parent"] is None
    ]
