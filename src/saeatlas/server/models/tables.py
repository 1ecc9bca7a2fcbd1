"""What stands around tables about an SAE or a feature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from saeatlas.atlas.feature import Feature
from saeatlas.atlas.sae import SAE
from saeatlas.server.respond import Basis, Meta

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["basis_of", "best_total", "feature_meta", "ngrams_basis", "sae_meta"]


def basis_of(sae: SAE, n_rows: int | None = None) -> Basis:
    """Return that every row was considered, or every one of the `n_rows` that were asked about."""
    return Basis(n_rows=sae.n_rows if n_rows is None else n_rows, exact=True)


def ngrams_basis(feature: Feature, params: Mapping[str, Any]) -> Basis:
    """Return which rows' contexts the analysis 'token-profile' counted sequences in, with the parameters it had."""
    most = int(params["top_activations"])
    n_active = int(feature.sae.activations.active_counts[feature.id])
    if not most or n_active <= most:
        return Basis(n_rows=n_active, exact=True)
    return Basis(n_rows=most, exact=False, sampled=f"the {most:,} strongest rows of the feature")


def best_total(found: pa.Table, n: int) -> int | None:
    """Return how many lines there are when the best `n` were asked for: None when there may be more."""
    return found.num_rows if found.num_rows < n else None


def feature_meta(
    feature: Feature, *, total: int | None, following: int | str | None = None, extra: dict[str, Any] | None = None
) -> Meta:
    """Return what stands around a table that was computed from all activations of a feature."""
    return sae_meta(feature.sae, total=total, following=following, basis=basis_of(feature.sae), extra=extra)


def sae_meta(
    sae: SAE,
    *,
    total: int | None,
    following: int | str | None = None,
    basis: Basis | None = None,
    extra: dict[str, Any] | None = None,
) -> Meta:
    """Return what stands around a table about an SAE."""
    return Meta(
        commit=sae.atlas.commit.number,
        sae=sae.name,
        basis=basis,
        total=total,
        next=None if following is None else str(following),
        extra=extra,
    )
