"""How the values of each feature are distributed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from saeatlas.analyses._columns import block_entries, blocks, check_whole
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.activations import FeatureBlock
    from saeatlas.atlas.sae import SAE
    from saeatlas.kernels.stats import SortedActive

__all__ = ["Histogram", "plugin"]


@dataclass(frozen=True, kw_only=True)
class Histogram(Analysis):
    """How the values of each feature are distributed, in bins of equal width and of equal ratio.

    One line per feature. Each active value is in one bin of either kind, so the counts of a kind and `n_inactive`
    sum to the rows of the corpus.

    Examples
    --------
    saeatlas analyze histogram
    """

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.FEATURE
    needs: ClassVar[frozenset[str]] = frozenset({"activations"})
    descriptions: ClassVar[Mapping[str, str]] = {
        "n_active": "Rows where the feature is active: its value is above 0.",
        "n_inactive": "Rows of the corpus where the feature is not active.",
        "linear_edges": "Edges of bins of equal width, one more than bins, from 0 to the largest value, in units of "
        "the source; null without active values.",
        "linear_counts": "Active rows in each bin of equal width.",
        "log_edges": "Edges of bins of equal ratio, one more than bins, from the smallest active value to the largest, "
        "in units of the source; null without active values.",
        "log_counts": "Active rows in each bin of equal ratio.",
    }

    bins: int = 40
    """Bins of each kind."""

    def __post_init__(self) -> None:
        check_whole(self, bins=(1, 10_000))

    def schema(self) -> dict[str, pa.Schema]:
        """Return the schema; see docs/reference/analyses/histogram.md for each column."""
        import pyarrow as pa

        edges, counts = pa.list_(pa.float64()), pa.list_(pa.int64())
        return {
            "data": pa.schema(
                [
                    pa.field("feature", pa.uint32(), nullable=False),
                    pa.field("n_active", pa.int64(), nullable=False),
                    pa.field("n_inactive", pa.int64(), nullable=False),
                    pa.field("linear_edges", edges),
                    pa.field("linear_counts", counts, nullable=False),
                    pa.field("log_edges", edges),
                    pa.field("log_counts", counts, nullable=False),
                ]
            )
        }

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table | Iterator[pa.RecordBatch]]:
        """Count block after block; memory as `peak_bytes` says."""
        return {"data": (batch for block in blocks(sae, progress) for batch in self._batches(block, sae.n_rows))}

    def peak_bytes(self, sae: SAE) -> int:
        """Return 300 MB for the program, 40 bytes per entry of the largest block and 150 per bin of 65,536 features."""
        return 300_000_000 + 40 * block_entries(sae) + 150 * (self.bins + 1) * min(sae.n_features, _AT_ONCE)

    def _batches(self, block: FeatureBlock, n_rows: int) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        from saeatlas.kernels.stats import SortedActive, sort_active

        active = sort_active(block.indptr, block.values)
        for start in range(0, block.stop - block.first, _AT_ONCE):
            indptr = active.indptr[start : start + _AT_ONCE + 1]
            part = SortedActive(indptr - indptr[0], active.values[indptr[0] : indptr[-1]])
            first = block.first + start
            columns = {
                "feature": np.arange(first, first + indptr.size - 1, dtype=np.uint32),
                "n_active": part.n_active,
                "n_inactive": n_rows - part.n_active,
            }
            for scale in ("linear", "log"):
                columns[f"{scale}_edges"], columns[f"{scale}_counts"] = self._lists(part, scale)
            yield pa.record_batch(columns)

    def _lists(self, active: SortedActive, scale: Literal["linear", "log"]) -> tuple[pa.Array, pa.Array]:
        import pyarrow as pa

        from saeatlas.kernels.histogram import histograms

        edges, counts = histograms(active, self.bins, scale)
        fires = active.n_active > 0
        bounds = np.concatenate([[0], np.cumsum(fires * edges.shape[1])])
        edge_lists = pa.ListArray.from_arrays(
            pa.array(bounds, pa.int32()), pa.array(edges[fires].ravel()), mask=pa.array(~fires)
        )
        count_bounds = pa.array(np.arange(counts.shape[0] + 1) * self.bins, pa.int32())
        return edge_lists, pa.ListArray.from_arrays(count_bounds, pa.array(counts.ravel()))


_AT_ONCE = 65_536
"""Features whose bins are held at a time: an SAE of a million silent features must not need gigabytes."""

plugin = Histogram
