"""A question about one feature has one answer, from the tables of all features or from its activations."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from saeatlas.analyses.examples import Examples
from saeatlas.analyses.histogram import Histogram
from saeatlas.analyses.metadata_association import MetadataAssociation
from saeatlas.analyses.stats import Stats
from saeatlas.analyses.top_tokens import TopTokens
from saeatlas.atlas.feature import Feature
from saeatlas.pipeline.build import build
from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import make_atlas

QUESTIONS: dict[str, Callable[[Feature], Any]] = {
    "stats": lambda feature: feature.stats(),
    "linear histogram": lambda feature: feature.histogram(),
    "log histogram": lambda feature: feature.histogram(scale="log"),
    "top tokens": lambda feature: feature.top_tokens().to_pylist(),
    "top examples": lambda feature: feature.examples(),
    "examples of each stratum": lambda feature: feature.examples(pick="quantiles", n=3),
    "random examples": lambda feature: feature.examples(pick="random", n=7),
}


@cache
def both() -> tuple[Any, Any]:
    plain = make_atlas(MemoryStore(), 500, 20, 4, listed_zeros=0.2, interleaved=True, shard_rows=200)
    same = make_atlas(MemoryStore(), 500, 20, 4, listed_zeros=0.2, interleaved=True, shard_rows=200)
    analysed = build(same, Stats(), Histogram(), Examples(), TopTokens(), MetadataAssociation())
    return plain.sae(), analysed.sae()


@pytest.mark.parametrize("question", sorted(QUESTIONS))
def test_table_and_activations_give_the_same_answer(question: str) -> None:
    plain, analysed = both()
    for feature in range(20):
        assert QUESTIONS[question](plain.feature(feature)) == QUESTIONS[question](analysed.feature(feature))


@pytest.mark.parametrize("column", ["stars", "length", "kind"])
def test_breakdown_has_the_numbers_of_metadata_association(column: str) -> None:
    _, analysed = both()
    for line in analysed.table("metadata-association").to_pylist():
        if line["column"] == column:
            found = analysed.feature(line["feature"]).breakdown(column)
            names = ("effect_name", "effect", "effect_corrected", "p", "q", "min_expected", "n_documents")
            assert {name: getattr(found, name) for name in names} == {name: line[name] for name in names}
