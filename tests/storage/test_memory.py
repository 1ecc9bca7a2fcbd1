"""The in-memory store keeps the contract of every store."""

from __future__ import annotations

from pathlib import Path

from saeatlas.storage import MemoryStore, Store
from saeatlas.testing.store_contract import StoreContract


class TestMemoryStore(StoreContract):
    def make_store(self, directory: Path) -> Store:
        return MemoryStore()


def test_object_in_memory_has_no_path() -> None:
    store = MemoryStore()
    store.put_new("a", b"")
    assert store.open("a").path is None


def test_two_memory_stores_have_two_urls() -> None:
    assert MemoryStore().url != MemoryStore().url
