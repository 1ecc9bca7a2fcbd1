"""The features of an SAE as one table."""

from __future__ import annotations

import numpy as np
import pytest

from saeatlas.analyses.stats import Stats
from saeatlas.atlas.feature_table import FeatureQuery, feature_columns, query_features
from saeatlas.atlas.sae import SAE
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.pipeline.build import build
from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import make_atlas


@pytest.fixture(scope="module")
def sae() -> SAE:
    return build(make_atlas(MemoryStore(), parts=True), Stats()).sae()


def test_every_column_of_current_analyses_is_there(sae: SAE) -> None:
    known = feature_columns(sae)
    assert {"stats.n_active", "stats.max", "explanations.text", "explanations.n"} <= set(known)


def test_table_has_all_features_in_order_and_the_columns_asked_for(sae: SAE) -> None:
    table = query_features(sae, FeatureQuery(columns=("stats.max", "stats.n_active")))
    assert table.columns == ["feature", "stats.max", "stats.n_active"]
    assert table["feature"].to_list() == list(range(sae.n_features))
    assert table["stats.n_active"].to_list() == sae.activations.active_counts.tolist()


def test_condition_keeps_what_numpy_keeps(sae: SAE) -> None:
    largest = np.array([max(sae.activations.feature(f)[1], default=0.0) for f in range(sae.n_features)])
    counts = sae.activations.active_counts
    found = query_features(sae, FeatureQuery(where="stats.max > 2.5 AND NOT stats.n_active < 8"))
    assert found["feature"].to_list() == np.flatnonzero((largest > 2.5) & (counts >= 8)).tolist()


def test_texts_can_be_searched_and_quotes_keep_their_dots(sae: SAE) -> None:
    found = query_features(sae, FeatureQuery(where="explanations.text LIKE '%dogs%'", columns=("explanations.text",)))
    assert found.height
    assert all("dogs" in text for text in found["explanations.text"])
    assert query_features(sae, FeatureQuery(where="explanations.text = 'stats.max'")).height == 0


@pytest.mark.parametrize("is_descending", [False, True])
def test_missing_values_come_last_and_ties_by_feature(sae: SAE, *, is_descending: bool) -> None:
    found = query_features(sae, FeatureQuery(sort="stats.max", is_descending=is_descending, columns=("stats.max",)))
    values = found["stats.max"]
    n_null = values.null_count()
    assert n_null
    assert values[-n_null:].is_null().all()
    assert values[:-n_null].to_list() == sorted(values[:-n_null].to_list(), reverse=is_descending)
    ties = query_features(sae, FeatureQuery(sort="explanations.n", columns=("explanations.n",)))
    same = ties.filter(ties["explanations.n"] == 1)["feature"].to_list()
    assert same == sorted(same)


def test_limit_cuts(sae: SAE) -> None:
    assert query_features(sae, FeatureQuery(limit=3)).height == 3


def test_column_of_an_absent_analysis_says_how_to_make_it(sae: SAE) -> None:
    with pytest.raises(NotFound, match=r"'histogram\.n_active'.*saeatlas analyze histogram"):
        query_features(sae, FeatureQuery(columns=("histogram.n_active",)))


def test_unknown_column_lists_those_of_its_analysis(sae: SAE) -> None:
    with pytest.raises(NotFound) as error:
        query_features(sae, FeatureQuery(sort="stats.maximum"))
    assert "stats.max" in error.value.hint


@pytest.mark.parametrize("where", ["stats.max >", "stats.max > 'five'", "select 1", "stats.max + 1", "stats.max; drop"])
def test_condition_that_is_none_is_refused(sae: SAE, where: str) -> None:
    with pytest.raises(InvalidInput):
        query_features(sae, FeatureQuery(where=where))


def test_negative_limit_is_refused(sae: SAE) -> None:
    with pytest.raises(InvalidInput):
        query_features(sae, FeatureQuery(limit=-1))


def test_limit_beyond_every_machine_number_is_no_limit(sae: SAE) -> None:
    assert query_features(sae, FeatureQuery(limit=10**30)).height == sae.n_features


def test_column_named_twice_is_given_once(sae: SAE) -> None:
    names = ("stats.max", "feature", "stats.n_active", "stats.max")
    assert query_features(sae, FeatureQuery(columns=names)).columns == ["feature", "stats.max", "stats.n_active"]


@pytest.mark.parametrize("where", ["nope > 1", "stats.max", "stats.max > 'five'", "`stats.max` > 1"])
def test_refused_condition_says_why_in_one_line_without_files(sae: SAE, where: str) -> None:
    with pytest.raises(InvalidInput) as error:
        query_features(sae, FeatureQuery(where=where))
    assert "\n" not in error.value.message
    assert "SCAN" not in error.value.message
    assert len(error.value.message) < 250


def test_unknown_name_in_a_condition_lists_columns_in_its_hint(sae: SAE) -> None:
    with pytest.raises(InvalidInput, match="nope") as error:
        query_features(sae, FeatureQuery(where="nope > 1"))
    assert "<analysis>.<column>" in error.value.hint
