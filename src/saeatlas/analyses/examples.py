"""Rows that show what each feature responds to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from saeatlas.analyses._columns import block_entries, blocks, check_whole
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.activations import FeatureBlock
    from saeatlas.atlas.sae import SAE

__all__ = ["Examples", "plugin"]


@dataclass(frozen=True, kw_only=True)
class Examples(Analysis):
    """Rows that show what each feature responds to: the strongest, some of every strength, and some at random.

    One line per chosen row; a row may be chosen in more than one way. Draws are over the whole corpus.

    Examples
    --------
    saeatlas analyze examples --random 50 --seed 7
    """

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.ROW
    needs: ClassVar[frozenset[str]] = frozenset({"activations"})

    top: int = 20
    """Strongest rows; of equal values the lower rows."""
    strata: int = 4
    """Parts of equal size into which the active rows are cut by strength."""
    per_stratum: int = 5
    """Rows drawn from each part."""
    random: int = 10
    """Rows drawn from all active ones."""
    seed: int = 0
    """Seed of the draws."""

    def __post_init__(self) -> None:
        check_whole(
            self, top=(0, 10_000), strata=(1, 1_000), per_stratum=(0, 10_000), random=(0, 10_000), seed=(0, 2**64 - 1)
        )

    def schema(self) -> dict[str, pa.Schema]:
        """Return the schema; see docs/reference/analyses/examples.md for each column."""
        import pyarrow as pa

        return {
            "data": pa.schema(
                [
                    pa.field("feature", pa.uint32(), nullable=False),
                    pa.field("pick", pa.string(), nullable=False),
                    pa.field("stratum", pa.int32()),
                    pa.field("rank", pa.int32(), nullable=False),
                    pa.field("row", pa.int64(), nullable=False),
                    pa.field("value", pa.float64(), nullable=False),
                ]
            )
        }

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table | Iterator[pa.RecordBatch]]:
        """Choose block after block; memory as `peak_bytes` says."""
        return {"data": (self._batch(block) for block in blocks(sae, progress))}

    def peak_bytes(self, sae: SAE) -> int:
        """Return 300 MB for the program, 40 bytes per entry of the largest block and 200 per line that it can give."""
        per_feature = self.top + self.strata * self.per_stratum + self.random
        entries = block_entries(sae)
        return 300_000_000 + 40 * entries + 200 * min(per_feature * sae.n_features, 3 * entries) + 50 * sae.n_features

    def _batch(self, block: FeatureBlock) -> pa.RecordBatch:
        import pyarrow as pa

        from saeatlas.kernels.examples import PICKS, Quota, pick_examples
        from saeatlas.kernels.stats import sort_active

        quota = Quota(self.top, self.strata, self.per_stratum, self.random, self.seed)
        active = sort_active(block.indptr, block.values)
        picks = pick_examples(active, block.rows, block.values, quota, block.first, indptr=block.indptr)
        return pa.record_batch(
            {
                "feature": picks.feature,
                "pick": pa.array(PICKS).take(pa.array(picks.pick)),
                "stratum": pa.array(picks.stratum, mask=picks.stratum < 0),
                "rank": picks.rank,
                "row": block.rows[picks.entry].astype(np.int64),
                "value": block.values[picks.entry].astype(np.float64),
            }
        )


plugin = Examples
