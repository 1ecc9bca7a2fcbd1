"""What each column of the table of features means, as whoever asks for the columns gets it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest

import saeatlas
from saeatlas.analyses.clusters import Clusters
from saeatlas.analyses.stats import Stats
from saeatlas.analyses.top_tokens import TopTokens
from saeatlas.atlas.feature_columns import DESCRIPTIONS, column_types
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.pipeline.described_columns import described_columns, description_of
from saeatlas.testing.make_atlas import make_atlas

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE
    from saeatlas.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Foreign(Analysis):
    """An analysis of somebody else, which says nothing about its columns."""

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.FEATURE

    def schema(self) -> dict[str, pa.Schema]:
        import pyarrow as pa

        return {"data": pa.schema([("feature", pa.uint32()), ("n", pa.int64())])}

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table]:
        import pyarrow as pa

        features = np.arange(sae.n_features, dtype=np.uint32)
        return {"data": pa.table({"feature": features, "n": features.astype(np.int64)})}


@pytest.fixture(scope="module")
def sae(tmp_path_factory: pytest.TempPathFactory) -> SAE:
    """An SAE with columns of every source: analyses, tokens, explanations, labels, and an analysis of somebody else."""
    atlas = make_atlas(
        tmp_path_factory.mktemp("columns") / "a.atlas", n_rows=60, n_features=12, k=3, n_documents=4, parts=True
    )
    atlas = saeatlas.build(atlas, Stats(), TopTokens(), Clusters(cuts=(2, 5), resamples=0), Foreign(), saes=("toy",))
    saeatlas.label(atlas.sae("toy").feature(3), "refunds", by="ana")
    return saeatlas.open(atlas.url).sae("toy")


def install(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setattr("saeatlas.registry.entry_points", lambda group: [EntryPoint("foreign", value, group)])


def about(sae: SAE) -> dict[str, str | None]:
    return {one.name: one.description for one in described_columns(sae)}


def test_columns_are_those_of_the_table_in_its_order(sae: SAE) -> None:
    assert [one.name for one in described_columns(sae)] == list(column_types(sae))
    assert all(one.name == f"{one.analysis}.{one.column}" for one in described_columns(sae))


def test_every_column_of_what_comes_with_the_package_is_described(sae: SAE) -> None:
    assert [name for name, text in about(sae).items() if text is None] == ["foreign.n"]


def test_columns_that_no_analysis_makes_are_there_and_no_others_are_described(sae: SAE) -> None:
    assert set(column_types(sae)) >= set(DESCRIPTIONS)


def test_columns_named_by_a_parameter_share_a_description(sae: SAE) -> None:
    assert about(sae)["clusters.ward_2"] == about(sae)["clusters.ward_5"] == Clusters.descriptions["ward_*"]


def test_name_of_a_column_goes_before_a_pattern() -> None:
    assert description_of("top_1", {"top_*": "Any.", "top_1": "The first."}) == "The first."
    assert description_of("top_2", {"top_*": "Any.", "top_1": "The first."}) == "Any."
    assert description_of("bottom", {"top_*": "Any."}) is None


def test_analysis_of_a_third_party_describes_its_own_columns(sae: SAE, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("third_party")
    module.Foreign = type("Foreign", (Foreign,), {"descriptions": {"n": "Its number."}})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "third_party", module)
    install(monkeypatch, "third_party:Foreign")
    assert about(sae)["foreign.n"] == "Its number."


@pytest.mark.parametrize("value", ["not_installed:Foreign", "sys:Foreign", "sys:version"])
def test_analysis_that_is_broken_here_has_no_description(sae: SAE, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    install(monkeypatch, value)
    assert about(sae)["foreign.n"] is None
    assert about(sae)["stats.max"] == Stats.descriptions["max"]
