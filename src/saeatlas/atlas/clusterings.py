"""The clusterings of one SAE's features: which feature is in which cluster, and what each cluster is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from saeatlas.atlas.tables import no_such

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE

__all__ = ["Cluster", "clustering_of", "clusterings_of", "clusters_of"]

_ANALYSIS = "clusters"


@dataclass(frozen=True)
class Cluster:
    """One cluster of one clustering."""

    cluster: int
    """Its number."""
    size: int
    """Features in it."""
    terms: tuple[str, ...]
    """Words that name it, the most telling first; empty without texts or tokens."""
    medoid: int | None
    """The feature in its middle."""
    stability: float | None
    """How well it is found again among random halves of the features, 0 to 1; None when that was not measured."""
    silhouette: float | None
    """Mean silhouette of its features, -1 to 1; None when undefined."""
    path: str | None
    """Where it is among nested clusters, such as '3.1'; None when they are not nested."""
    parent: int | None
    """The cluster around it; None without one."""


def clusterings_of(sae: SAE) -> list[str]:
    """Return the names of the clusterings that can be shown now, in the order of the analysis."""
    table = sae.table(_ANALYSIS)
    if table is None:
        return []
    return [name for name in table.column_names if name not in {"feature", "hdbscan_probability"}]


def clusters_of(sae: SAE) -> dict[str, list[Cluster]]:
    """Return the clusters of every clustering; empty when there are none now."""
    table = sae.table(_ANALYSIS, "clusters")
    found: dict[str, list[Cluster]] = {name: [] for name in clusterings_of(sae)}
    for line in [] if table is None else table.to_pylist():
        found[line["method"]].append(
            Cluster(
                cluster=line["cluster"],
                size=line["size"],
                terms=tuple(line["terms"] or ()),
                medoid=line["medoid"],
                stability=line["stability"],
                silhouette=line["silhouette"],
                path=line["path"],
                parent=line["parent"],
            )
        )
    return found


def clustering_of(sae: SAE, name: str) -> pa.Table:
    """Return which feature is in which cluster.

    Returns
    -------
    pa.Table
        `feature` uint32 ascending and `cluster` int32, null for one that is in none. Where clusters are nested, it is
        the innermost.

    Raises
    ------
    NotFound
        When there is no such clustering now; the hint lists those that there are.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    known = clusterings_of(sae)
    if name not in known:
        why = sae.why_no_table(_ANALYSIS)
        raise no_such("clusters", sae, name, known, why)
    table = sae.table(_ANALYSIS)
    assert table is not None
    cluster = table[name]
    if pa.types.is_string(cluster.type):
        inside = [one for one in clusters_of(sae)[name] if one.path is not None]
        places = pc.index_in(cluster, value_set=pa.array([one.path for one in inside], pa.string()), skip_nulls=True)
        cluster = pa.array([one.cluster for one in inside], pa.int32()).take(places.combine_chunks())
    return pa.table({"feature": table["feature"], "cluster": cluster})
