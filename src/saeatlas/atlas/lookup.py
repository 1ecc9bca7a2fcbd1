"""What every page about a feature looks up beside its activations: its columns, clusters and explanations."""

from __future__ import annotations

import math
from functools import cached_property
from typing import TYPE_CHECKING, Any

from saeatlas.atlas.characteristic_tokens import has_token_strings, token_lists
from saeatlas.atlas.clusterings import Cluster, clusterings_of, clusters_of
from saeatlas.atlas.explanations import explanation_sets, first_texts
from saeatlas.atlas.feature_columns import feature_analyses
from saeatlas.atlas.tables import grouped_table, lines_of
from saeatlas.format.grouped_table import GroupedTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from saeatlas.atlas.sae import SAE

__all__ = ["FeatureLookup"]


class FeatureLookup:
    """Answers about single features from what one commit holds; what all answers need is read once and kept.

    Memory: the first explanation and up to 5 tokens of each feature, and the row groups that `SAE.kept_groups` keeps.
    """

    def __init__(self, sae: SAE) -> None:
        self._sae = sae
        self._label_texts: tuple[int, dict[int, str]] = (0, {})

    @cached_property
    def texts(self) -> dict[int, str]:
        """The first explanation of each feature that has one, stripped."""
        return {feature: text.strip() for feature, text in first_texts(self._sae.explanations).items()}

    def label_texts(self) -> tuple[int, dict[int, str]]:
        """Return the place in the log of labels, and the newest text that each feature has there or a moment later."""
        labels = self._sae.labels
        position = labels.position
        if position != self._label_texts[0]:
            found: dict[int, str] = {}
            now = labels.current
            for feature, text in zip(now["feature"].to_pylist(), now["text"].to_pylist(), strict=True):
                if text:
                    found.setdefault(feature, text)
            self._label_texts = position, found
        return self._label_texts

    def tokens(self, features: Sequence[int], most: int) -> list[list[str]]:
        """Return the tokens that tell most about each of some features; empty lists where they were not counted."""
        if not features or self._token_lists is None:
            return [[] for _ in features]
        return [[] if one is None else one[:most] for one in self._token_lists.gather(list(features)).to_list()]

    def explanations(self, feature: int) -> list[dict[str, Any]]:
        """Return what was said about a feature: `set`, `explainer`, `method` (None where unknown), `text`."""
        columns = ("explainer", "method", "text")
        return [
            {"set": name, **line}
            for name, table in self._sets.items()
            for line in table.lines(feature, columns).to_pylist()
        ]

    def columns(self, feature: int) -> dict[str, Any]:
        """Return the numbers, words and truth values of a feature in every current analysis with one line per feature.

        Named `<analysis>.<column>`; None where a value is missing. Lists are left out.
        """
        found: dict[str, Any] = {}
        for analysis, columns in self._scalars.items():
            # Whole tables where they hold no lists, so that what is kept of them serves other questions too.
            is_whole = len(columns) + 1 == len(grouped_table(self._sae, analysis).schema)
            lines = lines_of(self._sae, analysis, feature, columns=None if is_whole else columns).to_pylist()
            values = lines[0] if lines else dict.fromkeys(columns)
            found |= {f"{analysis}.{column}": _present(values[column]) for column in columns}
        return found

    def clusters(self, feature: int) -> list[tuple[str, Cluster]]:
        """Return the clustering and the cluster of a feature, for each clustering in which it is in a cluster."""
        names = list(self._clusters)
        if not names:
            return []
        line = lines_of(self._sae, "clusters", feature, columns=names).to_pylist()[0]
        return [(name, self._clusters[name][line[name]]) for name in names if line[name] is not None]

    @cached_property
    def _token_lists(self) -> pl.Series | None:
        """Return the tokens of every feature, 10 to 20 bytes for each token; None when the analysis is not current."""
        import polars as pl

        if not has_token_strings(self._sae):
            return None
        every = pl.LazyFrame({"feature": range(self._sae.n_features)}, schema={"feature": pl.Int64})
        return every.join(token_lists(self._sae), on="feature", how="left", maintain_order="left").collect()["tokens"]

    @cached_property
    def tested_columns(self) -> dict[str, dict[str, Any]]:
        """Metadata columns as the analysis 'metadata-association' saw them, by name; empty when it is not current."""
        table = self._sae.table("metadata-association", "columns")
        return {} if table is None else {line["column"]: line for line in table.to_pylist()}

    @cached_property
    def _clusters(self) -> dict[str, dict[int | str, Cluster]]:
        """Return the clusters of each clustering by what `data` calls them: their number, or their path."""
        every = clusters_of(self._sae)
        return {
            name: {(one.cluster if one.path is None else one.path): one for one in every[name]}
            for name in clusterings_of(self._sae)
        }

    @cached_property
    def _scalars(self) -> dict[str, list[str]]:
        import pyarrow as pa

        found = {}
        for analysis in feature_analyses(self._sae):
            schema = grouped_table(self._sae, analysis).schema
            found[analysis] = [
                field.name for field in schema if field.name != "feature" and not pa.types.is_nested(field.type)
            ]
        return found

    @cached_property
    def _sets(self) -> dict[str, GroupedTable]:
        entries, store = self._sae.atlas.entries, self._sae.atlas.store
        return {
            name: GroupedTable(
                store,
                entries[f"sae/{self._sae.name}/imported/explanations/{name}"].path,
                "data",
                self._sae.kept_groups,
            )
            for name in explanation_sets(self._sae)
        }


def _present(value: Any) -> Any:  # noqa: ANN401  # whatever a table holds
    return None if isinstance(value, float) and math.isnan(value) else value
