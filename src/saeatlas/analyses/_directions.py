"""Directions of an SAE's features, for the analyses that compare them, and what comparing all of them holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from saeatlas.errors import NotFound

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE
    from saeatlas.atlas.weights import Weights

__all__ = ["directions_of", "search_bytes"]


def directions_of(sae: SAE, by: str) -> Weights:
    """Return the weights of an SAE, once it is sure that they have the decoder or encoder asked for.

    Raises
    ------
    NotFound
        When the SAE has no weights, or they have no such matrix.
    """
    weights = sae.weights
    if weights is None:
        raise NotFound(f"SAE '{sae.name}' has no weights", hint="Import them first: see 'saeatlas import --help'.")
    # Reading no rows says whether there are any to read.
    weights.directions(by, 0, 0)
    return weights


def search_bytes(sae: SAE, by: str, k: int) -> int:
    """Return the bytes that `kernels.neighbors.nearest` holds for `k` neighbours of each feature, at most."""
    from saeatlas.kernels.neighbors import DEFAULT

    weights = sae.weights
    if weights is None:
        return 0
    d = (weights.d_in if by == "encoder" else weights.d_out) or 1
    # Eight bytes a number are those of the widest type, four those of the same in float32.
    row_bytes = 12 * d
    panel = min(DEFAULT.panel_rows(row_bytes), weights.n_features) * row_bytes
    blocks = 6 * min(DEFAULT.block_rows, weights.n_features) * row_bytes + 4 * DEFAULT.block_rows**2
    return panel + blocks + 40 * weights.n_features * (k + DEFAULT.spare)
