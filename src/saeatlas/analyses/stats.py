"""How often and how strongly each feature fires."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from saeatlas.analyses._columns import block_entries, blocks, nullable
from saeatlas.errors import InvalidInput
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.activations import FeatureBlock
    from saeatlas.atlas.sae import SAE

__all__ = ["Stats", "plugin"]

_NUMBERS = ("mean", "std", "min", "q25", "median", "q75", "max", "skewness", "kurtosis")


@dataclass(frozen=True, kw_only=True)
class Stats(Analysis):
    """How often and how strongly each feature fires, over every row.

    One line per feature. Numbers about values are about the active ones, and null where they are undefined.

    Examples
    --------
    saeatlas analyze stats
    """

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.FEATURE
    needs: ClassVar[frozenset[str]] = frozenset({"activations"})
    descriptions: ClassVar[Mapping[str, str]] = {
        "n_rows": "Rows of the corpus.",
        "n_listed": "Rows that list the feature, zeros and negatives included.",
        "n_active": "Rows where the feature is active: its value is above floor, by default 0.",
        "density": "Share of the rows where the feature is active, n_active / n_rows; null without rows.",
        "density_low": "Lower end of the 95 % Wilson score interval of the density, rows taken as independent.",
        "density_high": "Upper end of the 95 % Wilson score interval of the density, rows taken as independent.",
        "sum": "Sum of the active values, in units of the source; 0 without any.",
        "mean": "Mean of the active values, in units of the source; null without any.",
        "std": "Population standard deviation of the active values (divided by n_active), in units of the source; "
        "null without any.",
        "min": "Smallest active value, in units of the source; null without any.",
        "q25": "First quartile of the active values by linear interpolation, in units of the source; null without any.",
        "median": "Median of the active values, in units of the source; null without any.",
        "q75": "Third quartile of the active values by linear interpolation, in units of the source; null without any.",
        "max": "Largest active value, in units of the source; null without any.",
        "skewness": "Population skewness of the active values, third central moment / std³; "
        "null without any, or when all are equal.",
        "kurtosis": "Population excess kurtosis of the active values, fourth central moment / std⁴ − 3; "
        "null without any, or when all are equal.",
    }

    floor: float = 0.0
    """Values at or below this count as silence; at least 0, because rows that list nothing have value 0."""

    def __post_init__(self) -> None:
        if not 0 <= self.floor < math.inf:
            raise InvalidInput(f"'floor' must be a finite number from 0, found: {self.floor}")

    def schema(self) -> dict[str, pa.Schema]:
        """Return the schema; see docs/reference/analyses/stats.md for each column."""
        import pyarrow as pa

        counts = [pa.field(name, pa.int64(), nullable=False) for name in ("n_rows", "n_listed", "n_active")]
        return {
            "data": pa.schema(
                [
                    pa.field("feature", pa.uint32(), nullable=False),
                    *counts,
                    *(pa.field(name, pa.float64()) for name in ("density", "density_low", "density_high")),
                    pa.field("sum", pa.float64(), nullable=False),
                    *(pa.field(name, pa.float64()) for name in _NUMBERS),
                ]
            )
        }

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table | Iterator[pa.RecordBatch]]:
        """Summarise block after block; memory as `peak_bytes` says."""
        return {"data": (self._batch(block, sae.n_rows) for block in blocks(sae, progress))}

    def peak_bytes(self, sae: SAE) -> int:
        """Return 300 MB for the program, 40 bytes per entry of the largest block, 200 bytes per feature."""
        return 300_000_000 + 40 * block_entries(sae) + 200 * sae.n_features

    def _batch(self, block: FeatureBlock, n_rows: int) -> pa.RecordBatch:
        import pyarrow as pa

        from saeatlas.kernels.moments import wilson
        from saeatlas.kernels.stats import sort_active, summarise

        summary = summarise(sort_active(block.indptr, block.values, self.floor))
        low, high = wilson(summary.n_active, n_rows)
        n_features = block.stop - block.first
        density = summary.n_active / n_rows if n_rows else np.full(n_features, np.nan)
        return pa.record_batch(
            {
                "feature": np.arange(block.first, block.stop, dtype=np.uint32),
                "n_rows": np.full(n_features, n_rows, np.int64),
                "n_listed": np.diff(block.indptr),
                "n_active": summary.n_active,
                "density": nullable(density),
                "density_low": nullable(low),
                "density_high": nullable(high),
                "sum": summary.sum,
                **{name: nullable(getattr(summary, name)) for name in _NUMBERS},
            }
        )


plugin = Stats
