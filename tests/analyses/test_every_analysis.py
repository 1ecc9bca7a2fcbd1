"""The contract, for every analysis that comes with the package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from saeatlas.analyses.cross_sae import CrossSae
from saeatlas.analyses.logit_effects import LogitEffects
from saeatlas.analyses.token_families import TokenFamilies
from saeatlas.pipeline.analysis import Analysis
from saeatlas.registry import Registry
from saeatlas.testing.analysis_contract import AnalysisContract

REGISTRY = Registry("saeatlas.analyses", Analysis)
SPECIAL: dict[str, Callable[[], Analysis]] = {
    "cross-sae": lambda: CrossSae(other="other"),
    "logit-effects": lambda: LogitEffects(
        unembedding=str(Path(__file__).with_name("unembedding.npy")),
        vocabulary=str(Path(__file__).with_name("tokenizer.json")),
        k=5,
    ),
    "token-families": lambda: TokenFamilies(families=str(Path(__file__).with_name("families.tsv"))),
}
"""Analyses that need a parameter, each with one that suits the SAEs 'toy' and 'other'."""


class TestEveryAnalysis(AnalysisContract):
    @pytest.fixture(params=sorted(REGISTRY))
    def analysis(self, request: pytest.FixtureRequest) -> Analysis:
        plugin = SPECIAL.get(request.param, REGISTRY[request.param])()
        assert isinstance(plugin, Analysis)
        return plugin

    def make_analysis(self) -> Analysis:
        raise AssertionError("The fixture gives one analysis after the other")


def test_the_five_are_there() -> None:
    assert set(REGISTRY) >= {"stats", "histogram", "examples", "top-tokens", "metadata-association"}
