"""The failing store fails exactly where it is told to."""

from __future__ import annotations

from pathlib import Path

import pytest

from saeatlas.errors import StorageError
from saeatlas.storage import MemoryStore, Store
from saeatlas.testing.failing_store import FailingStore
from saeatlas.testing.store_contract import StoreContract


class TestFailingStoreThatNeverFails(StoreContract):
    def make_store(self, directory: Path) -> Store:
        return FailingStore(MemoryStore(), 0)


def test_write_fails_at_its_turn_only() -> None:
    store = FailingStore(MemoryStore(), 2)
    store.put_new("a", b"")
    with pytest.raises(StorageError):
        store.put_new("b", b"")
    store.put_new("c", b"")
    assert list(store.list("")) == ["a", "c"]


def test_failure_after_the_write_leaves_it_done() -> None:
    store = FailingStore(MemoryStore(), 1, after=True)
    with pytest.raises(StorageError):
        store.put_new("a", b"")
    assert store.exists("a")


def test_every_write_counts() -> None:
    store = FailingStore(MemoryStore(), 0)
    store.put_new("a", b"")
    with store.scratch() as directory:
        (directory / "seal").touch()
        store.publish(directory, "x", seal="seal")
    store.delete("a")
    store.delete_prefix("x", seal="seal")
    assert store.writes == 4


def test_failure_has_the_kind_asked_for() -> None:
    with pytest.raises(StorageError) as caught:
        FailingStore(MemoryStore(), 1, kind="read-only").delete("a")
    assert caught.value.kind == "read-only"
