"""Which features fire together, and how much more often than by chance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, get_args

import numpy as np

from saeatlas.analyses._active_rows import ActiveBlocks, Draw, n_listed_pairs, pair_bytes, row_bytes
from saeatlas.analyses._columns import check_whole, nullable
from saeatlas.errors import InvalidInput
from saeatlas.kernels.pair_measures import Measure
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE
    from saeatlas.kernels.pair_measures import Totals

__all__ = ["Coactivation", "plugin"]

_MAX_PAIRS = 1 << 27
"""Pairs that are held at a time: all of 16,384 features. More features take several passes over the rows."""
_LINES = 1 << 18
"""Lines that are spelled out at a time."""


@dataclass(frozen=True, kw_only=True)
class Coactivation(Analysis):
    """For every pair of features that fire together: counts, conditional probabilities, lift, PMI, Jaccard, Pearson.

    `data` has the best partners of each feature, `features` what is known of each feature by itself, and, if asked
    for, `pairs` every pair once. Exact over the whole corpus, unless rows are drawn: then every line says so.

    Examples
    --------
    saeatlas analyze coactivation --k 20 --by lift
    """

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.FEATURE_PAIR
    needs: ClassVar[frozenset[str]] = frozenset({"activations"})

    k: int = 50
    """Partners of each feature in `data`."""
    by: Measure = "pearson"
    """What orders the partners: 'pearson', 'lift', 'jaccard' or 'count'."""
    min_count: int = 5
    """Pairs that fire together in fewer rows come after all others: of rare coincidences the lift is largest."""
    all_pairs: bool = False
    """Whether to write the table `pairs` too: 80 bytes for each pair, before compression."""
    sample: float = 1.0
    """Share of the rows to read, drawn at random; 1 for all, which is exact."""
    budget: int = 1_000_000_000_000
    """Most pairs of entries to add up; rows are drawn when there are more."""
    seed: int = 0
    """Of the draw of rows."""

    def __post_init__(self) -> None:
        check_whole(self, k=(1, 10_000), min_count=(1, 1 << 62), budget=(1, 1 << 62), seed=(0, (1 << 63) - 1))
        if self.by not in get_args(Measure):
            raise InvalidInput(f"'by' must be one of {', '.join(get_args(Measure))}, found: '{self.by}'")
        if not 0 < self.sample <= 1:
            raise InvalidInput(f"'sample' must be above 0 and at most 1, found: {self.sample}")

    def schema(self) -> dict[str, pa.Schema]:
        """Return the schemas; see docs/reference/analyses/coactivation.md for each column."""
        import pyarrow as pa

        def field(name: str, kind: pa.DataType, *, nullable: bool = False) -> pa.Field:
            return pa.field(name, kind, nullable=nullable)

        measures = [*(field(name, pa.float64()) for name in ("lift", "pmi", "jaccard"))]
        measures += [field("pearson", pa.float64(), nullable=True)]
        sampled = [field("is_exact", pa.bool_()), field("count_error", pa.float64(), nullable=True)]
        tables = {
            "data": pa.schema(
                [
                    field("feature", pa.uint32()),
                    field("rank", pa.int32()),
                    field("partner", pa.uint32()),
                    field("count", pa.int64()),
                    field("p_partner_given_feature", pa.float64()),
                    field("p_feature_given_partner", pa.float64()),
                    *measures,
                    *sampled,
                ]
            ),
            "features": pa.schema(
                [
                    field("feature", pa.uint32()),
                    *(field(name, pa.int64()) for name in ("n_rows", "n_active", "n_partners")),
                    *(field(name, pa.float64(), nullable=True) for name in ("mean", "std")),
                    field("is_exact", pa.bool_()),
                    field("sampling_rate", pa.float64(), nullable=True),
                ]
            ),
        }
        if self.all_pairs:
            tables["pairs"] = pa.schema(
                [
                    field("source", pa.uint32()),
                    field("target", pa.uint32()),
                    field("count", pa.int64()),
                    field("p_target_given_source", pa.float64()),
                    field("p_source_given_target", pa.float64()),
                    *measures,
                    *sampled,
                ]
            )
        return tables

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table | Iterator[pa.RecordBatch]]:
        """Add up the pairs of a range of features after the other; memory as `peak_bytes` says."""
        run = _Run(sae, self, self._draw(sae, progress), progress)
        tables: dict[str, pa.Table | Iterator[pa.RecordBatch]] = {"data": run.data(), "features": run.of_features()}
        return tables | ({"pairs": run.pairs()} if self.all_pairs else {})

    def peak_bytes(self, sae: SAE) -> int:
        """Return 300 MB for the program, 12 bytes per pair that is held, 56 per partner, and blocks of rows."""
        n = int(np.count_nonzero(sae.activations.active_counts))
        pairs = pair_bytes(sae.n_rows, min(_MAX_PAIRS, n * (n - 1) // 2) + n)
        return 300_000_000 + pairs + 56 * n * min(self.k, n) + row_bytes(sae.activations) + 200 * _LINES

    def _draw(self, sae: SAE, progress: Progress) -> Draw:
        """Return the rows to read, and say so when they are not all."""
        n_pairs = n_listed_pairs(sae.activations)
        share = min(self.sample, self.budget / max(1, n_pairs))
        if share < self.sample:
            progress.say(
                f"Features of SAE '{sae.name}' are listed together {n_pairs:,} times, more than the budget of "
                f"{self.budget:,}: rows are drawn with probability {share:.3g}, and the tables say so"
            )
        elif share < 1:
            progress.say(f"Rows are drawn with probability {share:.3g}, as asked for, and the tables say so")
        return Draw(share, self.seed)


class _Run:
    """One computation: the partners, and what the tables are made of."""

    def __init__(self, sae: SAE, asked: Coactivation, draw: Draw, progress: Progress) -> None:
        from saeatlas.kernels.cooccurrence import PairSums, ranges_of
        from saeatlas.kernels.partners import Partners

        self._n_features, self._n_rows, self._is_exact = sae.n_features, sae.n_rows, draw.share >= 1
        self._blocks = ActiveBlocks([sae], progress, draw)
        self._features = self._blocks.features[0]
        n = self._features.size
        # Without any pair, the rows are read all the same: for the totals.
        self._ranges = ranges_of(n, n, _MAX_PAIRS, is_own=True) or [(0, 0)]
        self._sums = PairSums(n, self._ranges, is_own=True, n_rows=sae.n_rows)
        self._partners = Partners(n, min(asked.k, max(1, n - 1)), asked.by, asked.min_count)
        for first, stop in self._ranges:
            self._fill(first, stop)
            self._partners.take(self._sums, self._totals, self._totals, self._partners)

    @property
    def _totals(self) -> Totals:
        return self._blocks.totals[0]

    def _fill(self, first: int, stop: int) -> None:
        self._sums.begin(first, stop)
        for (block,) in self._blocks:
            self._sums.add(block, block)

    def data(self) -> Iterator[pa.RecordBatch]:
        """Yield the lines of `data`, some features at a time."""
        n, k = self._partners.score.shape
        step = max(1, _LINES // k)
        for start in range(0, n, step):
            lines = self._partners.lines(start, min(n, start + step))
            sizes = self._partners.size[start : start + step]
            rank = np.arange(lines[0].size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
            yield self._batch(("feature", "partner"), lines, rank.astype(np.int32))

    def pairs(self) -> Iterator[pa.RecordBatch]:
        """Yield every pair once, by source, then target; ranges of features but the last are added up once more."""
        for first, stop in self._ranges:
            if (self._sums.first, self._sums.stop) != (first, stop):
                self._fill(first, stop)
            step = max(1, _LINES // max(1, self._features.size))
            for start in range(first, stop, step):
                source, target, places = self._sums.nonzero(start, min(stop, start + step))
                count = self._sums.counts[places].astype(np.int64)
                yield self._batch(("source", "target"), (source, target, count, self._sums.dots[places]))

    def _batch(
        self,
        names: tuple[str, str],
        lines: tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[np.int64], npt.NDArray[np.float64]],
        rank: npt.NDArray[np.int32] | None = None,
    ) -> pa.RecordBatch:
        import pyarrow as pa

        from saeatlas.kernels.pair_measures import measure

        one, two, count, dot = lines
        found = measure(count, dot, self._totals.at(one), self._totals.at(two))
        return pa.record_batch(
            {
                names[0]: self._features[one].astype(np.uint32),
                **({} if rank is None else {"rank": rank}),
                names[1]: self._features[two].astype(np.uint32),
                "count": count,
                f"p_{names[1]}_given_{names[0]}": found.b_given_a,
                f"p_{names[0]}_given_{names[1]}": found.a_given_b,
                "lift": found.lift,
                "pmi": found.pmi,
                "jaccard": found.jaccard,
                "pearson": nullable(found.pearson),
                "is_exact": np.full(count.size, self._is_exact),
                "count_error": nullable(self._error(count)),
            }
        )

    def _error(self, count: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return the standard error of N count / n, the estimate over all N rows from n that were drawn.

        Cochran, W. G. (1977), Sampling techniques, 3rd ed., Wiley, equation 3.8: simple random sampling without
        replacement.
        """
        n = self._totals.n_rows
        if self._is_exact or n < 2:
            return np.full(count.size, np.nan)
        share = count / n
        left_out: npt.NDArray[np.float64] = np.sqrt(share * (1 - share) * (1 - n / self._n_rows) / (n - 1))
        return self._n_rows * left_out

    def of_features(self) -> pa.Table:
        """Return the table `features`: one line for each feature of the SAE."""
        import pyarrow as pa

        def spread(numbers: npt.NDArray[Any]) -> npt.NDArray[Any]:
            out = np.zeros(self._n_features, numbers.dtype)
            out[self._features] = numbers
            return out

        n, totals = self._n_features, self._totals
        has_rows = np.full(n, totals.n_rows > 0)
        return pa.table(
            {
                "feature": np.arange(n, dtype=np.uint32),
                "n_rows": np.full(n, totals.n_rows, np.int64),
                "n_active": spread(totals.n_active),
                "n_partners": spread(self._partners.n_partners),
                "mean": nullable(np.where(has_rows, spread(totals.mean), np.nan)),
                "std": nullable(np.where(has_rows, spread(totals.std), np.nan)),
                "is_exact": np.full(n, self._is_exact),
                "sampling_rate": nullable(np.full(n, totals.n_rows / self._n_rows if self._n_rows else np.nan)),
            }
        )


plugin = Coactivation
