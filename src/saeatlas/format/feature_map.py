"""Feature maps: where features lie in space, and which of them are joined."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from saeatlas.format.table import read_table, write_table

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.storage import Store

__all__ = ["edges_schema", "nodes_schema", "read_edges", "read_nodes", "write_feature_map"]


def nodes_schema() -> pa.Schema:
    """Return the columns of `nodes.parquet`: one line per feature on the map, ascending."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("feature", pa.uint32(), nullable=False),
            *(pa.field(axis, pa.float64(), nullable=False) for axis in ("x", "y", "z")),
            pa.field("category", pa.string()),
        ]
    )


def edges_schema() -> pa.Schema:
    """Return the columns of `edges.parquet`: one line per edge, in the order of the source."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("source", pa.uint32(), nullable=False),
            pa.field("target", pa.uint32(), nullable=False),
            pa.field("weight", pa.float64(), nullable=False),
            pa.field("claimed", pa.string(), nullable=False),
        ]
    )


def write_feature_map(directory: Path, nodes: pa.Table, edges: pa.Table, facts: dict[str, Any]) -> dict[str, Any]:
    """Write the `feature-map` artifact and return its attributes.

    Parameters
    ----------
    directory
        Where `nodes.parquet` and `edges.parquet` go.
    nodes
        Columns of `nodes_schema`, `feature` strictly ascending, positions finite.
    edges
        Columns of `edges_schema`; both ends are nodes, no pair occurs twice, no end is its own other.
    facts
        What the source says: `metadata` (as it was), `edge_metric` (what the weights are).
    """
    write_table(directory, nodes, nodes_schema(), "nodes")
    write_table(directory, edges, edges_schema(), "edges")
    n_features = nodes["feature"][-1].as_py() + 1 if nodes.num_rows else 0
    return {"n_features": n_features, "n_nodes": nodes.num_rows, "n_edges": edges.num_rows, **facts}


def read_nodes(store: Store, prefix: str) -> pa.Table:
    """Return the nodes of the feature map at `prefix`; errors as in `format.table.read_table`."""
    return read_table(store, prefix, "nodes")


def read_edges(store: Store, prefix: str) -> pa.Table:
    """Return the edges of the feature map at `prefix`; errors as in `format.table.read_table`."""
    return read_table(store, prefix, "edges")
