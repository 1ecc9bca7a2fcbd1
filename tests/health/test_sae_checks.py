"""Each check of an SAE finds what it is for, says nothing about what is well, and says so when it has no data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from saeatlas.analyses.stats import Stats
from saeatlas.atlas.atlas import Atlas
from saeatlas.format.commit import Entry, publish_commit
from saeatlas.health._rows import row_counts
from saeatlas.pipeline.build import build
from saeatlas.progress import SILENT

Examine = Callable[..., list[dict[str, Any]]]
Make = Callable[..., Atlas]


def decoder(n: int = 20, d: int = 6) -> Any:
    return np.random.default_rng(0).normal(size=(n, d)).astype(np.float32)


def only(found: list[dict[str, Any]]) -> dict[str, Any]:
    (one,) = found
    return one


@pytest.mark.parametrize("shard_rows", [0, 37])
def test_rows_are_counted_as_in_the_dense_table(with_rows: Make, shard_rows: int) -> None:
    kept: list[Any] = []

    def keep(data: Any) -> Any:
        kept.append(data)
        return data

    sae = with_rows(keep, shard_rows=shard_rows).sae()
    active = (np.nan_to_num(kept[0].dense(20)) > 0).sum(1)
    counts = row_counts(sae, SILENT)
    assert counts.n_rows_by_count.tolist() == np.bincount(active).tolist()
    firsts = [int(np.flatnonzero(active == n)[0]) if (active == n).any() else -1 for n in range(active.max() + 1)]
    assert counts.first_row.tolist() == firsts
    assert counts.n_active == active.sum()
    assert counts.above(1) == (active > 1).sum()


def test_rows_within_k_are_ok(with_rows: Make, examine: Examine) -> None:
    found = only(examine(with_rows(k=3), "active-per-row"))
    assert (found["verdict"], found["most"], found["n_rows_above"]) == ("ok", 3, 0)


def test_rows_above_k_are_wrong_and_the_first_is_named(with_rows: Make, examine: Examine) -> None:
    atlas = with_rows(k=2)
    sae = atlas.sae()
    active = [int((sae.activations.rows(row, row + 1)[2] > 0).sum()) for row in range(sae.n_rows)]
    found = only(examine(atlas, "active-per-row"))
    assert found["verdict"] == "wrong"
    assert found["n_rows_above"] == sum(count > 2 for count in active)
    assert found["first_row"] == next(row for row, count in enumerate(active) if count > 2)
    assert found["remedy"]


def test_k_can_come_from_the_weights(with_rows: Make, with_parts: Make, examine: Examine) -> None:
    atlas = with_parts(with_rows(), arrays={"decoder": decoder()}, config={"architecture": "topk", "k": 1})
    assert only(examine(atlas, "active-per-row"))["verdict"] == "wrong"


@pytest.mark.parametrize("facts", [{}, {"architecture": "batchtopk", "k": 1}])
def test_without_a_most_per_row_nothing_is_claimed(with_rows: Make, examine: Examine, facts: dict[str, Any]) -> None:
    assert only(examine(with_rows(**facts), "active-per-row"))["verdict"] == "not-applicable"


def test_densities_that_add_up_are_ok(with_rows: Make, examine: Examine) -> None:
    atlas = build(with_rows(), Stats())
    found = only(examine(atlas, "density"))
    assert found["verdict"] == "ok"
    assert found["stats_density_sum"] == pytest.approx(found["l0"], rel=1e-12)
    assert found["density_sum"] == found["l0"]


def test_stats_with_a_floor_are_not_compared(with_rows: Make, examine: Examine) -> None:
    assert only(examine(build(with_rows(), Stats(floor=1.0)), "density"))["verdict"] == "ok"


@pytest.mark.parametrize(("stated", "verdict"), [(2.0, "ok"), (40.0, "suspect"), (0.5, "suspect")])
def test_stated_l0_is_compared(with_rows: Make, examine: Examine, stated: float, verdict: str) -> None:
    assert only(examine(with_rows(l0=stated), "density"))["verdict"] == verdict


def test_stats_of_other_rows_are_wrong(with_rows: Make, examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    atlas = build(with_rows(), Stats())
    sae = atlas.sae()
    table = sae.table("stats")
    assert table is not None
    halved = table.set_column(
        table.column_names.index("density"), "density", [np.asarray(table["density"].to_numpy()) / 2]
    )
    monkeypatch.setattr(sae, "table", lambda name: halved if name == "stats" else None)
    found = only(examine(atlas, "density"))
    assert found["verdict"] == "wrong"
    assert "add up to" in found["message"]


def test_sides_of_the_activations_that_differ_are_wrong(
    with_rows: Make, examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    atlas = with_rows()
    activations = atlas.sae().activations
    activations.__dict__["active_counts"] = activations.active_counts + (np.arange(20) == 3)
    found = only(examine(atlas, "density"))
    assert found["verdict"] == "wrong"
    assert "verify --deep" in found["remedy"]


def test_parts_within_one_width_are_ok(with_rows: Make, with_parts: Make, examine: Examine) -> None:
    atlas = with_parts(with_rows(), arrays={"decoder": decoder()}, texts=((3, "dogs"),), positions=np.eye(20, 3))
    found = only(examine(atlas, "widths"))
    assert found["verdict"] == "ok"
    assert found["named"]["map"] == 20


def test_one_part_has_nothing_to_be_compared_with(with_parts: Make, examine: Examine) -> None:
    assert only(examine(with_parts(texts=((3, "dogs"),)), "widths"))["verdict"] == "not-applicable"


def test_part_that_names_features_beyond_the_width_is_wrong(
    with_rows: Make, with_parts: Make, examine: Examine
) -> None:
    atlas = with_parts(with_rows(width=None), texts=((25, "dogs"),))
    atlas.sae().__dict__["identity"] = replace(atlas.sae().identity, width=20)
    found = only(examine(atlas, "widths"))
    assert found["verdict"] == "wrong"
    assert "explanations 'toy' name feature 25" in found["message"]


def test_widths_that_differ_are_wrong(with_parts: Make, examine: Examine) -> None:
    atlas = with_parts(arrays={"decoder": decoder()})
    atlas.sae().__dict__["identity"] = replace(atlas.sae().identity, width=64)
    found = only(examine(atlas, "widths"))
    assert (found["verdict"], found["widths"]) == ("wrong", {"identity": 64, "weights": 20})


def test_features_that_are_cut_off_are_suspect(with_rows: Make, examine: Examine) -> None:
    """Nineteen features of one SAE of 20 under the name of one of 2,000."""
    found = only(examine(with_rows(width=2000), "widths"))
    assert (found["verdict"], found["width"]) == ("suspect", 2000)
    assert only(examine(with_rows(width=2000), "widths", chance=1e-300))["verdict"] == "ok"


def test_few_features_that_fire_say_nothing_about_the_others(with_rows: Make, examine: Examine) -> None:
    def one_feature(data: Any) -> Any:
        return replace(data, features=np.zeros(90, np.int64), values=np.ones(90), indptr=np.arange(91))

    atlas = with_rows(one_feature, width=8)
    assert only(examine(atlas, "widths"))["verdict"] == "ok"


def test_rows_that_are_all_different_are_ok(with_parts: Make, examine: Examine) -> None:
    assert only(examine(with_parts(arrays={"decoder": decoder()}), "decoder-rows"))["verdict"] == "ok"


def test_zero_and_duplicate_rows_are_suspect_and_named(with_parts: Make, examine: Examine) -> None:
    rows = decoder()
    rows[[4, 11]] = 0.0
    rows[11, 2] = -0.0
    rows[[9, 17]] = rows[2]
    rows[13] = rows[5]
    zero, duplicate = examine(with_parts(arrays={"decoder": rows}), "decoder-rows")
    assert (zero["verdict"], zero["n_zero"], zero["first_zero"]) == ("suspect", 2, [4, 11])
    assert (duplicate["verdict"], duplicate["n_duplicate"]) == ("suspect", 3)
    assert duplicate["first_duplicates"] == [(9, 2), (13, 5), (17, 2)]


def test_decoder_of_zeros_is_wrong(with_parts: Make, examine: Examine) -> None:
    found = only(examine(with_parts(arrays={"decoder": decoder() * 0}), "decoder-rows"))
    assert found["verdict"] == "wrong"


def test_decoder_is_read_in_blocks(with_parts: Make, examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saeatlas.health.decoder_rows._BLOCK_BYTES", 150)
    rows = decoder()
    rows[19] = rows[0]
    assert only(examine(with_parts(arrays={"decoder": rows}), "decoder-rows"))["first_duplicates"] == [(19, 0)]


@pytest.mark.parametrize("check", ["active-per-row", "density", "decoder-rows", "coherence"])
def test_check_without_its_data_is_not_applicable(with_parts: Make, examine: Examine, check: str) -> None:
    found = only(examine(with_parts(positions=np.eye(9, 3)), check))
    assert found["verdict"] == "not-applicable"
    assert found["message"].startswith("There ")


def grouped(order: Any) -> tuple[tuple[int, str], ...]:
    words = ("dogs", "harbour", "refunds", "verbs", "numbers", "cities")
    return tuple((feature, words[group % 6]) for feature, group in enumerate(order))


def groups_in_space(n: int = 180) -> Any:
    random = np.random.default_rng(0)
    return 30 * random.normal(size=(6, 3))[np.arange(n) % 6] + random.normal(size=(n, 3))


def test_coherence_tells_own_explanations_from_others(with_parts: Make, examine: Examine) -> None:
    own = only(examine(with_parts(texts=grouped(range(180)), positions=groups_in_space()), "coherence"))
    assert (own["verdict"], own["remedy"], own["set"]) == ("ok", "", "toy")
    assert own["z"] > 10
    assert own["lift"] > 2
    order = np.random.default_rng(1).permutation(180)
    other = only(examine(with_parts(texts=grouped(order), positions=groups_in_space()), "coherence"))
    assert other["verdict"] == "wrong"
    assert other["z"] < 4
    assert "another SAE" in other["remedy"]


def test_coherence_takes_the_analysis_only_with_its_defaults(
    with_parts: Make, examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    from saeatlas.analyses.coherence import Coherence

    atlas = with_parts(texts=grouped(range(180)), positions=groups_in_space())
    once = only(examine(atlas, "coherence"))
    default, other = build(atlas, Coherence()), build(atlas, Coherence(permutations=99))
    monkeypatch.setattr(Coherence, "compute", lambda *_: pytest.fail("computed again"))
    assert only(examine(default, "coherence")) == once
    with pytest.raises(pytest.fail.Exception):
        examine(other, "coherence")


def test_coherence_without_places_or_with_few_texts_is_not_applicable(with_parts: Make, examine: Examine) -> None:
    found = only(examine(with_parts(texts=grouped(range(9))), "coherence"))
    assert found["verdict"] == "not-applicable"
    assert (found["z"], found["lift"]) == (None, None)
    few = only(examine(with_parts(texts=grouped(range(3)), positions=groups_in_space()), "coherence"))
    assert few["verdict"] == "not-applicable"


def test_analyses_that_are_current_are_ok_and_possible_ones_are_named(with_rows: Make, examine: Examine) -> None:
    found = only(examine(build(with_rows(), Stats()), "analyses"))
    assert found["verdict"] == "ok"
    assert found["current"] == ["stats"]
    assert "histogram" in found["absent"] and "histogram" in found["remedy"]
    # The one needs explanations, the other a file that only the user can name.
    assert not {"coherence", "token-families"} & set(found["absent"])


def test_analyses_of_other_data_are_suspect(with_rows: Make, examine: Examine) -> None:
    atlas = build(with_rows(), Stats())
    stats: Entry = atlas.entries["sae/toy/stats"]
    other = with_rows(lambda data: replace(data, values=data.values * 2))
    for key in atlas.store.list(stats.path):
        other.store.put_new(key, atlas.store.get(key))
    commit = publish_commit(other.store, lambda entries: {**entries, "sae/toy/stats": stats}, "by hand")
    found = only(examine(Atlas(other.store, commit), "analyses"))
    assert (found["verdict"], found["stale"]) == ("suspect", ["stats"])
    assert "saeatlas analyze stats" in found["remedy"]
