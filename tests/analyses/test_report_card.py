"""One SAE in one line, against dense arrays; what is not there is missing."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from saeatlas.analyses.report_card import ReportCard
from saeatlas.analyses.stats import Stats
from saeatlas.atlas.atlas import Atlas
from saeatlas.atlas.sae import SAE
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.kernels.moments import wilson
from saeatlas.pipeline.build import build
from saeatlas.pipeline.importing import import_source
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.storage import MemoryStore, Store
from saeatlas.testing.analysis_contract import AnalysisContract, compute_tables
from saeatlas.testing.make_atlas import Shape, make_arrays, make_importer
from saeatlas.testing.parts_importer import PartsImporter, SaeParts, make_parts

SHAPE = Shape(n_rows=500, n_features=30, k=6, n_documents=12, listed_zeros=0.2, ragged=True)


class TestReportCard(AnalysisContract):
    def make_analysis(self) -> ReportCard:
        return ReportCard(dense=0.3, rare=0.01, bins=3)


def store_with(parts: SaeParts | None = None) -> Store:
    store = MemoryStore()
    create_atlas(store)
    if parts is not None:
        import_parts(store, PartsImporter(sae="toy", data=parts))
    return store


def opened(store: Store) -> SAE:
    return Atlas(store, head(store)).sae("toy")


def of_dense(table: np.ndarray) -> SAE:
    rows, features = np.nonzero(table)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(table)))])
    shape = Shape(n_rows=len(table), n_features=table.shape[1], k=1, n_documents=1, tokens=False)
    values = table[rows, features].astype(np.float32)
    data = replace(make_arrays(shape), features=features, values=values, indptr=indptr)
    store = store_with()
    import_source(store, replace(make_importer(shape), data=data))
    return opened(store)


@cache
def whole() -> tuple[SAE, np.ndarray, SaeParts]:
    parts = make_parts(30)
    store = store_with(parts)
    import_source(store, make_importer(SHAPE, shard_rows=150))
    return opened(store), make_arrays(SHAPE).dense(30), parts


def card(analysis: ReportCard, sae: SAE) -> dict[str, Any]:
    (line,) = compute_tables(analysis, sae)["data"].to_pylist()
    assert isinstance(line, dict)
    return line


def test_l0_equals_numpy_over_all_rows() -> None:
    sae, dense, _ = whole()
    line = card(ReportCard(), sae)
    l0 = (dense > 0).sum(1)
    assert line["n_rows"] == 500
    assert line["l0_mean"] == pytest.approx(l0.mean())
    assert line["l0_std"] == pytest.approx(l0.std())
    names = ("l0_min", "l0_q05", "l0_q25", "l0_median", "l0_q75", "l0_q95", "l0_max")
    assert [line[name] for name in names] == pytest.approx(
        np.quantile(l0, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 1]).tolist()
    )
    listed = (~np.isnan(dense)).sum(1)
    assert (line["listed_mean"], line["listed_max"]) == (pytest.approx(listed.mean()), listed.max())
    assert line["listed_mean"] > line["l0_mean"]


def test_densities_sum_to_the_mean_l0() -> None:
    sae, _, _ = whole()
    densities = compute_tables(Stats(), sae)["data"]["density"].to_pylist()
    assert card(ReportCard(), sae)["l0_mean"] == pytest.approx(sum(densities), rel=1e-14)


def test_silent_rows_have_a_share_with_its_interval() -> None:
    sae, dense, _ = whole()
    line = card(ReportCard(), sae)
    silent = int((~(dense > 0).any(1)).sum())
    low, high = wilson(silent, 500)
    assert silent > 0
    assert line["n_silent_rows"] == silent
    assert line["silent_rows_share"] == silent / 500
    assert (line["silent_rows_low"], line["silent_rows_high"]) == (low, high)


def test_dead_dense_and_rare_features_are_counted() -> None:
    table = np.zeros((1000, 10))
    for feature, n in enumerate([0, 0, 0, 1, 3, 50, 100, 101, 400, 1000]):
        table[:n, feature] = 1.0
    line = card(ReportCard(rare=0.002), of_dense(table))
    assert (line["n_dead"], line["n_ultra_rare"], line["n_ultra_dense"]) == (3, 1, 3)
    assert line["dead_share"] == 0.3
    assert line["dead_low"] < 0.3 < line["dead_high"]
    assert line["ultra_dense_activity"] == pytest.approx(1501 / 1655)
    assert line["density_median"] == pytest.approx(0.0265)
    assert card(ReportCard(dense=0.05, rare=0.002), of_dense(table))["n_ultra_dense"] == 4


def test_where_one_firing_is_more_than_rare_no_feature_is_called_rarer() -> None:
    table = np.zeros((1000, 3))
    table[0, 0] = 1.0
    line = card(ReportCard(), of_dense(table))
    assert line["n_ultra_rare"] is line["ultra_rare_share"] is line["ultra_rare_low"] is None
    assert line["n_dead"] == 2


def test_rows_by_l0_hold_every_row() -> None:
    sae, dense, _ = whole()
    table = compute_tables(ReportCard(), sae)["l0"]
    counts = np.bincount((dense > 0).sum(1))
    assert table["l0"].to_pylist() == np.flatnonzero(counts).tolist()
    assert table["n_rows"].to_pylist() == counts[counts > 0].tolist()


@pytest.mark.parametrize("bins", [1, 4, 7])
def test_features_by_density_hold_every_feature_and_the_silent_ones_apart(bins: int) -> None:
    sae, dense, _ = whole()
    lines = compute_tables(ReportCard(bins=bins), sae)["density"].to_pylist()
    density = (dense > 0).mean(0)
    assert lines[0] == {"lower": None, "upper": None, "n_features": int((density == 0).sum())}
    assert sum(line["n_features"] for line in lines) == 30
    for line, after in zip(lines[1:], [*lines[2:], None], strict=True):
        inside = (density >= line["lower"]) & (density < line["upper"] if after else density <= 1)
        assert line["n_features"] == inside.sum()
        assert np.log10(line["upper"] / line["lower"]) == pytest.approx(1 / bins, abs=1e-6)
        assert after is None or line["upper"] == after["lower"]
    assert lines[-1]["upper"] == 1.0
    assert lines[1]["lower"] <= 1 / 500


@pytest.mark.parametrize("n_rows", [1, 7, 10, 1000])
def test_a_feature_of_one_row_and_one_of_all_are_in_the_first_and_the_last_bin(n_rows: int) -> None:
    table = np.zeros((n_rows, 3))
    table[0, 0] = 1.0
    table[:, 1] = 1.0
    lines = compute_tables(ReportCard(bins=3), of_dense(table))["density"].to_pylist()
    assert sum(line["n_features"] for line in lines[1:]) == 2
    assert lines[-1]["n_features"] >= 1


def test_directions_are_summed_up() -> None:
    sae, _, parts = whole()
    line = card(ReportCard(), sae)
    decoder, encoder = (parts.arrays[name].astype(float) for name in ("decoder", "encoder"))
    norms = np.linalg.norm(decoder, axis=1)
    assert line["decoder_norm_mean"] == pytest.approx(norms.mean())
    assert line["decoder_norm_std"] == pytest.approx(norms.std())
    assert line["decoder_norm_max"] == pytest.approx(norms.max())
    assert line["n_zero_decoder"] == 1
    assert line["encoder_norm_median"] == pytest.approx(np.median(np.linalg.norm(encoder, axis=1)))
    cosine = (decoder * encoder).sum(1)[:-1] / (norms * np.linalg.norm(encoder, axis=1))[:-1]
    assert line["encoder_decoder_cosine_mean"] == pytest.approx(cosine.mean())
    assert line["encoder_decoder_cosine_q25"] == pytest.approx(np.quantile(cosine, 0.25))


def test_explained_features_are_counted_once() -> None:
    sae, _, parts = whole()
    line = card(ReportCard(), sae)
    assert line["n_explanation_sets"] == 1
    assert line["n_explanations"] == len(parts.texts)
    assert line["n_explained"] == len({feature for feature, _ in parts.texts})
    assert line["explained_share"] == line["n_explained"] / 30


def test_without_weights_and_explanations_their_columns_are_missing() -> None:
    line = card(ReportCard(), of_dense(np.eye(5)))
    assert line["l0_mean"] == 1.0
    for name in ("decoder_norm_mean", "n_zero_decoder", "encoder_decoder_cosine_mean", "n_explained", "fvu"):
        assert line[name] is None


def test_without_activations_what_they_tell_is_missing() -> None:
    tables = compute_tables(ReportCard(), opened(store_with(make_parts(30))))
    (line,) = tables["data"].to_pylist()
    assert line["n_features"] == 30
    assert line["is_width_known"]
    assert line["decoder_norm_mean"] is not None
    for name in ("n_rows", "l0_mean", "n_dead", "dead_share", "silent_rows_low", "density_median"):
        assert line[name] is None
    assert tables["l0"].num_rows == tables["density"].num_rows == 0


def test_directions_of_different_spaces_have_no_cosine() -> None:
    random = np.random.default_rng(0)
    arrays = {"decoder": random.normal(size=(6, 4)), "encoder": random.normal(size=(6, 5))}
    parts = SaeParts(arrays={name: array.astype(np.float32) for name, array in arrays.items()})
    line = card(ReportCard(), opened(store_with(parts)))
    assert line["encoder_decoder_cosine_mean"] is None
    assert line["encoder_norm_mean"] is not None


def test_an_sae_without_anything_is_an_error() -> None:
    parts = make_parts(30)
    store = store_with(SaeParts(arrays={}, positions=parts.positions))
    with pytest.raises(NotFound, match="nothing to report"):
        compute_tables(ReportCard(), opened(store))


def test_it_is_stored_with_what_it_read() -> None:
    parts = make_parts(30)
    store = store_with(parts)
    import_source(store, make_importer(SHAPE))
    sae = build(Atlas(store, head(store)), ReportCard()).sae("toy")
    stored = sae.table("report-card")
    assert isinstance(stored, pa.Table)
    assert stored.num_rows == 1
    assert set(sae.atlas.manifest("sae/toy/report-card").inputs) == {"activations", "weights", "explanations"}


@pytest.mark.parametrize("wrong", [{"dense": 1.0}, {"rare": 0.0}, {"rare": 0.5, "dense": 0.1}, {"bins": 0}], ids=str)
def test_wrong_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        ReportCard(**wrong)


def test_memory_stays_within_what_is_announced() -> None:
    store = store_with()
    shape = Shape(n_rows=50_000, n_features=200, k=20, tokens=False)
    import_source(store, make_importer(shape))
    sae = opened(store)
    compute_tables(ReportCard(), sae)
    tracemalloc.start()
    compute_tables(ReportCard(), sae)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < ReportCard().peak_bytes(sae) - 300_000_000
