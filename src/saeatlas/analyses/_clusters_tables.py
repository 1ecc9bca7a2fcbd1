"""The tables of clusters: one line per feature, per cluster, per merge and per clustering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from saeatlas.analyses._columns import nullable
from saeatlas.extras import require
from saeatlas.kernels.cluster_shape import medoids, silhouettes

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.analyses._clusters_stability import Recovered
    from saeatlas.analyses._clusters_words import Words
    from saeatlas.kernels.ward import Linkage

__all__ = [
    "Clustered",
    "Clustering",
    "clusters_schema",
    "clusters_table",
    "data_schema",
    "data_table",
    "linkage_schema",
    "linkage_table",
    "quality_schema",
    "quality_table",
]

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Clustered:
    """What was clustered, and how."""

    n_features: int
    """All features of the SAE."""
    features: Ints
    """Those that have a vector, ascending, int64 [n]."""
    vectors: npt.NDArray[Any]
    """Theirs, [n, d]."""
    of: str
    """What the vectors are: 'decoder', 'encoder' or 'umap'."""
    pairs: str
    """Which pairs could be joined: 'all', or such as 'nearest-30'."""


@dataclass(frozen=True)
class Clustering:
    """One way to divide the features that have a vector."""

    method: str
    """Name of its column: 'ward_10', 'hdbscan', 'recursive'."""
    levels: tuple[Ints, ...]
    """Cluster of each on each level, -1 in none; numbers go on from level to level. int64 [n]."""
    paths: tuple[str, ...] = ()
    """Where each cluster is among nested ones; empty when they are not nested."""
    parents: tuple[int, ...] = ()
    """Cluster around each; -1 around those of the first level."""

    is_nested: bool = False
    """Whether its clusters have paths, if there are any."""

    @property
    def n_clusters(self) -> int:
        """Clusters on all levels."""
        return max((int(level.max(initial=-1)) + 1 for level in self.levels), default=0)

    @property
    def deepest(self) -> Ints:
        """The deepest cluster of each, -1 in none, int64 [n]."""
        out = self.levels[0].copy()
        for level in self.levels[1:]:
            out[level >= 0] = level[level >= 0]
        return out


def data_schema(cuts: Sequence[int]) -> pa.Schema:
    """Return the schema of 'data'."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("feature", pa.uint32(), nullable=False),
            *(pa.field(f"ward_{k}", pa.int32()) for k in cuts),
            pa.field("hdbscan", pa.int32()),
            pa.field("hdbscan_probability", pa.float64()),
            pa.field("recursive", pa.string()),
        ]
    )


def data_table(
    about: Clustered, clusterings: Sequence[Clustering], probability: npt.NDArray[np.float64], schema: pa.Schema
) -> pa.Table:
    """Return the cluster of every feature; null where it has no vector or is in no cluster."""
    import pyarrow as pa

    columns: dict[str, Any] = {"feature": np.arange(about.n_features, dtype=np.uint32)}
    for clustering in clusterings:
        cluster = _for_all(about, clustering.deepest, -1)
        if clustering.is_nested:
            columns[clustering.method] = pa.array(
                [clustering.paths[c] if c >= 0 else None for c in cluster], pa.string()
            )
        else:
            columns[clustering.method] = pa.array(cluster, pa.int32(), mask=cluster < 0)
    columns["hdbscan_probability"] = nullable(_for_all(about, probability, np.nan))
    return pa.table({name: columns[name] for name in schema.names}, schema)


def clusters_schema() -> pa.Schema:
    """Return the schema of 'clusters'."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field("method", pa.string(), nullable=False),
            pa.field("cluster", pa.int32(), nullable=False),
            pa.field("path", pa.string()),
            pa.field("parent", pa.int32()),
            pa.field("of", pa.string(), nullable=False),
            pa.field("size", pa.int64(), nullable=False),
            *(pa.field(name, pa.float64()) for name in ("stability", "stability_low", "stability_high")),
            pa.field("stability_n", pa.int64(), nullable=False),
            pa.field("stability_chance", pa.float64()),
            pa.field("silhouette", pa.float64()),
            pa.field("medoid", pa.uint32(), nullable=False),
            pa.field("terms", pa.list_(pa.string())),
            pa.field("scores", pa.list_(pa.float64())),
        ]
    )


def clusters_table(
    about: Clustered, found: Sequence[tuple[Clustering, Recovered]], words: Words, n_terms: int
) -> pa.Table:
    """Return what is known about each cluster of each clustering."""
    import pyarrow as pa

    parts = [_clusters_of(about, clustering, stable, words, n_terms) for clustering, stable in found]
    return pa.concat_tables([clusters_schema().empty_table(), *parts])


def _clusters_of(about: Clustered, clustering: Clustering, stable: Recovered, words: Words, n_terms: int) -> pa.Table:
    import pyarrow as pa

    n = clustering.n_clusters
    size, silhouette, medoid = np.zeros(n, np.int64), np.full(n, np.nan), np.zeros(n, np.int64)
    names: list[list[tuple[str, float]]] = []
    for level in clustering.levels:
        inside = level >= 0
        if not inside.any():
            continue
        offset = int(level[inside].min())
        own = np.where(inside, level - offset, -1)
        sizes = np.bincount(own[inside])
        span = slice(offset, offset + sizes.size)
        size[span] = sizes
        silhouette[span] = np.bincount(own[inside], silhouettes(about.vectors, own)[inside]) / sizes
        medoid[span] = about.features[medoids(about.vectors, own)]
        names += words.names(_for_all(about, own, -1), sizes.size, n_terms)
    columns = {
        "method": pa.array([clustering.method] * n, pa.string()),
        "cluster": np.arange(n, dtype=np.int32),
        "path": pa.array(clustering.paths or [None] * n, pa.string()),
        "parent": pa.array([None if p < 0 else p for p in clustering.parents] or [None] * n, pa.int32()),
        "of": pa.array([about.of] * n, pa.string()),
        "size": size,
        "stability": nullable(stable.mean),
        "stability_low": nullable(stable.low),
        "stability_high": nullable(stable.high),
        "stability_n": stable.n.astype(np.int64),
        "stability_chance": nullable(stable.chance),
        "silhouette": nullable(silhouette),
        "medoid": medoid.astype(np.uint32),
        "terms": pa.array([[term for term, _ in name] or None for name in names], pa.list_(pa.string())),
        "scores": pa.array([[score for _, score in name] or None for name in names], pa.list_(pa.float64())),
    }
    return pa.table(columns, clusters_schema())


def linkage_schema() -> pa.Schema:
    """Return the schema of 'linkage'."""
    import pyarrow as pa

    return pa.schema(
        [
            *(pa.field(name, pa.int64(), nullable=False) for name in ("node", "left", "right")),
            pa.field("distance", pa.float64(), nullable=False),
            pa.field("size", pa.int64(), nullable=False),
        ]
    )


def linkage_table(about: Clustered, linkage: Linkage | None) -> pa.Table:
    """Return the merges of Ward's tree; nodes below the width of the SAE are features."""
    import pyarrow as pa

    if linkage is None:
        return linkage_schema().empty_table()
    merges = np.arange(linkage.left.size) + about.n_features
    names = np.concatenate([about.features, merges])
    return pa.table(
        {
            "node": merges,
            "left": names[linkage.left],
            "right": names[linkage.right],
            "distance": linkage.distance,
            "size": linkage.size,
        },
        linkage_schema(),
    )


_QUALITY = ("silhouette", "davies_bouldin", "calinski_harabasz")


def quality_schema() -> pa.Schema:
    """Return the schema of 'quality'."""
    import pyarrow as pa

    return pa.schema(
        [
            *(pa.field(name, pa.string(), nullable=False) for name in ("method", "of", "pairs")),
            *(pa.field(name, pa.int64(), nullable=False) for name in ("n_features", "n_clusters", "n_noise")),
            *(pa.field(name, pa.float64()) for name in _QUALITY),
        ]
    )


def quality_table(about: Clustered, clusterings: Sequence[Clustering]) -> pa.Table:
    """Return how well each clustering divides the features that it puts into a cluster."""
    import pyarrow as pa

    metrics = require("sklearn.metrics", extra="analyses", to="cluster features")
    lines = []
    for clustering in clusterings:
        labels = np.unique(clustering.deepest, return_inverse=True)[1] - int((clustering.deepest < 0).any())
        inside = labels >= 0
        n_clusters = int(labels.max(initial=-1)) + 1
        line: dict[str, Any] = {
            "method": clustering.method,
            "of": about.of,
            "pairs": about.pairs,
            "n_features": labels.size,
            "n_clusters": n_clusters,
            "n_noise": int(np.count_nonzero(~inside)),
        }
        line |= dict.fromkeys(_QUALITY)
        # Both indices compare the scatter within clusters to that between them: one cluster has no between.
        if 2 <= n_clusters < np.count_nonzero(inside):
            vectors, own = about.vectors[inside], labels[inside]
            line["silhouette"] = float(np.mean(silhouettes(vectors, own)))
            line["davies_bouldin"] = float(metrics.davies_bouldin_score(vectors, own))
            line["calinski_harabasz"] = float(metrics.calinski_harabasz_score(vectors, own))
        lines.append(line)
    return pa.Table.from_pylist(lines, quality_schema())


def _for_all(about: Clustered, numbers: npt.NDArray[Any], missing: float) -> npt.NDArray[Any]:
    """Return numbers of the features with a vector as one of every feature."""
    out = np.full(about.n_features, missing, numbers.dtype)
    out[about.features] = numbers
    return out
