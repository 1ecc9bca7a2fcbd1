"""Groups of features that point in similar directions, at several levels, with names and how stable they are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from saeatlas.analyses import _clusters_tables as tables
from saeatlas.analyses._columns import check_whole
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from saeatlas.analyses._clusters_density import Rules
    from saeatlas.analyses._clusters_space import Space
    from saeatlas.atlas.sae import SAE
    from saeatlas.kernels.ward import Linkage

__all__ = ["Clusters", "cut", "plugin"]

_BLOCK = 4096


@dataclass(frozen=True, kw_only=True)
class Clusters(Analysis):
    """Groups of features that point in similar directions: Ward's tree, HDBSCAN, and HDBSCAN within its clusters.

    Clustered are the directions themselves, never a picture of them unless asked. Every cluster has a stability:
    how well it is found again among random halves of the features.

    Examples
    --------
    saeatlas analyze clusters --cuts 10 --cuts 50
    """

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.FEATURE
    needs: ClassVar[frozenset[str]] = frozenset({"weights"})
    libraries: ClassVar[tuple[str, ...]] = ("scipy", "sklearn")
    may_use: ClassVar[frozenset[str]] = frozenset({"top-tokens", "explanations"})
    descriptions: ClassVar[Mapping[str, str]] = {
        "ward_*": "Cluster in the cut of Ward's tree at as many clusters as the name says, from 0 by descending size; "
        "null without a direction.",
        "hdbscan": "Cluster by HDBSCAN, from 0 by descending size; null in none (noise), or without a direction.",
        "hdbscan_probability": "How firmly the feature belongs to its cluster by HDBSCAN, 0 to 1; 0 for noise, "
        "null without a direction.",
        "recursive": "Way to the deepest cluster by HDBSCAN within clusters: 2/0 is the largest cluster within the "
        "third largest of all; null in none.",
    }

    of: Literal["decoder", "encoder", "umap"] = "decoder"
    """What is clustered: directions in the decoder or encoder, or positions on the map that 'umap' draws. A map
    distorts distances, so clusters of it are for drawing only."""
    cuts: tuple[int, ...] = (10, 30, 90)
    """Numbers of clusters into which Ward's tree is cut."""
    min_cluster_size: int = 10
    """Fewest features of a cluster of HDBSCAN."""
    min_samples: int = 5
    """Features, itself included, within the core distance of a feature of HDBSCAN."""
    max_depth: int = 3
    """Levels of HDBSCAN within its clusters."""
    least_share: float = 0.01
    """A cluster with less than this share of the features is not divided further."""
    resamples: int = 20
    """Random parts of the features that are clustered again for the stability; 0 leaves it out."""
    subsample: float = 0.5
    """Share of the features in each."""
    terms: int = 10
    """Terms in the name of a cluster at most."""
    exact_up_to: int = 32768
    """Features up to which every pair counts, at 4 bytes times the square of their number; beyond, only near ones."""
    nearest: int = 30
    """Neighbours of a feature that count where not every pair does."""
    seed: int = 0
    """Of the resamples."""

    def __post_init__(self) -> None:
        check_whole(
            self,
            min_cluster_size=(2, 10**6),
            min_samples=(1, 10**4),
            max_depth=(1, 20),
            resamples=(0, 10**4),
            terms=(1, 1000),
            exact_up_to=(1, 10**6),
            nearest=(2, 10**4),
            seed=(0, 2**63 - 1),
        )
        if not self.cuts or len(set(self.cuts)) < len(self.cuts):
            raise InvalidInput(f"'cuts' must be one or more different numbers, found: {self.cuts}")
        if any(isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= 10**6 for k in self.cuts):
            raise InvalidInput(f"'cuts' must be whole numbers from 1 to 1,000,000, found: {self.cuts}")
        for name, least in (("least_share", 0.0), ("subsample", math.nextafter(0.0, 1.0))):
            if not least <= getattr(self, name) <= 1:
                raise InvalidInput(f"'{name}' must be a share, up to 1, found: {getattr(self, name)}")
        if self.of not in ("decoder", "encoder", "umap"):
            raise InvalidInput(f"'of' must be 'decoder', 'encoder' or 'umap', found: {self.of!r}")

    def requires(self) -> frozenset[str]:
        """Return what holds the vectors."""
        return frozenset({"umap"}) if self.of == "umap" else type(self).needs

    def schema(self) -> dict[str, pa.Schema]:
        """Return the schemas; see docs/reference/analyses/clusters.md for each column."""
        return {
            "data": tables.data_schema(self.cuts),
            "clusters": tables.clusters_schema(),
            "linkage": tables.linkage_schema(),
            "quality": tables.quality_schema(),
        }

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table]:
        """Cluster, cluster again for the stability, and name; memory as `peak_bytes` says.

        Raises
        ------
        NotFound
            When the SAE has no weights, or no such directions.
        """
        from saeatlas.analyses._clusters_stability import Resampling, recovered, resamples
        from saeatlas.analyses._clusters_words import words_of

        features, vectors = self._vectors(sae)
        space = self._space(vectors, progress)
        how = Resampling(self.resamples, self.subsample, self.seed, self.cuts, self._rules)
        samples = list(resamples(space, how, progress))
        clusterings, probability, tree = self._clusterings(space)
        about = tables.Clustered(sae.n_features, features, vectors, self.of, space.pairs)
        # The pairs are most of the memory, and what follows needs some.
        del space
        found = [(c, recovered(c.method, c.levels, samples, self.seed)) for c in clusterings]
        return {
            "data": tables.data_table(about, clusterings, probability, tables.data_schema(self.cuts)),
            "clusters": tables.clusters_table(about, found, words_of(sae), self.terms),
            "linkage": tables.linkage_table(about, tree),
            "quality": tables.quality_table(about, clusterings),
        }

    def peak_bytes(self, sae: SAE) -> int:
        """Return 400 MB for the program, the pairs once and those of a resample, and three copies of the vectors.

        Beyond `exact_up_to`: 1 GB for the search for neighbours, 100 bytes for each, and 24 for each number of a
        vector, of which scikit-learn keeps sums for every merge.
        """
        n, d = sae.n_features, self._width(sae)
        size = 400_000_000 + 20 * n * self.resamples * (len(self.cuts) + 2) + 600 * n * self.min_samples
        if n <= self.exact_up_to:
            return size + round(4 * n * n * (1 + self.subsample**2)) + 12 * n * d
        return size + 1_000_000_000 + 100 * n * self.nearest + 24 * n * d

    @property
    def _rules(self) -> Rules:
        from saeatlas.analyses._clusters_density import Rules

        return Rules(self.min_cluster_size, self.min_samples, self.max_depth, self.least_share)

    def _clusterings(self, space: Space) -> tuple[list[tables.Clustering], npt.NDArray[np.float64], Linkage | None]:
        """Return the clusterings in the order of their columns, the probabilities of HDBSCAN, and Ward's tree."""
        from saeatlas.analyses._clusters_density import hdbscan, nested
        from saeatlas.kernels.ward import cut as cut_tree

        everything = np.arange(space.n)
        first, probability = hdbscan(space, everything, self.min_cluster_size, self.min_samples)
        within = nested(space, everything, first, self._rules)
        # Last, because it uses up the distances.
        tree = space.last_tree() if space.n else None
        at = [cut_tree(tree, n_clusters=k) if tree is not None else everything for k in self.cuts]
        return (
            [
                *(tables.Clustering(f"ward_{k}", (labels,)) for k, labels in zip(self.cuts, at, strict=True)),
                tables.Clustering("hdbscan", (first,)),
                tables.Clustering("recursive", within.levels, within.paths, within.parents, is_nested=True),
            ],
            probability,
            tree,
        )

    def _space(self, vectors: npt.NDArray[Any], progress: Progress) -> Space:
        from saeatlas.analyses._clusters_space import AllPairs, NearestPairs

        if vectors.shape[0] <= self.exact_up_to:
            return AllPairs(vectors)
        return NearestPairs(vectors, self.nearest, progress, are_unit=self.of != "umap")

    def _width(self, sae: SAE) -> int:
        if self.of == "umap" or sae.weights is None:
            return 2
        return int(sae.weights.d_out if self.of == "decoder" else sae.weights.d_in or 0)

    def _vectors(self, sae: SAE) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        """Return the features that have a vector, and those vectors: [n, d], of length 1 unless they are positions."""
        if self.of == "umap":
            return _positions(sae)
        from saeatlas.kernels.directions import prepared, square_sums

        weights = sae.weights
        if weights is None:
            raise NotFound(f"SAE '{sae.name}' has no weights", hint="Import them with 'saeatlas import sae-weights'.")
        features, vectors = [], []
        for start in range(0, weights.n_features, _BLOCK):
            stop = min(start + _BLOCK, weights.n_features)
            rows = prepared(weights.directions(self.of, start, stop), start)
            length = np.sqrt(square_sums(rows))
            kept = np.flatnonzero(length > 0)
            features.append(start + kept)
            vectors.append((rows[kept] / length[kept, None]).astype(rows.dtype))
        return np.concatenate(features), np.concatenate(vectors)


def _positions(sae: SAE) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    table = sae.table("umap")
    if table is None:
        raise NotFound(f"SAE '{sae.name}' has no current map: {sae.why_no_table('umap')}")
    known = table.select(["feature", "x", "y"]).drop_null()
    positions = np.column_stack([known["x"].to_numpy(), known["y"].to_numpy()]).astype(np.float64)
    return known["feature"].to_numpy().astype(np.int64), positions


def cut(sae: SAE, *, n_clusters: int | None = None, distance: float | None = None) -> pa.Table:
    """Cut the stored tree of an SAE at any number of clusters, or at any height.

    Parameters
    ----------
    sae
        Whose analysis 'clusters' is current.
    n_clusters
        Clusters, from 1.
    distance
        Or the height up to which clusters are joined, in the unit of `linkage.distance`.

    Returns
    -------
    pa.Table
        `feature`, and `cluster`: by descending size from 0, null for features without a vector.
    """
    import pyarrow as pa

    from saeatlas.kernels.ward import Linkage
    from saeatlas.kernels.ward import cut as cut_tree

    if (n_clusters is None) == (distance is None):
        raise InvalidInput("Say either a number of clusters or a distance")
    if n_clusters is not None and n_clusters < 1:
        raise InvalidInput(f"The number of clusters must be 1 or more, found: {n_clusters}")
    merges, data = sae.table("clusters", "linkage"), sae.table("clusters")
    if merges is None or data is None:
        raise NotFound(f"SAE '{sae.name}' has no current clusters: {sae.why_no_table('clusters')}")
    ward = next(name for name in data.column_names if name.startswith("ward_"))
    features = np.flatnonzero(data[ward].is_valid().to_numpy())
    cluster = np.full(data.num_rows, -1, np.int32)
    if features.size:
        places = np.concatenate([np.arange(data.num_rows), features.size + np.arange(merges.num_rows)])
        places[features] = np.arange(features.size)
        left, right = (places[merges[side].to_numpy()] for side in ("left", "right"))
        tree = Linkage(left, right, merges["distance"].to_numpy(), merges["size"].to_numpy())
        cluster[features] = cut_tree(tree, n_clusters=n_clusters, distance=np.inf if distance is None else distance)
    return pa.table({"feature": data["feature"], "cluster": pa.array(cluster, mask=cluster < 0)})


plugin = Clusters
