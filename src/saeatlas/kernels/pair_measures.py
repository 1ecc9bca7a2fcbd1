"""How much two features go together, from how often both are active and the sum of their products; NumPy only.

The kernels that choose the best pairs among millions (`kernels.cooccurrence`) score them with the same operations in
the same order, so that both put pairs in the same order, to the last bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["MEASURES", "Measure", "PairMeasures", "Totals", "measure", "order_of", "totals_of"]

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

Measure = Literal["pearson", "lift", "jaccard", "count"]
MEASURES: tuple[Measure, ...] = ("pearson", "lift", "jaccard", "count")
"""What pairs can be ordered by; kernels know them by their places."""

_MOST_ROUNDING = 1e-3
"""A feature is as good as constant when rounding may change its variance by more than this share."""
_EPSILON = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Totals:
    """What is known of each of some features over the same rows; silent rows count as 0."""

    n_rows: int
    """Rows, active or not."""
    n_active: Counts
    """Rows where the value is above 0."""
    sum: Floats
    """Sum of those values, added in the order of the rows."""
    squares: Floats
    """Sum of their squares, added in the order of the rows."""

    @property
    def mean(self) -> Floats:
        """Mean over all rows; NaN without rows."""
        with np.errstate(invalid="ignore"):
            return self.sum / np.float64(self.n_rows)

    @property
    def rounding(self) -> Floats:
        """Bound of what rounding may do to the variance, as a share of it: infinite for a constant; NaN when silent."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return _EPSILON * self.sum * self.sum / self._squared_deviations

    @property
    def spread(self) -> Floats:
        """Root of the sum of squared deviations from the mean over all rows; NaN where a feature hardly varies."""
        with np.errstate(invalid="ignore"):
            found: Floats = np.sqrt(np.where(self.rounding > _MOST_ROUNDING, np.nan, self._squared_deviations))
        return found

    @property
    def _squared_deviations(self) -> Floats:
        with np.errstate(invalid="ignore", over="ignore"):
            found: Floats = np.maximum(self.squares - self.sum * self.mean, 0.0)
        return found

    @property
    def std(self) -> Floats:
        """Population standard deviation over all rows; NaN without rows, and where a feature hardly varies."""
        with np.errstate(invalid="ignore"):
            found: Floats = self.spread / np.sqrt(np.float64(self.n_rows))
        return found

    def at(self, features: npt.NDArray[np.integer[Any]]) -> Totals:
        """Return the totals of some of the features."""
        return Totals(self.n_rows, self.n_active[features], self.sum[features], self.squares[features])


@dataclass(frozen=True)
class PairMeasures:
    """One number per pair and field; NaN where undefined. `a` is the left feature, `b` the right one."""

    b_given_a: Floats
    """count / rows where a is active."""
    a_given_b: Floats
    """count / rows where b is active."""
    lift: Floats
    """count · rows / (active of a · active of b): 1 when both fire independently."""
    pmi: Floats
    """log2(lift), in bits; minus infinity never occurs, because pairs that never fire together are NaN."""
    jaccard: Floats
    """count / rows where a or b is active."""
    pearson: Floats
    """Correlation over all rows, silent ones as 0; NaN where a feature is constant or as good as constant."""


def totals_of(n_rows: int, values: npt.NDArray[Any]) -> tuple[int, float, float]:
    """Return active rows, sum and sum of squares of one feature's values in row order, as the kernels add them."""
    active = values[values > 0].astype(np.float64)
    if not active.size or not n_rows:
        return 0, 0.0, 0.0
    # `cumsum` adds one after the other; `sum` would not.
    with np.errstate(over="ignore", invalid="ignore"):
        return active.size, float(np.cumsum(active)[-1]), float(np.cumsum(active * active)[-1])


def measure(count: npt.NDArray[np.integer[Any]], dot: Floats, a: Totals, b: Totals) -> PairMeasures:
    """Return every measure of pairs.

    Parameters
    ----------
    count
        Rows where both features of each pair are active, [pairs].
    dot
        Sum of the products of their values there, [pairs].
    a, b
        Totals of the left and of the right feature of each pair, [pairs], over the same rows.

    Notes
    -----
    Pearson's r = (sum of xy - N mean(x) mean(y)) / (N std(x) std(y)) over all N rows. The subtraction loses digits
    when a feature is active nearly everywhere and hardly varies; r is NaN when its variance may be wrong by 0.1 %.

    Church, K. W. and Hanks, P. (1990). Word association norms, mutual information, and lexicography. Computational
    Linguistics 16(1), 22-29: mutual information of a pair, in bits.
    """
    both, n_a, n_b = (np.asarray(number, np.float64) for number in (count, a.n_active, b.n_active))
    n = float(a.n_rows)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        together = np.where(both > 0, both, np.nan)
        lift = together * n / (n_a * n_b)
        return PairMeasures(
            b_given_a=together / n_a,
            a_given_b=together / n_b,
            lift=lift,
            pmi=np.log2(lift),
            jaccard=together / (n_a + n_b - together),
            pearson=_pearson(dot, a, b),
        )


def _pearson(dot: Floats, a: Totals, b: Totals) -> Floats:
    found = (dot - a.sum * b.sum / float(a.n_rows)) / (a.spread * b.spread)
    return np.where(np.isfinite(found), np.minimum(np.maximum(found, -1.0), 1.0), np.nan)


def order_of(
    count: npt.NDArray[np.integer[Any]], score: Floats, partner: npt.NDArray[Any], min_count: int
) -> npt.NDArray[np.int64]:
    """Return the places of the pairs of one feature, best first.

    Pairs of at least `min_count` rows come first; then the higher score, an undefined one last; then the lower id.
    """
    ranked = np.where(np.isnan(score), -np.inf, score)
    return np.lexsort((partner, -ranked, count < min_count))
