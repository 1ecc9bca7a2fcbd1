"""SplitMix64 against the numbers of its reference implementation."""

from __future__ import annotations

import numpy as np

from saeatlas.kernels.splitmix import GAMMA, mixed

FROM_SEED_0 = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]


def test_states_give_the_numbers_of_the_reference() -> None:
    assert [int(mixed(np.uint64(state * int(GAMMA) % 2**64))) for state in range(3)] == FROM_SEED_0


def test_arrays_are_mixed_number_by_number() -> None:
    assert mixed(np.arange(3, dtype=np.uint64) * GAMMA).tolist() == FROM_SEED_0
