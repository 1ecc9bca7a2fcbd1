"""verify, gc and compact: what they find, what they delete, and what they leave as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saeatlas.atlas.atlas import Atlas
from saeatlas.errors import Conflict, FormatError, InvalidInput, NotFound
from saeatlas.format.commit import commit_key, head, list_commits, load_commit
from saeatlas.pipeline.build import build, build_report
from saeatlas.pipeline.compact import compact, compact_steps
from saeatlas.pipeline.gc import gc
from saeatlas.pipeline.importing import import_source
from saeatlas.pipeline.run import Job, execute
from saeatlas.pipeline.verify import verify
from saeatlas.storage import LocalStore, MemoryStore
from saeatlas.testing.failing_store import FailingStore
from saeatlas.testing.make_atlas import make_arrays


def content(store: MemoryStore) -> dict[str, str]:
    return {name: entry.content for name, entry in head(store).entries.items() if "segment" not in name}


# verify


@pytest.mark.parametrize("deep", [False, True])
def test_whole_atlas_has_no_findings(store: MemoryStore, kit: Any, *, deep: bool) -> None:
    build(store, kit.importer(), kit.Loud())
    report = verify(store, deep=deep, jobs=2)
    assert (report.ok, report.findings, report.commits, report.artifacts, report.deep) == (True, (), 1, 7, deep)


def test_changed_byte_in_any_file_is_found_and_named(local: LocalStore, kit: Any) -> None:
    build(local, kit.importer(shard_rows=0), kit.Loud())
    missed = []
    for key in list(local.list("")):
        path = Path(local.url) / key
        whole = path.read_bytes()
        for place in {0, len(whole) // 2, len(whole) - 1}:
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
            named = {finding.path for finding in verify(local, deep=True).findings}
            if key not in named:
                missed.append((key, place, named))
        path.write_bytes(whole)
    assert not missed


def test_truncation_is_found_without_reading_the_bytes(local: LocalStore, kit: Any) -> None:
    import_source(local, kit.importer(shard_rows=0))
    for key in list(local.list("")):
        path = Path(local.url) / key
        whole = path.read_bytes()
        path.write_bytes(whole[:-1])
        assert key in {finding.path for finding in verify(local).findings}
        path.write_bytes(whole)


def test_artifact_that_is_not_the_listed_one_is_found(local: LocalStore, kit: Any) -> None:
    build(
        local,
        kit.importer(),
        kit.Loud(),
    )
    one = Path(local.url) / head(local).entries["sae/toy/loud"].path
    build(local, kit.Loud(floor=0.5))
    two = Path(local.url) / head(local).entries["sae/toy/loud"].path
    one.rename(one.with_name("aside"))
    two.rename(one)
    one.with_name("aside").rename(two)
    assert {finding.kind for finding in verify(local).findings} == {"digest-mismatch"}


def test_missing_commit_is_found(store: MemoryStore, kit: Any) -> None:
    for sae in "abc":
        import_source(store, kit.importer(sae=sae))
    store.delete("commits/00000002.json")
    assert [(f.path, f.kind) for f in verify(store).findings] == [("commits/00000002.json", "missing-file")]


def test_directory_that_is_no_atlas_is_a_finding() -> None:
    assert [finding.kind for finding in verify(MemoryStore()).findings] == ["not-an-atlas"]


# gc


def test_gc_keeps_what_is_young(store: MemoryStore, kit: Any) -> None:
    build(store, kit.importer(), kit.Loud())
    build(store, kit.Loud(floor=0.5))
    objects = list(store.list(""))
    report = gc(store, keep_commits=1)
    assert (report.commits, report.artifacts, list(store.list(""))) == ((), (), objects)


def test_gc_deletes_old_commits_and_what_only_they_list(store: MemoryStore, kit: Any) -> None:
    build(store, kit.importer(), kit.Loud())
    old = head(store).entries["sae/toy/loud"].path
    build(store, kit.Loud(floor=0.5))
    report = gc(store, keep_commits=1, min_age_seconds=0)
    assert (report.commits, report.artifacts, report.bytes > 0) == (("commits/00000001.json",), (old,), True)
    assert (list_commits(store), verify(store, deep=True).ok) == ([2], True)


def test_gc_keeps_what_a_kept_commit_lists(store: MemoryStore, kit: Any) -> None:
    build(store, kit.importer(), kit.Loud())
    build(store, kit.Loud(floor=0.5))
    assert gc(store, keep_commits=2, min_age_seconds=0).artifacts == ()


def test_dry_run_says_the_same_and_deletes_nothing(store: MemoryStore, kit: Any) -> None:
    build(store, kit.importer(), kit.Loud())
    build(store, kit.Loud(floor=0.5))
    objects = list(store.list(""))
    dry = gc(store, keep_commits=1, min_age_seconds=0, dry_run=True)
    assert list(store.list("")) == objects
    assert replace(dry, dry_run=False) == gc(store, keep_commits=1, min_age_seconds=0)


def test_gc_keeps_at_least_one_commit(store: MemoryStore) -> None:
    with pytest.raises(InvalidInput, match="At least one commit"):
        gc(store, keep_commits=0)


def test_gc_killed_at_any_write_leaves_a_whole_atlas(kit: Any, store: MemoryStore) -> None:
    build(store, kit.importer(), kit.Loud())
    for floor in (0.5, 1.0):
        build(store, kit.Loud(floor=floor))
    for write in range(1, 5):
        failing = FailingStore(store, write)
        with pytest.raises(OSError, match="fails as a test asked"):
            gc(failing, keep_commits=1, min_age_seconds=0)
        assert verify(store, deep=True).ok
        kit.assert_holds(store, make_arrays(kit.SHAPE))
        if write == 1:
            assert gc(store, keep_commits=2, min_age_seconds=0).commits
        build(store, kit.Loud(floor=write))
        build(store, kit.Loud(floor=write + 0.5))
        build(store, kit.Loud(floor=write + 0.75))


def test_reader_reads_on_while_its_files_are_deleted(local: LocalStore, kit: Any) -> None:
    import_source(local, kit.importer())
    activations = Atlas(local, head(local)).sae("toy").activations
    before = activations.feature(0)
    activations.rows(0, 120)
    compact(local, "toy")
    assert len(gc(local, keep_commits=1, min_age_seconds=0).artifacts) == 3
    np.testing.assert_array_equal(activations.feature(0), before)


# compact


@pytest.mark.parametrize("profile", [None, "fast", "balanced", "compact"])
def test_compact_keeps_every_answer(store: MemoryStore, kit: Any, profile: Any) -> None:
    build(store, kit.importer(replace(kit.SHAPE, ragged=True)), kit.Loud())
    before = content(store)
    compact(store, "toy", profile=profile)
    assert {name for name in kit.names(store) if "segment" in name} == {"sae/toy/segment/00000"}
    kit.assert_holds(store, make_arrays(replace(kit.SHAPE, ragged=True)))
    assert (content(store), build_report(store, kit.Loud()).built) == (before, 0)
    assert verify(store, deep=True).ok


def test_compact_merges_up_to_so_many_rows(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer(shard_rows=20))
    compact(store, "toy", max_rows=50)
    assert len([name for name in kit.names(store) if "segment" in name]) == 3
    kit.assert_holds(store, make_arrays(kit.SHAPE))


def test_segment_that_is_large_enough_stays_as_it_is(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer(shard_rows=50))
    old = head(store).entries["sae/toy/segment/00000"]
    compact(store, "toy", max_rows=70)
    assert [head(store).entries["sae/toy/segment/00000"] == old, len(kit.names(store))] == [True, 5]


def test_compact_of_a_compact_sae_does_nothing(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer())
    first = compact(store, "toy")
    assert compact(store, "toy").number == first.number


def test_import_after_compact_does_nothing(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer())
    compact(store, "toy", profile="compact")
    gc(store, keep_commits=1, min_age_seconds=0)
    report = import_source(store, kit.importer())
    assert (report.built, report.segments, report.listed, report.commit) == (0, 1, 360, 2)


def test_import_of_new_facts_after_compact_imports_again(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer())
    compact(store, "toy")
    assert import_source(store, replace(kit.importer(), identity={"hook": "x"})).segments == 3


def test_compact_of_an_unknown_sae_lists_the_known(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer())
    with pytest.raises(NotFound, match="no segments of an SAE 'x'") as caught:
        compact(store, "x")
    assert caught.value.hint == "Known: toy"


def test_compact_gives_way_to_an_import(store: MemoryStore, kit: Any) -> None:
    import_source(store, kit.importer())
    steps, change = compact_steps(store, head(store).entries, "toy", None, 1000)
    import_source(store, kit.importer(shard_rows=60))
    with pytest.raises(Conflict, match="were replaced while they were merged"):
        execute(store, steps, Job(message="Late", changes=(change,)))
    assert head(store).number == 2


def test_compact_goes_on_where_it_stopped(kit: Any, store: MemoryStore) -> None:
    import_source(store, kit.importer(shard_rows=20))
    with pytest.raises(OSError, match="fails as a test asked"):
        compact(FailingStore(store, 2), "toy", max_rows=40)
    kit.assert_holds(store, make_arrays(kit.SHAPE))
    counted = FailingStore(store, 0)
    compact(counted, "toy", max_rows=40)
    assert (counted.writes, load_commit(store, 2).message) == (3, "Compact 'toy'")
    kit.assert_holds(store, make_arrays(kit.SHAPE))


def test_gc_deletes_nothing_when_a_kept_commit_cannot_be_read(local: LocalStore, kit: Any) -> None:
    import_source(local, kit.importer(sae="a"))
    import_source(local, kit.importer(sae="b"))
    newest = Path(local.url) / commit_key(2)
    newest.chmod(0o644)
    newest.write_bytes(newest.read_bytes()[:-20])
    with pytest.raises(FormatError):
        gc(local, keep_commits=1, min_age_seconds=0)
    assert list_commits(local) == [1, 2]
