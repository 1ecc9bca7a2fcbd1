"""What the analyses say, against dense arrays and SciPy."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats as oracle

from saeatlas.analyses.examples import Examples
from saeatlas.analyses.histogram import Histogram
from saeatlas.analyses.stats import Stats
from saeatlas.analyses.top_tokens import TopTokens
from saeatlas.atlas.atlas import Atlas
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.importing import import_source
from saeatlas.storage import MemoryStore
from saeatlas.testing.analysis_contract import compute_tables, in_small_blocks
from saeatlas.testing.arrays_importer import SparseArrays
from saeatlas.testing.make_atlas import WORDS, Shape, make_arrays, make_atlas, make_importer

SHAPE = Shape(n_rows=400, n_features=30, k=5, n_documents=12, listed_zeros=0.2, ragged=True, interleaved=True)


def sae_of(data: SparseArrays, shape: Shape = SHAPE) -> Any:
    store = MemoryStore()
    create_atlas(store)
    import_source(store, replace(make_importer(shape, shard_rows=150), data=data))
    return Atlas(store, head(store)).sae()


@cache
def shared() -> tuple[Any, SparseArrays, np.ndarray]:
    data = make_arrays(SHAPE)
    return sae_of(data), data, data.dense(SHAPE.n_features)


def lines(table: pa.Table, feature: int) -> list[dict[str, Any]]:
    return [line for line in table.to_pylist() if line["feature"] == feature]


@cache
def stats() -> tuple[dict[str, Any], ...]:
    return tuple(compute_tables(Stats(), shared()[0])["data"].to_pylist())


def test_stats_count_rows_listed_and_active_entries() -> None:
    _, _, dense = shared()
    for feature, line in enumerate(stats()):
        column = dense[:, feature]
        assert line["n_rows"] == 400
        assert line["n_listed"] == (~np.isnan(column)).sum()
        assert line["n_active"] == (column > 0).sum()
        assert line["density"] == (column > 0).sum() / 400


def test_stats_equal_scipy_over_the_active_values() -> None:
    _, _, dense = shared()
    checked = 0
    for feature, line in enumerate(stats()):
        active = dense[dense[:, feature] > 0, feature]
        if active.size < 3:
            continue
        expected = [
            active.sum(),
            active.mean(),
            active.std(),
            active.max(),
            oracle.skew(active),
            oracle.kurtosis(active),
        ]
        found = [line[name] for name in ("sum", "mean", "std", "max", "skewness", "kurtosis")]
        np.testing.assert_allclose(found, expected, rtol=1e-9)
        checked += 1
    assert checked > 20


def test_feature_that_never_fires_has_null_and_not_zero() -> None:
    line = stats()[-1]
    assert (line["n_active"], line["density"], line["sum"]) == (0, 0.0, 0.0)
    assert all(line[name] is None for name in ("mean", "std", "min", "median", "max", "skewness", "kurtosis"))
    assert line["density_high"] > 0


def test_listed_zeros_and_negatives_are_in_no_number_about_values() -> None:
    # An earlier tool mixed listed and active entries; here the two counts stand side by side.
    both = [line for line in stats() if line["n_listed"] > line["n_active"] > 0]
    assert both
    assert all(line["min"] > 0 for line in both)


def test_stats_cover_rows_that_come_last() -> None:
    # Earlier tools described the first 100,000 rows; here the only large value is in the last row.
    data = make_arrays(SHAPE)
    values = data.values.copy()
    values[-1] = 1e6
    changed = replace(data, values=values)
    feature = int(data.features[-1])
    assert compute_tables(Stats(), sae_of(changed))["data"]["max"][feature].as_py() == 1e6


def test_floor_silences_weak_values() -> None:
    sae, _, dense = shared()
    found = compute_tables(Stats(floor=1.0), sae)["data"]["n_active"].to_pylist()
    assert found == (dense > 1.0).sum(0).tolist()


@pytest.mark.parametrize("floor", [-0.5, float("nan"), float("inf")])
def test_floor_below_zero_or_not_a_number_is_refused(floor: float) -> None:
    with pytest.raises(InvalidInput, match="floor"):
        Stats(floor=floor)


def test_histogram_counts_every_row_once() -> None:
    data = compute_tables(Histogram(bins=7), shared()[0])["data"].to_pylist()
    for line in data:
        for scale in ("linear", "log"):
            assert sum(line[f"{scale}_counts"]) + line["n_inactive"] == 400
            assert (line[f"{scale}_edges"] is None) == (line["n_active"] == 0)


def test_histogram_equals_numpy() -> None:
    _, _, dense = shared()
    for feature, line in enumerate(compute_tables(Histogram(bins=7), shared()[0])["data"].to_pylist()):
        active = dense[dense[:, feature] > 0, feature]
        if active.size:
            assert line["linear_counts"] == np.histogram(active, line["linear_edges"])[0].tolist()
            assert line["log_counts"] == np.histogram(active, line["log_edges"])[0].tolist()


def test_top_examples_are_the_strongest_rows_of_the_whole_corpus() -> None:
    sae, _, dense = shared()
    data = compute_tables(Examples(top=6), sae)["data"]
    for feature in range(SHAPE.n_features):
        column = np.nan_to_num(dense[:, feature], nan=-1.0)
        order = np.lexsort((np.arange(400), -column))[: min(6, int((column > 0).sum()))]
        top = [line for line in lines(data, feature) if line["pick"] == "top"]
        assert [line["row"] for line in top] == order.tolist()
        assert [line["rank"] for line in top] == list(range(order.size))
        assert [line["value"] for line in top] == column[order].tolist()


def test_each_stratum_gives_its_share_and_no_row_is_in_two() -> None:
    sae, _, _ = shared()
    data = compute_tables(Examples(strata=4, per_stratum=3), sae)["data"]
    drawn = [line for line in lines(data, 0) if line["pick"] == "quantile"]
    assert Counter(line["stratum"] for line in drawn) == {0: 3, 1: 3, 2: 3, 3: 3}
    assert len({line["row"] for line in drawn}) == 12
    ends = [[line["value"] for line in drawn if line["stratum"] == stratum] for stratum in range(4)]
    assert min(ends[0]) >= max(ends[1]) >= min(ends[1]) >= max(ends[2])


def test_seed_changes_the_drawn_rows_only() -> None:
    sae, _, _ = shared()
    one, other = (compute_tables(Examples(seed=seed), sae)["data"].to_pylist() for seed in (1, 2))
    assert [line for line in one if line["pick"] == "top"] == [line for line in other if line["pick"] == "top"]
    assert one != other


def test_top_tokens_equal_a_counter() -> None:
    sae, data, dense = shared()
    table = compute_tables(TopTokens(k=4), sae)["data"]
    vocabulary = sae.corpus.tokens.vocabulary().to_pylist()
    strings = [line["string"] for line in vocabulary]
    words = np.array([WORDS[token] for token in data.tokens])
    corpus = Counter(words.tolist())
    for feature in range(SHAPE.n_features):
        active = dense[:, feature] > 0
        counts = Counter(words[active].tolist())
        expected = sorted(counts, key=lambda word: (-counts[word], strings.index(word)))[:4]
        found = lines(table, feature)
        assert [line["string"] for line in found] == expected
        for line in found:
            share = counts[line["string"]] / active.sum()
            assert line["count"] == counts[line["string"]]
            np.testing.assert_allclose(line["mean"], dense[active & (words == line["string"]), feature].mean())
            np.testing.assert_allclose(line["share"], share)
            np.testing.assert_allclose(line["lift"], share / (corpus[line["string"]] / 400))


def test_lift_finds_the_token_that_a_frequent_one_hides() -> None:
    # Counts alone put the most frequent token of the corpus first for every feature.
    data = make_arrays(SHAPE)
    tokens = np.zeros(400, np.int64)
    tokens[::20] = 1
    features, values = np.repeat(np.arange(1), 400), np.ones(400, np.float32)
    values[(tokens == 0) & (np.arange(400) % 8 != 1)] = 0.0
    planted = replace(
        data, features=features, values=values, indptr=np.arange(401), tokens=tokens, spans=None, texts=()
    )
    found = lines(compute_tables(TopTokens(), sae_of(planted))["data"], 0)
    assert found[0]["count"] > found[1]["count"]
    assert found[0]["lift"] < 1
    assert found[1]["lift"] > 2


def test_top_tokens_of_a_corpus_without_tokens_say_so() -> None:
    data = make_arrays(replace(SHAPE, tokens=False))
    with pytest.raises(NotFound, match="no tokens"):
        compute_tables(TopTokens(), sae_of(data))


def test_coverage_counts_active_rows_without_a_token() -> None:
    sae, _, dense = shared()
    tokens = sae.corpus.tokens
    missing = np.arange(400) % 3 == 0

    class HalfBlind:
        def __getattr__(self, name: str) -> Any:
            return getattr(tokens, name)

        def read(self, start: int, stop: int) -> np.ndarray:
            return np.where(missing[start:stop], np.uint32(0xFFFFFFFF), tokens.read(start, stop))

    blind = Atlas(sae.atlas.store, sae.atlas.commit).sae()
    blind.corpus.__dict__["tokens"] = HalfBlind()
    found = compute_tables(TopTokens(k=100), blind)
    for line in found["coverage"].to_pylist():
        active = dense[:, line["feature"]] > 0
        assert line["n_active"] == active.sum()
        assert line["n_without_token"] == (active & missing).sum()
        counts = [other["count"] for other in lines(found["data"], line["feature"])]
        assert sum(counts) == (active & ~missing).sum()
        np.testing.assert_allclose(
            sum(o["share"] for o in lines(found["data"], line["feature"])), 1.0 if counts else 0.0
        )


@pytest.mark.parametrize(
    "make", [lambda: Histogram(bins=0), lambda: Examples(strata=0), lambda: Examples(top=-1), lambda: TopTokens(k=0)]
)
def test_parameter_out_of_range_is_refused(make: Any) -> None:
    with pytest.raises(InvalidInput, match="must be a whole number"):
        make()


def test_memory_grows_with_the_block_and_not_with_the_corpus() -> None:
    sae = make_atlas(MemoryStore(), n_rows=40_000, n_features=150, k=6, tokens=False).sae()
    list(sae.activations.feature_blocks())
    peaks = []
    for max_listed in (10_000, 240_000):
        tracemalloc.start()
        compute_tables(Stats(), in_small_blocks(sae, max_listed))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[0] < peaks[1] / 2
    assert peaks[1] < 40 * sae.n_listed + 200 * sae.n_features
