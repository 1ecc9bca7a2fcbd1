"""Matches between SAEs: a planted permutation, dense oracles, matching with itself, and what cannot be compared."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.optimize import linear_sum_assignment

from saeatlas.analyses import _active_rows, cross_sae
from saeatlas.analyses.cross_sae import CrossSae
from saeatlas.atlas.atlas import Atlas
from saeatlas.atlas.sae import SAE
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.build import build
from saeatlas.pipeline.importing import import_source
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.progress import SILENT, Event, Progress
from saeatlas.storage import MemoryStore
from saeatlas.testing.analysis_contract import AnalysisContract, compute_tables
from saeatlas.testing.make_atlas import Shape, make_arrays, make_importer
from saeatlas.testing.parts_importer import PartsImporter, SaeParts


class TestPearson(AnalysisContract):
    def make_analysis(self) -> CrossSae:
        return CrossSae(other="other", min_count=2)


class TestJaccard(AnalysisContract):
    def make_analysis(self) -> CrossSae:
        return CrossSae(other="other", by="jaccard", k=2)


class TestCosine(AnalysisContract):
    def make_analysis(self) -> CrossSae:
        return CrossSae(other="other", by="cosine")


class TestItself(AnalysisContract):
    def make_analysis(self) -> CrossSae:
        return CrossSae(other="toy", min_count=1)


def atlas_of(*tables: np.ndarray, corpora: tuple[str, ...] = ()) -> Atlas:
    """An atlas with an SAE a, b, … for each dense table of activations."""
    store = MemoryStore()
    create_atlas(store)
    for i, table in enumerate(tables):
        rows, features = np.nonzero(table)
        indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(table)))])
        shape = Shape(n_rows=len(table), n_features=table.shape[1], k=1, n_documents=1, tokens=False)
        # The same documents, whatever the number of features.
        documents = make_arrays(replace(shape, n_features=2))
        values = table[rows, features].astype(np.float32)
        data = replace(documents, features=features, values=values, indptr=indptr)
        importer = replace(make_importer(shape, sae="abcd"[i], shard_rows=300), data=data)
        import_source(store, replace(importer, corpus=(corpora or ("reviews",) * 4)[i]))
    return Atlas(store, head(store))


def decoders(*matrices: np.ndarray) -> Atlas:
    """An atlas with an SAE a, b, … for each decoder."""
    store = MemoryStore()
    create_atlas(store)
    for i, matrix in enumerate(matrices):
        import_parts(store, PartsImporter(sae="abcd"[i], data=SaeParts(arrays={"decoder": matrix.astype(np.float32)})))
    return Atlas(store, head(store))


def noisy(n_rows: int = 3000, n: int = 40, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.lognormal(0, 0.5, (n_rows, n)) * (random.random((n_rows, n)) < 0.05)


@cache
def planted() -> tuple[Atlas, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """The features of b are those of a in another order, scaled, and silent in a fifth of the rows; two are new."""
    random = np.random.default_rng(3)
    one = noisy()
    order = random.permutation(40)
    two = 3.0 * one[:, order] * (random.random(one.shape) < 0.8)
    two = np.concatenate([two, noisy(n=2, seed=9)], axis=1)
    two[:, np.flatnonzero(order == 7)] = 0
    atlas = atlas_of(one, two)
    dense = tuple(np.float32(table).astype(float) for table in (one, two))
    return atlas, order, (dense[0], dense[1])


def matches(table: pa.Table) -> dict[int | None, int | None]:
    return dict(zip(table["feature"].to_pylist(), table["other_feature"].to_pylist(), strict=True))


@pytest.mark.parametrize("by", ["pearson", "jaccard"])
def test_planted_permutation_is_recovered_and_what_has_no_counterpart_stays_alone(by: Any) -> None:
    atlas, order, _ = planted()
    found = compute_tables(CrossSae(other="b", by=by), atlas.sae("a"))["assignment"]
    expected = {int(feature): place for place, feature in enumerate(order)}
    lines = found.to_pylist()
    good = [line for line in lines if line["score"] is not None and line["score"] > 0.5]
    assert {line["feature"]: line["other_feature"] for line in good} == {f: p for f, p in expected.items() if f != 7}
    assert all(line["is_mutual_best"] for line in good)
    assert all(line["runner_up"] is None or line["runner_up"] < 0.2 for line in good)
    rest = [line for line in lines if line not in good]
    assert all(line["score"] is None or line["score"] < 0.2 for line in rest)


def test_matches_have_the_numbers_of_numpy() -> None:
    atlas, _, (one, two) = planted()
    data = compute_tables(CrossSae(other="b", k=50, min_count=1), atlas.sae("a"))["data"].to_pylist()
    assert len(data) == (((one > 0).astype(int).T @ (two > 0)) > 0).sum()
    for line in data:
        x, y = one[:, line["feature"]], two[:, line["other_feature"]]
        both = ((x > 0) & (y > 0)).sum()
        assert line["count"] == both
        assert line["jaccard"] == pytest.approx(both / ((x > 0) | (y > 0)).sum())
        assert line["pearson"] == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-12)
        assert line["cosine"] is None


def test_ranks_are_places_in_the_order_of_each_side() -> None:
    atlas, _, _ = planted()
    whole = compute_tables(CrossSae(other="b", k=50, min_count=1), atlas.sae("a"))["data"].to_pylist()
    for side, mate, rank in (("feature", "other_feature", "rank"), ("other_feature", "feature", "other_rank")):
        for feature in range(40):
            own = [line for line in whole if line[side] == feature]
            best = sorted(own, key=lambda line, mate=mate: (-line["pearson"], line[mate]))  # type: ignore[misc]
            assert [line[rank] for line in best] == list(range(len(own)))
    short = compute_tables(CrossSae(other="b", k=2, min_count=1), atlas.sae("a"))["data"].to_pylist()
    assert {(line["feature"], line["other_feature"]) for line in short} == {
        (line["feature"], line["other_feature"]) for line in whole if line["rank"] < 2 or line["other_rank"] < 2
    }
    assert all(line["rank"] is None or line["rank"] < 2 for line in short)


@pytest.mark.parametrize("by", ["pearson", "jaccard"])
def test_assignment_is_worth_as_much_as_scipys_over_the_dense_scores(by: Any) -> None:
    atlas, _, (one, two) = planted()
    found = compute_tables(CrossSae(other="b", by=by, min_count=1), atlas.sae("a"))["assignment"]
    both = (one > 0).astype(int).T @ (two > 0)
    either = (one > 0).sum(0)[:, None] + (two > 0).sum(0) - both
    with np.errstate(all="ignore"):
        scores = both / either if by == "jaccard" else np.corrcoef(one.T, two.T)[:40, 40:]
    gain = np.maximum(np.nan_to_num(np.where(both > 0, scores, 0)), 0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    assert sum(score or 0 for score in found["score"].to_pylist()) == pytest.approx(gain[rows, columns].sum())
    assert all(found["is_optimal"].to_pylist())


def test_every_feature_of_both_is_there_once_and_what_is_alone_is_null() -> None:
    atlas, _, _ = planted()
    found = compute_tables(CrossSae(other="b", min_count=40), atlas.sae("a"))["assignment"]
    lines = found.to_pylist()
    assert [line["feature"] for line in lines[:40]] == list(range(40))
    others = [line["other_feature"] for line in lines if line["other_feature"] is not None]
    assert sorted(others) == list(range(42))
    alone = [line for line in lines if line["feature"] is None]
    assert len(alone) >= 3
    assert all(line["score"] is line["is_mutual_best"] is line["runner_up"] is None for line in alone)
    assert lines[7]["other_feature"] is None


@pytest.mark.parametrize("by", ["pearson", "jaccard", "cosine"])
def test_matching_an_sae_with_itself_is_the_identity(by: Any) -> None:
    atlas = decoders(np.random.default_rng(4).normal(size=(60, 16))) if by == "cosine" else atlas_of(noisy())
    found = compute_tables(CrossSae(other="a", by=by), atlas.sae("a"))["assignment"].to_pylist()
    assert [line["other_feature"] for line in found] == [line["feature"] for line in found]
    assert all(line["score"] == pytest.approx(1.0) for line in found)
    assert all(line["is_mutual_best"] for line in found)


def test_independent_saes_have_no_good_match() -> None:
    atlas = atlas_of(noisy(20_000, 30, seed=5), noisy(20_000, 30, seed=6))
    found = compute_tables(CrossSae(other="b", k=30), atlas.sae("a"))
    pearson = np.array(found["data"]["pearson"].to_pylist())
    assert abs(pearson.mean() * np.sqrt(20_000)) < 0.2
    assert pearson.max() < 5 / np.sqrt(20_000)
    assert max(score or 0 for score in found["assignment"]["score"].to_pylist()) < 5 / np.sqrt(20_000)


def test_directions_are_matched_by_cosine() -> None:
    random = np.random.default_rng(7)
    one = random.normal(size=(50, 24))
    order = random.permutation(50)
    two = 2.5 * one[order] + 0.1 * random.normal(size=one.shape)
    one[4] = 0
    atlas = decoders(one, two)
    tables = compute_tables(CrossSae(other="b", by="cosine"), atlas.sae("a"))
    found = matches(tables["assignment"])
    assert all(found[int(feature)] == place for place, feature in enumerate(order) if feature != 4)
    assert found[4] != int(np.flatnonzero(order == 4)[0]) or found[4] is None
    a, b = np.float32(one).astype(float), np.float32(two).astype(float)
    with np.errstate(invalid="ignore"):
        cosine = (a / np.linalg.norm(a, axis=1)[:, None]) @ (b / np.linalg.norm(b, axis=1)[:, None]).T
    for line in tables["data"].to_pylist():
        assert line["feature"] != 4
        assert line["cosine"] == pytest.approx(cosine[line["feature"], line["other_feature"]], abs=1e-12)
        assert line["count"] is line["pearson"] is None


def test_rows_of_the_sae_with_longer_rows_are_read_a_block_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_active_rows, "MAX_ROW_ENTRIES", 2_000)
    sparse, full = noisy(n=6), noisy(n=300, seed=1)
    atlas = atlas_of(sparse, full)
    blocks = list(_active_rows.ActiveBlocks([atlas.sae("a"), atlas.sae("b")], SILENT))
    assert max(block.features.size for pair in blocks for block in pair) < 3_000
    assert sum(two.features.size for _, two in blocks) == np.count_nonzero(full)


def test_few_candidates_are_said_to_be_few_and_find_the_planted_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    atlas, order, _ = planted()
    monkeypatch.setattr(cross_sae, "_WHOLE", 0)
    monkeypatch.setattr(cross_sae, "_MAX_PAIRS", 200)
    found = compute_tables(CrossSae(other="b", k=2, candidates=3), atlas.sae("a"))["assignment"]
    assert set(found["is_optimal"].to_pylist()) == {False}
    known = matches(found)
    assert all(known[int(feature)] == place for place, feature in enumerate(order) if feature != 7)


def test_features_that_hardly_meet_are_not_assigned() -> None:
    one, two = noisy(200, 3), noisy(200, 3, seed=1)
    one[:, 0] = two[:, 0] = 0
    one[5, 0] = two[5, 0] = 1.0
    atlas = atlas_of(one, two)
    lines = compute_tables(CrossSae(other="b"), atlas.sae("a"))
    (line,) = [x for x in lines["data"].to_pylist() if x["feature"] == x["other_feature"] == 0]
    assert line["pearson"] == pytest.approx(1.0)
    assert matches(lines["assignment"])[0] is None
    assert matches(compute_tables(CrossSae(other="b", min_count=1), atlas.sae("a"))["assignment"])[0] == 0


def test_all_rows_active_and_constant_is_no_match() -> None:
    one = noisy(300, 4)
    one[:, 2] = 2.0
    found = compute_tables(CrossSae(other="a"), atlas_of(one).sae("a"))["assignment"].to_pylist()
    assert [line["other_feature"] for line in found if line["feature"] is not None] == [0, 1, None, 3]


def run(atlas: Atlas, analysis: CrossSae) -> SAE:
    return build(atlas, analysis, saes=("a",)).sae("a")


def test_it_is_stored_and_stale_when_the_other_sae_changes() -> None:
    atlas = atlas_of(noisy(), noisy(seed=2))
    sae = run(atlas, CrossSae(other="b"))
    stored = sae.table("cross-sae", "assignment")
    assert stored is not None
    assert stored.equals(compute_tables(CrossSae(other="b"), atlas.sae("a"))["assignment"])
    assert set(sae.atlas.manifest("sae/a/cross-sae").inputs) == {"activations", "sae/b/activations"}


def test_the_other_sae_must_be_named() -> None:
    for ask in (CrossSae().requires, lambda: run(atlas_of(noisy()), CrossSae())):
        with pytest.raises(InvalidInput, match="none was named") as caught:
            ask()
        assert "--other" in caught.value.hint


def test_an_unknown_sae_is_answered_with_those_there_are() -> None:
    with pytest.raises(NotFound, match="'zzz'") as caught:
        run(atlas_of(noisy()), CrossSae(other="zzz"))
    assert "a" in caught.value.hint


def test_saes_over_other_rows_are_refused() -> None:
    atlas = atlas_of(noisy(300), noisy(300), corpora=("reviews", "papers"))
    with pytest.raises(InvalidInput, match="reviews and papers"):
        compute_tables(CrossSae(other="b"), atlas.sae("a"))


def test_directions_of_another_length_are_refused() -> None:
    with pytest.raises(InvalidInput, match="16 and 17"):
        compute_tables(CrossSae(other="b", by="cosine"), decoders(np.eye(16), np.eye(17)).sae("a"))


def test_weights_that_are_missing_are_named() -> None:
    with pytest.raises(NotFound, match="no weights"):
        run(atlas_of(noisy()), CrossSae(other="a", by="cosine"))


def test_directions_of_other_places_are_compared_with_a_word() -> None:
    said: list[Event] = []
    atlas = decoders(np.eye(16), np.eye(16))
    atlas.sae("a")
    one, other = atlas.sae("a"), atlas.sae("b")
    one.__dict__["identity"] = replace(one.identity, model="gpt2")
    other.__dict__["identity"] = replace(other.identity, model="pythia")
    weights = (one.weights, other.weights)
    assert None not in weights
    cross_sae._check_space(one, other, weights, Progress(said.append))  # type: ignore[arg-type]
    assert "'gpt2' and 'pythia'" in said[0].text


@pytest.mark.parametrize(
    "wrong", [{"k": 0}, {"by": "euclid"}, {"min_count": 0}, {"candidates": 0}, {"k": 1.5}], ids=str
)
def test_wrong_parameters_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        CrossSae(other="b", **wrong)
