"""Lines in a file that grows: kills, full disks and many processes lose nothing that was acknowledged."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from saeatlas.errors import StorageError
from saeatlas.storage import LocalStore
from saeatlas.storage.appending import CANCEL

LOG = "labels/x/log.jsonl"

WRITER = """
import sys
from pathlib import Path
from saeatlas.storage import LocalStore
store = LocalStore(Path(sys.argv[1]))
for number in range(int(sys.argv[3])):
    store.append("labels/x/log.jsonl", f"{sys.argv[2]}:{number}:{'x' * 3000}\\n".encode(), beside="labels/x/none")
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "x.atlas", create=True)


def writer(store: LocalStore, name: str, n_lines: int) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", WRITER, store.url, name, str(n_lines)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def test_torn_line_is_cancelled_by_the_next_writer(store: LocalStore) -> None:
    store.append(LOG, b"whole\n", beside="b")
    with (store.path / LOG).open("ab") as file:
        file.write(b"cut o")
    store.append(LOG, b"next\n", beside="b")
    assert store.get(LOG) == b"whole\ncut o" + CANCEL + b"\nnext\n"


def test_cancelling_that_was_itself_cut_off_is_cancelled(store: LocalStore) -> None:
    (store.path / "labels" / "x").mkdir(parents=True)
    (store.path / LOG).write_bytes(b"cut" + CANCEL)
    store.append(LOG, b"next\n", beside="b")
    assert store.get(LOG).splitlines(keepends=True) == [b"cut" + CANCEL * 2 + b"\n", b"next\n"]


def test_line_that_was_refused_in_the_middle_is_cancelled(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.append(LOG, b"whole\n", beside="b")
    write, calls = os.write, 0

    def half_then_full(fd: int, data: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(fd, bytes(data)[:3])

    monkeypatch.setattr("os.write", half_then_full)
    with pytest.raises(StorageError, match="labels/x") as caught:
        store.append(LOG, b"refused\n", beside="b")
    monkeypatch.undo()
    assert (caught.value.kind, store.get(LOG)) == ("disk-full", b"whole\nref")
    store.append(LOG, b"next\n", beside="b")
    assert store.get(LOG) == b"whole\nref" + CANCEL + b"\nnext\n"


@pytest.mark.parametrize(("code", "kind"), [(errno.EROFS, "read-only"), (errno.EACCES, "read-only")])
def test_log_that_may_not_be_opened_says_why(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, code: int, kind: str
) -> None:
    def refuse(*arguments: object) -> int:
        raise OSError(code, os.strerror(code))

    (store.path / "labels" / "x").mkdir(parents=True)
    monkeypatch.setattr("os.open", refuse)
    with pytest.raises(StorageError, match="labels/x") as caught:
        store.append(LOG, b"refused\n", beside="b")
    assert caught.value.kind == kind


def test_line_that_did_not_reach_the_disk_is_not_acknowledged(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.append(LOG, b"whole\n", beside="b")

    def fail(fd: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(StorageError):
        store.append(LOG, b"perhaps\n", beside="b")


def test_killed_writers_lose_nothing_that_was_acknowledged(store: LocalStore) -> None:
    acknowledged: list[str] = []
    for attempt in range(6):
        running = writer(store, str(attempt), 10_000)
        assert running.stdout is not None
        said = [running.stdout.readline() for _ in range(5 + 7 * attempt)]
        running.send_signal(signal.SIGKILL)
        said += running.stdout.readlines()
        running.wait()
        running.stdout.close()
        acknowledged += [f"{attempt}:{line.strip()}" for line in said if line.endswith("\n")]
    lines = store.get(LOG).split(b"\n")[:-1]
    whole = [line.decode() for line in lines if not line.endswith(CANCEL)]
    found = [line.rpartition(":")[0] for line in whole]
    assert {line.rpartition(":")[2] for line in whole} == {"x" * 3000}
    assert len(found) == len(set(found)) >= len(acknowledged)
    assert set(found) >= set(acknowledged)
    # At most the one line that was being written when each was killed.
    assert len(found) - len(acknowledged) <= 6


def test_processes_at_once_lose_no_line(store: LocalStore) -> None:
    running = [writer(store, str(number), 100) for number in range(4)]
    for process in running:
        process.communicate()
    lines = [line.rpartition(":")[0] for line in store.get(LOG).decode().splitlines()]
    assert sorted(lines) == sorted(f"{name}:{number}" for name in range(4) for number in range(100))
