"""The tokens that tell most about a feature, for one feature, for some, and as a column of all."""

from __future__ import annotations

import math

import pytest

from saeatlas.analyses.stats import Stats
from saeatlas.analyses.top_tokens import TopTokens
from saeatlas.atlas.characteristic_tokens import MOST, STRINGS, characteristic
from saeatlas.atlas.feature_table import FeatureQuery, feature_columns, query_features
from saeatlas.atlas.sae import SAE
from saeatlas.pipeline.build import build
from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import make_atlas

LAST = 63
"""It never fires."""


@pytest.fixture(scope="module", params=[20, 40])
def sae(request: pytest.FixtureRequest) -> SAE:
    return build(make_atlas(MemoryStore(), parts=True), Stats(), TopTokens(k=request.param)).sae()


def expected(sae: SAE, feature: int) -> list[str]:
    lines = [line for line in sae.feature(feature).top_tokens(20).to_pylist() if line["lift"] > 1]
    lines.sort(key=lambda line: (-line["share"] * math.log(line["lift"]), line["rank"]))
    return [line["string"] for line in lines[:MOST]]


def test_column_and_lists_say_the_same_of_every_feature(sae: SAE) -> None:
    column = query_features(sae, FeatureQuery(columns=(STRINGS,)))[STRINGS].to_list()
    lists = sae.lookup.tokens(range(sae.n_features), MOST)
    assert any(len(tokens) == MOST for tokens in lists)
    for feature, tokens in enumerate(lists):
        assert tokens == expected(sae, feature) == characteristic(sae.feature(feature).top_tokens(20).to_pylist())
        stripped = dict.fromkeys(token.replace("\n", "\u21b5").strip() or "\u2423" for token in tokens)
        assert column[feature] == (" \u00b7 ".join(stripped) or None)
    assert lists[LAST] == []
    assert column[LAST] is None
    assert sae.features.select(STRINGS).collect()[STRINGS].to_list() == column


def test_tokens_can_be_searched_and_asked_for_in_any_order(sae: SAE) -> None:
    token = expected(sae, 3)[0].strip()
    found = query_features(sae, FeatureQuery(where=f"top-tokens.strings LIKE '%{token}%'", columns=(STRINGS,)))
    assert 3 in found["feature"].to_list()
    assert sae.lookup.tokens([7, 3], 1) == [expected(sae, 7)[:1], expected(sae, 3)[:1]]
    assert sae.lookup.tokens([], 3) == []


def test_without_the_analysis_there_is_no_column_and_no_token() -> None:
    sae = make_atlas(MemoryStore()).sae()
    assert STRINGS not in feature_columns(sae)
    assert sae.lookup.tokens([0, 5], 3) == [[], []]
