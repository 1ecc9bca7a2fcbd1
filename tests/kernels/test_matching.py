"""Assignments against all permutations, and the sparse way against the dense one."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saeatlas.kernels import matching
from saeatlas.kernels.matching import assign


def pairs(table: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    left, right = np.nonzero(table)
    return left, right, table[left, right]


def worth(table: np.ndarray, found: np.ndarray) -> float:
    chosen = np.flatnonzero(found >= 0)
    assert np.unique(found[chosen]).size == chosen.size
    assert (table[chosen, found[chosen]] > 0).all()
    return float(table[chosen, found[chosen]].sum())


@pytest.mark.parametrize("most", [0, 10**6])
@given(seed=st.integers(0, 10_000), n_left=st.integers(1, 5), n_right=st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_no_permutation_is_worth_more(most: int, seed: int, n_left: int, n_right: int) -> None:
    random = np.random.default_rng(seed)
    table = random.random((n_left, n_right)) * (random.random((n_left, n_right)) < 0.6)
    square = np.zeros((5, 5))
    square[:n_left, :n_right] = table
    best = max(square[np.arange(5), list(order)].sum() for order in permutations(range(5)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "_MAX_DENSE", most)
        assert worth(table, assign((n_left, n_right), *pairs(table))) == pytest.approx(best)


def test_both_ways_recover_a_permutation() -> None:
    random = np.random.default_rng(1)
    truth = random.permutation(300)
    table = np.maximum(random.normal(0, 0.1, (300, 300)), 0)
    table[np.arange(300), truth] = random.uniform(0.5, 1, 300)
    for most in (0, 10**6):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(matching, "_MAX_DENSE", most)
            assert assign((300, 300), *pairs(table)).tolist() == truth.tolist()


def test_who_has_no_pair_stays_alone() -> None:
    assert assign((3, 2), np.array([1]), np.array([0]), np.array([0.5])).tolist() == [-1, 0, -1]
    assert assign((2, 2), np.empty(0, int), np.empty(0, int), np.empty(0)).tolist() == [-1, -1]
