"""One feature: everything that can be asked about it, answered from the whole corpus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from saeatlas.errors import InvalidInput

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from saeatlas.atlas.breakdown import Breakdown
    from saeatlas.atlas.contexts import Example
    from saeatlas.atlas.examples import Pick
    from saeatlas.atlas.sae import SAE
    from saeatlas.atlas.statistics import FeatureStats, Histogram, Scale
    from saeatlas.kernels.pair_measures import Measure

__all__ = ["Feature"]


class Feature:
    """A handle to one feature of an SAE. It reads; nothing is cached but what its SAE caches."""

    def __init__(self, sae: SAE, id: int) -> None:  # noqa: A002  # the field's own word
        self.sae = sae
        self.id = id

    def __repr__(self) -> str:
        if not self.sae.has_activations:
            return f"Feature({self.sae.name}/{self.id}, no activations)"
        return f"Feature({self.sae.name}/{self.id}, listed at {self.sae.activations.count(self.id):,} rows)"

    def arrays(self, *, listed: bool = False) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Return ascending rows and aligned values as NumPy arrays, the fastest way to have them.

        Parameters
        ----------
        listed
            Also entries whose value is 0 or less.
        """
        rows, values = self.sae.activations.feature(self.id)
        if listed:
            return rows, values
        active = values > 0
        return (rows, values) if active.all() else (rows[active], values[active])

    def activations(
        self,
        *,
        listed: bool = False,
        start: int | None = None,
        stop: int | None = None,
        with_documents: bool = True,
    ) -> pa.Table:
        """Return where the feature is active, whole corpus.

        Parameters
        ----------
        listed
            Also entries whose value is 0 or less.
        start, stop
            Rows from `start` up to but without `stop` only.
        with_documents
            Also the document and the position in it.

        Returns
        -------
        pa.Table
            `row` int64 ascending; `document` string (its id) and `position` int64; `value` float32, or float64
            where the source has values that float32 does not hold.
        """
        import pyarrow as pa

        low, high = 0 if start is None else start, self.sae.n_rows if stop is None else stop
        if not 0 <= low <= high <= self.sae.n_rows:
            raise InvalidInput(f"Rows {low} to {high} do not lie within the {self.sae.n_rows:,} rows")
        rows, values = self.arrays(listed=listed)
        if low > 0 or high < self.sae.n_rows:
            part = slice(*np.searchsorted(rows, [low, high]).tolist())
            rows, values = rows[part], values[part]
        columns: dict[str, Any] = {"row": pa.array(rows.astype(np.int64))}
        if with_documents:
            documents, positions = self.sae.corpus.documents.locate(rows)
            columns["document"] = self.sae.corpus.documents.ids(documents).cast(pa.string())
            columns["position"] = pa.array(positions.astype(np.int64))
        columns["value"] = pa.array(values)
        return pa.table(columns)

    def value(self, row: int) -> float | None:
        """Return the listed value at a row, or None when the row does not list the feature."""
        return self.sae.activations.value(row, self.id)

    def top(self, n: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Return the `n` strongest active rows and their values; of equal values the lower row first."""
        return self.sae.activations.top(self.id, n)

    def stats(self) -> FeatureStats:
        """Return how often and how strongly it fires."""
        from saeatlas.atlas.statistics import stats_of

        return stats_of(self.sae, self.id)

    def histogram(self, bins: int = 40, scale: Scale = "linear") -> Histogram:
        """Count active values in bins between recorded edges, and the inactive rows beside them.

        Parameters
        ----------
        bins
            How many, 1 to 10,000.
        scale
            'linear': equal widths from 0; 'log': equal ratios from the smallest active value.
        """
        from saeatlas.atlas.statistics import histogram_of

        return histogram_of(self.sae, self.id, bins, scale)

    def examples(  # noqa: PLR0913  # each is a question of its own, asked by name
        self,
        *,
        pick: Pick = "top",
        n: int = 10,
        before: int = 20,
        after: int = 10,
        seed: int = 0,
        strata: int = 4,
        low: float | None = None,
        high: float | None = None,
    ) -> list[Example]:
        """Show rows where the feature is active, in their contexts.

        Parameters
        ----------
        pick
            'top': the strongest; 'quantiles': drawn from equal parts of the active rows by strength, the strongest
            part first; 'random': drawn uniformly from all active rows.
        n
            How many; with 'quantiles', how many from each part. Fewer come only when there are no more.
        before, after
            Tokens to show on each side at most; a context never leaves its document.
        seed
            Of 'quantiles' and 'random'.
        strata
            How many parts 'quantiles' makes.
        low, high
            Only rows with low <= value < high; strata are then parts of these. None leaves that end open.
        """
        from saeatlas.atlas.contexts import examples_at
        from saeatlas.atlas.examples import Question, pick_rows

        focus = pick_rows(self.sae, self.id, Question(pick, n, seed, strata, low, high))
        return examples_at(self.sae, self.id, focus, before, after)

    def top_tokens(self, n: int = 20) -> pa.Table:
        """Return the tokens that it fires on most often, of equally frequent ones the lower in the vocabulary first.

        Returns
        -------
        pa.Table
            `rank`, `token` (index in the vocabulary), `string`, `count` (active rows), `mean` (of their values),
            `share` (of the active rows whose token is known), `corpus_share` (of all such rows) and `lift`, their
            ratio.
        """
        from saeatlas.atlas.aggregates import top_tokens_of

        return top_tokens_of(self.sae, self.id, n)

    def coactive(self, n: int = 20, *, by: Measure = "pearson", min_count: int = 5) -> pa.Table:
        """Return the features that fire together with it, best first; one that never does is not among them.

        Parameters
        ----------
        n
            How many at most.
        by
            What orders them: 'pearson', 'lift', 'jaccard' or 'count'; of equal ones the lower id comes first.
        min_count
            Features that fire together with it in fewer rows come after all others.

        Returns
        -------
        pa.Table
            `rank`, `feature`, `count` (rows where both are active), `p_other_given_this`, `p_this_given_other`,
            `lift`, `pmi` (bits), `jaccard`, `pearson` (over all rows, silent ones as 0).
        """
        from saeatlas.atlas.coactivation import coactive_of

        return coactive_of(self.sae, self.id, n, by, min_count)

    def documents(self) -> pa.Table:
        """Return the documents in which it is active, in the order of the corpus.

        Returns
        -------
        pa.Table
            `document` (index), `id`, `n_rows`, `count` (active rows), `sum`, `mean` (of the active rows),
            `mean_all_rows` (sum / n_rows), `max`.
        """
        from saeatlas.atlas.aggregates import documents_of

        return documents_of(self.sae, self.id)

    def breakdown(self, by: str) -> Breakdown:
        """Compare how it fires across the levels of a metadata column.

        Parameters
        ----------
        by
            Name of the column. Numbers with more than 10 distinct values are cut into quantile bins.

        Raises
        ------
        NotFound
            When the documents have no such column.
        InvalidInput
            When it has one value, more than 50 categories, or is neither text, truth value nor number.
        """
        from saeatlas.atlas.breakdown import breakdown_of

        return breakdown_of(self.sae, self.id, by)

    def similar(self, n: int = 10, by: Literal["decoder", "encoder"] = "decoder") -> pa.Table:
        """Return the features whose directions are nearest to its own, best first; itself is left out.

        Parameters
        ----------
        n
            How many; fewer come where fewer features have a direction, none where its own is zero.
        by
            Which directions to compare.

        Returns
        -------
        pa.Table
            `feature` int64, `cosine` float64; of equal cosines the lower feature first.

        Raises
        ------
        NotFound
            When the SAE has no weights, or they have no encoder.
        """
        from saeatlas.atlas.neighbors import similar_to

        return similar_to(self.sae, self.id, n, by)
