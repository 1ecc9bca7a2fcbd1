"""The local store keeps the contract of every store, and survives full disks, kills and races."""

from __future__ import annotations

import errno
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from saeatlas.errors import AlreadyExists, FormatError, InvalidInput, NotFound, StorageError
from saeatlas.storage import LocalStore, Store
from saeatlas.testing.store_contract import StoreContract

SEAL = "artifact.json"


class TestLocalStore(StoreContract):
    def make_store(self, directory: Path) -> Store:
        return LocalStore(directory)


class TestLocalStoreInAnOddPlace(StoreContract):
    """A path with spaces, Unicode, glob characters and a percent sign is a path."""

    def make_store(self, directory: Path) -> Store:
        return LocalStore(directory / "mes données [été] *100%" / "東京.atlas", create=True)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "x.atlas", create=True)


def make_artifact(directory: Path) -> None:
    (directory / "feature").mkdir()
    (directory / "feature" / "row").write_bytes(b"rows")
    (directory / SEAL).write_bytes(b"{}")


def raising(code: int) -> Callable[..., Any]:
    def fail(*args: object, **kwargs: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


def n_in_staging(store: LocalStore) -> int:
    staging = store.path / "staging"
    return len(list(staging.iterdir())) if staging.exists() else 0


# Opening


def test_missing_directory_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nothing"):
        LocalStore(tmp_path / "none")


def test_file_is_not_a_store(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotFound, match="a file"):
        LocalStore(tmp_path / "file")


def test_store_is_not_made_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        LocalStore(tmp_path / "file" / "store", create=True)


def test_url_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert LocalStore(Path("x"), create=True).url == str(tmp_path / "x")


def test_store_pickles(store: LocalStore) -> None:
    store.put_new("a", b"x")
    assert pickle.loads(pickle.dumps(store)).get("a") == b"x"


# Open files


def test_blob_closes_its_file_when_dropped(store: LocalStore) -> None:
    store.put_new("a", b"x")
    blob = store.open("a")
    fd = blob._fd
    del blob
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_more_blobs_than_the_soft_limit_are_opened(store: LocalStore) -> None:
    store.put_new("a", b"x")
    program = (
        "import resource, sys; from pathlib import Path; from saeatlas.storage import LocalStore\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))\n"
        "store = LocalStore(Path(sys.argv[1])); blobs = [store.open('a') for _ in range(200)]\n"
        "print(sum(len(blob.read(0, 1)) for blob in blobs))"
    )
    assert run_python(program, store.url) == "200"


def test_hard_limit_of_open_files_is_named(store: LocalStore) -> None:
    store.put_new("a", b"x")
    program = (
        "import resource, sys; from pathlib import Path; from saeatlas.storage import LocalStore\n"
        "from saeatlas.errors import StorageError\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)); store = LocalStore(Path(sys.argv[1]))\n"
        "try:\n    blobs = [store.open('a') for _ in range(200)]\n"
        "except StorageError as error:\n    print('ulimit' in error.hint)"
    )
    assert run_python(program, store.url) == "True"


def test_read_goes_on_after_a_short_system_call(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put_new("a", bytes(range(100)))
    whole = os.preadv

    def at_most_seven(fd: int, buffers: tuple[np.ndarray], offset: int) -> int:
        return whole(fd, [memoryview(buffers[0])[:7]], offset)

    monkeypatch.setattr("saeatlas.storage.local._preadv", at_most_seven)
    out = np.zeros(90, np.uint8)
    store.open("a").read_into(10, out)
    assert out.tolist() == list(range(10, 100))


def test_file_cut_while_open_is_corrupt(store: LocalStore) -> None:
    store.put_new("a", bytes(100))
    blob = store.open("a")
    os.truncate(store.path / "a", 50)
    with pytest.raises(FormatError, match="it has 50") as caught:
        blob.read_into(0, np.zeros(100, np.uint8))
    assert caught.value.kind == "corrupt-artifact"


def test_read_only_array_is_refused(store: LocalStore) -> None:
    store.put_new("a", bytes(4))
    out = np.zeros(4, np.uint8)
    out.flags.writeable = False
    with pytest.raises(InvalidInput):
        store.open("a").read_into(0, out)


def test_blob_knows_its_file(store: LocalStore) -> None:
    store.put_new("a/b", b"x")
    assert store.open("a/b").path == store.path / "a" / "b"


# Faults


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ENOSPC, "disk-full"),
        (errno.EDQUOT, "disk-full"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "read-only"),
        (errno.EPERM, "read-only"),
        (errno.EIO, "storage-error"),
    ],
)
@pytest.mark.parametrize("call", ["os.fsync", "os.link", "pathlib.Path.mkdir", "pathlib.Path.open"])
def test_failed_put_says_why_and_leaves_nothing(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, call: str, code: int, kind: str
) -> None:
    monkeypatch.setattr(call, raising(code))
    with pytest.raises(StorageError, match="a/b") as caught:
        store.put_new("a/b", b"x")
    monkeypatch.undo()
    assert (caught.value.kind, bool(caught.value.hint), list(store.list("")), n_in_staging(store)) == (
        kind,
        True,
        [],
        0,
    )


@pytest.mark.parametrize(
    ("code", "kind"), [(errno.ENOSPC, "disk-full"), (errno.EROFS, "read-only"), (errno.EIO, "storage-error")]
)
@pytest.mark.parametrize("call", ["os.fsync", "pathlib.Path.rename"])
def test_failed_publication_says_why_and_leaves_nothing(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch, call: str, code: int, kind: str
) -> None:
    with store.scratch() as directory:
        make_artifact(directory)
        monkeypatch.setattr(call, raising(code))
        with pytest.raises(StorageError, match="artifacts/x") as caught:
            store.publish(directory, "artifacts/x", seal=SEAL)
        monkeypatch.undo()
    assert (caught.value.kind, list(store.list("")), n_in_staging(store)) == (kind, [], 0)


def test_full_disk_while_building_is_named(store: LocalStore) -> None:
    with pytest.raises(StorageError) as caught, store.scratch():
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.kind == "disk-full"


def test_file_beyond_the_limit_is_named(store: LocalStore) -> None:
    program = (
        "import resource, sys; from pathlib import Path; from saeatlas.storage import LocalStore\n"
        "from saeatlas.errors import StorageError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); store = LocalStore(Path(sys.argv[1]))\n"
        "store.put_new('small', bytes(1000))\n"
        "try:\n    store.put_new('large', bytes(1001))\n"
        "except StorageError as error:\n    print(error.kind)"
    )
    assert run_python(program, store.url) == "disk-full"
    assert (list(store.list("")), n_in_staging(store)) == (["small"], 0)


def test_other_errors_while_building_pass(store: LocalStore) -> None:
    with pytest.raises(FileNotFoundError), store.scratch():
        raise FileNotFoundError(errno.ENOENT, "no such source")


def test_read_only_place_gives_no_scratch(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pathlib.Path.mkdir", raising(errno.EROFS))
    with pytest.raises(StorageError) as caught, store.scratch():
        pass
    assert caught.value.kind == "read-only"


def test_directory_without_write_permission_is_read(store: LocalStore) -> None:
    store.put_new("a/b", b"x")
    for path in (store.path / "a" / "b", store.path / "a", store.path):
        path.chmod(path.stat().st_mode & ~0o222)
    again = LocalStore(store.path)
    found = again.get("a/b"), again.open("a/b").read(0, 1), list(again.list(""))
    store.path.chmod(0o755)
    (store.path / "a").chmod(0o755)
    assert found == (b"x", b"x", ["a/b"])


def test_file_system_without_hard_links_is_named(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.link", raising(errno.EOPNOTSUPP))
    with pytest.raises(StorageError, match="no hard links"):
        store.put_new("a", b"x")


def test_lost_reply_to_a_link_is_recognised(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real_link = os.link

    def link(source: Path, target: Path) -> None:
        real_link(source, target)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))

    monkeypatch.setattr(os, "link", link)
    store.put_new("a", b"x")
    assert store.get("a") == b"x"


# Durability: what is synced, and in which order


def test_object_is_synced_before_its_name_and_its_directory_after(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put_new("a/first", b"")
    events = watch_system_calls(store, monkeypatch)
    store.put_new("a/b", b"x")
    assert events == ["fsync file", "link", "fsync a"]


def test_new_directory_is_synced_in_its_parent(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    events = watch_system_calls(store, monkeypatch)
    store.put_new("a/b", b"x")
    assert events == ["fsync file", "fsync x.atlas", "link", "fsync a"]


def test_publication_syncs_every_file_before_the_rename(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.scratch() as directory:
        make_artifact(directory)
        events = watch_system_calls(store, monkeypatch)
        store.publish(directory, "artifacts/x", seal=SEAL)
        monkeypatch.undo()
    scratch = directory.name
    assert events == [
        "fsync file",
        "fsync feature",
        "fsync file",
        f"fsync {scratch}",
        "fsync x.atlas",
        "rename",
        "fsync artifacts",
    ]


def test_deletion_takes_the_seal_first(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.scratch() as directory:
        make_artifact(directory)
        store.publish(directory, "artifacts/x", seal=SEAL)
    monkeypatch.setattr("pathlib.Path.rename", raising(errno.EIO))
    with pytest.raises(StorageError):
        store.delete_prefix("artifacts/x", seal=SEAL)
    assert list(store.list("")) == ["artifacts/x/feature/row"]


def test_published_files_may_be_read_by_others(store: LocalStore) -> None:
    with store.scratch() as directory:
        make_artifact(directory)
        store.publish(directory, "artifacts/x", seal=SEAL)
    umask = os.umask(0)
    os.umask(umask)
    assert (store.path / "artifacts" / "x").stat().st_mode & 0o777 == 0o777 & ~umask


def test_whole_artifact_set_aside_by_mistake_goes_back(store: LocalStore) -> None:
    with store.scratch() as directory:
        make_artifact(directory)
        store.publish(directory, "artifacts/x", seal=SEAL)
    store._set_aside(store.path / "artifacts" / "x", SEAL)
    assert (store.exists(f"artifacts/x/{SEAL}"), n_in_staging(store)) == (True, 0)


# What killed writers leave


def test_leftovers_in_staging_are_harmless(store: LocalStore) -> None:
    (store.path / "staging" / "dead").mkdir(parents=True)
    (store.path / "staging" / "temporary").write_bytes(b"half")
    store.put_new("a", b"x")
    assert list(store.list("")) == ["a"]


def test_sweep_removes_old_leftovers(store: LocalStore) -> None:
    for path in make_leftovers(store):
        age_by_a_day(path)
    assert (store.sweep(min_age=3600), n_in_staging(store)) == (7, 0)


def test_sweep_may_only_count(store: LocalStore) -> None:
    for path in make_leftovers(store):
        age_by_a_day(path)
    assert (store.sweep(min_age=3600, dry_run=True), n_in_staging(store)) == (7, 2)


def test_sweep_spares_an_old_directory_with_a_young_file(store: LocalStore) -> None:
    directory, _ = make_leftovers(store)
    age_by_a_day(directory)
    (directory / "young").touch()
    assert (store.sweep(min_age=3600), directory.exists()) == (0, True)


def test_killed_writers_leave_whole_objects_only(store: LocalStore) -> None:
    program = (
        "import sys; from pathlib import Path; from saeatlas.storage import LocalStore\n"
        "store = LocalStore(Path(sys.argv[1])); n = int(sys.argv[2])\n"
        "while True:\n"
        "    store.put_new(f'objects/{n:09d}', n.to_bytes(4, 'big') * 25_000); n += 1; print(n, flush=True)"
    )
    for turn in range(3):
        arguments = [sys.executable, "-c", program, store.url, str(1_000_000 * turn)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            for _ in range(20 + turn):
                assert child.stdout.readline()
            child.send_signal(signal.SIGKILL)
    for key in store.list("objects"):
        assert store.get(key) == int(key[-9:]).to_bytes(4, "big") * 25_000


def test_put_between_two_processes_has_one_winner(store: LocalStore) -> None:
    program = (
        "import sys; from pathlib import Path; from saeatlas.storage import LocalStore\n"
        "from saeatlas.errors import AlreadyExists\n"
        "store = LocalStore(Path(sys.argv[1])); won = 0\n"
        "for n in range(200):\n"
        "    try:\n        store.put_new(f'a/{n}', b'x'); won += 1\n"
        "    except AlreadyExists:\n        pass\n"
        "print(won)"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", program, store.url], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert sum(int(child.communicate()[0]) for child in children) == 200


def test_refused_put_leaves_no_temporary(store: LocalStore) -> None:
    store.put_new("a", b"x")
    with pytest.raises(AlreadyExists):
        store.put_new("a", b"y")
    assert n_in_staging(store) == 0


def run_python(program: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def make_leftovers(store: LocalStore) -> tuple[Path, Path]:
    directory, file = store.path / "staging" / "dead", store.path / "staging" / "temporary"
    directory.mkdir(parents=True)
    (directory / "x").write_bytes(b"123")
    file.write_bytes(b"half")
    return directory, file


def age_by_a_day(path: Path) -> None:
    then = time.time() - 86_400
    for part in [*path.rglob("*"), path]:
        os.utime(part, (then, then))


def watch_system_calls(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record fsync, link and rename in the order in which they happen."""
    events: list[str] = []
    real_fsync, real_link, real_rename = os.fsync, os.link, Path.rename

    def name_of(fd: int) -> str:
        status = os.fstat(fd)
        folders = [path for path in [store.path, *store.path.rglob("*")] if path.is_dir()]
        return next((path.name for path in folders if os.path.samestat(path.stat(), status)), "file")

    def fsync(fd: int) -> None:
        events.append(f"fsync {name_of(fd)}")
        real_fsync(fd)

    def link(source: Path, target: Path) -> None:
        events.append("link")
        real_link(source, target)

    def rename(source: Path, target: Path) -> Path:
        events.append("rename")
        return real_rename(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "link", link)
    monkeypatch.setattr(Path, "rename", rename)
    return events
