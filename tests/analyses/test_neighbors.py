"""Neighbours of features and the edges between them: exact, without itself, zeros and copies as they should be."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from saeatlas.analyses.neighbors import Neighbors
from saeatlas.atlas.atlas import Atlas
from saeatlas.atlas.neighbors import neighbors_of
from saeatlas.atlas.sae import SAE
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.kernels.directions import nearest_to_one
from saeatlas.pipeline.build import build
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.progress import SILENT
from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import make_atlas
from saeatlas.testing.parts_importer import PartsImporter, SaeParts


def atlas_of(decoder: Any, encoder: Any = None) -> Atlas:
    store = MemoryStore()
    create_atlas(store)
    arrays = {"decoder": decoder} | ({} if encoder is None else {"encoder": encoder})
    import_parts(store, PartsImporter(sae="toy", data=SaeParts(arrays=arrays)))
    return Atlas(store, head(store))


@cache
def directions(n: int = 120, d: int = 16, seed: int = 0) -> Any:
    """Near-duplicate pairs (2i, 2i + 1) among the first 20, a zero row, and two copies of one row."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(n, d)).astype(np.float32)
    rows[1:20:2] = rows[0:20:2] + np.float32(0.05) * random.normal(size=(10, d)).astype(np.float32)
    rows[30] = 0
    rows[[50, 51]] = rows[40]
    return rows


@cache
def sae() -> SAE:
    return atlas_of(directions(), directions(seed=1)).sae()


def cosines(rows: Any) -> Any:
    with np.errstate(invalid="ignore"):
        unit = rows.astype(np.float64) / np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    return unit @ unit.T


@pytest.mark.parametrize("by", ["decoder", "encoder"])
def test_neighbors_equal_numpy(by: Any) -> None:
    data = Neighbors(by=by).compute(sae(), SILENT)["data"]
    cosine = cosines(directions(seed=0 if by == "decoder" else 1))
    np.fill_diagonal(cosine, np.nan)
    for feature in set(range(120)) - {30}:
        own = data.filter(data["feature"].to_numpy() == feature)
        want = np.sort(np.nan_to_num(cosine[feature], nan=-2))[::-1][:10]
        assert own["rank"].to_pylist() == list(range(10))
        np.testing.assert_allclose(own["cosine"].to_numpy(), want, atol=1e-12)
        np.testing.assert_allclose(cosine[feature, own["neighbor"].to_numpy()], want, atol=1e-12)


def test_planted_pairs_are_each_others_first_neighbor() -> None:
    data = Neighbors(k=1).compute(sae(), SILENT)["data"].to_pydict()
    first = dict(zip(data["feature"], data["neighbor"], strict=True))
    assert [first[feature] for feature in range(20)] == [feature ^ 1 for feature in range(20)]


def test_copies_of_a_row_are_neighbors_at_cosine_1_and_never_itself() -> None:
    data = Neighbors(k=2).compute(sae(), SILENT)["data"].to_pylist()
    lines = {feature: [x for x in data if x["feature"] == feature] for feature in (40, 50, 51)}
    assert {f: [x["neighbor"] for x in own] for f, own in lines.items()} == {40: [50, 51], 50: [40, 51], 51: [40, 50]}
    assert all(x["cosine"] == 1.0 for own in lines.values() for x in own)


def test_a_zero_row_has_no_neighbors_and_is_nobodys() -> None:
    tables = Neighbors(k=118, threshold=-1, edges_per_feature=118).compute(sae(), SILENT)
    named = [tables["data"][c].to_pylist() for c in ("feature", "neighbor")]
    named += [tables["edges"][c].to_pylist() for c in ("source", "target")]
    assert all(30 not in names for names in named)
    assert tables["data"]["cosine"].null_count == 0
    assert not np.isnan(tables["data"]["cosine"].to_numpy()).any()


def test_edges_are_the_pairs_above_the_threshold_once() -> None:
    edges = Neighbors(threshold=0.6).compute(sae(), SILENT)["edges"].to_pydict()
    cosine = np.triu(np.nan_to_num(cosines(directions())), 1)
    pairs = list(zip(edges["source"], edges["target"], strict=True))
    assert pairs == list(map(tuple, np.argwhere(cosine >= 0.6).tolist()))
    np.testing.assert_allclose(edges["cosine"], [cosine[pair] for pair in pairs], atol=1e-12)


def test_an_edge_needs_only_one_end_that_lists_the_other() -> None:
    # Feature 0 is near to all others, which are far from each other: it lists one of them, all of them list it.
    rows = np.eye(6, dtype=np.float32)
    rows[0] = 1
    edges = Neighbors(threshold=0.3, edges_per_feature=1).compute(atlas_of(rows).sae(), SILENT)["edges"].to_pydict()
    assert list(zip(edges["source"], edges["target"], strict=True)) == [(0, target) for target in range(1, 6)]


def test_edges_need_not_be_wanted() -> None:
    assert Neighbors(edges_per_feature=0).compute(sae(), SILENT)["edges"].num_rows == 0


@pytest.mark.parametrize("n", [1, 2])
def test_few_features(n: int) -> None:
    data = Neighbors().compute(atlas_of(np.ones((n, 3), np.float32)).sae(), SILENT)["data"]
    assert data.num_rows == n * (n - 1)


def test_without_weights_or_encoder_it_says_what_is_missing() -> None:
    with pytest.raises(NotFound, match="weights"):
        build(make_atlas(MemoryStore()), Neighbors())
    with pytest.raises(NotFound, match="encoder"):
        build(atlas_of(directions()), Neighbors(by="encoder"))


@pytest.mark.parametrize(
    "params", [{"k": 0}, {"threshold": 1.5}, {"threshold": float("nan")}, {"edges_per_feature": -1}]
)
def test_bad_parameters_are_refused(params: Any) -> None:
    with pytest.raises(InvalidInput, match=next(iter(params))):
        Neighbors(**params)


@pytest.mark.parametrize("by", ["decoder", "encoder"])
def test_one_feature_is_answered_alike_from_the_table_and_alone(by: Any) -> None:
    alone, with_table = sae(), build(sae().atlas, Neighbors(by=by)).sae()
    for feature in (0, 30, 40, 119):
        live, served = alone.feature(feature).similar(10, by), with_table.feature(feature).similar(10, by)
        assert live.equals(served)
        assert live.num_rows == (0 if feature == 30 else 10)


def test_the_table_answers_only_what_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    feature = build(sae().atlas, Neighbors(k=10)).sae().feature(3)
    answer = neighbors_of(feature.sae, [3], 5)
    asked: list[tuple[int, str]] = []

    def watched(sae: SAE, features: Any, n: int, by: str) -> Any:
        asked.append((n, by))
        return answer

    monkeypatch.setattr("saeatlas.atlas.neighbors.neighbors_of", watched)
    assert feature.similar(10).num_rows == 10
    assert not asked
    feature.similar(11)
    feature.similar(2, "encoder")
    assert asked == [(11, "decoder"), (2, "encoder")]


def test_a_request_for_some_features_compares_only_those(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []

    def watched(read: Any, n_rows: int, feature: int, k: int) -> Any:
        compared.append((feature, n_rows))
        return nearest_to_one(read, n_rows, feature, k)

    monkeypatch.setattr("saeatlas.kernels.directions.nearest_to_one", watched)
    table = neighbors_of(sae(), [7, 3], 4)
    assert compared == [(7, 120), (3, 120)]
    assert table["feature"].to_pylist() == [7] * 4 + [3] * 4


def test_a_feature_without_activations_can_be_shown() -> None:
    assert repr(sae().feature(3)) == "Feature(toy/3, no activations)"


def test_similar_without_weights_says_so() -> None:
    with pytest.raises(NotFound, match="no weights"):
        make_atlas(MemoryStore()).sae().feature(0).similar()
    with pytest.raises(InvalidInput, match="'n'"):
        sae().feature(0).similar(0)


def test_memory_is_bounded_by_what_it_says() -> None:
    analysis, small = Neighbors(), sae()
    assert analysis.peak_bytes(small) < 500_000_000
