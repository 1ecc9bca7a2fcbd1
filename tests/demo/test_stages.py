from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from saeatlas.demo.stages import Stage, Stages
from saeatlas.errors import Conflict, StorageError


class Builder:
    def __init__(self, text: str = "made") -> None:
        self.text = text
        self.calls = 0

    def __call__(self, partial: Path) -> dict[str, int]:
        self.calls += 1
        (partial / "out" / "a").write_text(self.text)
        (partial / "b").write_text("b")
        return {"length": len(self.text)}


def stage(**inputs: object) -> Stage:
    return Stage("one", inputs, ("out/a", "b"))


def test_a_finished_stage_is_reused_with_its_facts(tmp_path: Path) -> None:
    build = Builder()
    with Stages.open(tmp_path) as stages:
        first, second = stages.run(stage(x=1), build), stages.run(stage(x=1), build)
    assert build.calls == 1
    assert (first.is_reused, second.is_reused) == (False, True)
    assert (first.facts, first.digests, first.seconds) == (second.facts, second.digests, second.seconds)


@pytest.mark.parametrize("change", ["input", "missing", "damaged", "record"])
def test_a_changed_stage_is_done_again(tmp_path: Path, change: str) -> None:
    build = Builder()
    with Stages.open(tmp_path) as stages:
        stages.run(stage(x=1), build)
        if change == "missing":
            (tmp_path / "b").unlink()
        elif change == "damaged":
            (tmp_path / "out" / "a").write_text("mode")
        elif change == "record":
            (tmp_path / ".stages" / "one.json").write_text("{")
        assert not stages.run(stage(x=2 if change == "input" else 1), build).is_reused
    assert (tmp_path / "out" / "a").read_text() == "made"


def test_an_interrupted_stage_leaves_the_old_files_and_no_rubbish(tmp_path: Path) -> None:
    def stop(partial: Path) -> dict[str, int]:
        (partial / "b").write_text("half")
        raise KeyboardInterrupt

    with Stages.open(tmp_path) as stages:
        stages.run(stage(x=1), Builder())
        with pytest.raises(KeyboardInterrupt):
            stages.run(stage(x=2), stop)
        assert stages.run(stage(x=1), Builder()).is_reused
    assert sorted(path.name for path in (tmp_path / ".stages").iterdir()) == ["lock", "one.json"]


def test_what_a_killed_run_left_is_not_used(tmp_path: Path) -> None:
    (tmp_path / ".stages" / "one.partial").mkdir(parents=True)
    (tmp_path / ".stages" / "one.partial" / "stranger").write_text("")
    with Stages.open(tmp_path) as stages:
        stages.run(stage(), Builder())
    assert not (tmp_path / "stranger").exists()


def test_two_runs_in_one_directory_are_refused(tmp_path: Path) -> None:
    with Stages.open(tmp_path), pytest.raises(Conflict), Stages.open(tmp_path):
        pass


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.ENOSPC, "disk-full"), (errno.EROFS, "read-only"), (errno.EIO, "storage-error")]
)
def test_errors_of_the_disk_are_named(tmp_path: Path, number: int, kind: str) -> None:
    def fail(partial: Path) -> dict[str, int]:
        raise OSError(number, "no")

    with pytest.raises(StorageError) as caught, Stages.open(tmp_path) as stages:
        stages.run(stage(), fail)
    assert caught.value.kind == kind


def test_the_record_is_plain_json(tmp_path: Path) -> None:
    with Stages.open(tmp_path) as stages:
        done = stages.run(stage(x=1), Builder())
    record = json.loads((tmp_path / ".stages" / "one.json").read_text())
    assert record["key"] == done.key == stage(x=1).key
    assert record["facts"] == {"length": 4}
