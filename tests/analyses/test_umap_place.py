"""New features on a map that is there: near their group, alone or together, and nothing else moves."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from saeatlas.analyses._umap_graph import Shape
from saeatlas.analyses._umap_place import Existing, place
from saeatlas.analyses._umap_quality import Map
from saeatlas.analyses.umap import Umap
from saeatlas.atlas.atlas import Atlas
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.build import build
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.storage import MemoryStore
from saeatlas.testing.parts_importer import PartsImporter, SaeParts

GROUPS = 12
SHAPE = Shape(40, 0.02, 1.0, 1.5)
COLUMNS = {2: ("x", "y"), 3: ("x3", "y3", "z3")}


def directions(n: int, seed: int) -> Any:
    """Row i is of group i modulo 12, whatever the seed."""
    centres = np.random.default_rng(0).normal(size=(GROUPS, 64))
    return (centres[np.arange(n) % GROUPS] + 0.7 * np.random.default_rng(seed).normal(size=(n, 64))).astype(np.float32)


def held_out() -> Any:
    rows = directions(60, 2)
    rows[7] = 0
    return rows


def atlas_of(**decoders: Any) -> Atlas:
    store = MemoryStore()
    create_atlas(store)
    for name, decoder in decoders.items():
        import_parts(store, PartsImporter(sae=name, data=SaeParts(arrays={"decoder": decoder})))
    return Atlas(store, head(store))


@cache
def drawn() -> Atlas:
    return build(atlas_of(old=directions(600, 1), new=held_out()), Umap(), saes=("old",))


@cache
def placed() -> Atlas:
    return build(drawn(), Umap(onto="old"), saes=("new",))


def positions(atlas: Atlas, sae: str, dim: int) -> Any:
    table = atlas.sae(sae).table("umap")
    assert table is not None
    return np.column_stack([table[name].to_numpy(zero_copy_only=False).astype(float) for name in COLUMNS[dim]])


@pytest.mark.parametrize("dim", [2, 3])
def test_features_held_out_land_in_their_group(dim: int) -> None:
    old, new = positions(drawn(), "old", dim), positions(placed(), "new", dim)
    there = np.flatnonzero(np.isfinite(new).all(axis=1))
    assert there.tolist() == [i for i in range(60) if i != 7]
    nearest = np.argsort(np.linalg.norm(new[there, None] - old, axis=2), axis=1)[:, :15]
    assert (nearest % GROUPS == there[:, None] % GROUPS).mean() > 0.95


@pytest.mark.parametrize("dim", [2, 3])
def test_features_held_out_lie_where_they_would_on_a_map_of_all(dim: int) -> None:
    """Their distance from the middle of their group is like that of the features that were there."""
    old, new = positions(drawn(), "old", dim), positions(placed(), "new", dim)
    middle = np.array([np.median(old[group::GROUPS], axis=0) for group in range(GROUPS)])
    own = np.linalg.norm(old - middle[np.arange(600) % GROUPS], axis=1)
    away = np.linalg.norm(new - middle[np.arange(60) % GROUPS], axis=1)
    assert np.nanmedian(away) < 1.5 * np.median(own)


def test_placing_moves_nothing_that_was_there() -> None:
    before, after = (atlas.sae("old").table("umap") for atlas in (drawn(), placed()))
    assert before is not None
    assert before.equals(after)


def test_quality_of_the_placed_is_that_of_the_map() -> None:
    tables = (drawn().sae("old").table("umap", "quality"), placed().sae("new").table("umap", "quality"))
    there, new = ({(x["dimensions"], x["k"]): x for x in table.to_pylist()} for table in tables if table is not None)
    assert set(new) == set(there)
    for key, line in new.items():
        assert (line["n_features"], line["n_measured"]) == (59, 59)
        assert line["trustworthiness"] > there[key]["trustworthiness"] - 0.02
        assert line["recall"] > there[key]["recall"] - 0.1
        assert line["recall_chance"] == pytest.approx(key[1] / 600)
        assert line["scale"] == there[key]["scale"]


def test_the_features_of_the_map_itself_come_to_lie_near_themselves() -> None:
    rows = directions(600, 1)
    again = build(build(atlas_of(old=rows, new=rows), Umap(), saes=("old",)), Umap(onto="old"), saes=("new",))
    old, new = positions(again, "old", 2), positions(again, "new", 2)
    apart = np.linalg.norm(old[:, None] - old, axis=2)
    assert np.median(np.linalg.norm(new - old, axis=1)) < np.median(apart) / 10


@cache
def existing() -> Existing:
    rows = directions(600, 1)
    maps = {dim: Map(positions(drawn(), "old", dim), 2.0) for dim in (2, 3)}
    return Existing(lambda start, stop: rows[start:stop], np.arange(600), 600, maps)


def test_each_lies_where_it_would_alone_and_the_same_each_time() -> None:
    rows = directions(20, 2)
    together = place(rows, existing(), SHAPE)
    for dim in (2, 3):
        np.testing.assert_array_equal(together[dim], place(rows, existing(), SHAPE)[dim])
        alone = np.concatenate([place(row[None], existing(), SHAPE)[dim] for row in rows])
        np.testing.assert_array_equal(together[dim], alone)


def test_nothing_to_place_or_nothing_to_place_it_on() -> None:
    assert {dim: found.shape for dim, found in place(np.empty((0, 64)), existing(), SHAPE).items()} == {
        2: (0, 2),
        3: (0, 3),
    }
    nothing = Existing(
        lambda start, stop: np.zeros((3, 64))[start:stop], np.empty(0, np.int64), 3, {2: Map(np.empty((0, 2)), 1.0)}
    )
    with pytest.raises(InvalidInput, match="nothing on the map"):
        place(directions(2, 2), nothing, SHAPE)


def test_a_map_of_fewer_features_than_neighbors_takes_new_ones() -> None:
    atlas = build(atlas_of(old=directions(6, 1), new=directions(2, 2)), Umap(), saes=("old",))
    atlas = build(atlas, Umap(onto="old"), saes=("new",))
    assert np.isfinite(positions(atlas, "new", 3)).all()


def test_the_maps_that_are_there_are_used() -> None:
    atlas = build(atlas_of(old=directions(60, 1), new=directions(9, 2)), Umap(dimensions="3"), saes=("old",))
    both = build(atlas, Umap(onto="old"), saes=("new",))
    assert np.isnan(positions(both, "new", 2)).all()
    assert np.isfinite(positions(both, "new", 3)).all()
    with pytest.raises(NotFound, match="dimensions '2'"):
        build(atlas, Umap(onto="old", dimensions="2"), saes=("new",))


def test_a_map_must_be_there_and_drawn_by_the_same_measures() -> None:
    bare = atlas_of(old=directions(60, 1), new=directions(9, 2))
    with pytest.raises(NotFound, match="umap"):
        build(bare, Umap(onto="old"), saes=("new",))
    with pytest.raises(NotFound, match="elsewhere"):
        build(bare, Umap(onto="elsewhere"), saes=("new",))
    with pytest.raises(InvalidInput, match="their own map"):
        build(drawn(), Umap(onto="old"), saes=("old",))
    with pytest.raises(InvalidInput, match=r"min_dist 0\.02, asked for: 0\.1"):
        build(drawn(), Umap(onto="old", min_dist=0.1), saes=("new",))


def test_directions_of_another_space_cannot_be_placed() -> None:
    atlas = build(atlas_of(old=directions(60, 1), new=np.ones((4, 5), np.float32)), Umap(), saes=("old",))
    with pytest.raises(InvalidInput, match="of 5 numbers"):
        build(atlas, Umap(onto="old"), saes=("new",))


def test_another_map_makes_what_was_placed_on_it_stale() -> None:
    redrawn = build(placed(), Umap(seed=1), saes=("old",))
    assert placed().sae("new").table("umap") is not None
    assert redrawn.sae("new").table("umap") is None
    assert "umap" in redrawn.sae("new").why_no_table("umap")
