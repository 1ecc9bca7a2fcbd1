"""Drawing rows: the share asked for, the same whatever the blocks, independent between seeds."""

from __future__ import annotations

import numpy as np
import pytest

from saeatlas.kernels.row_draw import drawn_rows


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9])
def test_share_is_what_was_asked_for(share: float) -> None:
    n = 200_000
    assert abs(drawn_rows(0, n, share, 3).sum() - share * n) < 5 * (n * share * (1 - share)) ** 0.5


def test_all_rows_when_all_are_asked_for() -> None:
    assert drawn_rows(5, 9, 1.0, 0).all()


def test_blocks_do_not_show() -> None:
    whole = drawn_rows(0, 1000, 0.3, 7)
    assert np.array_equal(np.concatenate([drawn_rows(a, a + 10, 0.3, 7) for a in range(0, 1000, 10)]), whole)


def test_larger_share_keeps_what_a_smaller_one_drew() -> None:
    assert (drawn_rows(0, 5000, 0.5, 1) >= drawn_rows(0, 5000, 0.2, 1)).all()


def test_seeds_are_independent() -> None:
    both = drawn_rows(0, 100_000, 0.5, 1) & drawn_rows(0, 100_000, 0.5, 2)
    assert abs(both.mean() - 0.25) < 0.01
