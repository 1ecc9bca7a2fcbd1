"""The strongest products of directions with tokens: as the dense product has them, with ties as they should be."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saeatlas.kernels import logit_effects as module
from saeatlas.kernels.logit_effects import ActiveSums, strongest_effects


def dense(directions: Any, rows: Any, k: int) -> tuple[Any, Any, Any]:
    """The product, and the tokens by a full sort: largest first, of equal ones the lower token."""
    product = (directions.astype(np.float64) @ rows.astype(np.float64).T).astype(np.float32)
    return (
        product,
        np.argsort(-product, axis=1, kind="stable")[:, :k],
        np.argsort(product, axis=1, kind="stable")[:, :k],
    )


def in_blocks(rows: Any, size: int) -> Any:
    return [
        (np.arange(start, min(len(rows), start + size)), rows[start : start + size])
        for start in range(0, len(rows), size)
    ]


@given(
    n=st.integers(1, 6),
    n_tokens=st.integers(1, 40),
    k=st.integers(1, 45),
    size=st.integers(1, 40),
    seed=st.integers(0, 1000),
    ties=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_equals_the_dense_product(n: int, n_tokens: int, k: int, size: int, seed: int, *, ties: bool) -> None:
    random = np.random.default_rng(seed)
    directions, rows = random.normal(size=(n, 5)), random.normal(size=(n_tokens, 5))
    if ties:
        directions, rows = np.round(directions), np.round(rows)
    product, top, bottom = dense(directions, rows, k)
    found = strongest_effects(directions, in_blocks(rows, size), k)
    assert np.array_equal(found.top, top)
    assert np.array_equal(found.bottom, bottom)
    assert np.array_equal(found.top_effects, np.take_along_axis(product, top, 1))
    assert np.array_equal(found.bottom_effects, np.take_along_axis(product, bottom, 1))
    wide = product.astype(np.float64)
    assert np.allclose(found.mean, wide.mean(1), rtol=1e-12, atol=1e-12)
    assert np.allclose(found.std, wide.std(1), rtol=1e-10, atol=1e-12)
    assert np.allclose(found.norm, np.linalg.norm(wide, axis=1), rtol=1e-12)


def test_blocks_of_directions_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    directions, rows = random.normal(size=(50, 7)), random.normal(size=(300, 7))
    whole = strongest_effects(directions, in_blocks(rows, 64), 9)
    monkeypatch.setattr(module, "_BLOCK_NUMBERS", 100)
    small = strongest_effects(directions, in_blocks(rows, 64), 9)
    for name in ("top", "bottom", "top_effects", "bottom_effects", "mean", "std", "norm"):
        assert np.array_equal(getattr(whole, name), getattr(small, name))


def test_gaps_between_tokens_are_kept() -> None:
    rows = np.array([[1.0], [3.0], [2.0]])
    found = strongest_effects(np.array([[1.0], [-1.0]]), [(np.array([10, 20, 40]), rows)], 2)
    assert found.top.tolist() == [[20, 40], [10, 40]]
    assert found.bottom.tolist() == [[10, 40], [20, 40]]


def test_spread_is_right_far_from_zero() -> None:
    # E[x^2] - E[x]^2 in float32 products of a million would have no digit left.
    rows = np.array([[1e6], [1e6 + 1], [1e6 + 2]])
    found = strongest_effects(np.array([[1.0]]), in_blocks(rows, 1), 1)
    assert np.allclose(found.std, np.std([0, 1, 2]))


def test_without_tokens_nothing_is_known() -> None:
    found = strongest_effects(np.ones((3, 2)), [], 4)
    assert found.top.shape == (3, 0)
    assert np.isnan(found.mean).all()
    assert np.isnan(found.std).all()


def test_memory_is_below_the_product() -> None:
    random = np.random.default_rng(1)
    directions, rows = random.normal(size=(2000, 8)), random.normal(size=(20_000, 8)).astype(np.float32)
    tracemalloc.start()
    strongest_effects(directions, in_blocks(rows, 2000), 5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000_000 < 2000 * 20_000 * 4


def test_sums_are_of_active_values() -> None:
    values = np.array([1.0, -2.0, 3.0, 0.0, 2.0], np.float32)
    found = ActiveSums.of(np.array([0, 3, 4, 4, 5]), values)
    assert found.n_active.tolist() == [2, 0, 0, 1]
    assert found.sum.tolist() == [4, 0, 0, 2]
    assert found.square.tolist() == [10, 0, 0, 4]
