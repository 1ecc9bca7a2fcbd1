from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saeatlas.errors import SourceError, StepFailed
from saeatlas.format.commit import head
from saeatlas.pipeline.build import build_report
from saeatlas.pipeline.executors import InProcess, LocalProcesses, choose_executor
from saeatlas.pipeline.importing import import_source
from saeatlas.progress import Event, Progress
from saeatlas.settings import Settings
from saeatlas.storage import LocalStore, MemoryStore
from saeatlas.testing.make_atlas import make_arrays

TWO = Settings(jobs=2)


def test_one_job_stays_in_this_process(local: LocalStore) -> None:
    assert isinstance(choose_executor(local, 1), InProcess)


@pytest.mark.parametrize(("n_values", "kind"), [(None, LocalProcesses), (10_000, InProcess), (10**9, LocalProcesses)])
def test_little_work_stays_in_this_process(local: LocalStore, n_values: int | None, kind: type) -> None:
    assert isinstance(choose_executor(local, 4, n_values), kind)


def test_small_import_and_build_start_no_process(local: LocalStore, kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalProcesses, "open", None)
    import_source(local, kit.importer(), settings=TWO)
    assert build_report(local, kit.importer(), kit.Loud(), settings=TWO).built == 1


def test_memory_store_stays_in_this_process(store: MemoryStore) -> None:
    assert isinstance(choose_executor(store, 4), InProcess)


def test_processes_make_the_same_artifacts_and_report_progress(local: LocalStore, store: MemoryStore, kit: Any) -> None:
    events: list[Event] = []
    report = import_source(local, kit.importer(), executor=LocalProcesses(2), progress=Progress(events.append))
    import_source(store, kit.importer())
    assert report.built == 6
    assert {name: entry.digest for name, entry in head(local).entries.items()} == {
        name: entry.digest for name, entry in head(store).entries.items()
    }
    assert sum(event.amount for event in events if event.task.endswith("Read rows") and event.what == "advance") == 120


def test_killed_worker_is_named_and_the_import_goes_on(local: LocalStore, kit: Any) -> None:
    with pytest.raises(StepFailed, match="A worker process died while making 'sae/toy/segment/0000") as caught:
        import_source(local, kit.faulty(90, "kill"), executor=LocalProcesses(2))
    assert (caught.value.kind, head(local).number) == ("worker-died", 0)
    assert "out of memory" in caught.value.hint
    assert import_source(local, kit.faulty(-1)).reused >= 2
    kit.assert_holds(local, make_arrays(kit.SHAPE))


def test_error_of_a_worker_arrives_whole(local: LocalStore, kit: Any) -> None:
    values = make_arrays(kit.SHAPE).values.copy()
    values[5] = np.nan
    with pytest.raises(SourceError, match="Row 1, slot 2: the value is nan") as caught:
        import_source(local, kit.with_data(kit.importer(), values=values), executor=LocalProcesses(2))
    assert (caught.value.kind, "marks an empty slot" in caught.value.hint) == ("not-finite", True)
    assert "While making 'sae/toy/segment/00000'" in caught.value.__notes__


def test_bug_in_a_worker_arrives_with_its_traceback(local: LocalStore, kit: Any) -> None:
    with pytest.raises(StepFailed, match="ZeroDivisionError: as a test asked") as caught:
        import_source(local, kit.faulty(90, "bug"), executor=LocalProcesses(2))
    assert any("Traceback" in note and "_stop" in note for note in caught.value.__notes__)
