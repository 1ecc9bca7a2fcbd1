"""The graphs between one SAE's features, computed and imported, as tables of edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from saeatlas.atlas.tables import no_such, state_of

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE

__all__ = ["Graph", "graph_of", "graphs_of"]


@dataclass(frozen=True)
class Graph:
    """Edges between features."""

    name: str
    """'neighbors' or 'imported'."""
    source: str
    """'neighbors' when that analysis found them, 'import' when they came with a map."""
    metric: str | None
    """What the weights are; None when nobody says."""
    n_edges: int
    """How many."""


def graphs_of(sae: SAE) -> list[Graph]:
    """Return the graphs that can be shown now."""
    found = []
    if state_of(sae, "neighbors").is_current:
        found.append(Graph("neighbors", "neighbors", "cosine", _n_edges(sae)))
    if sae.map is not None:
        metric = sae.map.attributes.get("edge_metric")
        found.append(Graph("imported", "import", metric or None, int(sae.map.attributes["n_edges"])))
    return found


def _n_edges(sae: SAE) -> int:
    """Count the edges of the analysis 'neighbors' without reading them."""
    import polars as pl

    from saeatlas.format.table import scan_table

    edges = scan_table(sae.atlas.store, sae.atlas.entries[f"sae/{sae.name}/neighbors"].path, "edges")
    return int(edges.select(pl.len()).collect().item())


def graph_of(sae: SAE, name: str) -> tuple[Graph, pa.Table]:
    """Return a graph and its edges: `source`, `target` and `weight`.

    Raises
    ------
    NotFound
        When there is no such graph now; the hint lists those that there are.
    """
    known = {one.name: one for one in graphs_of(sae)}
    if name not in known:
        why = state_of(sae, "neighbors").reason if name == "neighbors" else ""
        raise no_such("graph", sae, name, known, why)
    if name == "imported":
        assert sae.map is not None
        return known[name], sae.map.edges.select(["source", "target", "weight"])
    edges = sae.table("neighbors", "edges")
    assert edges is not None
    return known[name], edges.rename_columns(["source", "target", "weight"])
