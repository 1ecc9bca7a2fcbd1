"""Draw a share of the rows at random: each row for itself, so that blocks and segments do not show; NumPy only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["drawn_rows"]


def drawn_rows(first: int, stop: int, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Return which of the rows `first` to `stop` are drawn, each with probability `share`, bool [stop - first].

    A row is drawn when 64 bits that are mixed from the seed and its number, read as a fraction, are below `share`.
    Larger shares draw the rows of smaller ones and others.
    """
    if share >= 1.0:
        return np.ones(stop - first, np.bool_)
    own = _mix(np.array([seed & 0xFFFFFFFFFFFFFFFF], np.uint64))
    bits = _mix(own ^ np.arange(first, stop, dtype=np.uint64))
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53 < share


def _mix(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Scramble 64 bits.

    The finaliser of SplitMix64: Steele, Lea and Flood (2014), Fast splittable pseudorandom number generators, OOPSLA.
    """
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
