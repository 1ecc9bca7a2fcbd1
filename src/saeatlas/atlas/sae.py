"""One SAE: its identity, its activations over a corpus, its features and the tables derived from them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from saeatlas.atlas.activations import Activations
from saeatlas.atlas.currency import read_identity, read_segments
from saeatlas.atlas.feature import Feature
from saeatlas.errors import FormatError, InvalidInput, NotFound
from saeatlas.format.grouped_table import GroupedTable, KeptGroups
from saeatlas.format.identity import SaeIdentity
from saeatlas.format.segment_reader import SegmentReader

if TYPE_CHECKING:
    import numpy.typing as npt
    import polars as pl
    import pyarrow as pa

    from saeatlas.atlas.atlas import Atlas
    from saeatlas.atlas.corpus import Corpus
    from saeatlas.atlas.feature_map import FeatureMap
    from saeatlas.atlas.labels import Labels
    from saeatlas.atlas.lookup import FeatureLookup
    from saeatlas.atlas.pairs import Pair
    from saeatlas.atlas.search_labels import LabelIndex
    from saeatlas.atlas.selection import Selection, Unit
    from saeatlas.atlas.tables import State
    from saeatlas.atlas.weights import Weights
    from saeatlas.format.matrix import MatrixReader
    from saeatlas.format.search_index import SearchIndexReader

__all__ = ["SAE"]


class SAE:
    """One dictionary of features at one commit."""

    def __init__(self, atlas: Atlas, name: str) -> None:
        self.atlas = atlas
        self.name = name
        self.states: dict[str, State] = {}
        """Analyses whose currency was asked for, as found."""
        self.tables: dict[str, GroupedTable] = {}
        """Tables of analyses that were read by feature."""
        self.kept_groups = KeptGroups()
        """Parts of those tables, the last ones that were read."""
        self.columns: dict[str, pl.Series] = {}
        """Columns of the table of features, once read; see `saeatlas.atlas.feature_columns`."""
        self.column_types: dict[str, pl.DataType] | None = None
        """Types of all its columns, once asked for."""
        self.label_lines: tuple[int, pl.DataFrame] | None = None
        """What its columns of labels hold at a place in their log."""
        self.indexes: dict[str, SearchIndexReader] = {}
        """Search indexes of current analyses, once opened."""
        self.label_index: LabelIndex | None = None
        """Labels by their words, as they were when last asked for."""

    def __repr__(self) -> str:
        width = "features" if self.identity.width else "features seen (width unknown)"
        rows = f"{self.n_rows:,} rows" if self.has_activations else "no activations"
        return f"SAE({self.name!r}, {self.n_features:,} {width}, {rows})"

    @cached_property
    def identity(self) -> SaeIdentity:
        """What is known about the SAE; facts that nobody stated are None."""
        found = read_identity(self.atlas.store, self.atlas.entries, self.name)
        if found is None:
            raise FormatError(
                f"Commit {self.atlas.commit.number} holds data of SAE '{self.name}' without its identity",
                hint="Run 'saeatlas verify'.",
                kind="corrupt-artifact",
            )
        return found

    @property
    def has_activations(self) -> bool:
        """Whether rows were imported; an SAE may have weights, a map or explanations only."""
        return any(name.startswith(f"sae/{self.name}/segment/") for name in self.atlas.entries)

    @cached_property
    def activations(self) -> Activations:
        """Who fires where: all listed entries, by feature and by row.

        Raises
        ------
        NotFound
            When only the identity of the SAE is in the atlas.
        """
        store = self.atlas.store
        segments = read_segments(store, self.atlas.entries, self.name)
        if not segments:
            raise NotFound(f"SAE '{self.name}' has no activations", hint="Import them with this name.")
        if len({info.corpus for _, info in segments}) != 1:
            names = ", ".join(sorted({info.corpus for _, info in segments}))
            raise FormatError(f"SAE '{self.name}' has segments of several corpora: {names}", kind="corrupt-artifact")
        width = self.identity.width
        n_features = max([width or 0, *(info.n_features for _, info in segments)])
        readers = [SegmentReader(store, path, info) for path, info in segments]
        return Activations(readers, n_features, is_width_known=width is not None)

    @cached_property
    def corpus(self) -> Corpus:
        """The corpus that the SAE ran on."""
        return self.atlas.corpus(self.activations.segments[0].info.corpus)

    @property
    def n_rows(self) -> int:
        """Rows of the corpus."""
        return self.activations.n_rows

    @cached_property
    def n_features(self) -> int:
        """Width of the SAE, or the largest id that any of its data names and one where the width is unknown."""
        if self.identity.width is not None:
            return self.identity.width
        parts = [name for name in self.atlas.entries if name.startswith(f"sae/{self.name}/imported/")]
        seen = [int(str(self.atlas.manifest(name).attributes["n_features"])) for name in parts]
        return max([self.activations.n_features if self.has_activations else 0, *seen])

    @cached_property
    def weights(self) -> Weights | None:
        """Directions of the features and how the SAE encodes; None when no weights were imported."""
        from saeatlas.atlas.weights import weights_of

        return weights_of(self)

    @cached_property
    def map(self) -> FeatureMap | None:
        """Positions and edges of features as imported; None when no map was."""
        from saeatlas.atlas.feature_map import map_of

        return map_of(self)

    @cached_property
    def lookup(self) -> FeatureLookup:
        """Columns, clusters and explanations of single features, from tables that are read once."""
        from saeatlas.atlas.lookup import FeatureLookup

        return FeatureLookup(self)

    @property
    def explanations(self) -> pl.LazyFrame:
        """What was said about the features: `set`, `feature`, `explainer`, `method`, `text`; all sets together."""
        from saeatlas.atlas.explanations import explanations_of

        return explanations_of(self)

    @cached_property
    def labels(self) -> Labels:
        """What people and models say about the features; not of this commit, but all that was said until now."""
        from saeatlas.atlas.labels import Labels

        return Labels(self)

    @property
    def n_listed(self) -> int:
        """Entries in the source, zeros and negatives included."""
        return self.activations.n_listed

    def feature(self, feature: int) -> Feature:
        """Return a handle to one feature.

        Raises
        ------
        InvalidInput
            When the id is not a whole number from 0.
        NotFound
            When it is beyond the last feature.
        """
        if self.has_activations:
            return Feature(self, self.activations.check_feature(feature))
        if isinstance(feature, bool) or not isinstance(feature, int | np.integer) or feature < 0:
            raise InvalidInput(f"A feature id is a whole number from 0, found: {feature!r}")
        if feature >= self.n_features:
            raise NotFound(f"No feature {feature}: the features are 0 to {self.n_features - 1}")
        return Feature(self, int(feature))

    def pair(self, a: int, b: int) -> Pair:
        """Put two different features side by side: how often both fire, how alike they are, and where both do."""
        from saeatlas.atlas.pairs import Pair

        return Pair(self, a, b)

    def table(self, analysis: str, name: str = "data") -> pa.Table | None:
        """Return a table of an analysis, or None when there is no current one.

        `why_no_table` says why it is None.
        """
        from saeatlas.atlas.tables import table_of

        return table_of(self, analysis, name)

    def matrix(self, analysis: str, name: str) -> MatrixReader | None:
        """Return a matrix that an analysis stores beside its lines, or None when there is no current one."""
        from saeatlas.atlas.tables import matrix_of

        return matrix_of(self, analysis, name)

    def why_no_table(self, analysis: str) -> str:
        """Return a sentence on what keeps an analysis from being served, or '' when it is current."""
        from saeatlas.atlas.tables import state_of

        return state_of(self, analysis).reason

    @property
    def features(self) -> pl.LazyFrame:
        """One line per feature: `feature`, and `<analysis>.<column>` of every current analysis of features.

        Where the analysis 'top-tokens' is current, also `top-tokens.strings`: up to 5 tokens by share * log(lift).
        Where there are explanations, also `explanations.n` and `explanations.text`, the first in the order of the sets.
        """
        from saeatlas.atlas.feature_table import feature_frame

        return feature_frame(self)

    def select(self, expression: str, unit: Unit = "row") -> Selection:
        """Find the rows or documents where a combination of features holds.

        Parameters
        ----------
        expression
            Such as `12 & !40 | (7 > 0.5)`; see `saeatlas.atlas.expression`.
        unit
            'row', or 'document': there a feature counts where any row of the document has it.
        """
        from saeatlas.atlas.selection import select

        return select(self, expression, unit)

    def features_at(self, row: int) -> pa.Table:
        """Return what a row lists: `feature`, `value`; largest value first, of equal ones the lower id."""
        import pyarrow as pa

        _, features, values = self.activations.at(np.array([self.activations.check_row(row)]))
        order = np.lexsort((features, -values))
        return pa.table({"feature": features[order].astype(np.int64), "value": values[order]})

    def features_in(self, document: str | int, start: int | None = None, stop: int | None = None) -> pa.Table:
        """Return the features that are active in a document, or in a span of its positions.

        Returns
        -------
        pa.Table
            `feature`, `count` (active rows), `sum`, `max` (both over the active rows), `mean` (the same), `share`
            (of the rows asked for); largest `max` first, of equal ones the lower id.
        """
        return self._aggregate(self.corpus.rows_of(document, start, stop))

    def _aggregate(self, rows: npt.NDArray[np.int64]) -> pa.Table:
        import pyarrow as pa

        _, features, values = self.activations.at(rows)
        active = values > 0
        ids, which = np.unique(features[active], return_inverse=True)
        kept = values[active].astype(np.float64)
        counts = np.bincount(which, minlength=ids.size)
        sums = np.bincount(which, weights=kept, minlength=ids.size)
        largest = np.zeros(ids.size)
        np.maximum.at(largest, which, kept)
        order = np.lexsort((ids, -largest))
        return pa.table(
            {
                "feature": ids[order].astype(np.int64),
                "count": counts[order].astype(np.int64),
                "sum": sums[order],
                "max": largest[order],
                "mean": sums[order] / counts[order],
                "share": counts[order] / max(rows.size, 1),
            }
        )
