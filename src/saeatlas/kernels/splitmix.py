"""The bits of SplitMix64, from which fingerprints and draws are made: the same on every machine.

Steele, Lea and Flood (2014), Fast splittable pseudorandom number generators, OOPSLA.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["GAMMA", "mixed", "scrambled"]

GAMMA = np.uint64(0x9E3779B97F4A7C15)
"""What the state of the generator grows by."""
_FACTOR_1 = np.uint64(0xBF58476D1CE4E5B9)
_FACTOR_2 = np.uint64(0x94D049BB133111EB)
_U27, _U30, _U31 = np.uint64(27), np.uint64(30), np.uint64(31)


@njit(cache=True, nogil=True, inline="always")
def scrambled(z):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - inlined, typed by its callers
    """Scramble 64 bits by the finaliser: one uint64, or each of an array."""
    z = (z ^ (z >> _U30)) * _FACTOR_1
    z = (z ^ (z >> _U27)) * _FACTOR_2
    return z ^ (z >> _U31)


@njit(cache=True, nogil=True, inline="always")
def mixed(x):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - inlined, typed by its callers
    """Return what the generator gives in state x: one uint64, or each of an array."""
    return scrambled(x + GAMMA)
