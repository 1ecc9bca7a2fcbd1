"""A build makes what is not current, says why, and goes on where something fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from saeatlas.atlas.atlas import Atlas, create, open_atlas
from saeatlas.errors import InvalidInput
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.progress import SILENT
from saeatlas.project.build import Outcome, build_project, saes_in, steps_of
from saeatlas.project.load import load_project, standard_project
from saeatlas.project.plan import plan_project
from saeatlas.settings import Settings
from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import make_atlas
from saeatlas.testing.parts_importer import PartsImporter, make_parts


def build(home: Path) -> list[Outcome]:
    project = load_project(home / "atlas.toml")
    atlas = open_atlas(project.atlas) if Path(project.atlas).exists() else create(project.atlas)
    return build_project(atlas.store, project, Settings(), SILENT, lambda _: None)


def plan(home: Path) -> dict[str, tuple[str, str]]:
    project = load_project(home / "atlas.toml")
    found, _ = plan_project(open_atlas(project.atlas).store, project, Settings(), SILENT)
    return {step.output: (step.action, step.reason) for step in found.steps}


def actions(outcomes: list[Outcome]) -> dict[str, str]:
    return {outcome.name: outcome.action for outcome in outcomes}


def edit(home: Path, old: str, new: str) -> None:
    text = (home / "atlas.toml").read_text()
    assert old in text
    (home / "atlas.toml").write_text(text.replace(old, new))


def test_first_build_makes_everything_and_the_second_nothing(home: Path) -> None:
    made = {"'small' by h5-topk": "made", "stats of 'small'": "made", "histogram": "left out"}
    assert actions(build(home)) == made
    commit = open_atlas(home / "small.atlas").commit.number
    assert set(actions(build(home)).values()) == {"reused", "left out"}
    assert open_atlas(home / "small.atlas").commit.number == commit


def test_changed_parameter_rebuilds_what_depends_on_it_and_says_why(home: Path) -> None:
    build(home)
    edit(home, "floor = 0.5", "floor = 0.25")
    assert plan(home)["sae/small/stats"] == ("run", "parameter 'floor' changed: 0.5 -> 0.25")
    changed = {outcome.name: outcome for outcome in build(home)}
    assert changed["'small' by h5-topk"].action == "reused"
    assert changed["stats of 'small'"].reason == "parameter 'floor' changed: 0.5 -> 0.25"


def test_plan_of_a_new_atlas_lists_imports_and_analyses_and_writes_nothing(home: Path) -> None:
    project = load_project(home / "atlas.toml")
    store = MemoryStore()
    create_atlas(store)
    keys = set(store.list(""))
    found, failed = plan_project(store, project, Settings(), SILENT)
    assert {"sae/small/identity", "sae/small/segment/00000", "sae/small/stats"} <= {s.output for s in found.steps}
    assert {outcome.name for outcome in failed} == {"histogram"}
    assert set(store.list("")) == keys


def test_failing_source_is_told_and_the_rest_goes_on(home: Path) -> None:
    edit(
        home, "[analyses.stats]", '[[source]]\nimporter = "h5-topk"\nsource = "b.h5"\nsae = "lost"\n\n[analyses.stats]'
    )
    told: list[Outcome] = []
    project = load_project(home / "atlas.toml")
    outcomes = build_project(create(project.atlas).store, project, Settings(), SILENT, told.append)
    assert actions(outcomes)["'lost' by h5-topk"] == "failed"
    assert actions(outcomes)["stats of 'small'"] == "made"
    assert told == outcomes


def test_sweep_that_is_said_wrongly_is_an_error_before_anything_runs(home: Path) -> None:
    sweep = '[[source]]\nimporter = "sae-weights"\nsource = "w"\nsae = "w-{layer}"\nlayers = "5-0"\n\n[analyses.stats]'
    edit(home, "[analyses.stats]", sweep)
    project = load_project(home / "atlas.toml")
    atlas = create(project.atlas)
    for run in (plan_project, lambda *given: build_project(*given, lambda _: None)):
        with pytest.raises(InvalidInput, match="backwards"):
            run(atlas.store, project, Settings(), SILENT)
    assert open_atlas(project.atlas).saes == []


def test_analysis_that_needs_one_of_two_things_is_left_out_without_either() -> None:
    store = MemoryStore()
    create_atlas(store)
    data = make_parts(20)
    import_parts(store, PartsImporter(sae="labels", data=replace(data, arrays={}, positions=None)))
    import_parts(store, PartsImporter(sae="both", data=replace(data, positions=None)))
    entries, chosen = head(store).entries, standard_project().analyses
    for sae, is_there in (("labels", False), ("both", True)):
        steps, left_out = steps_of(store, entries, sae, chosen, is_standard=True)
        assert ("coherence" in {step.name for step in steps}) == is_there
        reasons = {outcome.name: outcome.reason for outcome in left_out}
        assert is_there or "neither a map nor weights" in reasons["coherence of 'labels'"]


def test_analysis_that_lacks_something_is_left_out_and_named() -> None:
    atlas = make_atlas(MemoryStore(), tokens=False)
    steps, left_out = steps_of(atlas.store, atlas.entries, "toy", standard_project().analyses, is_standard=True)
    assert "stats" in {step.name for step in steps}
    assert "top-tokens" not in {step.name for step in steps}
    reasons = {outcome.name: outcome.reason for outcome in left_out}
    assert reasons["top-tokens of 'toy'"] == "Corpus 'reviews' has no tokens"


def test_what_one_analysis_computes_another_may_be_content_with() -> None:
    atlas = make_atlas(MemoryStore())
    project = standard_project()
    for chosen in (project.analyses, project.analyses[::-1]):
        steps, left_out = steps_of(atlas.store, atlas.entries, "toy", chosen, is_standard=True)
        assert "search" in {step.name for step in steps}
        assert "search of 'toy'" not in {outcome.name for outcome in left_out}
    found, _ = plan_project(atlas.store, project, Settings(), SILENT)
    assert "sae/toy/search" in {step.output for step in found.steps}


def test_analysis_without_its_library_is_left_out_of_the_standard_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from saeatlas.analyses.stats import Stats

    monkeypatch.setattr(Stats, "libraries", ("no_such_library",))
    atlas: Atlas = make_atlas(MemoryStore())
    chosen = [one for one in standard_project().analyses if isinstance(one.analysis, Stats)]
    steps, left_out = steps_of(atlas.store, atlas.entries, "toy", chosen, is_standard=True)
    assert not steps
    assert "no_such_library" in left_out[0].reason
    steps, left_out = steps_of(atlas.store, atlas.entries, "toy", chosen, is_standard=False)
    assert [step.name for step in steps] == ["stats"]
    assert not left_out


def test_sae_with_nothing_but_weights_gets_what_weights_allow() -> None:
    store = MemoryStore()
    create_atlas(store)
    import_parts(store, PartsImporter(sae="bare", data=make_parts(20)))
    steps, left_out = steps_of(store, head(store).entries, "bare", standard_project().analyses, is_standard=True)
    assert {"neighbors", "weights"} <= {step.name for step in steps}
    assert "stats of 'bare'" in {outcome.name for outcome in left_out}


def test_saes_come_in_the_order_of_their_layers() -> None:
    names = {f"sae/{sae}/identity" for sae in ("g-l10", "g-l2", "a", "g-l2-x", "7")} | {"corpus/g-l1/documents"}
    assert saes_in(names) == ["7", "a", "g-l2", "g-l2-x", "g-l10"]


def test_pattern_that_no_sae_fits_is_named(home: Path) -> None:
    lost = {outcome.name: outcome.reason for outcome in build(home) if outcome.action == "left out"}
    assert lost == {"histogram": "no SAE is named: other-*"}
    project = load_project(home / "atlas.toml")
    _, left_out = plan_project(open_atlas(project.atlas).store, project, Settings(), SILENT)
    assert [outcome.name for outcome in left_out] == ["histogram"]
