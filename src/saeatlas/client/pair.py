"""Two features of an SAE behind a server, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from saeatlas.atlas.pairs import Direction, Joint, PairCosine
from saeatlas.errors import InvalidInput

if TYPE_CHECKING:
    from saeatlas.atlas.statistics import Scale
    from saeatlas.client.sae import RemoteSAE

__all__ = ["RemotePair"]


class RemotePair:
    """Two different features of an SAE; the numbers of `saeatlas.atlas.pairs.Pair`, over the whole corpus."""

    def __init__(self, sae: RemoteSAE, a: int, b: int) -> None:
        self.sae = sae
        self.a = sae.feature(a)
        """The first feature."""
        self.b = sae.feature(b)
        """The second feature."""
        self.detail = self._get()
        """All that the server says at once, with examples, shared tokens and documents."""
        self.n_rows = int(self.detail["n_rows"])
        """Rows of the corpus."""
        self.n_a = int(self.detail["n_a"])
        """Rows where the first fires."""
        self.n_b = int(self.detail["n_b"])
        """Rows where the second fires."""
        self.n_both = int(self.detail["n_both"])
        """Rows where both fire."""
        self.lift: float | None = self.detail["lift"]
        """Rows where both fire over those expected of independent features; None when one never fires."""
        self.pmi: float | None = self.detail["pmi"]
        """log2(lift), in bits; None when they never fire together."""
        self.jaccard: float | None = self.detail["jaccard"]
        """Rows where both fire over rows where any does; None when neither ever fires."""
        self.pearson: float | None = self.detail["pearson"]
        """Correlation over all rows, silent ones as 0; None when one is constant."""
        self.p_b_given_a: float | None = self.detail["p_b_given_a"]
        """Share of the rows of the first where the second fires."""
        self.p_a_given_b: float | None = self.detail["p_a_given_b"]
        """Share of the rows of the second where the first fires."""

    def __repr__(self) -> str:
        return f"RemotePair({self.sae.name}/{self.a.id}, {self.sae.name}/{self.b.id}, both at {self.n_both:,} rows)"

    def cosine(self, by: Direction = "decoder") -> PairCosine:
        """Compare their directions."""
        if by not in get_args(Direction):
            raise InvalidInput(f"Features have directions in the decoder and the encoder, asked for: '{by}'")
        return PairCosine(self.detail[f"{by}_cosine"], self.detail[f"{by}_reason"])

    def joint(self, bins: int = 20, scale: Scale = "linear") -> Joint:
        """Count the values of both where both fire; the server takes 100 bins at most."""
        found = self._get(bins=bins, scale=scale, n=0)["joint"]
        return Joint(
            scale=found["scale"],
            edges_a=tuple(found["edges_a"]),
            edges_b=tuple(found["edges_b"]),
            counts=tuple(tuple(line) for line in found["counts"]),
        )

    def _get(self, **query: object) -> dict[str, Any]:
        atlas = self.sae.atlas
        path = atlas.path("saes", self.sae.name, "pairs", str(self.a.id), str(self.b.id))
        return atlas.connection.get(path, query)
