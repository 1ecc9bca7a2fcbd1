"""What fires together: planted effects, dense oracles, draws of rows, one feature against the table of all."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from saeatlas.analyses import _active_rows, coactivation
from saeatlas.analyses.coactivation import Coactivation
from saeatlas.atlas.coactivation import live_coactive
from saeatlas.atlas.sae import SAE
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.kernels.pair_measures import MEASURES, Measure
from saeatlas.pipeline.build import build
from saeatlas.progress import Event, Progress
from saeatlas.storage import MemoryStore
from saeatlas.testing.analysis_contract import AnalysisContract, compute_tables
from saeatlas.testing.arrays_importer import SparseArrays
from saeatlas.testing.make_atlas import Shape, make_arrays, make_atlas, make_importer

SHAPE = Shape(n_rows=400, n_features=30, k=6, n_documents=12, listed_zeros=0.2, ragged=True, interleaved=True)


class TestCoactivation(AnalysisContract):
    def make_analysis(self) -> Coactivation:
        return Coactivation(k=7, by="lift", min_count=2, all_pairs=True)


class TestDrawnRows(AnalysisContract):
    def make_analysis(self) -> Coactivation:
        return Coactivation(k=7, sample=0.5, seed=3, all_pairs=True)


def sae_of(data: SparseArrays, shape: Shape = SHAPE, shard_rows: int = 150) -> SAE:
    from saeatlas.atlas.atlas import Atlas
    from saeatlas.format.commit import head
    from saeatlas.format.version import create_atlas
    from saeatlas.pipeline.importing import import_source

    store = MemoryStore()
    create_atlas(store)
    import_source(store, replace(make_importer(shape, shard_rows=shard_rows), data=data))
    return Atlas(store, head(store)).sae()


def of_dense(table: np.ndarray) -> SAE:
    """An SAE that lists what is not 0."""
    rows, features = np.nonzero(table)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(table)))])
    shape = Shape(n_rows=len(table), n_features=table.shape[1], k=1, n_documents=1, tokens=False)
    values = table[rows, features].astype(np.float32)
    data = replace(make_arrays(shape), features=features, values=values, indptr=indptr)
    return sae_of(data, shape, shard_rows=0)


@cache
def shared() -> tuple[SAE, np.ndarray]:
    data = make_arrays(SHAPE)
    return sae_of(data), np.maximum(np.nan_to_num(data.dense(SHAPE.n_features)), 0)


def lines(table: pa.Table, feature: int) -> list[dict[str, Any]]:
    return [line for line in table.to_pylist() if line["feature"] == feature]


def test_every_partner_has_the_numbers_of_numpy_over_all_rows() -> None:
    sae, dense = shared()
    data = compute_tables(Coactivation(), sae)["data"].to_pylist()
    active = dense > 0
    with np.errstate(all="ignore"):
        pearson = np.corrcoef(dense.T)
    together = active.astype(int).T @ active
    np.fill_diagonal(together, 0)
    assert {(line["feature"], line["partner"]) for line in data} == set(map(tuple, np.argwhere(together).tolist()))
    for line in data:
        a, b = line["feature"], line["partner"]
        both = together[a, b]
        assert line["count"] == both
        assert line["p_partner_given_feature"] == pytest.approx(both / active[:, a].sum())
        assert line["p_feature_given_partner"] == pytest.approx(both / active[:, b].sum())
        assert line["lift"] == pytest.approx(both / len(dense) / (active[:, a].mean() * active[:, b].mean()))
        assert line["pmi"] == pytest.approx(np.log2(line["lift"]))
        assert line["jaccard"] == pytest.approx(both / (active[:, a] | active[:, b]).sum())
        assert line["pearson"] == pytest.approx(pearson[a, b], abs=1e-12)
        assert line["is_exact"]
        assert line["count_error"] is None


def test_features_are_measured_over_all_rows_with_silence_as_0() -> None:
    sae, dense = shared()
    found = compute_tables(Coactivation(), sae)["features"]
    together = (dense > 0).astype(int).T @ (dense > 0)
    assert found["n_active"].to_pylist() == (dense > 0).sum(0).tolist()
    assert np.allclose(found["mean"], dense.mean(0))
    assert np.allclose(found["std"], dense.std(0))
    assert found["n_partners"].to_pylist() == ((together > 0).sum(0) - (np.diag(together) > 0)).tolist()
    assert set(found["n_rows"].to_pylist()) == {400}
    assert set(found["sampling_rate"].to_pylist()) == {1.0}


def test_entries_that_are_listed_and_not_active_do_not_count() -> None:
    sae, dense = shared()
    _, features, values = sae.activations.rows(0, 400)
    assert (values <= 0).sum() > 100
    counts = compute_tables(Coactivation(), sae)["features"]["n_active"]
    assert sum(counts.to_pylist()) == (dense > 0).sum() < features.size


@pytest.mark.parametrize("by", MEASURES)
def test_partners_are_ordered_as_asked_and_rare_pairs_come_last(by: Measure) -> None:
    data = compute_tables(Coactivation(by=by, min_count=4), shared()[0])["data"]
    for feature in range(30):
        found = lines(data, feature)
        keys = [(line["count"] < 4, -line[by], line["partner"]) for line in found if line[by] is not None]
        assert keys == sorted(keys)
        assert [line["rank"] for line in found] == list(range(len(found)))


def planted(n_rows: int = 4000) -> np.ndarray:
    """Feature 1 fires where 0 does; 2 never where 0 does; 3 fires nearly everywhere; others by chance."""
    random = np.random.default_rng(0)
    table = random.lognormal(0, 0.3, (n_rows, 40)) * (random.random((n_rows, 40)) < 0.05)
    fires = table[:, 0] > 0
    table[:, 1] = fires * random.lognormal(0, 0.3, n_rows)
    table[fires, 2] = 0
    table[:, 3] = random.lognormal(0, 0.3, n_rows) * (random.random(n_rows) < 0.95)
    return table


@pytest.mark.parametrize("by", ["pearson", "lift", "jaccard"])
def test_planted_partner_comes_first_and_not_the_most_frequent_one(by: Measure) -> None:
    best = lines(compute_tables(Coactivation(by=by), of_dense(planted()))["data"], 0)[0]
    assert best["partner"] == 1
    assert best["p_partner_given_feature"] == 1.0
    assert best["lift"] == pytest.approx(20, rel=0.2)


def test_counts_alone_favour_what_fires_everywhere() -> None:
    """The number of rows together, without a base rate, ranks the feature of no content high: for whoever needs it."""
    found = lines(compute_tables(Coactivation(by="count"), of_dense(planted()))["data"], 5)
    assert found[0]["partner"] == 3
    assert found[0]["lift"] == pytest.approx(1, abs=0.1)


def test_features_that_exclude_each_other_are_no_pair() -> None:
    sae = of_dense(planted())
    tables = compute_tables(Coactivation(all_pairs=True), sae)
    assert 2 not in [line["partner"] for line in lines(tables["data"], 0)]
    assert (0, 2) not in {(pair["source"], pair["target"]) for pair in tables["pairs"].to_pylist()}
    assert 2 not in sae.feature(0).coactive(100)["feature"].to_pylist()


def test_independent_features_have_lift_around_1_and_no_correlation() -> None:
    random = np.random.default_rng(1)
    table = random.lognormal(0, 0.5, (20_000, 30)) * (random.random((20_000, 30)) < 0.1)
    pairs = compute_tables(Coactivation(all_pairs=True), of_dense(table))["pairs"]
    assert pairs.num_rows == 30 * 29 // 2
    assert np.mean(pairs["lift"]) == pytest.approx(1, abs=0.01)
    z = np.asarray(pairs["pearson"]) * np.sqrt(20_000)
    assert abs(z.mean()) < 0.2
    assert z.std() == pytest.approx(1, abs=0.15)


def test_pairs_hold_every_pair_once_with_the_numbers_of_data() -> None:
    tables = compute_tables(Coactivation(all_pairs=True), shared()[0])
    by_pair = {(line["feature"], line["partner"]): line for line in tables["data"].to_pylist()}
    pairs = tables["pairs"].to_pylist()
    assert len(pairs) * 2 == len(by_pair)
    for pair in pairs:
        line = by_pair[pair["source"], pair["target"]]
        assert pair["source"] < pair["target"]
        names = ("count", "lift", "pmi", "jaccard", "pearson")
        assert [pair[name] for name in names] == [line[name] for name in names]
        assert pair["p_target_given_source"] == line["p_partner_given_feature"]
    keys = [(pair["source"], pair["target"]) for pair in pairs]
    assert keys == sorted(keys)


@pytest.mark.parametrize(("max_pairs", "kept"), [(50, 10**6), (50, 0), (1, 100)])
def test_passes_over_the_rows_do_not_show(monkeypatch: pytest.MonkeyPatch, max_pairs: int, kept: int) -> None:
    asked = Coactivation(all_pairs=True)
    once = compute_tables(asked, shared()[0])
    monkeypatch.setattr(coactivation, "_MAX_PAIRS", max_pairs)
    monkeypatch.setattr(_active_rows, "_KEPT_ENTRIES", kept)
    assert all(compute_tables(asked, shared()[0])[name].equals(table) for name, table in once.items())


def test_correlation_with_a_feature_that_never_changes_is_missing() -> None:
    table = planted(500)
    table[:, 7] = 0.1
    found = lines(compute_tables(Coactivation(), of_dense(table))["data"], 7)
    assert {line["pearson"] for line in found} == {None}
    assert all(line["lift"] == pytest.approx(1) for line in found)


def test_all_rows_active_is_lift_1() -> None:
    table = np.random.default_rng(2).lognormal(0, 1, (50, 4))
    data = compute_tables(Coactivation(), of_dense(table))["data"].to_pylist()
    assert {line["count"] for line in data} == {50}
    assert {line["lift"] for line in data} == {1.0}
    assert data[0]["pearson"] is not None


def draw(asked: Coactivation, sae: SAE) -> tuple[dict[str, pa.Table], list[str]]:
    said: list[Event] = []
    return compute_tables(asked, sae, Progress(said.append)), [event.text for event in said if event.what == "message"]


def test_drawn_rows_are_said_and_marked_and_estimate_the_counts() -> None:
    sae = of_dense(planted(8000))
    exact = {
        (p["source"], p["target"]): p for p in compute_tables(Coactivation(all_pairs=True), sae)["pairs"].to_pylist()
    }
    tables, said = draw(Coactivation(all_pairs=True, sample=0.25, seed=5), sae)
    assert "probability 0.25" in said[0]
    (rate,) = set(tables["features"]["sampling_rate"].to_pylist())
    assert rate == tables["features"]["n_rows"][0].as_py() / 8000
    assert rate == pytest.approx(0.25, abs=0.02)
    assert set(tables["features"]["is_exact"].to_pylist()) == {False}
    deviations = []
    for pair in tables["pairs"].to_pylist():
        assert not pair["is_exact"]
        truth = exact[pair["source"], pair["target"]]["count"]
        deviations.append((pair["count"] / rate - truth) / pair["count_error"])
    assert 0.5 < np.std(deviations) < 1.5
    (wide,) = [p for p in tables["pairs"].to_pylist() if (p["source"], p["target"]) == (0, 1)]
    assert wide["pearson"] == pytest.approx(exact[0, 1]["pearson"], abs=0.05)


def test_numbers_of_a_draw_are_those_of_the_rows_drawn() -> None:
    from saeatlas.kernels.row_draw import drawn_rows

    sae, dense = shared()
    part = dense[drawn_rows(0, 400, 0.5, 9)]
    found = compute_tables(Coactivation(sample=0.5, seed=9), sae)
    assert found["features"]["n_active"].to_pylist() == (part > 0).sum(0).tolist()
    line = found["data"].to_pylist()[0]
    expected = np.corrcoef(part[:, line["feature"]], part[:, line["partner"]])[0, 1]
    assert line["pearson"] == pytest.approx(expected)


def test_rows_are_drawn_when_there_are_more_pairs_than_the_budget() -> None:
    sae, _ = shared()
    tables, said = draw(Coactivation(budget=1000), sae)
    assert "more than the budget of 1,000" in said[0]
    assert not tables["data"]["is_exact"][0].as_py()
    tables, said = draw(Coactivation(), sae)
    assert said == []
    assert all(tables["data"]["is_exact"].to_pylist())


def test_listed_pairs_are_counted_from_the_bounds_of_rows() -> None:
    for ragged in (True, False):
        sae = make_atlas(MemoryStore(), 100, 20, 5, ragged=ragged, shard_rows=30).sae()
        indptr, _, _ = sae.activations.rows(0, 100)
        lengths = np.diff(indptr)
        assert _active_rows.n_listed_pairs(sae.activations) == (lengths * (lengths - 1) // 2).sum()


@cache
def both_ways() -> tuple[SAE, SAE]:
    """The same SAE without and with the analysis, with few partners for each feature."""
    shape: dict[str, Any] = {"n_rows": 500, "n_features": 40, "k": 5, "listed_zeros": 0.2, "shard_rows": 120}
    plain, same = (make_atlas(MemoryStore(), **shape) for _ in range(2))
    return plain.sae(), build(same, Coactivation(k=6)).sae()


@pytest.mark.parametrize("n", [0, 1, 5, 6])
def test_one_feature_has_the_same_numbers_from_its_rows_and_from_the_table(n: int) -> None:
    plain, analysed = both_ways()
    for feature in range(40):
        found = analysed.feature(feature).coactive(n)
        assert found.equals(plain.feature(feature).coactive(n))
        assert found.num_rows <= n


@pytest.mark.parametrize("by", MEASURES)
def test_more_partners_than_the_table_has_begin_with_those_of_the_table(by: Measure) -> None:
    plain, _ = both_ways()
    table = compute_tables(Coactivation(k=40, by=by, min_count=3), plain)["data"]
    names = ["count", "lift", "pmi", "jaccard", "pearson"]
    for feature in range(40):
        found = live_coactive(plain, feature, 1000, by, 3).to_pylist()
        expected = lines(table, feature)
        assert [line["feature"] for line in found] == [line["partner"] for line in expected]
        assert [[line[name] for name in names] for line in found] == [
            [line[name] for name in names] for line in expected
        ]
        assert live_coactive(plain, feature, 3, by, 3).to_pylist() == found[:3]


def test_more_than_the_table_has_is_computed() -> None:
    plain, analysed = both_ways()
    assert analysed.feature(0).coactive(30).num_rows > 6
    assert analysed.feature(0).coactive(30).equals(plain.feature(0).coactive(30))


def test_numbers_of_a_draw_are_never_served_as_those_of_the_corpus() -> None:
    atlas = build(make_atlas(MemoryStore(), 300, 20, 4), Coactivation(sample=0.3))
    plain = make_atlas(MemoryStore(), 300, 20, 4).sae()
    assert all(atlas.sae().feature(f).coactive(5).equals(plain.feature(f).coactive(5)) for f in range(20))


def test_rows_far_apart_and_rows_of_long_reads_are_found_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    from saeatlas.atlas import coactivation as live

    plain, _ = both_ways()
    expected = [plain.feature(f).coactive(40) for f in range(40)]
    for bridged, at_once, batch in ((0, 10, 1), (10**6, 10**6, 10), (3, 40, 10**6)):
        monkeypatch.setattr(live, "_BRIDGED", bridged)
        monkeypatch.setattr(live, "_AT_ONCE", at_once)
        monkeypatch.setattr(live, "_BATCH", batch)
        assert all(plain.feature(f).coactive(40).equals(expected[f]) for f in range(40))


def test_a_silent_feature_has_no_partners() -> None:
    plain, analysed = both_ways()
    assert plain.activations.active_counts[39] == 0
    assert plain.feature(39).coactive().num_rows == analysed.feature(39).coactive().num_rows == 0


@pytest.mark.parametrize(
    "ask",
    [
        lambda feature: feature.coactive(-1),
        lambda feature: feature.coactive(1.5),
        lambda feature: feature.coactive(3, by="cosine"),
        lambda feature: feature.coactive(3, min_count=0),
        lambda _: Coactivation(k=0),
        lambda _: Coactivation(sample=0.0),
        lambda _: Coactivation(sample=float("nan")),
        lambda _: Coactivation(by="cosine"),  # type: ignore[arg-type]
        lambda _: Coactivation(budget=0),
    ],
)
def test_wrong_questions_are_refused(ask: Callable[[Any], object]) -> None:
    with pytest.raises(InvalidInput):
        ask(both_ways()[0].feature(0))


def test_without_activations_the_error_says_so() -> None:
    from saeatlas.atlas.atlas import Atlas
    from saeatlas.format.commit import head
    from saeatlas.format.version import create_atlas
    from saeatlas.pipeline.sae_importing import import_parts
    from saeatlas.testing.parts_importer import PartsImporter, make_parts

    store = MemoryStore()
    create_atlas(store)
    import_parts(store, PartsImporter(sae="toy", data=make_parts(12)))
    with pytest.raises(NotFound, match="no activations"):
        build(Atlas(store, head(store)), Coactivation())


def test_memory_stays_within_what_is_announced() -> None:
    sae = make_atlas(MemoryStore(), n_rows=20_000, n_features=600, k=20, n_documents=10, tokens=False).sae()
    asked = Coactivation(k=20)
    compute_tables(asked, sae)
    tracemalloc.start()
    compute_tables(asked, sae)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < asked.peak_bytes(sae) - 300_000_000
