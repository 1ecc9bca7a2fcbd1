"""The features whose directions are nearest to that of each feature, and the pairs that are near enough to draw."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from saeatlas.analyses._columns import check_whole
from saeatlas.analyses._directions import directions_of, search_bytes
from saeatlas.errors import InvalidInput
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE

__all__ = ["Neighbors", "plugin"]


@dataclass(frozen=True, kw_only=True)
class Neighbors(Analysis):
    """The nearest features by cosine of decoder or encoder directions, exact, and an edge list.

    One line per feature and neighbour; a second table, `edges`, has one line per pair above a threshold.

    Examples
    --------
    saeatlas analyze neighbors --k 20
    """

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.FEATURE_LIST
    needs: ClassVar[frozenset[str]] = frozenset({"weights"})

    by: Literal["decoder", "encoder"] = "decoder"
    """Which directions to compare."""
    k: int = 10
    """Neighbours per feature, whatever their cosine; of equal cosines the lower feature first."""
    threshold: float = 0.25
    """Least cosine of an edge."""
    edges_per_feature: int = 25
    """Neighbours of each feature that may become edges; an edge needs only one of its ends to have the other."""

    def __post_init__(self) -> None:
        check_whole(self, k=(1, 10_000), edges_per_feature=(0, 10_000))
        if not -1 <= self.threshold <= 1:
            raise InvalidInput(f"'threshold' must be a cosine from -1 to 1, found: {self.threshold}")

    def schema(self) -> dict[str, pa.Schema]:
        """Return the schemas; see docs/reference/analyses/neighbors.md for each column."""
        import pyarrow as pa

        def column(name: str, kind: pa.DataType) -> pa.Field:
            return pa.field(name, kind, nullable=False)

        return {
            "data": pa.schema(
                [
                    column("feature", pa.uint32()),
                    column("rank", pa.int32()),
                    column("neighbor", pa.uint32()),
                    column("cosine", pa.float64()),
                ]
            ),
            "edges": pa.schema(
                [column("source", pa.uint32()), column("target", pa.uint32()), column("cosine", pa.float64())]
            ),
        }

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table]:
        """Compare all directions with all others; memory as `peak_bytes` says."""
        import pyarrow as pa

        from saeatlas.kernels.neighbors import edges_of, nearest

        weights = directions_of(sae, self.by)
        n = weights.n_features
        with progress.task("compare directions", total=n * (n + 1) / 2, unit="pairs") as task:
            found = nearest(partial(weights.directions, self.by), n, self._wanted(), advance=task.advance)
        best = found.first(self.k)
        source, target, cosine = edges_of(found.first(self.edges_per_feature), self.threshold)
        return {
            "data": pa.table(
                {
                    "feature": best.rows().astype(np.uint32),
                    "rank": best.ranks().astype(np.int32),
                    "neighbor": best.ids.astype(np.uint32),
                    "cosine": best.cosines,
                }
            ),
            "edges": pa.table(
                {"source": source.astype(np.uint32), "target": target.astype(np.uint32), "cosine": cosine}
            ),
        }

    def peak_bytes(self, sae: SAE) -> int:
        """Return 300 MB for the program, what the search holds, and 100 bytes per neighbour."""
        return 300_000_000 + search_bytes(sae, self.by, self._wanted()) + 100 * sae.n_features * self._wanted()

    def _wanted(self) -> int:
        return max(self.k, self.edges_per_feature)


plugin = Neighbors
