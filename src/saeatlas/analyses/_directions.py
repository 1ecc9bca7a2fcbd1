"""Directions of an SAE's features, for the analyses that compare them, and what comparing all of them holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from saeatlas.errors import NotFound

if TYPE_CHECKING:
    import numpy.typing as npt

    from saeatlas.atlas.sae import SAE
    from saeatlas.atlas.weights import Weights
    from saeatlas.kernels.directions import Read

__all__ = ["directions_of", "search_bytes", "with_direction"]


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


def with_direction(read: Read, n_rows: int) -> npt.NDArray[np.int64]:
    """Return the ids of the rows that are not all zeros."""
    from saeatlas.kernels.directions import blocks_of

    row_bytes = read(0, 0).nbytes if not n_rows else read(0, 1).nbytes
    found = [first + np.flatnonzero(block.any(axis=1)) for first, block in blocks_of(read, n_rows, row_bytes)]
    return np.concatenate([np.empty(0, np.int64), *found])


def search_bytes(sae: SAE, by: str, k: int) -> int:
    """Return the bytes that `kernels.neighbors.nearest` holds for `k` neighbours of each feature, at most."""
    from saeatlas.kernels.cosine_blocks import DEFAULT

    weights = sae.weights
    if weights is None:
        return 0
    sample = weights.directions(by, 0, 0)
    # What is wider than float32 is held in float32 too.
    row_bytes = max(1, int(sample.shape[1])) * (4 if sample.dtype.itemsize == 4 else 12)
    panel = min(DEFAULT.panel_rows(row_bytes), weights.n_features) * row_bytes
    blocks = 6 * min(DEFAULT.block_rows, weights.n_features) * row_bytes + 4 * DEFAULT.block_rows**2
    return panel + blocks + 40 * weights.n_features * (k + DEFAULT.spare)
