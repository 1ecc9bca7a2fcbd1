"""Examples of a range of values: exactly the active rows in it, over the whole corpus, with strata of its own."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saeatlas.atlas.examples import Question, live_rows, pick_rows, rows_between
from saeatlas.errors import InvalidInput

RANGES = [(None, None), (0.5, None), (None, 0.5), (0.25, 1.0), (0.5, 0.5), (-9.0, 0.3), (3.0, np.inf), (9.0, None)]


def inside(source: Any, feature: int, low: float | None, high: float | None) -> list[int]:
    values = np.nan_to_num(source.dense[:, feature], nan=-1.0)
    least, most = -np.inf if low is None else low, np.inf if high is None else high
    return np.flatnonzero((values > 0) & (values >= least) & (values < most)).tolist()


@pytest.mark.parametrize(("low", "high"), RANGES)
@pytest.mark.parametrize("pick", ["top", "quantiles", "random"])
def test_all_rows_of_the_range_are_there_and_no_others(source: Any, atlas: Any, pick: Any, low: Any, high: Any) -> None:
    for feature in range(12):
        found = atlas.sae().feature(feature).examples(pick=pick, n=100, before=0, after=0, low=low, high=high)
        assert sorted(example.row for example in found) == inside(source, feature, low, high)


def test_strata_of_a_range_are_parts_of_the_range(source: Any, atlas: Any) -> None:
    rows = np.array(inside(source, 9, 0.5, 3.1))
    order = rows[np.lexsort((rows, -source.dense[rows, 9]))]
    got = atlas.sae().feature(9).examples(pick="quantiles", n=2, strata=3, low=0.5, high=3.1, before=0, after=0)
    assert Counter(example.stratum for example in got) == dict.fromkeys(range(3), 2)
    for example in got:
        part = order[example.stratum * order.size // 3 : (example.stratum + 1) * order.size // 3]
        assert example.row in part


def test_an_open_range_is_no_range(atlas: Any) -> None:
    sae = atlas.sae()
    for pick in ("top", "quantiles", "random"):
        plain, ranged = Question(pick, 3), Question(pick, 3, low=0.0)
        assert pick_rows(sae, 9, plain).rows.tolist() == live_rows(sae, 9, ranged).rows.tolist()


@given(low=st.floats(0, 4, width=64), high=st.floats(0, 4, width=64))
def test_borders_are_compared_without_rounding(source: Any, atlas: Any, low: float, high: float) -> None:
    rows, values = rows_between(atlas.sae(), 9, low, high)
    assert rows.tolist() == inside(source, 9, low, high)
    assert values.tolist() == source.dense[rows, 9].tolist()


def test_a_border_between_two_float32_is_not_rounded_to_one(source: Any, remake: Any) -> None:
    _, atlas = remake(source, dense=np.where(np.isnan(source.dense), np.nan, np.float64(np.float32(0.1))))
    value = float(np.float32(0.1))
    above = np.nextafter(value, 1.0)
    assert rows_between(atlas.sae(), 9, value)[0].size > 0
    assert rows_between(atlas.sae(), 9, above)[0].size == 0
    assert rows_between(atlas.sae(), 9, None, above)[0].size > 0


@pytest.mark.parametrize(
    "bad", [{"low": float("nan")}, {"high": float("nan")}, {"low": 2.0, "high": 1.0}, {"low": True}]
)
def test_a_range_that_is_none_is_refused(atlas: Any, bad: Any) -> None:
    with pytest.raises(InvalidInput):
        atlas.sae().feature(9).examples(**bad)
