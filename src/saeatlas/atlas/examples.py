"""Which rows to show of a feature: the strongest, some of every strength, or any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from saeatlas.atlas.contexts import Focus
from saeatlas.errors import InvalidInput

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE

__all__ = ["Pick", "Question", "pick_random", "pick_rows", "pick_strata"]

Pick = Literal["top", "quantiles", "random"]
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Question:
    """Which examples are asked for."""

    pick: Pick
    """How they are chosen."""
    n: int
    """How many; per stratum with 'quantiles'."""
    seed: int = 0
    """Of 'quantiles' and 'random'."""
    strata: int = 5
    """Parts of the active values, with 'quantiles'."""

    def check(self) -> None:
        """Raise `InvalidInput` when a number is out of range."""
        if self.pick not in get_args(Pick):
            raise InvalidInput(f"Examples are picked by 'top', 'quantiles' or 'random', found: '{self.pick}'")
        for name, least in (("n", 0), ("seed", 0), ("strata", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise InvalidInput(f"'{name}' must be a whole number from {least}, found: {value!r}")


def pick_rows(sae: SAE, feature: int, question: Question) -> Focus:
    """Choose rows of a feature; only active rows are ever chosen."""
    question.check()
    if question.pick == "top":
        return Focus(*sae.activations.top(feature, question.n))
    rows, values = sae.activations.feature(feature)
    active = values > 0
    if question.pick == "random":
        return pick_random(rows[active], values[active], question, feature)
    return pick_strata(rows[active], values[active], question, feature)


def pick_random(rows: Array, values: Array, question: Question, feature: int) -> Focus:
    """Draw `n` of the active rows, each set of `n` being as likely as any other; ascending rows."""
    generator = np.random.default_rng([question.seed, feature])
    chosen = np.sort(generator.choice(rows.size, min(question.n, rows.size), replace=False))
    return Focus(rows[chosen], values[chosen])


def pick_strata(rows: Array, values: Array, question: Question, feature: int) -> Focus:
    """Draw `n` rows from each of `strata` equal parts of the active values, weakest part first.

    The active rows are ranked by value, rows of equal value by row. Part s of S holds the ranks from
    floor(s N / S) up to but without floor((s + 1) N / S), so parts differ by one row at most, and rows of equal
    value may fall on both sides of a border. Within a part the strongest comes first, of equal values the lower row.
    """
    order = np.lexsort((rows, values))
    borders = np.arange(question.strata + 1) * rows.size // question.strata
    picked, strata, ranks = [], [], []
    for stratum in range(question.strata):
        part = order[borders[stratum] : borders[stratum + 1]]
        generator = np.random.default_rng([question.seed, feature, stratum])
        chosen = part[generator.choice(part.size, min(question.n, part.size), replace=False)]
        chosen = chosen[np.lexsort((rows[chosen], -values[chosen]))]
        picked.append(chosen)
        strata.append(np.full(chosen.size, stratum, np.int64))
        ranks.append(np.arange(chosen.size, dtype=np.int64))
    where = np.concatenate(picked)
    return Focus(rows[where], values[where], np.concatenate(strata), np.concatenate(ranks))
