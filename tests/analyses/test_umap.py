"""Maps: planted groups are kept, no worse than umap-learn, framed as promised, and the same each time."""

from __future__ import annotations

import sys
import tracemalloc
import warnings
from functools import cache
from typing import Any

import numpy as np
import pytest
from sklearn.manifold import trustworthiness as sklearn_trustworthiness

from saeatlas.analyses.umap import Umap
from saeatlas.atlas.atlas import Atlas
from saeatlas.errors import InvalidInput, MissingExtra, NotFound
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.build import build
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.progress import SILENT
from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import make_atlas
from saeatlas.testing.parts_importer import PartsImporter, SaeParts

Tables = dict[str, Any]
COLUMNS = {2: ("x", "y"), 3: ("x3", "y3", "z3")}


def atlas_of(**decoders: Any) -> Atlas:
    store = MemoryStore()
    create_atlas(store)
    for name, decoder in decoders.items():
        import_parts(store, PartsImporter(sae=name, data=SaeParts(arrays={"decoder": decoder})))
    return Atlas(store, head(store))


def planted(n: int = 600, d: int = 64, n_groups: int = 12, seed: int = 0, noise: float = 0.7) -> Any:
    """Groups of directions; row i is of group i modulo their number."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(n_groups, d))
    own = np.random.default_rng(seed + 1).normal(size=(n, d))
    return (centres[np.arange(n) % n_groups] + noise * own).astype(np.float32)


@cache
def drawn(**params: Any) -> Tables:
    return Umap(**params).compute(atlas_of(toy=planted()).sae(), SILENT)


def positions(tables: Tables, dim: int) -> Any:
    return np.column_stack([tables["data"][name].to_numpy(zero_copy_only=False) for name in COLUMNS[dim]])


def quality(tables: Tables) -> dict[tuple[int, int], dict[str, Any]]:
    return {(line["dimensions"], line["k"]): line for line in tables["quality"].to_pylist()}


def of_umap_learn(rows: Any, dim: int, seed: int) -> Any:
    """Source 3's call, with its parameters."""
    with warnings.catch_warnings():
        # It warns that it ignores n_jobs because of the seed, and that TensorFlow is missing.
        warnings.simplefilter("ignore")
        import umap

        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        return umap.UMAP(
            n_neighbors=40,
            min_dist=0.02,
            metric="cosine",
            n_components=dim,
            spread=1.0,
            repulsion_strength=1.5,
            random_state=seed,
            n_jobs=-1,
            low_memory=False,
        ).fit_transform(unit)


def recall(rows: Any, places: Any, k: int) -> float:
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    apart = -(unit @ unit.T), np.linalg.norm(places[:, None] - places, axis=2)
    for one in apart:
        np.fill_diagonal(one, np.inf)
    near, shown = (np.argsort(one, axis=1)[:, :k] for one in apart)
    return float(np.mean([np.isin(a, b).mean() for a, b in zip(shown, near, strict=True)]))


@pytest.mark.parametrize("dim", [2, 3])
def test_features_of_a_planted_group_lie_together(dim: int) -> None:
    places = positions(drawn(), dim)
    nearest = np.argsort(np.linalg.norm(places[:, None] - places, axis=2), axis=1)[:, 1:21]
    assert (nearest % 12 == np.arange(600)[:, None] % 12).mean() > 0.98


@pytest.mark.parametrize("dim", [2, 3])
def test_a_map_is_centred_and_one_scale_brings_it_to_50(dim: int) -> None:
    places = positions(drawn(), dim)
    np.testing.assert_allclose(places.mean(axis=0), 0, atol=1e-9)
    assert np.abs(places).max() == pytest.approx(50)
    # One scale: the other axes keep their extent.
    assert np.abs(places).max(axis=0).min() < 49.9


def test_quality_equals_scikit_learn_and_counting() -> None:
    found, rows = quality(drawn()), planted()
    assert set(found) == {(2, 15), (2, 40), (3, 15), (3, 40)}
    for (dim, k), line in found.items():
        places = positions(drawn(), dim)
        want = sklearn_trustworthiness(rows.astype(np.float64), places, n_neighbors=k, metric="cosine")
        assert line["trustworthiness"] == pytest.approx(want, abs=1e-5)
        assert line["recall"] == pytest.approx(recall(rows, places, k), abs=1e-4)
        assert line["recall_chance"] == pytest.approx(k / 599)
        assert (line["n_features"], line["n_measured"]) == (600, 600)


@pytest.mark.parametrize("noise", [0.7, 1.6], ids=["groups apart", "groups that overlap"])
def test_maps_are_no_worse_than_those_of_umap_learn(noise: float) -> None:
    rows = planted(noise=noise)
    sae = atlas_of(toy=rows).sae()
    ours = [quality(Umap(seed=seed).compute(sae, SILENT)) for seed in (42, 7)]
    for dim in (2, 3):
        theirs = [of_umap_learn(rows, dim, seed) for seed in (42, 7)]
        for k in (15, 40):
            mean = {name: np.mean([run[dim, k][name] for run in ours]) for name in ("trustworthiness", "recall")}
            trust = [sklearn_trustworthiness(rows, places, n_neighbors=k, metric="cosine") for places in theirs]
            assert mean["trustworthiness"] > np.mean(trust) - 0.005
            assert mean["recall"] > np.mean([recall(rows, places, k) for places in theirs]) - 0.01


def test_features_that_are_unlike_any_have_no_structure_on_the_map() -> None:
    rows = np.random.default_rng(0).normal(size=(600, 64)).astype(np.float32)
    planted_recall = quality(drawn())[3, 15]["recall"]
    null = quality(Umap().compute(atlas_of(toy=rows).sae(), SILENT))[3, 15]
    assert null["recall"] < planted_recall
    assert null["trustworthiness"] < 0.8 < quality(drawn())[3, 15]["trustworthiness"]


def test_same_seed_gives_the_same_bytes_and_another_seed_another_map() -> None:
    again = Umap().compute(atlas_of(toy=planted()).sae(), SILENT)
    assert all(again[name].equals(drawn()[name]) for name in again)
    assert not Umap(seed=43).compute(atlas_of(toy=planted()).sae(), SILENT)["data"].equals(drawn()["data"])


@pytest.mark.parametrize(("dimensions", "dim"), [("2", 2), ("3", 3)])
def test_one_map_alone_is_the_same_as_with_the_other(dimensions: Any, dim: int) -> None:
    alone = drawn(dimensions=dimensions)
    np.testing.assert_array_equal(positions(alone, dim), positions(drawn(), dim))
    assert np.isnan(positions(alone, 5 - dim).astype(float)).all()
    assert {line["dimensions"] for line in alone["quality"].to_pylist()} == {dim}


def test_rows_of_zeros_have_no_place_and_change_nothing_else() -> None:
    rows = np.insert(planted(), [0, 300, 600], 0, axis=0).astype(np.float32)
    tables = Umap().compute(atlas_of(toy=rows).sae(), SILENT)
    for dim in (2, 3):
        places = positions(tables, dim)
        assert np.isnan(places[[0, 301, 602]].astype(float)).all()
        np.testing.assert_array_equal(np.delete(places, [0, 301, 602], axis=0), positions(drawn(), dim))
    assert tables["data"]["x"].null_count == 3


def test_copies_have_places_of_their_own_side_by_side() -> None:
    rows = planted()
    rows[100:160] = rows[0]
    places = positions(Umap(n_neighbors=10).compute(atlas_of(toy=rows).sae(), SILENT), 2)
    assert np.isfinite(places).all()
    spread = np.linalg.norm(places[100:160] - places[0], axis=1)
    assert np.median(spread) < 10


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 9, 20])
def test_few_features_have_a_sensible_map(n: int) -> None:
    rows = planted(n=n, n_groups=3)
    tables = Umap().compute(atlas_of(toy=rows).sae(), SILENT)
    for dim in (2, 3):
        places = positions(tables, dim)
        assert np.isfinite(places).all()
        assert np.abs(places).max() == pytest.approx(50 if n > 1 else 0)
    for line in tables["quality"].to_pylist():
        assert 0 <= line["recall"] <= 1
        assert line["k"] <= max(1, n - 1)


@pytest.mark.parametrize("rows", [np.zeros((3, 4), np.float32), np.ones((30, 4), np.float32)], ids=["zeros", "copies"])
def test_directions_without_difference_are_no_error(rows: Any) -> None:
    tables = Umap().compute(atlas_of(toy=rows).sae(), SILENT)
    places = positions(tables, 2).astype(float)
    assert np.isnan(places).all() if not rows.any() else np.isfinite(places).all()


def test_quality_may_be_measured_on_some_features() -> None:
    line = quality(drawn(quality_sample=200))[2, 15]
    assert (line["n_features"], line["n_measured"]) == (600, 200)
    whole = quality(drawn())[2, 15]
    for name in ("trustworthiness", "recall"):
        assert 0 < line[f"{name}_se"] < 0.02
        assert abs(line[name] - whole[name]) < 4 * line[f"{name}_se"]
        assert whole[f"{name}_se"] == 0
    assert quality(drawn(quality_sample=0)) == quality(drawn())


@pytest.mark.parametrize(
    "params",
    [
        {"n_neighbors": 1},
        {"min_dist": 2.0},
        {"min_dist": -0.1},
        {"spread": 0.0},
        {"repulsion_strength": float("inf")},
        {"seed": -1},
        {"of": "umap"},
        {"dimensions": "4"},
    ],
)
def test_bad_parameters_are_refused(params: Any) -> None:
    with pytest.raises(InvalidInput, match=next(iter(params))):
        Umap(**params)


def test_without_weights_it_says_what_is_missing() -> None:
    with pytest.raises(NotFound, match="weights"):
        build(make_atlas(MemoryStore()), Umap())
    with pytest.raises(NotFound, match="encoder"):
        build(atlas_of(toy=planted()), Umap(of="encoder"))


def test_without_umap_learn_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "umap"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("sys.meta_path", [_Missing(), *sys.meta_path])
    with pytest.raises(MissingExtra) as caught:
        Umap().compute(atlas_of(toy=planted()).sae(), SILENT)
    assert "saeatlas[analyses]" in caught.value.hint


class _Missing:
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.partition(".")[0] == "umap":
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)


def test_memory_stays_below_the_bound() -> None:
    sae, analysis = atlas_of(toy=planted(n=2000, d=128)).sae(), Umap(n_epochs=2, n_neighbors=10)
    analysis.compute(sae, SILENT)
    tracemalloc.start()
    analysis.compute(sae, SILENT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # All but what the program itself takes.
    assert peak < analysis.peak_bytes(sae) - 600_000_000
