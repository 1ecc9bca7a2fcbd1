"""Which rows to show of a feature: the strongest, some of every strength, or any."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from saeatlas.atlas.contexts import Focus
from saeatlas.atlas.tables import served_rows
from saeatlas.errors import InvalidInput

if TYPE_CHECKING:
    import numpy.typing as npt

    from saeatlas.atlas.sae import SAE

__all__ = ["Pick", "Question", "live_rows", "pick_rows", "rows_between", "served_focus"]

Pick = Literal["top", "quantiles", "random"]
_MOST_STRATA = 1_000_000
_IN_TABLE = {"quantiles": "quantile", "random": "random"}


@dataclass(frozen=True)
class Question:
    """Which examples are asked for."""

    pick: Pick
    """How they are chosen."""
    n: int
    """How many; per stratum with 'quantiles'."""
    seed: int = 0
    """Of 'quantiles' and 'random'."""
    strata: int = 4
    """Parts of the active rows, with 'quantiles'."""
    low: float | None = None
    """Only rows with at least this value; None for all."""
    high: float | None = None
    """Only rows with less than this value; None for all."""

    @property
    def has_range(self) -> bool:
        """Whether only some values are asked for."""
        return self.low is not None or self.high is not None

    def check(self) -> None:
        """Raise `InvalidInput` when a field is out of range."""
        if self.pick not in get_args(Pick):
            raise InvalidInput(f"Examples are picked by 'top', 'quantiles' or 'random', found: '{self.pick}'")
        for name, least, most in (("n", 0, None), ("seed", 0, 2**64 - 1), ("strata", 1, _MOST_STRATA)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least or (most and value > most):
                upper = f" to {most:,}" if most else ""
                raise InvalidInput(f"'{name}' must be a whole number from {least}{upper}, found: {value!r}")
        for name in ("low", "high"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or math.isnan(value)):
                raise InvalidInput(f"'{name}' must be a number, found: {value!r}")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise InvalidInput(f"'low' must not be above 'high', found: {self.low} and {self.high}")


def pick_rows(sae: SAE, feature: int, question: Question) -> Focus:
    """Choose among the active rows of a feature: from the segments' top values, from the analysis 'examples', or live.

    Raises
    ------
    InvalidInput
        When the question is out of range.
    """
    question.check()
    if question.has_range:
        return live_rows(sae, feature, question)
    if question.pick == "top":
        return Focus(*sae.activations.top(feature, question.n))
    return served_focus(sae, feature, question) or live_rows(sae, feature, question)


def rows_between(
    sae: SAE, feature: int, low: float | None = None, high: float | None = None
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the active rows of a feature with low <= value < high, ascending, and their values."""
    rows, values = sae.activations.feature(feature)
    # Compared as float64: a Python number would be rounded to the float32 of the values first.
    kept = values > 0
    if low is not None:
        kept &= values >= np.float64(low)
    if high is not None:
        kept &= values < np.float64(high)
    return (rows, values) if kept.all() else (rows[kept], values[kept])


def live_rows(sae: SAE, feature: int, question: Question) -> Focus:
    """Choose from all activations of the feature.

    Active rows are ordered by descending value, of equal ones the lower row first. Of n active rows, stratum s of
    S holds the places s n // S up to (s + 1) n // S, so stratum 0 is the strongest, and equal values may fall on
    both sides of a border. Draws are without replacement; the first m of a draw of n are the draw of m.
    """
    rows, values = rows_between(sae, feature, question.low, question.high)
    if question.pick == "top":
        from saeatlas.atlas.activations import top_entries

        return Focus(*top_entries(rows, values, question.n))
    from saeatlas.kernels.examples import Quota, pick_examples
    from saeatlas.kernels.stats import sort_active

    n = min(question.n, values.size)
    if question.pick == "quantiles":
        quota = Quota(top=0, strata=question.strata, per_stratum=n, random=0, seed=question.seed)
    else:
        quota = Quota(top=0, strata=1, per_stratum=0, random=n, seed=question.seed)
    indptr = np.array([0, values.size], np.int64)
    picks = pick_examples(sort_active(indptr, values), rows, values, quota, feature, indptr=indptr)
    strata = picks.stratum.astype(np.int64) if question.pick == "quantiles" else None
    return Focus(rows[picks.entry], values[picks.entry], strata, picks.rank.astype(np.int64))


def served_focus(sae: SAE, feature: int, question: Question) -> Focus | None:
    """Choose by quantiles or at random from the analysis 'examples', or return None where it cannot answer."""
    wanted = {"seed": question.seed}
    if question.pick == "quantiles":
        wanted["strata"] = question.strata
    field = {"quantiles": "per_stratum", "random": "random"}[question.pick]
    table = served_rows(sae, "examples", feature, wanted, at_least={field: question.n})
    if table is None:
        return None
    pick, rank = table["pick"].to_numpy(zero_copy_only=False), table["rank"].to_numpy()
    kept = np.flatnonzero((pick == _IN_TABLE[question.pick]) & (rank < question.n))
    strata = table["stratum"].fill_null(-1).to_numpy().astype(np.int64)
    order = kept[np.lexsort((rank[kept], strata[kept]))]
    return Focus(
        table["row"].to_numpy()[order].astype(sae.activations.row_dtype),
        table["value"].to_numpy()[order].astype(sae.activations.value_dtype),
        strata[order] if question.pick == "quantiles" else None,
        rank[order].astype(np.int64),
    )
