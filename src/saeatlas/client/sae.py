"""One SAE behind a server."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from saeatlas.client.answers import plain
from saeatlas.client.connection import API, segment
from saeatlas.errors import Conflict, InvalidInput, NotFound
from saeatlas.format.identity import SaeIdentity

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from saeatlas.client.atlas import RemoteAtlas
    from saeatlas.client.connection import Query
    from saeatlas.client.corpus import RemoteCorpus
    from saeatlas.client.feature import RemoteFeature
    from saeatlas.client.labels import RemoteLabels
    from saeatlas.client.pair import RemotePair

__all__ = ["RemoteSAE"]


class RemoteSAE:
    """One dictionary of features at the commit of its atlas."""

    def __init__(self, atlas: RemoteAtlas, name: str) -> None:
        self.atlas = atlas
        self.name = name

    def __repr__(self) -> str:
        rows = f"{self.n_rows:,} rows" if self.has_activations else "no activations"
        return f"RemoteSAE({self.name!r}, {self.n_features:,} features, {rows})"

    @cached_property
    def detail(self) -> dict[str, Any]:
        """Everything about the SAE that is not about single features: columns, analyses and their states, maps."""
        return self._get()

    @cached_property
    def identity(self) -> SaeIdentity:
        """What is known about the SAE; facts that nobody stated are None."""
        return SaeIdentity.from_json(self.detail["identity"])

    @property
    def identity_digest(self) -> str:
        """SHA-256 of the facts; keep it to be sure of the SAE another day."""
        return str(self.detail["identity_digest"])

    @property
    def n_features(self) -> int:
        """Width of the SAE, or the largest id that its data name and one where the width is unknown."""
        return int(self.detail["n_features"])

    @property
    def has_activations(self) -> bool:
        """Whether rows were imported."""
        return bool(self.detail["has_activations"])

    @property
    def n_rows(self) -> int:
        """Rows of the corpus; `NotFound` without activations."""
        self._check_activations()
        return int(self.detail["n_rows"])

    @property
    def corpus(self) -> RemoteCorpus:
        """The corpus that the SAE ran on; `NotFound` without activations."""
        self._check_activations()
        return self.atlas.corpus(str(self.detail["corpus"]))

    @property
    def columns(self) -> list[str]:
        """Names of the columns of `features`, but `feature` itself."""
        return [str(one["name"]) for one in self.detail["columns"]]

    @cached_property
    def features(self) -> pl.LazyFrame:
        """One line per feature with the columns of every current analysis; only columns in use are downloaded."""
        from polars.io.plugins import register_io_source

        def read(
            columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
        ) -> Iterator[pl.DataFrame]:
            del batch_size
            # What is beyond the limit may fulfil the condition: then all lines are needed.
            limit = n_rows if predicate is None else None
            frame = self._frame(columns or ["feature", *self.columns], limit)
            frame = frame if predicate is None else frame.filter(predicate)
            yield frame if n_rows is None else frame.head(n_rows)

        schema = self._frame(["feature", *self.columns], 0).schema
        return register_io_source(read, schema=dict(schema))

    def find(
        self,
        where: Sequence[Mapping[str, object]] = (),
        *,
        columns: Sequence[str] = (),
        sort: str = "",
        descending: bool = False,
        limit: int | None = None,
    ) -> pa.Table:
        """Return features that fulfil conditions, chosen and sorted by the server.

        Parameters
        ----------
        where
            Conditions that must all hold: `{"column": "stats.max", "op": "gt", "value": 5}`, or `{"any": [...]}`.
        columns
            Columns beside `feature`; all but lists when empty.
        sort, descending
            Column to sort by, missing values last.
        limit
            Lines at most.
        """
        return plain(
            self.table(
                "features",
                {
                    "where": json.dumps(list(where)) if where else None,
                    "columns": tuple(columns) or None,
                    "sort": sort or None,
                    "descending": descending,
                    "limit": limit,
                },
            )
        )

    def feature(self, feature: int) -> RemoteFeature:
        """Return a handle to one feature; errors as on an atlas that is here."""
        from saeatlas.client.feature import RemoteFeature

        if isinstance(feature, bool) or not isinstance(feature, int | np.integer) or feature < 0:
            raise InvalidInput(f"A feature id is a whole number from 0, found: {feature!r}")
        if feature >= self.n_features:
            raise NotFound(f"No feature {feature}: the features are 0 to {self.n_features - 1}")
        return RemoteFeature(self, int(feature))

    @property
    def labels(self) -> RemoteLabels:
        """What people and models say about the features, until now: it is not part of a commit."""
        from saeatlas.client.labels import RemoteLabels

        return RemoteLabels(self)

    def label(self, features: int | Sequence[int], text: str | None = None, **said: object) -> dict[str, Any]:
        """Say something about features in one event, and return it.

        Parameters
        ----------
        features
            Id of one, or ids of several.
        text
            What they are, in a few words.
        said
            `by`, `category`, `tags`, `notes`, `confidence`, `source`, `supersedes`, or `action="retract"`.
        """
        path = f"{API}/saes/{segment(self.name)}/labels"
        ids = [int(one) for one in np.atleast_1d(features)]
        return self.atlas.connection.post(path, {"features": ids, "text": text, **said})

    def pair(self, a: int, b: int) -> RemotePair:
        """Put two features side by side: how often both fire, how alike they are, and where both do."""
        from saeatlas.client.pair import RemotePair

        return RemotePair(self, a, b)

    def histograms(self, columns: Sequence[str], *, bins: int = 40) -> list[dict[str, Any]]:
        """Count the values of columns of numbers in bins; what is missing is counted beside them."""
        found: list[dict[str, Any]] = self._get("histograms", columns=tuple(columns), bins=bins)["histograms"]
        return found

    def groups(self, metric: str, thresholds: Sequence[float], **more: object) -> list[dict[str, Any]]:
        """Sort the features into groups by thresholds: N of them make N + 1 groups, and one of missing values, last.

        Parameters
        ----------
        metric, thresholds
            A column of numbers, and ascending numbers; group i has low <= value < high.
        more
            `children` or `stages` for groups within groups, `where`, `with_features`, as the API has them.

        Raises
        ------
        Conflict
            When the atlas has a newer commit, which this question alone is always about.
        """
        path = f"{API}/saes/{segment(self.name)}/groups"
        found = self.atlas.connection.post(path, {"metric": metric, "thresholds": list(thresholds), **more})
        if found["commit"] != self.atlas.commit:
            raise Conflict(
                f"The groups are those of commit {found['commit']}, and this atlas is commit {self.atlas.commit}",
                hint="Ask atlas.newest().",
            )
        groups: list[dict[str, Any]] = found["groups"]
        return groups

    def projection(self, name: str) -> pa.Table:
        """Return the positions of a map: `feature`, `x`, `y` and, in three dimensions, `z`."""
        return plain(self.table("projections", {}, name))

    def clusters(self, name: str) -> pa.Table:
        """Return the cluster of each feature, null where it is in none."""
        return plain(self.table("clusters", {}, name))

    def graph(self, name: str) -> pa.Table:
        """Return edges: `source`, `target`, `weight`."""
        return plain(self.table("graphs", {}, name))

    def table(self, resource: str, query: Query, *more: str) -> pa.Table:
        """Return a table of a resource below the SAE as it came."""
        path = self.atlas.path("saes", self.name, resource, *more)
        return self.atlas.connection.table(path, query).table

    def _frame(self, columns: list[str], limit: int | None) -> pl.DataFrame:
        import polars as pl

        wanted = [name for name in columns if name != "feature"]
        # A table of the feature alone is asked for by a column that is thrown away.
        table = self.table("features", {"columns": tuple(wanted) or ("feature",), "limit": limit})
        found = pl.from_arrow(table)
        assert isinstance(found, pl.DataFrame)
        return found.select(columns)

    def _get(self, *parts: str, **query: object) -> dict[str, Any]:
        return self.atlas.connection.get(self.atlas.path("saes", self.name, *parts), query)

    def _check_activations(self) -> None:
        if not self.has_activations:
            raise NotFound(f"SAE '{self.name}' has no activations", hint="Import them with this name.")
