"""An answer from an analysis equals the answer computed from activations; a stale analysis answers nothing."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from saeatlas.analyses.examples import Examples
from saeatlas.analyses.histogram import Histogram
from saeatlas.analyses.metadata_association import MetadataAssociation
from saeatlas.analyses.stats import Stats
from saeatlas.analyses.top_tokens import TopTokens
from saeatlas.atlas import statistics, tables
from saeatlas.atlas.aggregates import live_top_tokens
from saeatlas.atlas.examples import Question, live_rows, pick_rows
from saeatlas.atlas.statistics import live_histogram, live_stats
from saeatlas.errors import NotFound
from saeatlas.kernels.moments import moments_of
from saeatlas.kernels.stats import sort_active, summarise


@pytest.fixture(scope="module", params=["float32", "float64"])
def analyzed(request: Any, source: Any, remake: Any, analyze: Any) -> Any:
    scale = 1.0 if request.param == "float32" else 0.1
    _, atlas = remake(source, dense=source.dense * scale)
    for analysis in (
        Stats(),
        Histogram(bins=7),
        Examples(per_stratum=3, random=4, strata=3),
        TopTokens(k=3),
        MetadataAssociation(),
    ):
        atlas = analyze(atlas, analysis)
    return atlas


def features(atlas: Any) -> range:
    return range(atlas.sae().n_features)


def test_stats_served_equal_stats_computed(analyzed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_QUICK", -1)
    sae = analyzed.sae()
    assert tables.state_of(sae, "stats").is_current
    for feature in features(analyzed):
        assert sae.feature(feature).stats() == live_stats(sae, feature)


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_histogram_served_equals_histogram_computed(analyzed: Any, scale: Any) -> None:
    sae = analyzed.sae()
    assert tables.served_rows(sae, "histogram", 0, {"bins": 7}) is not None
    for feature in features(analyzed):
        assert sae.feature(feature).histogram(7, scale) == live_histogram(sae, feature, 7, scale)


@pytest.mark.parametrize(
    "question", [Question("quantiles", 3, strata=3), Question("quantiles", 1, strata=3), Question("random", 4)]
)
def test_examples_served_equal_examples_computed(analyzed: Any, question: Question) -> None:
    sae = analyzed.sae()
    for feature in features(analyzed):
        served, live = pick_rows(sae, feature, question), live_rows(sae, feature, question)
        assert served.rows.tolist() == live.rows.tolist()
        assert served.values.tolist() == live.values.tolist()
        assert served.values.dtype == live.values.dtype
        for name in ("strata", "ranks"):
            ours, theirs = getattr(served, name), getattr(live, name)
            assert (ours is None) == (theirs is None)
            assert ours is None or ours.tolist() == theirs.tolist()


@pytest.mark.parametrize("question", [Question("quantiles", 4, strata=3), Question("random", 4, seed=1)])
def test_questions_beyond_the_analysis_are_computed(analyzed: Any, question: Question) -> None:
    sae = analyzed.sae()
    assert pick_rows(sae, 9, question).rows.tolist() == live_rows(sae, 9, question).rows.tolist()


@pytest.mark.parametrize("n", [0, 2, 3])
def test_top_tokens_served_equal_top_tokens_computed(analyzed: Any, n: int) -> None:
    sae = analyzed.sae()
    for feature in features(analyzed):
        assert sae.feature(feature).top_tokens(n).to_pydict() == live_top_tokens(sae, feature, n).to_pydict()


@pytest.mark.parametrize("column", ["stars", "kind"])
def test_breakdown_of_one_feature_equals_the_analysis_of_all(analyzed: Any, column: str) -> None:
    sae = analyzed.sae()
    data = pl.from_arrow(sae.table("metadata-association"))
    levels = pl.from_arrow(sae.table("metadata-association", "levels"))
    for feature in features(analyzed):
        here = (pl.col("feature") == feature) & (pl.col("column") == column)
        (line,) = data.filter(here).to_dicts()
        got = sae.feature(feature).breakdown(column)
        for name in ("kind", "effect_name", "effect", "effect_corrected", "p", "q", "min_expected", "n_documents"):
            assert getattr(got, name) == line[name], name
        assert got.table().to_pylist() == levels.filter(here).select(got.table().column_names).to_dicts()


def test_numpy_and_the_kernel_give_the_same_numbers_to_the_last_bit() -> None:
    rng = np.random.default_rng(0)
    for size in (0, 1, 2, 5, 4095, 4096, 4097, 50_000):
        for dtype in (np.float16, np.float32, np.float64):
            values = (rng.lognormal(0, 2, size) * rng.choice([1, 1, -1, 0], size)).astype(dtype)
            if size == 4097 and dtype == np.float64:
                values *= 1e250
            kernel = summarise(sort_active(np.array([0, size]), values))
            ours = moments_of(values)
            for name in (
                "n_active",
                "sum",
                "mean",
                "std",
                "min",
                "q25",
                "median",
                "q75",
                "max",
                "skewness",
                "kurtosis",
            ):
                np.testing.assert_array_equal(getattr(ours, name), getattr(kernel, name)[0], err_msg=f"{name} {size}")


def test_feature_frame_has_a_line_per_feature_and_names_by_analysis(analyzed: Any) -> None:
    sae = analyzed.sae()
    frame = sae.features.collect()
    assert frame["feature"].to_list() == list(features(analyzed))
    assert frame["stats.n_active"].to_list() == sae.activations.active_counts.tolist()
    assert {"histogram.linear_counts", "stats.density"} <= set(frame.columns)
    assert not any(name.startswith("examples.") for name in frame.columns)
    assert {name for name in frame.columns if name.startswith("top-tokens.")} <= {"top-tokens.strings"}


def test_feature_frame_without_analyses_lists_the_features(atlas: Any) -> None:
    assert atlas.sae().features.collect().to_dict(as_series=False) == {"feature": list(range(12))}


def test_other_data_make_an_analysis_stale(
    source: Any, remake: Any, analyze: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, atlas = remake(source)
    atlas = analyze(analyze(atlas, Stats()), MetadataAssociation())
    _, other = remake(source, dense=source.dense * 2)
    changed = dict(atlas.entries) | {name: entry for name, entry in other.entries.items() if "segment" in name}
    for entry in other.entries.values():
        copy_artifact(other, atlas, entry.path)
    atlas = type(atlas)(atlas.store, replace(atlas.commit, entries=changed))
    sae = atlas.sae()
    assert sae.table("stats") is None
    assert tables.state_of(sae, "stats").word == "stale"
    assert "other activations" in sae.why_no_table("stats")
    monkeypatch.setattr(statistics, "_QUICK", -1)
    assert sae.feature(9).stats() == live_stats(sae, 9)
    assert sae.features.collect().columns == ["feature"]


def copy_artifact(source: Any, target: Any, prefix: str) -> None:
    for key in list(source.store.list(prefix + "/")):
        if not target.store.exists(key):
            target.store.put_new(key, source.store.get(key))


def test_other_parameters_are_not_served(
    source: Any, remake: Any, analyze: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statistics, "_QUICK", -1)
    _, atlas = remake(source)
    sae = analyze(atlas, Stats(floor=0.6)).sae()
    assert sae.table("stats") is not None
    assert sae.feature(9).stats() == live_stats(sae, 9)


def test_cutting_rows_differently_keeps_an_analysis_current(source: Any, remake: Any) -> None:
    from saeatlas.atlas.currency import inputs_of

    inputs = []
    for borders in ((), (7,), (20, 21)):
        _, atlas = remake(source, borders=borders)
        inputs.append(inputs_of(atlas.store, atlas.entries, "s", {"activations"}))
    assert inputs[0] == inputs[1] == inputs[2]


def test_more_silent_rows_are_other_activations(source: Any, remake: Any) -> None:
    from saeatlas.atlas.currency import inputs_of

    _, atlas = remake(source)
    longer = np.vstack([source.dense, np.full((1, 12), np.nan)])
    _, other = remake(source, dense=longer, documents=np.append(source.documents, 0))
    needs = {"activations"}
    assert inputs_of(atlas.store, atlas.entries, "s", needs) != inputs_of(other.store, other.entries, "s", needs)


def test_absent_analysis_says_how_to_make_it(atlas: Any) -> None:
    assert atlas.sae().table("stats") is None
    assert "saeatlas analyze stats" in atlas.sae().why_no_table("stats")


def test_missing_need_is_not_found(source: Any, remake: Any) -> None:
    from saeatlas.atlas.currency import inputs_of

    _, atlas = remake(source, has_tokens=False)
    with pytest.raises(NotFound, match="no tokens"):
        inputs_of(atlas.store, atlas.entries, "s", {"tokens"})
    with pytest.raises(NotFound, match="Analysis 'weather' has not been computed"):
        inputs_of(atlas.store, atlas.entries, "s", {"weather"})


def test_unknown_table_of_an_analysis_is_not_found(analyzed: Any) -> None:
    with pytest.raises(NotFound):
        analyzed.sae().table("stats", "levels")


def test_serving_an_analysis_does_not_wait_for_pandas(tmp_path: Path) -> None:
    from saeatlas.pipeline.build import build
    from saeatlas.testing.make_atlas import make_atlas

    build(make_atlas(tmp_path / "a.atlas"), Histogram())
    code = (
        f"import sys, saeatlas as sa\nsae = sa.open({str(tmp_path / 'a.atlas')!r}).sae()\n"
        "sae.feature(3).histogram()\nassert 'histogram/data' in sae.tables\nassert 'pandas' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
