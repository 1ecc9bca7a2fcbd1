"""Two features of one SAE side by side: how often both fire, how alike they are, and where both do."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from saeatlas.errors import InvalidInput

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE
    from saeatlas.atlas.statistics import Scale
    from saeatlas.atlas.windows import Window

__all__ = ["Direction", "Joint", "Pair", "PairCosine"]

_MOST_BINS = 1000
Direction = Literal["decoder", "encoder"]


@dataclass(frozen=True)
class Joint:
    """Values of both features at the rows where both fire, in rectangles between recorded edges.

    Rectangle (i, j) holds edges_a[i] <= value of a < edges_a[i + 1], and so for b; the last one of a side both ends.
    """

    scale: Scale
    """'linear': bins of equal width from 0; 'log': of equal ratio from the smallest value there."""
    edges_a: tuple[float, ...]
    """Borders for the first feature; empty where both never fire."""
    edges_b: tuple[float, ...]
    """Borders for the second feature."""
    counts: tuple[tuple[int, ...], ...]
    """Rows, by bin of a, then bin of b; they sum to n_both."""


@dataclass(frozen=True)
class PairCosine:
    """The cosine of the directions of two features."""

    value: float | None
    """From -1 to 1; None when it is not defined."""
    reason: str
    """Why it is not; empty when it is."""


class Pair:
    """Two different features of an SAE; everything is exact and over the whole corpus."""

    def __init__(self, sae: SAE, a: int, b: int) -> None:
        self.sae = sae
        self.a = sae.feature(a)
        """The first feature."""
        self.b = sae.feature(b)
        """The second feature."""
        if self.a.id == self.b.id:
            raise InvalidInput(f"A pair is of two features, found: {a} twice")
        (rows_a, values_a), (rows_b, values_b) = self.a.arrays(), self.b.arrays()
        self.n_rows = sae.n_rows
        """Rows of the corpus."""
        self.n_a = int(rows_a.size)
        """Rows where the first fires."""
        self.n_b = int(rows_b.size)
        """Rows where the second fires."""
        at_a, at_b = _common(rows_a, rows_b)
        self.rows = rows_a[at_a]
        """Rows where both fire, ascending."""
        self.values_a = values_a[at_a]
        """Values of the first feature there."""
        self.values_b = values_b[at_b]
        """Values of the second feature there."""
        self._measure(values_a, values_b)

    def __repr__(self) -> str:
        return f"Pair({self.sae.name}/{self.a.id}, {self.sae.name}/{self.b.id}, both at {self.n_both:,} rows)"

    def _measure(self, values_a: npt.NDArray[Any], values_b: npt.NDArray[Any]) -> None:
        from saeatlas.kernels.pair_measures import Totals, measure, totals_of

        products = self.values_a.astype(np.float64) * self.values_b.astype(np.float64)
        # Added in the order of the rows, as 'coactivation' adds them, so that both give the same bits.
        dot = float(np.cumsum(products)[-1]) if products.size else 0.0
        totals = [
            Totals(self.n_rows, np.array([n]), np.array([total]), np.array([squares]))
            for n, total, squares in (totals_of(self.n_rows, values) for values in (values_a, values_b))
        ]
        found = measure(np.array([self.n_both]), np.array([dot]), *totals)
        both_fire = self.n_a > 0 and self.n_b > 0
        # A list of partners leaves out those that never fire together; of a pair that was asked for, it is 0.
        self.lift = (_number(found.lift) or 0.0) if both_fire else None
        """Rows where both fire over those expected of independent features; None when one never fires."""
        self.pmi = _number(found.pmi)
        """log2(lift), in bits; None when they never fire together."""
        self.jaccard = (_number(found.jaccard) or 0.0) if self.n_a or self.n_b else None
        """Rows where both fire over rows where any does; None when neither ever fires."""
        self.pearson = _number(found.pearson)
        """Correlation over all rows, silent ones as 0; None when one is constant."""
        self.p_b_given_a = self.n_both / self.n_a if self.n_a else None
        """Share of the rows of the first where the second fires."""
        self.p_a_given_b = self.n_both / self.n_b if self.n_b else None
        """Share of the rows of the second where the first fires."""

    @property
    def n_both(self) -> int:
        """Rows where both fire."""
        return int(self.rows.size)

    def cosine(self, by: Direction = "decoder") -> PairCosine:
        """Compare their directions; the number is that of the analysis 'neighbors', to the last bit."""
        from saeatlas.kernels.directions import cosines_to, prepared, square_sums

        if by not in get_args(Direction):
            raise InvalidInput(f"Features have directions in the decoder and the encoder, asked for: '{by}'")
        weights = self.sae.weights
        if weights is None:
            return PairCosine(None, f"SAE '{self.sae.name}' has no weights")
        if by not in weights.names:
            return PairCosine(None, f"The weights have no {by}")
        rows = [prepared(weights.directions(by, one.id, one.id + 1), one.id) for one in (self.a, self.b)]
        squares = [square_sums(row) for row in rows]
        for one, square in zip((self.a, self.b), squares, strict=True):
            if not square[0]:
                return PairCosine(None, f"Feature {one.id} has no direction in the {by}")
        return PairCosine(float(cosines_to(rows[0], squares[0], rows[1][0], float(squares[1][0]))[0]), "")

    def joint(self, bins: int = 20, scale: Scale = "linear") -> Joint:
        """Count the values of both where both fire; `InvalidInput` when `bins` is not from 1 to 1,000."""
        if isinstance(bins, bool) or not isinstance(bins, int) or not 1 <= bins <= _MOST_BINS:
            raise InvalidInput(f"The number of bins must be from 1 to {_MOST_BINS:,}, found: {bins!r}")
        if scale not in ("linear", "log"):
            raise InvalidInput(f"The scale must be 'linear' or 'log', found: '{scale}'")
        if not self.n_both:
            return Joint(scale, (), (), ())
        edges_a, place_a = _binned(self.values_a, bins, scale)
        edges_b, place_b = _binned(self.values_b, bins, scale)
        counts = np.bincount(place_a * bins + place_b, minlength=bins * bins).reshape(bins, bins)
        return Joint(scale, edges_a, edges_b, tuple(tuple(line) for line in counts.tolist()))

    def strongest(self, n: int = 10) -> npt.NDArray[np.int64]:
        """Return the places in `rows` where both fire most strongly, `n` at most.

        How strongly is the smaller of both values, each as a share of the largest value of its feature anywhere; of
        equal ones the lower row comes first.
        """
        if isinstance(n, bool) or not isinstance(n, int) or n < 0:
            raise InvalidInput(f"The number of rows must be a whole number from 0, found: {n!r}")
        if not self.n_both:
            return np.empty(0, np.int64)
        largest = [float(one.top(1)[1][0]) for one in (self.a, self.b)]
        strength = np.minimum(self.values_a / np.float64(largest[0]), self.values_b / np.float64(largest[1]))
        return np.argsort(-strength, kind="stable")[:n]

    def windows(self, places: npt.NDArray[np.int64], before: int = 20, after: int = 10) -> list[Window]:
        """Return the tokens around some of `rows`, with the values of both features on each."""
        from saeatlas.atlas.windows import windows_at

        return windows_at(self.sae, [self.a.id, self.b.id], self.rows[places], before, after)

    def tokens(self, n: int = 20) -> pa.Table:
        """Return the tokens on which both fire most often, of equally frequent ones the lower in the vocabulary first.

        Returns
        -------
        pa.Table
            `rank`, `token`, `string`, `count` (rows where both fire), `mean_a`, `mean_b` (of their values there),
            `share` (of the rows where both fire and the token is known).

        Raises
        ------
        NotFound
            When the corpus has no tokens.
        """
        import pyarrow as pa

        from saeatlas.atlas.aggregates import needed_tokens
        from saeatlas.format.tokens import NO_TOKEN

        reader = needed_tokens(self.sae)
        if isinstance(n, bool) or not isinstance(n, int) or n < 0:
            raise InvalidInput(f"The number of tokens must be a whole number from 0, found: {n!r}")
        ids = reader.tokens(self.rows)
        known = ids != NO_TOKEN
        token, which, count = np.unique(ids[known], return_inverse=True, return_counts=True)
        sums = [
            np.bincount(which, weights=values[known].astype(np.float64), minlength=token.size)
            for values in (self.values_a, self.values_b)
        ]
        best = np.argsort(-count, kind="stable")[:n]
        return pa.table(
            {
                "rank": np.arange(best.size, dtype=np.int32),
                "token": token[best],
                "string": pa.array(reader.strings(token[best]), pa.string()),
                "count": count[best],
                "mean_a": sums[0][best] / count[best],
                "mean_b": sums[1][best] / count[best],
                "share": count[best] / max(int(known.sum()), 1),
            }
        )

    def documents(self) -> pa.Table:
        """Return the documents in which both fire at the same row, in the order of the corpus.

        Returns
        -------
        pa.Table
            `document` (index), `id`, `n_rows`, `count` (rows where both fire), `max_a` and `max_b` (there).
        """
        import pyarrow as pa

        documents = self.sae.corpus.documents
        index, which, count = np.unique(documents.locate(self.rows)[0], return_inverse=True, return_counts=True)
        largest = [np.zeros(index.size), np.zeros(index.size)]
        for out, values in zip(largest, (self.values_a, self.values_b), strict=True):
            np.maximum.at(out, which, values.astype(np.float64))
        return pa.table(
            {
                "document": index.astype(np.int64),
                "id": documents.ids(index).cast(pa.string()),
                "n_rows": documents.lengths()[index],
                "count": count.astype(np.int64),
                "max_a": largest[0],
                "max_b": largest[1],
            }
        )


def _common(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return where the numbers stand that both ascending arrays hold, by looking the shorter up in the longer."""
    if a.size > b.size:
        at_b, at_a = _common(b, a)
        return at_a, at_b
    if not a.size:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    at = np.minimum(np.searchsorted(b, a), b.size - 1)
    own = np.flatnonzero(b[at] == a)
    return own, at[own]


def _binned(values: npt.NDArray[Any], bins: int, scale: Scale) -> tuple[tuple[float, ...], npt.NDArray[np.int64]]:
    """Return the edges of a histogram of values above 0, and the bin of each value."""
    from saeatlas.kernels.histogram import histograms
    from saeatlas.kernels.stats import sort_active

    active = sort_active(np.array([0, values.size]), values)
    edges = histograms(active, bins, scale)[0][0]
    return tuple(edges.tolist()), np.minimum(np.searchsorted(edges[1:], values.astype(np.float64), "right"), bins - 1)


def _number(found: npt.NDArray[np.float64]) -> float | None:
    number = float(found[0])
    return None if math.isnan(number) else number
