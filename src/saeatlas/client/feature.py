"""One feature behind a server."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from saeatlas.client.answers import breakdown_of, example_of, histogram_of, plain, stats_of
from saeatlas.client.connection import API, segment
from saeatlas.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from saeatlas.atlas.breakdown import Breakdown
    from saeatlas.atlas.contexts import Example
    from saeatlas.atlas.examples import Pick
    from saeatlas.atlas.statistics import FeatureStats, Histogram, Scale
    from saeatlas.client.sae import RemoteSAE
    from saeatlas.kernels.pair_measures import Measure

__all__ = ["RemoteFeature"]


class RemoteFeature:
    """A handle to one feature. What it answers is what `saeatlas.Feature` answers, of the same commit."""

    def __init__(self, sae: RemoteSAE, id: int) -> None:  # noqa: A002  # the field's own word
        self.sae = sae
        self.id = id

    def __repr__(self) -> str:
        return f"RemoteFeature({self.sae.name}/{self.id})"

    @cached_property
    def page(self) -> dict[str, Any]:
        """What the page of the feature shows, in one answer; parts that are None have their reason in `missing`."""
        return self._get()

    def arrays(self, *, listed: bool = False) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Return ascending rows and aligned values as NumPy arrays."""
        table = self.activations(listed=listed, with_documents=False)
        return table["row"].to_numpy(), table["value"].to_numpy()

    def activations(
        self,
        *,
        listed: bool = False,
        start: int | None = None,
        stop: int | None = None,
        with_documents: bool = True,
    ) -> pa.Table:
        """Return where the feature is active, whole corpus: `row`, `document`, `position`, `value`."""
        import pyarrow as pa

        table = plain(self._table("activations", listed=listed, start=start, stop=stop))
        for index, name in enumerate(table.column_names):
            if name in {"row", "position"}:
                # Four bytes travel where they are enough.
                table = table.set_column(index, name, table[name].cast(pa.int64()))
        return table if with_documents else table.select(["row", "value"])

    def stats(self) -> FeatureStats:
        """Return how often and how strongly it fires.

        Raises
        ------
        NotFound
            When the server does not have the numbers at hand: the message says what to run there.
        """
        found = self.page["stats"]
        if found is None:
            reason = next((one["reason"] for one in self.page["missing"] if one["part"] == "stats"), "")
            raise NotFound(
                f"The server has no numbers of feature {self.id} of '{self.sae.name}': {reason}",
                hint="Run there: saeatlas analyze stats",
            )
        return stats_of(self.sae.name, self.id, found)

    def histogram(self, bins: int = 40, scale: Scale = "linear") -> Histogram:
        """Count active values in bins between recorded edges, and the inactive rows beside them."""
        return histogram_of(self.sae.name, self.id, self._get("histogram", bins=bins, scale=scale))

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
        """Show rows where the feature is active, in their contexts; see `saeatlas.Feature.examples`."""
        span = {"before": before, "after": after, "texts": True}
        found = self._get("examples", pick=pick, n=n, seed=seed, strata=strata, low=low, high=high, **span)
        return [example_of(self.id, one) for one in found["examples"]]

    def top_tokens(self, n: int = 20) -> pa.Table:
        """Return the tokens that it fires on most often; see `saeatlas.Feature.top_tokens`."""
        return plain(self._table("tokens", n=n))

    def ngrams(self, n: int = 15) -> pa.Table:
        """Return the sequences of tokens and characters around its strongest activations, `n` of each kind and size."""
        return plain(self._table("ngrams", n=n))

    def coactive(self, n: int = 20, *, by: Measure = "pearson", min_count: int = 5) -> pa.Table:
        """Return the features that fire together with it, best first; see `saeatlas.Feature.coactive`."""
        return plain(self._table("coactive", n=n, by=by, min_count=min_count))

    def documents(self) -> pa.Table:
        """Return the documents in which it is active; see `saeatlas.Feature.documents`."""
        return plain(self._table("documents"))

    def breakdown(self, by: str) -> Breakdown:
        """Compare how it fires across the levels of a metadata column; see `saeatlas.Feature.breakdown`."""
        found = self._get("breakdown", by=by)
        if not found["breakdowns"]:
            raise InvalidInput(
                f"Feature {self.id} cannot be broken down by '{by}': "
                + "; ".join(str(one["reason"]) for one in found["missing"])
            )
        return breakdown_of(self.sae.name, self.id, found["breakdowns"][0])

    def similar(self, n: int = 10, by: Literal["decoder", "encoder"] = "decoder") -> pa.Table:
        """Return the features whose directions are nearest to its own: `feature`, `cosine`."""
        return plain(self._table("neighbors", n=n, by=by)).select(["feature", "cosine"])

    def effects(self, n: int = 15) -> dict[str, Any]:
        """Return the tokens whose logits it raises and lowers most: `promoted`, `suppressed`."""
        return self._get("effects", n=n)

    @property
    def labels(self) -> dict[str, Any]:
        """Return what was said about it until now: `current` and `history`, newest first."""
        return self.sae.atlas.connection.get(self._newest("labels"))

    def _get(self, *parts: str, **query: object) -> dict[str, Any]:
        return self.sae.atlas.connection.get(self._path(*parts), query)

    def _table(self, resource: str, **query: object) -> pa.Table:
        return self.sae.atlas.connection.table(self._path(resource), query).table

    def _path(self, *parts: str) -> str:
        return self.sae.atlas.path("saes", self.sae.name, "features", str(self.id), *parts)

    def _newest(self, resource: str) -> str:
        """Labels are not of a commit."""
        return f"{API}/saes/{segment(self.sae.name)}/features/{self.id}/{resource}"
