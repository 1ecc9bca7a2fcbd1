"""What every store must do, as tests: subclass `StoreContract` and say how a store is made."""

from __future__ import annotations

import gc
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from saeatlas.errors import AlreadyExists, FormatError, InvalidInput, NotFound
from saeatlas.storage import Store

__all__ = ["StoreContract"]

SEAL = "artifact.json"
BAD_KEYS = ["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/.", "a\x00b", "a\nb", "a\\b", "staging/x"]
CALLS_WITH_A_KEY: dict[str, Callable[[Store, str], object]] = {
    "get": lambda store, key: store.get(key),
    "open": lambda store, key: store.open(key),
    "exists": lambda store, key: store.exists(key),
    "put_new": lambda store, key: store.put_new(key, b"x"),
    "append": lambda store, key: store.append(key, b"x\n", beside="b"),
    "append beside": lambda store, key: store.append("a", b"x\n", beside=key),
    "delete": lambda store, key: store.delete(key),
}


class _Contract(ABC):
    """What all parts of the contract need."""

    @abstractmethod
    def make_store(self, directory: Path) -> Store:
        """Return a new, empty store; `directory` is a fresh place for its files, if it has any."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        """Give each test its own store."""
        directory = tmp_path / "store"
        directory.mkdir()
        return self.make_store(directory)

    @staticmethod
    def _publish(store: Store, prefix: str, files: dict[str, bytes]) -> bool:
        with store.scratch() as scratch:
            for name, data in {**files, SEAL: b"{}"}.items():
                path = scratch / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            return store.publish(scratch, prefix, seal=SEAL)


class ObjectContract(_Contract):
    """Whole objects are read as they were put."""

    def test_get_returns_what_was_put(self, store: Store) -> None:
        store.put_new("a/b.json", b"bytes")
        assert store.get("a/b.json") == b"bytes"

    def test_empty_object_is_an_object(self, store: Store) -> None:
        store.put_new("a", b"")
        assert (store.get("a"), store.exists("a"), store.open("a").size) == (b"", True, 0)

    def test_key_may_hold_spaces_and_unicode(self, store: Store) -> None:
        store.put_new("été 東京/a b.json", b"x")
        assert list(store.list("été 東京/")) == ["été 東京/a b.json"]

    def test_get_of_nothing_is_not_found(self, store: Store) -> None:
        with pytest.raises(NotFound, match="a/b"):
            store.get("a/b")

    def test_get_of_a_prefix_is_not_found(self, store: Store) -> None:
        store.put_new("a/b", b"x")
        with pytest.raises(NotFound):
            store.get("a")

    def test_get_below_an_object_is_not_found(self, store: Store) -> None:
        store.put_new("a", b"x")
        with pytest.raises(NotFound):
            store.get("a/b")

    def test_prefix_does_not_exist_as_an_object(self, store: Store) -> None:
        store.put_new("a/b", b"x")
        assert not store.exists("a")


class PutContract(_Contract):
    """Objects are put once, aged and deleted."""

    def test_second_put_is_refused_and_changes_nothing(self, store: Store) -> None:
        store.put_new("a", b"first")
        with pytest.raises(AlreadyExists):
            store.put_new("a", b"second")
        assert store.get("a") == b"first"

    def test_one_of_many_puts_wins(self, store: Store) -> None:
        def put(index: int) -> bool:
            try:
                store.put_new("a/b/c", bytes([index]) * 1000)
            except AlreadyExists:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(put, range(32)))
        assert [index for index in range(32) if won[index]] == [store.get("a/b/c")[0]]

    def test_delete_of_an_object_returns_its_size(self, store: Store) -> None:
        store.put_new("a/b", b"12345")
        assert (store.delete("a/b"), store.delete("a/b"), store.exists("a/b")) == (5, 0, False)

    def test_age_of_a_new_object_is_small(self, store: Store) -> None:
        store.put_new("a", b"x")
        assert 0 <= store.open("a").age < 60

    @pytest.mark.parametrize("call", CALLS_WITH_A_KEY)
    def test_bad_key_is_refused(self, store: Store, call: str) -> None:
        for key in BAD_KEYS:
            with pytest.raises(InvalidInput, match=re.escape(repr(key))):
                CALLS_WITH_A_KEY[call](store, key)


class AppendContract(_Contract):
    """Lines are added to a log whole, whoever adds them."""

    @staticmethod
    def _lines(store: Store) -> list[bytes]:
        return sorted(line for key in store.list("labels/") for line in store.get(key).splitlines(keepends=True))

    def test_lines_are_there_under_the_key_that_is_returned(self, store: Store) -> None:
        keys = {
            store.append("labels/x/log", line, beside=f"labels/x/{n}") for n, line in enumerate((b"a\n", b"b\nc\n"))
        }
        assert (set(store.list("labels/")), self._lines(store)) == (keys, [b"a\n", b"b\n", b"c\n"])

    def test_no_line_of_many_writers_is_lost_or_mixed(self, store: Store) -> None:
        def append(index: int) -> str:
            return store.append("labels/x/log", (b"%d " % index) * 5000 + b"\n", beside=f"labels/x/{index}")

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(append, range(32)))
        assert self._lines(store) == sorted((b"%d " % index) * 5000 + b"\n" for index in range(32))

    def test_what_was_open_before_reads_as_before(self, store: Store) -> None:
        blob = store.open(store.append("labels/log", b"a\n", beside="labels/1"))
        store.append("labels/log", b"b\n", beside="labels/2")
        assert (blob.size, blob.read(0, 2)) == (2, b"a\n")


class BlobContract(_Contract):
    """Any range of an object is read, or said to be missing."""

    def test_open_of_nothing_is_not_found(self, store: Store) -> None:
        with pytest.raises(NotFound, match="a/b"):
            store.open("a/b")

    def test_open_of_a_prefix_is_not_found(self, store: Store) -> None:
        store.put_new("a/b", b"x")
        with pytest.raises(NotFound):
            store.open("a")

    def test_blob_knows_its_size(self, store: Store) -> None:
        store.put_new("a", b"12345")
        assert store.open("a").size == 5

    def test_blob_reads_any_range(self, store: Store) -> None:
        store.put_new("a", b"0123456789")
        assert [store.open("a").read(*at) for at in ((0, 10), (3, 4), (10, 0))] == [b"0123456789", b"3456", b""]

    @pytest.mark.parametrize("dtype", ["u1", "<u4", "<f2", "<f8"])
    def test_blob_fills_an_array_of_any_type(self, store: Store, dtype: str) -> None:
        expected = np.arange(100).astype(dtype).reshape(10, 10)
        store.put_new("a", b"xyz" + expected.tobytes())
        out = np.empty_like(expected)
        store.open("a").read_into(3, out)
        np.testing.assert_array_equal(out, expected)

    def test_blob_fills_a_slice_in_place(self, store: Store) -> None:
        store.put_new("a", b"\x01\x02")
        out = np.zeros(4, np.uint8)
        store.open("a").read_into(0, out[1:3])
        assert out.tolist() == [0, 1, 2, 0]

    def test_blob_fills_an_empty_array(self, store: Store) -> None:
        store.put_new("a", b"")
        store.open("a").read_into(0, np.empty(0, np.float32))

    def test_strided_array_is_refused(self, store: Store) -> None:
        store.put_new("a", bytes(10))
        with pytest.raises(InvalidInput):
            store.open("a").read_into(0, np.zeros(10, np.uint8)[::2])


class BlobFaultContract(_Contract):
    """Reads that cannot be whole raise; nothing is shortened."""

    @pytest.mark.parametrize(("offset", "length"), [(0, 11), (5, 6), (11, 1), (-1, 2), (0, -1)])
    def test_read_beyond_the_end_is_corrupt(self, store: Store, offset: int, length: int) -> None:
        store.put_new("a/b", b"0123456789")
        with pytest.raises(FormatError, match="a/b") as caught:
            store.open("a/b").read(offset, length)
        assert caught.value.kind == "corrupt-artifact"

    @pytest.mark.parametrize(("offset", "length"), [(0, 11), (5, 6), (11, 1), (-1, 2)])
    def test_fill_beyond_the_end_is_corrupt(self, store: Store, offset: int, length: int) -> None:
        store.put_new("a/b", b"0123456789")
        with pytest.raises(FormatError, match="a/b") as caught:
            store.open("a/b").read_into(offset, np.zeros(length, np.uint8))
        assert caught.value.kind == "corrupt-artifact"

    def test_blob_serves_threads_at_once(self, store: Store) -> None:
        data = np.arange(50_000, dtype=np.uint32)
        store.put_new("a", data.tobytes())
        blob = store.open("a")

        def same(start: int) -> bool:
            out = np.empty(5_000, np.uint32)
            blob.read_into(4 * start, out)
            return bool((out == data[start : start + 5_000]).all())

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(same, range(0, 45_000, 300)))

    def test_blob_outlives_its_object(self, store: Store) -> None:
        self._publish(store, "artifacts/x", {"data": b"12345"})
        blob = store.open("artifacts/x/data")
        store.delete_prefix("artifacts/x", seal=SEAL)
        gc.collect()
        assert blob.read(1, 3) == b"234"


class ListingContract(_Contract):
    """Listings are sorted, whole, and free of what is in flight."""

    def test_list_is_sorted_by_key(self, store: Store) -> None:
        keys = ["a-b/x", "a/x", "a/x/y", "a.c", "b"]
        for key in keys:
            if key != "a/x":
                store.put_new(key, b"")
        assert list(store.list("")) == sorted(key for key in keys if key != "a/x")

    def test_list_of_nothing_is_empty(self, store: Store) -> None:
        assert list(store.list("artifacts/")) == []

    def test_prefix_ends_at_a_whole_name(self, store: Store) -> None:
        store.put_new("ab/x", b"")
        store.put_new("a/x", b"")
        assert (list(store.list("a")), list(store.list("a/"))) == (["a/x"], ["a/x"])

    def test_children_are_the_next_names(self, store: Store) -> None:
        for key in ("a/z", "a/b/1", "a/b/2", "a/c/d/e", "x"):
            store.put_new(key, b"")
        assert (store.children("a"), store.children("")) == (["b", "c", "z"], ["a", "x"])

    def test_children_of_nothing_are_none(self, store: Store) -> None:
        assert store.children("commits/") == []

    def test_deleted_prefix_is_no_child(self, store: Store) -> None:
        self._publish(store, "artifacts/sae/x", {})
        store.delete_prefix("artifacts/sae/x", seal=SEAL)
        assert (store.children("artifacts"), list(store.list(""))) == ([], [])

    @pytest.mark.parametrize("prefix", ["/", "../", "a//", "a/../", "staging/"])
    def test_bad_prefix_is_refused(self, store: Store, prefix: str) -> None:
        with pytest.raises(InvalidInput):
            list(store.list(prefix))


class ScratchContract(_Contract):
    """Scratch directories are private and leave nothing."""

    def test_scratch_is_an_empty_directory(self, store: Store) -> None:
        with store.scratch() as directory:
            assert list(directory.iterdir()) == []

    def test_scratch_is_removed(self, store: Store) -> None:
        with store.scratch() as directory:
            (directory / "x").write_bytes(b"x")
        assert not directory.exists()

    def test_scratch_is_removed_after_an_error(self, store: Store) -> None:
        with pytest.raises(FileExistsError), store.scratch() as directory:
            directory.mkdir()
        assert not directory.exists()

    def test_scratch_is_never_listed(self, store: Store) -> None:
        with store.scratch() as directory:
            (directory / "x").write_bytes(b"x")
            assert (list(store.list("")), store.children("")) == ([], [])

    def test_sweep_spares_what_is_young(self, store: Store) -> None:
        with store.scratch() as directory:
            (directory / "x").write_bytes(b"x")
            assert store.sweep(min_age=3600) == 0
            assert (directory / "x").exists()


class PublicationContract(_Contract):
    """A directory is published once, whole."""

    def test_published_files_are_objects(self, store: Store) -> None:
        assert self._publish(store, "artifacts/sae/x", {"feature/row/c/0": b"rows", "zarr.json": b"{}"})
        assert list(store.list("artifacts/")) == [
            f"artifacts/sae/x/{name}" for name in (SEAL, "feature/row/c/0", "zarr.json")
        ]
        assert store.get("artifacts/sae/x/feature/row/c/0") == b"rows"

    def test_scratch_directory_is_published(self, store: Store) -> None:
        with store.scratch() as directory:
            (directory / SEAL).write_bytes(b"seal")
            assert store.publish(directory, "artifacts/x/", seal=SEAL)
        assert store.get(f"artifacts/x/{SEAL}") == b"seal"

    def test_second_publication_changes_nothing(self, store: Store) -> None:
        self._publish(store, "artifacts/x", {"data": b"first"})
        assert not self._publish(store, "artifacts/x", {"data": b"second", "more": b""})
        assert (store.get("artifacts/x/data"), store.exists("artifacts/x/more")) == (b"first", False)

    def test_directory_without_a_seal_is_refused(self, store: Store) -> None:
        with store.scratch() as directory, pytest.raises(InvalidInput, match=SEAL):
            store.publish(directory, "artifacts/x", seal=SEAL)

    def test_publication_replaces_remains_without_a_seal(self, store: Store) -> None:
        store.put_new("artifacts/x/old", b"left by a killed deletion")
        assert self._publish(store, "artifacts/x", {"data": b"new"})
        assert list(store.list("artifacts/x")) == [f"artifacts/x/{SEAL}", "artifacts/x/data"]

    def test_one_of_many_publications_wins(self, store: Store) -> None:
        def publish(index: int) -> bool:
            return self._publish(store, "artifacts/x", {"data": bytes([index])})

        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(publish, range(16)))
        assert [index for index in range(16) if won[index]] == [store.get("artifacts/x/data")[0]]


class DeletionContract(_Contract):
    """Deletion takes exactly what is below the prefix."""

    def test_delete_prefix_returns_the_bytes(self, store: Store) -> None:
        self._publish(store, "artifacts/x", {"a": b"123", "b/c": b"45"})
        assert store.delete_prefix("artifacts/x/", seal=SEAL) == len(b"123" + b"45" + b"{}")

    def test_delete_prefix_spares_its_neighbours(self, store: Store) -> None:
        self._publish(store, "artifacts/x", {})
        self._publish(store, "artifacts/xy", {})
        store.delete_prefix("artifacts/x", seal=SEAL)
        assert list(store.list("")) == [f"artifacts/xy/{SEAL}"]

    def test_delete_of_nothing_frees_nothing(self, store: Store) -> None:
        assert store.delete_prefix("artifacts/x", seal=SEAL) == 0

    def test_remains_without_a_seal_are_deleted(self, store: Store) -> None:
        store.put_new("artifacts/x/data", b"123")
        assert (store.delete_prefix("artifacts/x", seal=SEAL), list(store.list(""))) == (3, [])

    def test_whole_store_is_not_deleted(self, store: Store) -> None:
        with pytest.raises(InvalidInput):
            store.delete_prefix("", seal=SEAL)


class StoreContract(
    ObjectContract,
    PutContract,
    AppendContract,
    BlobContract,
    BlobFaultContract,
    ListingContract,
    ScratchContract,
    PublicationContract,
    DeletionContract,
):
    """The whole contract. A subclass named `Test…` in a test file runs it."""
