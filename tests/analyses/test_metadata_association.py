"""Associations: planted effects are found, chance gives uniform p-values, numbers equal SciPy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats as oracle

from saeatlas.analyses.metadata_association import MetadataAssociation
from saeatlas.atlas.atlas import Atlas
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.importing import import_source
from saeatlas.storage import MemoryStore
from saeatlas.testing.analysis_contract import compute_tables
from saeatlas.testing.arrays_importer import SparseArrays
from saeatlas.testing.make_atlas import Shape, make_importer


def sae_of(dense: np.ndarray, documents: np.ndarray, columns: dict[str, Any], n_documents: int = 0) -> Any:
    """An SAE with the positive values of `dense`, [rows, features]."""
    listed = dense > 0
    n_rows, n_features = dense.shape
    n_documents = n_documents or int(documents.max()) + 1
    data = SparseArrays(
        features=np.nonzero(listed)[1],
        values=dense[listed],
        indptr=np.concatenate([[0], np.cumsum(listed.sum(1))]),
        documents=documents,
        ids=tuple(f"d{number}" for number in range(n_documents)),
        columns=columns,
    )
    shape = Shape(n_rows=n_rows, n_features=n_features, k=1, n_documents=n_documents)
    store = MemoryStore()
    create_atlas(store)
    import_source(store, replace(make_importer(shape), data=data))
    return Atlas(store, head(store)).sae()


def sparse_rows(rng: np.random.Generator, n_rows: int, n_features: int, share: float) -> np.ndarray:
    return np.where(rng.random((n_rows, n_features)) < share, rng.lognormal(size=(n_rows, n_features)), 0.0)


def of_column(table: pa.Table, column: str) -> list[dict[str, Any]]:
    found = [line for line in table.to_pylist() if line["column"] == column]
    assert found, f"no lines about '{column}': a loop over them would check nothing"
    return found


@pytest.fixture(scope="module")
def random_case() -> tuple[Any, np.ndarray, np.ndarray, dict[str, Any]]:
    rng = np.random.default_rng(0)
    documents = rng.permutation(np.repeat(np.arange(60), 5))
    dense = sparse_rows(rng, 300, 8, 0.14)
    dense[:, 7] = 0.0
    columns = {
        "kind": [("a", "b", "c", None)[i] for i in rng.integers(0, 4, 60)],
        "stars": rng.integers(1, 6, 60).tolist(),
        "length": [None if i % 7 == 0 else float(x) for i, x in enumerate(rng.random(60))],
        "name": [f"unique {i}" for i in range(60)],
        "same": [1] * 60,
    }
    return sae_of(dense, documents, columns), dense, documents, columns


def pooled(dense: np.ndarray, documents: np.ndarray, feature: int) -> tuple[np.ndarray, np.ndarray]:
    """Whether the feature fires in each document, and its mean over all rows of each."""
    sums = np.bincount(documents, dense[:, feature])
    return np.bincount(documents, dense[:, feature] > 0) > 0, sums / np.bincount(documents)


def test_categorical_effect_equals_scipy(random_case: Any) -> None:
    sae, dense, documents, columns = random_case
    kinds = np.array([kind or "" for kind in columns["kind"]])
    by_chi_square = 0
    for line in of_column(compute_tables(MetadataAssociation(), sae)["data"], "kind"):
        fires, _ = pooled(dense, documents, line["feature"])
        known = kinds != ""
        table = np.array([[((kinds == k) & (fires == f)).sum() for k in "abc"] for f in (True, False)])
        assert line["n_documents"] == known.sum()
        assert line["n_documents_active"] == fires[known].sum()
        if line["p"] is None:
            assert 0 in table.sum(1)
            continue
        expected = oracle.chi2_contingency(table, correction=False)
        np.testing.assert_allclose(line["min_expected"], expected.expected_freq.min())
        if line["min_expected"] >= 5:
            np.testing.assert_allclose(line["p"], expected.pvalue, rtol=1e-9)
            by_chi_square += 1
        np.testing.assert_allclose(line["effect"], oracle.contingency.association(table, "cramer"), rtol=1e-9)
    assert by_chi_square > 0


def test_p_of_two_levels_and_few_documents_is_the_doubled_exact_one() -> None:
    documents = np.repeat(np.arange(40), 2)
    dense = np.zeros((80, 2))
    dense[[0, 2, 4, 6, 60], 0] = 1.0
    columns = {"kind": ["a"] * 10 + ["b"] * 30}
    (line, _) = of_column(compute_tables(MetadataAssociation(), sae_of(dense, documents, columns))["data"], "kind")
    assert line["n_documents_active"] == 5
    assert line["p"] == pytest.approx(2 * oracle.fisher_exact([[4, 6], [1, 29]], "greater").pvalue)


def test_numeric_effect_equals_scipy(random_case: Any) -> None:
    sae, dense, documents, columns = random_case
    found = compute_tables(MetadataAssociation(), sae)["data"]
    for column in ("stars", "length"):
        number = np.array([np.nan if x is None else x for x in columns[column]])
        known = ~np.isnan(number)
        for line in of_column(found, column):
            _, mean = pooled(dense, documents, line["feature"])
            if line["feature"] == 7:
                assert line["effect"] is None
                continue
            expected = oracle.spearmanr(mean[known], number[known])
            np.testing.assert_allclose([line["effect"], line["p"]], expected, rtol=1e-7)


def test_false_discovery_rate_is_over_the_features_of_a_column(random_case: Any) -> None:
    sae, _, _, _ = random_case
    for column in ("kind", "stars"):
        found = of_column(compute_tables(MetadataAssociation(), sae)["data"], column)
        p = np.array([line["p"] for line in found if line["p"] is not None])
        q = np.array([line["q"] for line in found if line["p"] is not None])
        np.testing.assert_allclose(q, oracle.false_discovery_control(p), rtol=1e-12)
        assert [line["q"] for line in found if line["p"] is None] == [None] * (len(found) - p.size)


def test_levels_count_rows_and_documents(random_case: Any) -> None:
    sae, dense, documents, columns = random_case
    kinds = np.array(columns["kind"], object)
    for line in of_column(compute_tables(MetadataAssociation(), sae)["levels"], "kind"):
        of_level = np.flatnonzero(kinds == line["level"])
        rows = dense[np.isin(documents, of_level), line["feature"]]
        fires, _ = pooled(dense, documents, line["feature"])
        assert (line["n_rows"], line["n_active"]) == (rows.size, (rows > 0).sum())
        assert (line["n_documents"], line["n_documents_active"]) == (of_level.size, fires[of_level].sum())
        assert line["rate"] == (rows > 0).mean()
        assert line["mean"] is None if not (rows > 0).any() else np.isclose(line["mean"], rows[rows > 0].mean())


def test_documents_without_a_value_are_a_level_of_their_own(random_case: Any) -> None:
    sae, dense, _, _ = random_case
    levels = of_column(compute_tables(MetadataAssociation(), sae)["levels"], "kind")
    assert [line["level"] for line in levels[:4]] == ["a", "b", "c", None]
    for feature in range(8):
        total = sum(line["n_active"] for line in levels if line["feature"] == feature)
        assert total == (dense[:, feature] > 0).sum()


def test_numbers_of_many_values_are_cut_at_recorded_edges(random_case: Any) -> None:
    sae, _, _, columns = random_case
    levels = [
        line
        for line in of_column(compute_tables(MetadataAssociation(), sae)["levels"], "length")
        if line["feature"] == 0
    ]
    number = np.array([x for x in columns["length"] if x is not None])
    bins = [line for line in levels if line["level"] is not None]
    assert len(bins) == 10
    assert (bins[0]["lower"], bins[-1]["upper"]) == (number.min(), number.max())
    for line in bins[:-1]:
        assert line["n_documents"] == ((number >= line["lower"]) & (number < line["upper"])).sum()
    assert sum(line["n_documents"] for line in bins) == number.size


def test_numbers_of_few_values_are_levels_themselves(random_case: Any) -> None:
    levels = of_column(compute_tables(MetadataAssociation(), random_case[0])["levels"], "stars")
    assert [line["level"] for line in levels[:5]] == ["1", "2", "3", "4", "5"]
    assert [(line["lower"], line["upper"]) for line in levels[:2]] == [(1.0, 1.0), (2.0, 2.0)]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([1_600_000_000_001, 1_600_000_000_002], ["1600000000001", "1600000000002"]),
        ([1_600_000_000_001.0, 1_600_000_000_002.0], ["1600000000001", "1600000000002"]),
        ([2**53, 2**53 + 1], ["9007199254740992", "9007199254740993"]),
        ([0.25, 0.5], ["0.25", "0.5"]),
        ([0.1, 0.1 + 1e-12], ["0.10000000000000001", "0.10000000000100001"]),
        ([1e300, float("inf")], ["1e+300", "inf"]),
    ],
)
def test_name_of_a_number_tells_it_from_the_others(values: list[float], names: list[str]) -> None:
    rng = np.random.default_rng(0)
    sae = sae_of(sparse_rows(rng, 60, 2, 0.3), np.repeat(np.arange(20), 3), {"number": values * 10})
    levels = of_column(compute_tables(MetadataAssociation(), sae)["levels"], "number")
    assert [line["level"] for line in levels if line["feature"] == 1] == names


def test_name_of_a_bin_tells_it_from_the_others() -> None:
    # Times in milliseconds, as sources of reviews have them.
    rng = np.random.default_rng(0)
    times = [1_600_000_000_000 + i for i in range(20)]
    sae = sae_of(sparse_rows(rng, 60, 2, 0.3), np.repeat(np.arange(20), 3), {"time": times})
    levels = of_column(compute_tables(MetadataAssociation(), sae)["levels"], "time")
    assert levels[0]["level"] == "[1600000000000, 1600000000001)"
    assert len({line["level"] for line in levels}) == len(levels) / 2 == 10


def test_columns_that_cannot_be_tested_are_listed_with_the_reason(random_case: Any) -> None:
    found = {
        line["column"]: line for line in compute_tables(MetadataAssociation(), random_case[0])["columns"].to_pylist()
    }
    assert found["name"]["reason"] == "it has 60 levels, more than 50"
    assert found["same"]["reason"] == "all documents have the same value"
    assert [name for name, line in found.items() if line["is_tested"]] == ["kind", "stars", "length"]
    assert found["kind"]["n_missing"] + found["kind"]["n_documents"] == 60
    assert found["stars"]["n_features_tested"] == 7


def test_asking_for_a_column_that_cannot_be_tested_is_refused(random_case: Any) -> None:
    with pytest.raises(InvalidInput, match="60 levels"):
        compute_tables(MetadataAssociation(columns=("name",)), random_case[0])


def test_asking_for_a_column_that_is_not_there_lists_the_columns(random_case: Any) -> None:
    with pytest.raises(NotFound, match="wrong"):
        compute_tables(MetadataAssociation(columns=("wrong",)), random_case[0])


def test_asking_for_one_column_gives_that_column(random_case: Any) -> None:
    found = compute_tables(MetadataAssociation(columns=("stars",)), random_case[0])
    assert set(found["data"]["column"].to_pylist()) == {"stars"}


def test_planted_effects_are_found_and_others_are_not() -> None:
    rng = np.random.default_rng(5)
    documents = np.repeat(np.arange(400), 4)
    stars = rng.integers(1, 6, 400)
    kind = rng.integers(0, 3, 400)
    dense = sparse_rows(rng, 1600, 40, 0.1)
    dense[:, 3] = np.where(rng.random(1600) < 0.3 * (kind[documents] == 1), 1.0, dense[:, 3])
    dense[:, 9] *= stars[documents]
    dense[:, 9] = np.where(rng.random(1600) < 0.06 * stars[documents], 1.0 * stars[documents], 0.0)
    sae = sae_of(dense, documents, {"stars": stars.tolist(), "kind": [f"k{number}" for number in kind]})
    data = compute_tables(MetadataAssociation(), sae)["data"]
    assert [line["feature"] for line in of_column(data, "kind") if line["q"] < 0.01] == [3]
    assert [line["feature"] for line in of_column(data, "stars") if line["q"] < 0.01] == [9]
    assert of_column(data, "stars")[9]["effect"] > 0.3


def test_chance_gives_uniform_p_values_though_rows_of_a_document_agree() -> None:
    # Features that fire in whole documents: with rows as the unit, most p-values would be far too small.
    rng = np.random.default_rng(11)
    documents = np.repeat(np.arange(600), 6)
    dense = sparse_rows(rng, 600, 400, 0.4)[documents] * rng.lognormal(0.0, 0.01, (3600, 400))
    columns = {"number": rng.random(600).tolist(), "kind": [f"k{i}" for i in rng.integers(0, 4, 600)]}
    data = compute_tables(MetadataAssociation(), sae_of(dense, documents, columns))["data"]
    for column in columns:
        p = [line["p"] for line in of_column(data, column)]
        assert len(p) == 400
        assert oracle.kstest(p, "uniform").pvalue > 0.01
    # The data would show a wrong unit: over rows, the same features seem to depend on the same number.
    number = np.array(columns["number"])[documents]
    by_row = [oracle.spearmanr(dense[:, feature], number).pvalue for feature in range(400)]
    assert np.mean(np.array(by_row) < 0.01) > 0.1


def test_chance_gives_no_discoveries_and_a_planted_effect_among_chance_does() -> None:
    rng = np.random.default_rng(12)
    documents = np.repeat(np.arange(300), 4)
    kind = rng.integers(0, 2, 300)
    dense = sparse_rows(rng, 1200, 200, 0.1)
    null = compute_tables(MetadataAssociation(), sae_of(dense, documents, {"kind": [f"k{i}" for i in kind]}))["data"]
    assert min(line["q"] for line in of_column(null, "kind")) > 0.05
    dense[:, 17] = np.where(kind[documents] == 1, dense[:, 17], 0.0)
    found = compute_tables(MetadataAssociation(), sae_of(dense, documents, {"kind": [f"k{i}" for i in kind]}))["data"]
    assert [line["feature"] for line in of_column(found, "kind") if line["q"] < 0.05] == [17]


def test_one_document_leaves_everything_undefined_and_is_no_error() -> None:
    found = compute_tables(
        MetadataAssociation(), sae_of(np.ones((5, 3)), np.zeros(5, np.int64), {"kind": ["a"], "n": [1]})
    )
    assert found["data"].num_rows == 0
    assert found["columns"]["is_tested"].to_pylist() == [False, False]


def test_documents_without_rows_are_not_counted() -> None:
    rng = np.random.default_rng(2)
    documents = np.repeat(np.arange(20), 3)
    columns = {"kind": ["a", "b"] * 15}
    sae = sae_of(sparse_rows(rng, 60, 4, 0.3), documents, columns, n_documents=30)
    found = compute_tables(MetadataAssociation(), sae)
    assert found["columns"]["n_documents"].to_pylist() == [20]
    assert [line["n_documents"] for line in found["levels"].to_pylist()[:2]] == [10, 10]


def test_feature_that_fires_everywhere_has_no_categorical_effect() -> None:
    documents = np.repeat(np.arange(20), 2)
    found = compute_tables(MetadataAssociation(), sae_of(np.ones((40, 2)), documents, {"kind": ["a", "b"] * 10}))
    assert found["data"]["p"].to_pylist() == [None, None]
    assert found["data"]["n_documents_active"].to_pylist() == [20, 20]


def test_column_named_twice_is_refused() -> None:
    with pytest.raises(InvalidInput, match="twice"):
        MetadataAssociation(columns=("a", "a"))
