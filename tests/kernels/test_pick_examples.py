"""Chosen examples against sorting everything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as oracle

from saeatlas.kernels.examples import PICKS, Picks, Quota, pick_examples
from saeatlas.kernels.stats import sort_active

LEVELS = st.sampled_from([-1.0, 0.0, 0.5, 0.5, 1.0, 1.0, 2.0, 3.0])


def pick(values: np.ndarray, quota: Quota, feature: int = 0, rows: np.ndarray | None = None) -> Picks:
    indptr = np.array([0, values.size])
    rows = np.arange(values.size, dtype=np.uint32) if rows is None else rows
    return pick_examples(sort_active(indptr, values), rows, values, quota, feature, indptr=indptr)


def ordered(values: np.ndarray) -> np.ndarray:
    """Active entries by descending value, of equal ones the lower row first."""
    active = np.flatnonzero(values > 0)
    return active[np.lexsort((active, -values[active]))]


def entries(picks: Picks, kind: str, stratum: int = -1) -> list[int]:
    return picks.entry[(picks.pick == PICKS.index(kind)) & (picks.stratum == stratum)].tolist()


@settings(deadline=None, max_examples=120)
@given(st.lists(LEVELS, max_size=40), st.integers(0, 12))
def test_top_is_the_start_of_the_whole_order(values: list[float], n: int) -> None:
    array = np.array(values, np.float32)
    picks = pick(array, Quota(top=n))
    assert entries(picks, "top") == ordered(array)[:n].tolist()


@settings(deadline=None, max_examples=120)
@given(st.lists(LEVELS, max_size=40), st.integers(1, 6))
def test_strata_are_the_equal_parts_of_the_order_whatever_ties(values: list[float], n_strata: int) -> None:
    array = np.array(values, np.float32)
    order = ordered(array)
    picks = pick(array, Quota(top=0, strata=n_strata, per_stratum=100, random=0))
    for stratum in range(n_strata):
        part = order[stratum * order.size // n_strata : (stratum + 1) * order.size // n_strata]
        assert sorted(entries(picks, "quantile", stratum)) == sorted(part.tolist())


@settings(deadline=None, max_examples=60)
@given(st.lists(LEVELS, max_size=40), st.integers(0, 5))
def test_random_rows_are_active_and_drawn_once(values: list[float], n: int) -> None:
    array = np.array(values, np.float32)
    drawn = entries(pick(array, Quota(random=n)), "random")
    assert len(set(drawn)) == len(drawn) == min(n, int((array > 0).sum()))
    assert (array[drawn] > 0).all()


def test_smaller_draw_is_the_start_of_a_larger() -> None:
    values = np.random.default_rng(0).lognormal(size=300)
    large, small = pick(values, Quota(random=50, per_stratum=20)), pick(values, Quota(random=7, per_stratum=3))
    assert entries(large, "random")[:7] == entries(small, "random")
    assert entries(large, "quantile", 2)[:3] == entries(small, "quantile", 2)


def test_seed_and_feature_change_the_draw() -> None:
    values = np.random.default_rng(0).lognormal(size=300)
    first = entries(pick(values, Quota()), "random")
    assert first != entries(pick(values, Quota(seed=1)), "random")
    assert first != entries(pick(values, Quota(), feature=1), "random")
    assert first == entries(pick(values, Quota()), "random")


def test_draw_is_by_row_not_by_place_or_row_type() -> None:
    values = np.random.default_rng(0).lognormal(size=300)
    rows = np.arange(300, dtype=np.int64) * 3
    silent = np.zeros(900)
    silent[rows] = values
    sparse = entries(pick(values, Quota(), rows=rows), "random")
    assert [entry * 3 for entry in sparse] == entries(pick(silent, Quota()), "random")


def test_features_of_a_block_get_what_they_get_alone() -> None:
    rng = np.random.default_rng(3)
    parts = [np.round(rng.lognormal(size=n), 1) for n in (0, 1, 50, 3, 200)]
    indptr = np.concatenate([[0], np.cumsum([part.size for part in parts])])
    rows = np.concatenate([np.arange(part.size, dtype=np.uint32) for part in parts])
    values = np.concatenate(parts)
    together = pick_examples(sort_active(indptr, values), rows, values, Quota(), 10, indptr=indptr)
    for place, part in enumerate(parts):
        alone = pick(part, Quota(), feature=10 + place)
        here = together.feature == 10 + place
        assert (together.entry[here] - indptr[place]).tolist() == alone.entry.tolist()
        assert together.rank[here].tolist() == alone.rank.tolist()
        assert together.stratum[here].tolist() == alone.stratum.tolist()


@pytest.mark.parametrize("kind", ["random", "quantile"])
def test_every_row_is_drawn_equally_often(kind: str) -> None:
    values = np.linspace(1.0, 2.0, 20)
    hits = np.zeros(20)
    for seed in range(1_000):
        quota = Quota(
            top=0, strata=4, per_stratum=1 if kind == "quantile" else 0, random=4 * (kind == "random"), seed=seed
        )
        hits[pick(values, quota).entry] += 1
    assert hits.sum() == 4_000
    assert oracle.chisquare(hits).pvalue > 0.001
