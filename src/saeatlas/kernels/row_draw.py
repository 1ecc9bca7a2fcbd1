"""Draw a share of the rows at random: each row for itself, so that blocks and segments do not show."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from saeatlas.kernels.splitmix import mixed

__all__ = ["drawn_rows"]


def drawn_rows(first: int, stop: int, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Return which of the rows `first` to `stop` are drawn, each with probability `share`, bool [stop - first].

    A row is drawn when 64 bits that are mixed from the seed and its number, read as a fraction, are below `share`.
    Larger shares draw the rows of smaller ones and others.
    """
    if share >= 1.0:
        return np.ones(stop - first, np.bool_)
    own = mixed(np.array([seed & 0xFFFFFFFFFFFFFFFF], np.uint64))
    bits: npt.NDArray[np.uint64] = mixed(own ^ np.arange(first, stop, dtype=np.uint64))
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53 < share
