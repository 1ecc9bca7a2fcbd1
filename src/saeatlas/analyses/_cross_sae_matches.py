"""Matches between the features of two SAEs, ranked both ways, and the tables that are made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

__all__ = ["MatchLists", "merged"]


@dataclass(frozen=True)
class MatchLists:
    """The best matches of every feature of both SAEs: one line for each pair, by feature, then other feature."""

    sizes: tuple[int, int]
    """Features of this SAE and of the other."""
    feature: npt.NDArray[np.int64]
    """Feature of this SAE."""
    other: npt.NDArray[np.int64]
    """Feature of the other SAE."""
    rank: npt.NDArray[np.int64]
    """Place of the other feature among the matches of the feature, from 0; -1 when it is none that was kept."""
    other_rank: npt.NDArray[np.int64]
    """Place of the feature among the matches of the other one; -1 as before."""
    numbers: dict[str, pa.Array]
    """Columns of `data` beside the ranks."""
    score: npt.NDArray[np.float64]
    """What an assignment gains by the pair."""
    is_candidate: npt.NDArray[np.bool_]
    """Whether the pair may be assigned."""
    is_whole: bool
    """Whether every pair that may be assigned is here."""

    def data(self, k: int) -> pa.Table:
        """Return pairs of which either is among the first `k` of the other, by feature and rank; unranked ones last."""
        import pyarrow as pa

        rank, other_rank = (np.where(ranks < k, ranks, -1) for ranks in (self.rank, self.other_rank))
        lines = np.flatnonzero((rank >= 0) | (other_rank >= 0))
        place = np.where(rank < 0, k, rank)[lines]
        lines = lines[np.lexsort((self.other[lines], place, self.feature[lines]))]
        return pa.table(
            {
                "feature": self.feature[lines].astype(np.uint32),
                "other_feature": self.other[lines].astype(np.uint32),
                "rank": pa.array(rank[lines].astype(np.int32), mask=rank[lines] < 0),
                "other_rank": pa.array(other_rank[lines].astype(np.int32), mask=other_rank[lines] < 0),
                **{name: column.take(pa.array(lines)) for name, column in self.numbers.items()},
            }
        )

    def assignment(self) -> pa.Table:
        """Return one line for each feature of this SAE, then one for each of the other SAE that is left alone."""
        import pyarrow as pa

        from saeatlas.kernels.matching import assign

        n, m = self.sizes
        may = np.flatnonzero(self.is_candidate)
        partner = assign(self.sizes, self.feature[may], self.other[may], self.score[may])
        has_partner = partner >= 0
        # Lines are in the order of these keys.
        keys = self.feature * m + self.other
        chosen = np.searchsorted(keys, np.flatnonzero(has_partner) * m + partner[has_partner])
        runner_up = np.full(n, -np.inf)
        beside = np.setdiff1d(may, chosen, assume_unique=True)
        np.maximum.at(runner_up, self.feature[beside], self.score[beside])
        score, is_mutual = np.full(n, np.nan), np.zeros(n, np.bool_)
        score[has_partner] = self.score[chosen]
        is_mutual[has_partner] = (self.rank[chosen] == 0) & (self.other_rank[chosen] == 0)
        alone = np.setdiff1d(np.arange(m), partner[has_partner])
        nothing = np.zeros(alone.size)
        is_null = np.concatenate([~has_partner, nothing == 0])

        def column(of_features: npt.NDArray[Any], of_alone: npt.NDArray[Any], mask: npt.NDArray[np.bool_]) -> pa.Array:
            return pa.array(np.concatenate([of_features, of_alone.astype(of_features.dtype)]), mask=mask)

        return pa.table(
            {
                "feature": column(np.arange(n, dtype=np.uint32), alone, np.arange(n + alone.size) >= n),
                "other_feature": column(
                    np.maximum(partner, 0).astype(np.uint32), alone, np.concatenate([~has_partner, nothing != 0])
                ),
                "score": column(score, nothing, is_null),
                "runner_up": column(runner_up, nothing, np.concatenate([np.isneginf(runner_up), nothing == 0])),
                "is_mutual_best": column(is_mutual, nothing, is_null),
                "is_optimal": np.full(n + alone.size, self.is_whole),
            }
        )


def merged(
    left: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    right: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    n_others: int,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Join the lists of both sides into one line for each pair.

    Parameters
    ----------
    left
        Feature and other feature of each match of the features, by feature, best first.
    right
        Feature and other feature of each match of the other features, by other feature, best first.
    n_others
        Other features are below it.

    Returns
    -------
    tuple
        Of each pair, by feature, then other feature: where it stands first in the two lists put behind one another;
        rank of the other feature; rank of the feature; -1 where one list does not have it.
    """
    keys = np.concatenate([side[0] * n_others + side[1] for side in (left, right)])
    _, first, line = np.unique(keys, return_index=True, return_inverse=True)
    ranks = np.full((2, first.size), -1)
    ranks[0, line[: left[0].size]] = _ranks(left[0])
    ranks[1, line[left[0].size :]] = _ranks(right[1])
    return first, ranks[0], ranks[1]


def _ranks(owner: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return places within runs of equal numbers, from 0."""
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    return np.arange(owner.size) - np.repeat(starts, np.diff(np.append(starts, owner.size)))
