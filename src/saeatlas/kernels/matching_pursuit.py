"""Codes by matching pursuit: the best feature is taken from the residual, again and again.

The rule is that of SAELens 6 (`MatchingPursuitSAE`), after Costa et al. (2025), arXiv:2506.03093.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["pursue"]

Array = npt.NDArray[Any]


def pursue(x: Array, decoder: Array, config: Mapping[str, Any]) -> Array:
    """Return codes [rows, features] of hidden states [rows, d], centred and scaled already.

    In each round a row takes the feature whose direction has the largest product with its residual (of equal ones
    the lowest id), adds that product to the feature's code and subtracts its share from the residual. A row is done
    when its residual is shorter than `residual_threshold` (not asked when that is 0), or, with
    `stop_on_duplicate_support`, when the round brought no new feature; all are after `max_iterations` rounds, d when
    that is None.

    Notes
    -----
    Directions are used as they are: they are of unit length when trained, and nothing here makes them so. Memory: two
    arrays of the codes' shape.
    """
    threshold = float(config.get("residual_threshold", 1e-2))
    rounds = config.get("max_iterations")
    stops_on_support = bool(config.get("stop_on_duplicate_support", True))
    codes = np.zeros((x.shape[0], decoder.shape[0]), x.dtype)
    residual = x.copy()
    rows = np.arange(x.shape[0])
    for _ in range(x.shape[1] if rounds is None else int(rounds)):
        left = residual[rows]
        # The first of the largest; where all products are negative, feature 0 with a code of 0, as after a ReLU.
        best = np.maximum(left @ decoder.T, 0).argmax(axis=1)
        taken = np.maximum(np.einsum("ij,ij->i", left, decoder[best]), 0)
        before = codes[rows, best]
        codes[rows, best] = before + taken
        left = left - taken[:, None] * decoder[best]
        residual[rows] = left
        done = np.zeros(rows.size, np.bool_)
        if stops_on_support:
            done |= (before != 0) == (codes[rows, best] != 0)
        if threshold > 0:
            done |= np.sqrt(np.einsum("ij,ij->i", left, left)) < threshold
        rows = rows[~done]
        if not rows.size:
            break
    return codes
