"""Groups of features, against a naive sorting into lists."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saeatlas.analyses.stats import Stats
from saeatlas.atlas.groups import MISSING, Group, Split, group_features, staged
from saeatlas.atlas.predicates import Predicate
from saeatlas.atlas.sae import SAE
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.pipeline.build import build
from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import make_atlas

COLUMNS = ("stats.max", "stats.n_active", "feature", "explanations.n")


@pytest.fixture(scope="module")
def sae() -> SAE:
    return build(make_atlas(MemoryStore(), parts=True), Stats()).sae()


def naive(frame: pl.DataFrame, ids: list[int], split: Split | None) -> Any:
    """Nested lists of ids, one for each group, by looking at one feature after the other."""
    if split is None:
        return ids
    groups: list[list[int]] = [[] for _ in range(len(split.thresholds) + 2)]
    for feature in ids:
        value = frame[split.metric][feature]
        place = len(groups) - 1 if value is None else sum(value >= limit for limit in split.thresholds)
        groups[place].append(feature)
    keys: list[int | str] = [*range(len(groups) - 1), MISSING]
    return [naive(frame, group, split.children.get(key)) for key, group in zip(keys, groups, strict=True)]


def ids_of(groups: tuple[Group, ...] | list[Group]) -> Any:
    return [ids_of(group.groups) if group.groups else group.features.tolist() for group in groups]


def thresholds() -> st.SearchStrategy[tuple[float, ...]]:
    numbers = st.one_of(st.floats(-5, 70, allow_nan=False), st.integers(0, 40).map(float))
    return st.lists(numbers, max_size=4, unique=True).map(lambda found: tuple(sorted(found)))


def splits() -> st.SearchStrategy[Split]:
    leaf = st.builds(Split, st.sampled_from(COLUMNS), thresholds())
    return st.recursive(leaf, _cut_again, max_leaves=8)


def _cut_again(inner: st.SearchStrategy[Split]) -> st.SearchStrategy[Split]:
    def keys(limits: tuple[float, ...]) -> st.SearchStrategy[Split]:
        known: list[int | str] = [*range(len(limits) + 1), MISSING]
        children = st.dictionaries(st.sampled_from(known), inner, max_size=3)
        return st.builds(Split, st.sampled_from(COLUMNS), st.just(limits), children)

    return thresholds().flatmap(keys)


@given(splits())
def test_groups_are_those_of_a_naive_sort(sae: SAE, split: Split) -> None:
    groups, total = group_features(sae, split)
    frame = sae.features.select("feature", *COLUMNS[:2], COLUMNS[3]).collect()
    assert (ids_of(groups), total) == (naive(frame, list(range(sae.n_features)), split), sae.n_features)


@given(st.lists(st.builds(Split, st.sampled_from(COLUMNS), thresholds()), min_size=1, max_size=4))
def test_every_feature_is_in_one_group_of_each_level(sae: SAE, stages: list[Split]) -> None:
    level: list[Group] = group_features(sae, staged(stages))[0]
    for _ in stages:
        assert sum(group.count for group in level) == sae.n_features
        level = [inner for group in level for inner in group.groups]
    assert level == []


def test_bounds_are_the_numbers_given_and_missing_is_last(sae: SAE) -> None:
    groups, _ = group_features(sae, Split("stats.max", (0.1234567890123, 2.5)))
    assert [(group.low, group.high, group.is_missing) for group in groups] == [
        (None, 0.1234567890123, False),
        (0.1234567890123, 2.5, False),
        (2.5, None, False),
        (None, None, True),
    ]
    assert groups[-1].count == sae.features.select(pl.col("stats.max").null_count()).collect().item() > 0


def test_value_at_a_threshold_is_in_the_group_above(sae: SAE) -> None:
    largest = sae.features.select("stats.max").collect()["stats.max"]
    value = float(np.sort(largest.drop_nulls().to_numpy())[5])
    groups, _ = group_features(sae, Split("stats.max", (value,)))
    assert int(largest.index_of(value) or 0) in groups[1].features
    assert groups[0].count == 5


def test_empty_group_is_cut_into_empty_groups(sae: SAE) -> None:
    groups, _ = group_features(sae, Split("stats.max", (-1.0,), {0: Split("stats.min", (1.0,))}))
    assert [inner.count for inner in groups[0].groups] == [0, 0, 0]


def test_no_thresholds_make_one_group_and_the_missing_one(sae: SAE) -> None:
    groups, total = group_features(sae, Split("stats.max", ()))
    assert [group.is_missing for group in groups] == [False, True]
    assert sum(group.count for group in groups) == total


def test_conditions_choose_what_is_grouped(sae: SAE) -> None:
    groups, total = group_features(sae, Split("feature", (10.0,)), (Predicate("feature", "lt", 15),))
    assert (total, [group.count for group in groups]) == (15, [10, 5, 0])


@pytest.mark.parametrize("bad", [(math.nan,), (math.inf,), (-math.inf, 1.0), (1.0, 1.0), (2.0, 1.0)])
def test_thresholds_that_make_no_groups_are_refused(sae: SAE, bad: tuple[float, ...]) -> None:
    with pytest.raises(InvalidInput, match="ascending"):
        group_features(sae, Split("stats.max", bad))


def test_what_is_no_number_of_a_feature_is_refused(sae: SAE) -> None:
    with pytest.raises(InvalidInput, match="numbers"):
        group_features(sae, Split("explanations.text", ()))
    with pytest.raises(NotFound):
        group_features(sae, Split("stats.maximum", ()))


def test_group_that_is_not_there_cannot_be_cut(sae: SAE) -> None:
    for key in (3, -1, "2", "other"):
        with pytest.raises(InvalidInput, match="no group"):
            group_features(sae, Split("stats.max", (1.0, 2.0), {key: Split("stats.min", ())}))


def test_too_many_groups_are_refused_before_they_are_made(sae: SAE) -> None:
    stage = Split("feature", tuple(float(number) for number in range(100)))
    with pytest.raises(InvalidInput, match="20,000"):
        group_features(sae, staged([stage] * 12))


def test_groups_that_are_nested_too_deeply_are_refused(sae: SAE) -> None:
    split = Split("feature", ())
    for _ in range(500):
        split = Split("feature", (), {0: split})
    with pytest.raises(InvalidInput, match="30 levels"):
        group_features(sae, split)
