"""Density-based clusters, and the same again within each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from saeatlas.analyses._clusters_space import Space
from saeatlas.extras import require
from saeatlas.kernels.ward import ordered_by_size

__all__ = ["Nested", "Rules", "hdbscan", "nested"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rules:
    """When a cluster is one, and when it is divided further."""

    min_cluster_size: int
    """Fewest members of a cluster."""
    min_samples: int
    """How many vectors, itself included, a core distance reaches."""
    max_depth: int
    """Levels of division."""
    least_share: float
    """A cluster with less than this share of all vectors is not divided."""

    def scaled(self, share: float) -> Rules:
        """Return the rules for a sample of this share of the vectors, in which every cluster is that much smaller."""
        return Rules(
            max(2, round(self.min_cluster_size * share)),
            max(1, round(self.min_samples * share)),
            self.max_depth,
            self.least_share,
        )


@dataclass(frozen=True)
class Nested:
    """Clusters within clusters, numbered level after level."""

    levels: tuple[Ints, ...]
    """For each level the cluster of each member, -1 in none, int64 [m]."""
    paths: tuple[str, ...]
    """Where each cluster is: '2/0' is the largest cluster within the third largest."""
    parents: tuple[int, ...]
    """The cluster that each is within; -1 on the first level."""


def hdbscan(space: Space, members: Ints, min_cluster_size: int, min_samples: int) -> tuple[Ints, Floats]:
    """Return the cluster of each member, by descending size and -1 in none, and how firmly it belongs, 0 to 1.

    HDBSCAN with excess of mass and no single cluster, by scikit-learn, fed with a graph that has a tree of least
    mutual reachability in it: the result is that of all pairs, up to ties, and not all pairs are needed.
    """
    m = members.size
    # Two clusters are needed for one to be chosen.
    if m < max(2 * min_cluster_size, min_samples):
        return np.full(m, -1, np.int64), np.zeros(m)
    cluster = require("sklearn.cluster", extra="analyses", to="cluster features")
    model = cluster.HDBSCAN(
        min_cluster_size=min_cluster_size, min_samples=min_samples, metric="precomputed", copy=False
    )
    model.fit(space.density_graph(members, min_samples))
    return ordered_by_size(model.labels_), np.asarray(model.probabilities_, np.float64)


def nested(space: Space, members: Ints, first: Ints, rules: Rules) -> Nested:
    """Divide density-based clusters again and again.

    A cluster is divided when it has at least `min_cluster_size` members and at least `least_share` of all, and when
    that gives two clusters or more. Within it a cluster needs at most a third of its members.

    Parameters
    ----------
    space, members
        What is clustered.
    first
        Clusters of the first level, as `hdbscan` gives them.
    rules
        When to stop.
    """
    levels, paths, parents = [first], [str(i) for i in range(int(first.max(initial=-1)) + 1)], []
    parents = [-1] * len(paths)
    least = max(rules.min_cluster_size, rules.least_share * members.size)
    for _ in range(1, rules.max_depth):
        level = np.full(members.size, -1, np.int64)
        for parent in range(int(levels[-1].max(initial=-1)) + 1):
            inside = np.flatnonzero(levels[-1] == parent)
            if inside.size < least:
                continue
            size = max(2, min(rules.min_cluster_size, inside.size // 3))
            labels, _ = hdbscan(space, members[inside], size, rules.min_samples)
            n_found = int(labels.max(initial=-1)) + 1
            if n_found < 2:
                continue
            level[inside] = np.where(labels >= 0, labels + len(paths), -1)
            paths += [f"{paths[parent]}/{i}" for i in range(n_found)]
            parents += [parent] * n_found
        if not (level >= 0).any():
            break
        levels.append(level)
    return Nested(tuple(levels), tuple(paths), tuple(parents))
