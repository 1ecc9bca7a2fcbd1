"""How stable clusters are: half of the features are clustered again, many times, and each cluster is looked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from saeatlas.analyses._clusters_density import Rules, hdbscan, nested
from saeatlas.analyses._clusters_space import Space
from saeatlas.kernels.stability import best_jaccard
from saeatlas.kernels.ward import cut
from saeatlas.progress import Progress

__all__ = ["Recovered", "Resample", "Resampling", "recovered", "resamples"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Levels = tuple[Ints, ...]
"""Cluster of each vector on each level of a clustering, -1 in none; numbers go on from level to level."""


@dataclass(frozen=True)
class Resampling:
    """How features are drawn and clustered again."""

    n: int
    """How often."""
    share: float
    """Of the features, without replacement: a feature drawn twice would be a cluster of its own."""
    seed: int
    """Of the draws."""
    cuts: tuple[int, ...]
    """Where Ward's tree is cut."""
    rules: Rules
    """Of the density-based clusters among all features."""


@dataclass(frozen=True)
class Resample:
    """Clusters of some of the features."""

    members: Ints
    """Which were drawn, ascending, int64 [m]."""
    levels: Mapping[str, Levels]
    """By the name of the clustering."""


@dataclass(frozen=True)
class Recovered:
    """How well the clusters of one clustering were found again, [clusters]; NaN where no resample had a member."""

    mean: Floats
    """Mean over resamples of the largest Jaccard similarity to a cluster of the resample."""
    low: Floats
    """2.5 % quantile of it over resamples."""
    high: Floats
    """97.5 % quantile."""
    n: Ints
    """Resamples that had a member of the cluster."""
    chance: Floats
    """The mean when the clusters of each resample are dealt out to its features at random."""


def resamples(space: Space, how: Resampling, progress: Progress) -> Iterator[Resample]:
    """Yield the clusters of one random part of the vectors after the other."""
    m = round(how.share * space.n)
    if m < 2 or how.n == 0:
        return
    rules = how.rules.scaled(how.share)
    with progress.task("resamples", total=how.n, unit="resamples") as task:
        for number in range(how.n):
            random = np.random.default_rng([how.seed, number])
            members = np.sort(random.choice(space.n, m, replace=False))
            tree = space.tree(members)
            levels: dict[str, Levels] = {f"ward_{k}": (cut(tree, n_clusters=k),) for k in how.cuts}
            first, _ = hdbscan(space, members, rules.min_cluster_size, rules.min_samples)
            levels["hdbscan"] = (first,)
            levels["recursive"] = nested(space, members, first, rules).levels
            yield Resample(members, levels)
            task.advance(1)


def recovered(method: str, levels: Levels, samples: Sequence[Resample], seed: int) -> Recovered:
    """Look for each cluster of a clustering of all vectors in every resample."""
    n_clusters = max((int(level.max(initial=-1)) + 1 for level in levels), default=0)
    found = np.full((len(samples), n_clusters), np.nan)
    chance = found.copy()
    for line, sample in enumerate(samples):
        own = [level[sample.members] for level in levels]
        others = sample.levels[method]
        order = np.random.default_rng([seed, len(samples), line]).permutation(sample.members.size)
        _best(found[line], own, others)
        _best(chance[line], own, [other[order] for other in others])
    n = np.count_nonzero(~np.isnan(found), axis=0)
    low, high = (_quantile(found, q) for q in (0.025, 0.975))
    return Recovered(_mean(found), low, high, n, _mean(chance))


def _best(out: Floats, own: Sequence[Ints], others: Sequence[Ints]) -> None:
    for level in own:
        for other in others:
            best = best_jaccard(level, other)
            out[: best.size] = np.fmax(out[: best.size], best)


def _mean(found: Floats) -> Floats:
    known = ~np.isnan(found)
    n = known.sum(axis=0)
    out = np.full(n.shape, np.nan)
    np.divide(np.where(known, found, 0.0).sum(axis=0), n, out=out, where=n > 0)
    return out


def _quantile(found: Floats, q: float) -> Floats:
    """Return a quantile of each column over its known lines, linear interpolation."""
    return np.array(
        [np.quantile(known, q) if (known := column[~np.isnan(column)]).size else np.nan for column in found.T]
    )
