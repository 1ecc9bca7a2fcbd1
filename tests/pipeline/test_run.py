from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from saeatlas.errors import InvalidInput, NotFound, OverBudget, StorageError
from saeatlas.format.commit import head, list_commits
from saeatlas.pipeline.analysis import AnalysisStep
from saeatlas.pipeline.build import build, build_report, plan_build
from saeatlas.pipeline.importing import import_source
from saeatlas.pipeline.plan import PlannedStep
from saeatlas.pipeline.run import run
from saeatlas.settings import Settings
from saeatlas.storage import LocalStore, MemoryStore
from saeatlas.testing.failing_store import FailingStore
from saeatlas.testing.make_atlas import make_arrays


def planned(store: MemoryStore, *things: Any, **options: Any) -> dict[str, PlannedStep]:
    return {step.output: step for step in plan_build(store, *things, **options).steps}


def reasons(store: MemoryStore, *things: Any) -> dict[str, tuple[str, str]]:
    return {name: (step.action, step.reason) for name, step in planned(store, *things).items()}


def test_build_publishes_imports_and_analyses_in_one_commit(store: MemoryStore, kit: Any) -> None:
    atlas = build(store, kit.importer(), kit.Loud())
    assert (atlas.commit.number, "sae/toy/loud" in atlas.entries) == (1, True)


def test_plan_of_a_new_atlas_writes_nothing(store: MemoryStore, kit: Any) -> None:
    objects = list(store.list(""))
    found = reasons(store, kit.importer(), kit.Loud())
    assert (set(found.values()), list(store.list(""))) == ({("run", "new")}, objects)


def test_plan_of_a_built_atlas_is_current(store: MemoryStore, kit: Any) -> None:
    build(store, kit.importer(), kit.Loud())
    assert set(reasons(store, kit.importer(), kit.Loud()).values()) == {("reuse", "current")}


def test_changed_parameter_rebuilds_its_step_only(store: MemoryStore, kit: Any) -> None:
    build(store, kit.importer(), kit.Loud())
    before = kit.keys(store)
    assert reasons(store, kit.Loud(floor=0.5)) == {"sae/toy/loud": ("run", "parameter 'floor' changed: 0.0 -> 0.5")}
    report = build_report(store, kit.importer(), kit.Loud(floor=0.5))
    changed = {name for name, key in kit.keys(store).items() if before[name] != key}
    assert (report.built, changed) == (1, {"sae/toy/loud"})


def test_changed_version_rebuilds_its_step_only(store: MemoryStore, kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    build(store, kit.importer(), kit.Loud())
    monkeypatch.setattr(kit.Loud, "version", 2)
    assert reasons(store, kit.Loud()) == {"sae/toy/loud": ("run", "version 1 -> 2")}
    assert build_report(store, kit.importer(), kit.Loud()).built == 1


def test_changed_input_is_the_reason(store: MemoryStore, kit: Any) -> None:
    build(store, kit.importer(sae="a"), kit.importer(sae="b"), kit.Loud())
    entries = dict(head(store).entries)
    stale = replace(entries["sae/a/loud"])
    other = kit.with_data(kit.importer(sae="a"), values=make_arrays(kit.SHAPE).values * 2)
    import_source(store, other, replace=True)
    from saeatlas.format.commit import publish_commit

    publish_commit(store, lambda now: {**now, "sae/a/loud": stale}, "As if it were listed")
    found = reasons(store, kit.Loud())
    assert found["sae/a/loud"] == ("run", "input 'activations' changed")
    assert found["sae/b/loud"] == ("reuse", "current")


def test_plan_says_maybe_where_it_depends(store: MemoryStore, kit: Any) -> None:
    build(store, kit.importer(), kit.Loud())
    found = reasons(store, kit.importer(profile="balanced"), kit.Loud())
    assert found["sae/toy/segment/00000"] == ("run", "parameter 'profile' changed: fast -> balanced")
    assert found["sae/toy/loud"] == ("maybe", "'sae/toy/segment/00000' and 2 more may change")


def test_rebuilt_input_with_the_same_content_stops_the_rebuild(store: MemoryStore, kit: Any) -> None:
    build(store, kit.importer(), kit.Loud())
    report = build_report(store, kit.importer(profile="balanced"), kit.Loud())
    assert (report.built, report.reused) == (3, 4)


def test_analysis_goes_back_to_what_was_made_before(store: MemoryStore, kit: Any) -> None:
    build(store, kit.importer(), kit.Loud())
    build(store, kit.Loud(floor=0.5))
    assert reasons(store, kit.Loud()) == {"sae/toy/loud": ("reuse", "made before")}
    assert build_report(store, kit.Loud()).built == 0


def test_lost_artifact_is_made_again(store: MemoryStore, kit: Any) -> None:
    build(store, kit.importer(), kit.Loud())
    path = head(store).entries["sae/toy/loud"].path
    store.delete_prefix(path, seal="artifact.json")
    assert reasons(store, kit.Loud()) == {"sae/toy/loud": ("run", f"missing: '{path}'")}
    assert (build_report(store, kit.Loud()).built, store.exists(f"{path}/artifact.json")) == (1, True)


def test_plan_refuses_what_does_not_fit_into_memory(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer())
    with pytest.raises(OverBudget, match="'sae/toy/loud' may need 3,000 bytes of memory, and the budget is 2,000"):
        plan_build(store, kit.Loud(bytes_needed=3000), settings=Settings(memory_budget=2000))


def test_run_refuses_before_any_work(store: MemoryStore, kit: Any) -> None:
    with pytest.raises(OverBudget):
        import_source(store, kit.importer(), settings=Settings(memory_budget=1000))
    assert list(store.list("artifacts")) == []


def test_memory_of_an_analysis_is_checked_once_its_input_is_there(store: MemoryStore, kit: Any) -> None:
    with pytest.raises(OverBudget, match="loud"):
        build(store, kit.importer(), kit.Loud(bytes_needed=10**12))
    assert head(store).number == 0


def test_jobs_are_lowered_to_fit_the_memory(store: MemoryStore, kit: Any) -> None:
    one = planned(store, kit.importer())["sae/toy/segment/00000"].memory
    found = plan_build(store, kit.importer(), settings=Settings(jobs=8, memory_budget=int(2.5 * one)))
    assert (found.jobs, found.memory) == (2, 2 * one)


def test_analysis_without_an_sae_is_refused(store: MemoryStore, kit: Any) -> None:
    with pytest.raises(NotFound, match="no SAE to analyse"):
        build(store, kit.Loud())


def test_analysis_of_an_unknown_sae_is_refused(store: MemoryStore, kit: Any) -> None:
    with pytest.raises(NotFound, match="no SAE named 'x'"):
        build(store, kit.importer(), kit.Loud(), saes=("x",))


def test_same_analysis_twice_is_refused(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer())
    with pytest.raises(InvalidInput, match="asked for twice"):
        run(store, [AnalysisStep(kit.Loud(), "toy"), AnalysisStep(kit.Loud(floor=1), "toy")], message="Twice")


def test_other_things_are_not_built(store: MemoryStore) -> None:
    with pytest.raises(InvalidInput, match="Only importers and analyses"):
        build(store, 3)  # type: ignore[arg-type]


def test_two_writers_of_different_saes_both_land(local: LocalStore, kit: Any) -> None:
    failures: list[BaseException] = []

    def work(sae: str) -> None:
        try:
            import_source(LocalStore(local.path), kit.importer(sae=sae))
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=work, args=(sae,)) for sae in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (failures, list_commits(local)) == ([], [1, 2, 3])
    for sae in "abc":
        kit.assert_holds(local, make_arrays(kit.SHAPE), sae)


def test_two_writers_of_one_sae_give_one_result(local: LocalStore, kit: Any) -> None:
    def work(shard_rows: int) -> None:
        import_source(LocalStore(local.path), kit.importer(shard_rows=shard_rows))

    threads = [threading.Thread(target=work, args=(rows,)) for rows in (40, 40, 60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kit.assert_holds(local, make_arrays(kit.SHAPE))


class Meanwhile(MemoryStore):
    """A store in which another writer is faster at the first commit."""

    def __init__(self) -> None:
        super().__init__()
        self.others: list[Any] = []

    def put_new(self, key: str, data: bytes) -> None:
        if key.startswith("commits/") and self.others:
            self.others.pop()()
        super().put_new(key, data)


def test_commit_is_applied_again_when_another_writer_was_faster(kit: Any) -> None:
    from saeatlas.format.version import create_atlas

    store = Meanwhile()
    create_atlas(store)
    store.others.append(lambda: import_source(store, kit.importer(sae="b")))
    import_source(store, kit.importer(sae="a"))
    assert {name.split("/")[1] for name in kit.names(store) if name.startswith("sae/")} == {"a", "b"}


def test_analysis_of_replaced_data_is_not_published(kit: Any) -> None:
    from saeatlas.format.version import create_atlas

    store = Meanwhile()
    create_atlas(store)
    import_source(store, kit.importer())
    other = kit.with_data(kit.importer(), values=make_arrays(kit.SHAPE).values * 2)
    store.others.append(lambda: import_source(store, other, replace=True))
    build(store, kit.Loud())
    assert "sae/toy/loud" not in kit.names(store)


def test_import_is_refused_when_another_writer_took_the_name(kit: Any) -> None:
    from saeatlas.errors import AlreadyExists
    from saeatlas.format.version import create_atlas

    store = Meanwhile()
    create_atlas(store)
    other = kit.with_data(kit.importer(), values=make_arrays(kit.SHAPE).values * 2)
    store.others.append(lambda: import_source(store, other))
    with pytest.raises(AlreadyExists):
        import_source(store, kit.importer())
    kit.assert_holds(store, other.data)


def test_artifact_deleted_before_the_commit_is_made_again(kit: Any) -> None:
    from saeatlas.format.version import create_atlas

    store = Meanwhile()
    create_atlas(store)
    import_source(store, kit.importer())

    def collect() -> None:
        loose = [f"artifacts/toy/{name}" for name in store.children("artifacts/toy") if name.startswith("loud")]
        store.delete_prefix(loose[0], seal="artifact.json")

    store.others.append(collect)
    build(store, kit.Loud())
    assert store.exists(f"{head(store).entries['sae/toy/loud'].path}/artifact.json")


@pytest.mark.parametrize("after", [False, True])
def test_disk_full_at_every_write(kit: Any, *, after: bool) -> None:
    """Old commit or new, never between; and the next import completes."""
    from saeatlas.format.version import create_atlas

    def begin() -> MemoryStore:
        inner = MemoryStore()
        create_atlas(inner)
        return inner

    counted = FailingStore(begin(), 0)
    import_source(counted, kit.importer())
    assert counted.writes == 7
    for write in range(1, counted.writes + 1):
        inner = begin()
        try:
            import_source(FailingStore(inner, write, after=after), kit.importer())
            kind = ""
        except StorageError as error:
            kind = error.kind
        # Only the commit's lost reply is recognised as a success.
        recognised = after and write == counted.writes
        assert (kind, head(inner).number) == (("", 1) if recognised else ("disk-full", 0))
        import_source(inner, kit.importer())
        kit.assert_holds(inner, make_arrays(kit.SHAPE))
