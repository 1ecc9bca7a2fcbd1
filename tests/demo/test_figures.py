from __future__ import annotations

import numpy as np
import pytest

from saeatlas.demo.figures import measure, unexplained
from saeatlas.demo.topk import Codes, TopKSae

STATES = np.random.default_rng(0).standard_normal((50, 4), dtype=np.float32)
# Features 0 to 3 are the axes; features 4 and 5 are never used.
SAE = TopKSae(
    np.eye(6, 4, dtype=np.float32), np.zeros(6, np.float32), np.eye(6, 4, dtype=np.float32), np.zeros(4, np.float32), 4
)
PERFECT = Codes(np.tile(np.arange(4, dtype=np.int32), (50, 1)), STATES)


def test_a_perfect_reconstruction_leaves_nothing_unexplained() -> None:
    assert unexplained(SAE, STATES, PERFECT) == 0


def test_the_mean_alone_leaves_everything_unexplained() -> None:
    sae = TopKSae(SAE.encoder, SAE.encoder_bias, SAE.decoder, STATES.mean(0), 4)
    nothing = Codes(PERFECT.ids, np.zeros_like(STATES))
    assert unexplained(sae, STATES, nothing) == pytest.approx(1, abs=1e-5)


def test_figures_come_from_the_held_out_rows() -> None:
    values = STATES.copy()
    values[:40] = 0
    values[40:, 3] = 0
    found = measure(SAE, STATES, Codes(PERFECT.ids, values), 40)
    held = STATES[40:]
    assert found.n_held_out_tokens == 10
    assert found.fvu == pytest.approx(np.square(held[:, 3]).sum() / np.square(held - held.mean(0)).sum(), rel=1e-5)
    assert found.fvu_training > 1
    assert found.l0 == np.count_nonzero(values[40:] > 0) / 10
    assert (found.dead, found.dead_held_out) == (3, 3)


def test_listed_slots_of_value_zero_are_not_active() -> None:
    codes = Codes(PERFECT.ids, np.maximum(STATES, 0))
    assert measure(SAE, STATES, codes, 25).l0 == np.count_nonzero(STATES[25:] > 0) / 25
