"""What stands around tables about an SAE or a feature."""

from __future__ import annotations

from typing import Any

from saeatlas.atlas.feature import Feature
from saeatlas.atlas.sae import SAE
from saeatlas.server.respond import Basis, Meta

__all__ = ["basis_of", "feature_meta", "sae_meta"]


def basis_of(sae: SAE) -> Basis:
    """Return that every row was considered."""
    return Basis(n_rows=sae.n_rows, exact=True)


def feature_meta(
    feature: Feature, *, total: int, following: int | str | None = None, extra: dict[str, Any] | None = None
) -> Meta:
    """Return what stands around a table that was computed from all activations of a feature."""
    return sae_meta(feature.sae, total=total, following=following, basis=basis_of(feature.sae), extra=extra)


def sae_meta(
    sae: SAE,
    *,
    total: int,
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
