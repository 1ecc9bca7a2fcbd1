"""Rows or documents where a combination of features holds; what is not selected is never materialised."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from saeatlas.atlas.expression import And, Comparison, Expression, Leaf, Not, parse_expression
from saeatlas.errors import InvalidInput, OverBudget

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE

__all__ = ["Selection", "Unit", "select"]

Unit = Literal["row", "document"]
Ids = npt.NDArray[np.int64]

_MOST_IDS = 20_000_000
"""Ids of a complement beyond this many (160 MB) are not listed: their count is exact, and that is the answer."""
_COMPARE = {">": np.greater, ">=": np.greater_equal, "<": np.less, "<=": np.less_equal}


@dataclass(frozen=True)
class _Set:
    """Sorted ids, or everything but those."""

    ids: Ids
    is_complement: bool = False

    def __invert__(self) -> _Set:
        return _Set(self.ids, not self.is_complement)

    def __and__(self, other: _Set) -> _Set:
        if self.is_complement and other.is_complement:
            return _Set(np.union1d(self.ids, other.ids), is_complement=True)
        if self.is_complement:
            return other & self
        if other.is_complement:
            return _Set(self.ids[~_is_in(self.ids, other.ids)])
        few, many = sorted((self.ids, other.ids), key=len)
        return _Set(few[_is_in(few, many)])

    def __or__(self, other: _Set) -> _Set:
        return ~(~self & ~other)


def _is_in(ids: Ids, sorted_ids: Ids) -> npt.NDArray[np.bool_]:
    if not sorted_ids.size:
        return np.zeros(ids.size, np.bool_)
    at = np.minimum(np.searchsorted(sorted_ids, ids), sorted_ids.size - 1)
    return np.equal(sorted_ids[at], ids)


@dataclass(frozen=True)
class Selection:
    """The answer to `SAE.select`."""

    sae: SAE = field(repr=False)
    """Whose features were combined."""
    expression: str
    """The expression as it was understood."""
    unit: Unit
    """'row' or 'document'."""
    n_units: int
    """Rows, or documents with at least one row: what the expression was asked about."""
    count: int
    """How many hold, exact."""
    _set: _Set = field(repr=False)

    @property
    def share(self) -> float | None:
        """`count / n_units`, or None when there is nothing to ask about."""
        return self.count / self.n_units if self.n_units else None

    @property
    def ids(self) -> Ids:
        """Ascending rows, or indices of documents, int64.

        Raises
        ------
        OverBudget
            When they are the complement of few, and more than 20 million.
        """
        if not self._set.is_complement:
            return self._set.ids
        if self.count > _MOST_IDS:
            raise OverBudget(
                f"'{self.expression}' holds for {self.count:,} {self.unit}s, more than {_MOST_IDS:,} can be listed",
                hint="Use the count, or ask for the opposite and leave those out.",
            )
        return self._first(self.count)

    def _first(self, n: int) -> Ids:
        """Return the first `n` ids, whatever their number."""
        if not self._set.is_complement:
            return self._set.ids[:n]
        if self.unit == "document":
            universe = np.flatnonzero(self.sae.corpus.documents.lengths()).astype(np.int64)
            return universe[~_is_in(universe, self._set.ids)][:n]
        # At most as many rows as there are exceptions lie between the first n.
        outside = np.ones(min(self.n_units, n + self._set.ids.size), np.bool_)
        outside[self._set.ids[: np.searchsorted(self._set.ids, outside.size)]] = False
        return np.flatnonzero(outside)[:n].astype(np.int64)

    def table(self, limit: int | None = None) -> pa.Table:
        """Return the selection with document ids: `row`, `document`, `position`; or `document`, `index`, `n_rows`.

        Parameters
        ----------
        limit
            The first so many only; None for all.
        """
        import pyarrow as pa

        if limit is not None and limit < 0:
            raise InvalidInput(f"The number shown must not be negative, found: {limit}")
        documents = self.sae.corpus.documents
        ids = self.ids if limit is None else self._first(limit)
        if self.unit == "document":
            return pa.table(
                {
                    "document": pa.array(documents.ids(ids), pa.string()),
                    "index": ids,
                    "n_rows": documents.lengths()[ids],
                }
            )
        where, position = documents.locate(ids)
        return pa.table(
            {
                "row": ids,
                "document": pa.array(documents.ids(where), pa.string()),
                "position": position.astype(np.int64),
            }
        )


def select(sae: SAE, expression: str, unit: Unit = "row") -> Selection:
    """Evaluate a selection over the whole corpus.

    A comparison asks about listed values only: a row that does not list the feature matches no comparison. In
    documents, a comparison holds when it holds at any row of the document; documents without rows are left out,
    because nothing is known about them.

    Notes
    -----
    Memory: 8 bytes per entry of the features that are named, whatever the size of the corpus.

    Raises
    ------
    InvalidInput
        When the expression cannot be read or the unit is neither 'row' nor 'document'.
    NotFound
        When a feature is beyond the last one.
    """
    if unit not in ("row", "document"):
        raise InvalidInput(f"The unit must be 'row' or 'document', found: '{unit}'")
    tree = parse_expression(expression)
    found = _evaluate(sae, tree, unit)
    n_units = sae.n_rows if unit == "row" else int(np.count_nonzero(sae.corpus.documents.lengths()))
    count = n_units - found.ids.size if found.is_complement else found.ids.size
    return Selection(sae, str(tree), unit, n_units, count, found)


def _evaluate(sae: SAE, tree: Expression, unit: Unit) -> _Set:
    if isinstance(tree, Leaf):
        return _Set(_matching(sae, tree.feature, tree.comparison, tree.threshold, unit))
    if isinstance(tree, Not):
        return ~_evaluate(sae, tree.part, unit)
    parts = [_evaluate(sae, part, unit) for part in tree.parts]
    if isinstance(tree, And):
        # The positive parts first: they are small, and everything else only thins them out.
        parts.sort(key=lambda part: (part.is_complement, part.ids.size))
        return reduce(_Set.__and__, parts)
    return reduce(_Set.__or__, parts)


def _matching(sae: SAE, feature: int, comparison: Comparison, threshold: float, unit: Unit) -> Ids:
    rows, values = sae.activations.feature(feature)
    # In float64, because a threshold such as 0.1 is not a float32.
    kept = rows[_COMPARE[comparison](values.astype(np.float64), threshold)].astype(np.int64)
    if unit == "row":
        return kept
    documents, _ = sae.corpus.documents.locate(kept)
    return np.unique(documents).astype(np.int64)
