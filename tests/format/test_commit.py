"""Commits are atomic, numbered without gaps, and lose nothing to races, kills and lost replies."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from saeatlas.errors import AlreadyExists, Conflict, FormatError, NotFound, StorageError
from saeatlas.format.canonical import read_document, write_document
from saeatlas.format.commit import (
    EMPTY,
    Commit,
    Entry,
    commit_key,
    head,
    list_commits,
    load_commit,
    publish_commit,
)
from saeatlas.storage import LocalStore, MemoryStore, Store
from saeatlas.testing.failing_store import FailingStore


def entry(name: str) -> Entry:
    return Entry(f"artifacts/a/{name}", "table", f"key {name}", "digest", "content")


def add(store: Store, name: str) -> Commit:
    return publish_commit(store, lambda entries: {**entries, name: entry(name)}, f"Add {name}")


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


# One writer


def test_new_atlas_is_at_commit_zero(store: MemoryStore) -> None:
    assert (head(store), list_commits(store), load_commit(store, 0)) == (EMPTY, [], EMPTY)


def test_commit_reads_back(store: MemoryStore) -> None:
    assert add(store, "sae/a/stats") == head(store) == load_commit(store, 1)


def test_commits_are_numbered_in_order(store: MemoryStore) -> None:
    numbers = [add(store, str(index)).number for index in range(12)]
    assert (numbers, list_commits(store)) == (list(range(1, 13)), list(range(1, 13)))


def test_commit_names_its_parent(store: MemoryStore) -> None:
    add(store, "a")
    assert add(store, "b").parent == 1


def test_commit_holds_all_entries(store: MemoryStore) -> None:
    add(store, "b")
    add(store, "a")
    assert head(store).entries == {"a": entry("a"), "b": entry("b")}


def test_earlier_commit_stays_as_it_was(store: MemoryStore) -> None:
    first = add(store, "a")
    publish_commit(store, lambda _: {}, "Remove everything")
    assert (load_commit(store, 1), head(store).entries) == (first, {})


def test_change_may_modify_what_it_is_given(store: MemoryStore) -> None:
    def change(entries: dict[str, Entry]) -> dict[str, Entry]:
        entries["a"] = entry("a")
        return entries

    assert publish_commit(store, change, "Add").number == 1


def test_same_entries_make_no_commit(store: MemoryStore) -> None:
    first = add(store, "a")
    assert (add(store, "a"), list_commits(store)) == (first, [1])


def test_error_of_the_change_makes_no_commit(store: MemoryStore) -> None:
    def change(entries: dict[str, Entry]) -> dict[str, Entry]:
        raise AlreadyExists("taken")

    with pytest.raises(AlreadyExists):
        publish_commit(store, change, "Add")
    assert list_commits(store) == []


# Reading


def test_unknown_commit_is_not_found(store: MemoryStore) -> None:
    add(store, "a")
    with pytest.raises(NotFound, match="No commit 7") as caught:
        load_commit(store, 7)
    assert "1 to 1" in caught.value.hint


def test_other_files_are_no_commits(store: MemoryStore) -> None:
    add(store, "a")
    for name in ("notes.txt", "2.json", "000000009.json", "00000002.json.bak"):
        store.put_new(f"commits/{name}", b"")
    assert list_commits(store) == [1]


def test_newer_commit_is_refused(store: MemoryStore) -> None:
    add(store, "a")
    record = read_document(store.get(commit_key(1)), "")
    store.put_new(commit_key(2), write_document({**record, "format": 2, "number": 2}))
    with pytest.raises(FormatError, match="newer saeatlas") as caught:
        head(store)
    assert caught.value.kind == "unsupported-format"


def test_renamed_commit_is_corrupt(store: MemoryStore) -> None:
    add(store, "a")
    store.put_new(commit_key(2), store.get(commit_key(1)))
    with pytest.raises(FormatError, match=r"commits/00000002\.json"):
        head(store)


def test_damaged_commit_is_named_and_the_one_before_is_read(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    first = add(store, "a")
    add(store, "b")
    path = tmp_path / commit_key(2)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FormatError, match=r"commits/00000002\.json"):
        head(store)
    assert load_commit(store, 1) == first


@pytest.mark.parametrize("entries", [[], {"a": "x"}, {"a": {"path": "x"}}])
def test_commit_with_wrong_entries_is_corrupt(store: MemoryStore, entries: object) -> None:
    add(store, "a")
    record = read_document(store.get(commit_key(1)), "")
    store.put_new(commit_key(2), write_document({**record, "number": 2, "entries": entries}))
    with pytest.raises(FormatError) as caught:
        head(store)
    assert caught.value.kind == "corrupt-artifact"


def test_more_than_eight_digits_are_a_commit() -> None:
    assert commit_key(123_456_789) == "commits/123456789.json"


# Failures


def test_failed_commit_leaves_the_one_before(store: MemoryStore) -> None:
    first = add(store, "a")
    with pytest.raises(StorageError):
        add(FailingStore(store, 1), "b")
    assert head(store) == first


def test_lost_reply_is_recognised(store: MemoryStore) -> None:
    commit = add(FailingStore(store, 1, after=True), "a")
    assert (commit, list_commits(store)) == (head(store), [1])


class RepeatingStore(FailingStore):
    """Repeats a write whose reply was lost, as clients of object stores do."""

    def put_new(self, key: str, data: bytes) -> None:
        self.inner.put_new(key, data)
        self.inner.put_new(key, data)


def test_own_commit_is_recognised_when_the_write_was_repeated(store: MemoryStore) -> None:
    commit = add(RepeatingStore(store, 0), "a")
    assert (commit, list_commits(store)) == (head(store), [1])


def test_faster_writer_makes_the_change_be_applied_again(store: MemoryStore) -> None:
    seen: list[list[str]] = []

    def change(entries: dict[str, Entry]) -> dict[str, Entry]:
        seen.append(sorted(entries))
        if len(seen) == 1:
            add(store, "faster")
        return {**entries, "slower": entry("slower")}

    commit = publish_commit(store, change, "Add")
    assert (seen, commit.number, sorted(commit.entries)) == ([[], ["faster"]], 2, ["faster", "slower"])


def test_change_that_a_faster_writer_made_needs_no_commit(store: MemoryStore) -> None:
    def change(entries: dict[str, Entry]) -> dict[str, Entry]:
        if not entries:
            add(store, "a")
        return {**entries, "a": entry("a")}

    assert publish_commit(store, change, "Add").number == 1


def test_number_taken_by_something_else_is_a_conflict(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    (tmp_path / commit_key(1)).mkdir(parents=True)
    with pytest.raises(Conflict, match="Commit 1"):
        add(store, "a")


# Many processes

WRITER = """
import sys
from pathlib import Path
from saeatlas.format.commit import Entry, publish_commit
from saeatlas.storage import LocalStore
store, who, n = LocalStore(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
for index in range(n):
    name = f"{who}-{index:06d}"
    publish_commit(store, lambda entries: {**entries, name: Entry(name, "table", "k", "d", "c")}, name)
    print(index, flush=True)
"""


def start_writer(store: LocalStore, who: str, n: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", WRITER, store.url, who, str(n)], stdout=subprocess.PIPE)


def finish(child: subprocess.Popen[bytes]) -> int:
    child.communicate()
    return child.returncode


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> LocalStore:
    """An atlas to which eight processes made ten commits each, all at once."""
    store = LocalStore(tmp_path_factory.mktemp("raced"))
    children = [start_writer(store, f"writer {index}", 10) for index in range(8)]
    assert [finish(child) for child in children] == [0] * 8
    return store


def test_race_of_eight_processes_loses_no_commit(raced: LocalStore) -> None:
    assert list_commits(raced) == list(range(1, 81))
    assert sorted(head(raced).entries) == [f"writer {who}-{index:06d}" for who in range(8) for index in range(10)]


def test_every_commit_of_a_race_adds_one_entry(raced: LocalStore) -> None:
    assert [len(load_commit(raced, number).entries) for number in range(1, 81)] == list(range(1, 81))


def test_killed_writers_leave_readable_heads(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    for turn in range(4):
        with start_writer(store, f"turn {turn}", 1_000_000) as child:
            assert child.stdout is not None
            for _ in range(3 + turn):
                assert child.stdout.readline()
            child.send_signal(signal.SIGKILL)
        latest = head(store)
        assert len(latest.entries) == latest.number
    assert [load_commit(store, number).number for number in list_commits(store)] == list(range(1, latest.number + 1))
