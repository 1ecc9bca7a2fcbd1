"""A seal describes its files exactly, and verification names exactly what differs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from saeatlas.errors import FormatError, InternalError
from saeatlas.format.artifact import SEAL, Manifest, Problem, load_manifest, seal, verify_artifact
from saeatlas.format.canonical import write_document
from saeatlas.format.version import FORMAT
from saeatlas.progress import Event, Progress
from saeatlas.storage import LocalStore, MemoryStore, Store

PREFIX = "artifacts/gpt2-l8/import-0123456789abcdef"
FILES = {"zarr.json": b"{}", "feature/row/c/0": bytes(range(256)) * 40, "empty": b"", "é b.txt": b"text"}


def make(store: Store, files: dict[str, bytes] | None = None, **changes: Any) -> Manifest:
    facts: dict[str, Any] = {
        "encoding_type": "segment",
        "encoding_version": 1,
        "step": "import",
        "step_version": 3,
        "params": {"source": "sae.h5"},
        "inputs": {"activations": "ff"},
        "key": "0123456789abcdef",
        "attributes": {"n_rows": 5, "max": None},
        "content": None,
        "seconds": 1,
    }
    with store.scratch() as directory:
        for name, data in (FILES if files is None else files).items():
            path = directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        manifest = seal(directory, **(facts | changes))
        assert store.publish(directory, PREFIX, seal=SEAL)
    return manifest


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def problems_of(store: Store, *, deep: bool = True) -> list[tuple[str, str]]:
    found = verify_artifact(store, PREFIX, deep=deep)
    assert all(problem.path in problem.message for problem in found)
    return [(problem.path.removeprefix(f"{PREFIX}/"), problem.kind) for problem in found]


def change_seal(store: LocalStore, **changes: object) -> None:
    path = store.path / PREFIX / SEAL
    record = {**json.loads(path.read_bytes()), **changes}
    path.write_bytes(write_document(record))


# Seals


def test_seal_reads_back(store: LocalStore) -> None:
    assert make(store) == load_manifest(store, PREFIX)


def test_seal_lists_every_file(store: LocalStore) -> None:
    listed = {record.path: (record.size, record.sha256) for record in make(store).files}
    assert listed == {name: (len(data), hashlib.sha256(data).hexdigest()) for name, data in FILES.items()}


def test_digest_can_be_computed_from_the_specification(store: LocalStore) -> None:
    records = sorted([name, len(data), hashlib.sha256(data).hexdigest()] for name, data in FILES.items())
    text = json.dumps(records, separators=(",", ":"), ensure_ascii=False)
    assert make(store).digest == hashlib.sha256(text.encode()).hexdigest()


def test_content_is_the_digest_unless_given() -> None:
    plain, special = make(MemoryStore()), make(MemoryStore(), content="fingerprint")
    assert (plain.content, special.content) == (plain.digest, "fingerprint")


def test_digest_depends_on_the_files_only() -> None:
    one, other = make(MemoryStore()), make(MemoryStore(), step="other", key="ab", attributes={})
    assert one.digest == other.digest


def test_size_is_that_of_all_files(store: LocalStore) -> None:
    assert make(store).size == sum(len(data) for data in FILES.values())


def test_artifact_may_have_no_payload(store: LocalStore) -> None:
    make(store, {})
    assert problems_of(store) == []


def test_directory_is_sealed_once(tmp_path: Path) -> None:
    (tmp_path / SEAL).touch()
    with pytest.raises(InternalError, match="sealed already"):
        seal_directory(tmp_path)


def test_link_in_an_artifact_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(InternalError, match="link"):
        seal_directory(tmp_path)


def test_missing_seal_is_corrupt(store: LocalStore) -> None:
    with pytest.raises(FormatError, match=f"{PREFIX}/{SEAL}") as caught:
        load_manifest(store, PREFIX)
    assert caught.value.kind == "corrupt-artifact"


def test_newer_seal_is_refused(store: LocalStore) -> None:
    make(store)
    change_seal(store, format=FORMAT + 1)
    with pytest.raises(FormatError, match="newer saeatlas") as caught:
        load_manifest(store, PREFIX)
    assert caught.value.kind == "unsupported-format"


def test_newer_encoding_is_refused(store: LocalStore) -> None:
    make(store)
    change_seal(store, **{"encoding-version": 2})
    with pytest.raises(FormatError, match="segment version 2") as caught:
        load_manifest(store, PREFIX)
    assert caught.value.kind == "unsupported-format"


def test_unknown_encoding_type_can_be_verified(store: LocalStore) -> None:
    make(store, encoding_type="of-a-third-party", encoding_version=9)
    assert problems_of(store) == []


@pytest.mark.parametrize(
    "changes", [{"key": None}, {"files": {}}, {"files": ["x"]}, {"seconds": "1"}, {"encoding-version": 1.5}]
)
def test_seal_with_a_wrong_member_is_corrupt(store: LocalStore, changes: dict[str, object]) -> None:
    make(store)
    change_seal(store, **changes)
    with pytest.raises(FormatError, match=SEAL) as caught:
        load_manifest(store, PREFIX)
    assert caught.value.kind == "corrupt-artifact"


def test_seal_that_contradicts_itself_is_refused(store: LocalStore) -> None:
    make(store)
    change_seal(store, digest="00" * 32)
    with pytest.raises(FormatError, match="contradicts itself"):
        load_manifest(store, PREFIX)


# Verification


@pytest.mark.parametrize("deep", [False, True])
def test_whole_artifact_has_no_problems(store: LocalStore, *, deep: bool) -> None:
    make(store)
    assert problems_of(store, deep=deep) == []


def test_memory_store_is_verified_too() -> None:
    store = MemoryStore()
    make(store)
    assert problems_of(store) == []


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("deep", [False, True])
def test_missing_file_is_named(store: LocalStore, name: str, *, deep: bool) -> None:
    make(store)
    (store.path / PREFIX / name).unlink()
    assert problems_of(store, deep=deep) == [(name, "missing-file")]


@pytest.mark.parametrize("name", [name for name in FILES if FILES[name]])
@pytest.mark.parametrize("deep", [False, True])
def test_truncated_file_is_named(store: LocalStore, name: str, *, deep: bool) -> None:
    make(store)
    (store.path / PREFIX / name).write_bytes(FILES[name][:-1])
    assert problems_of(store, deep=deep) == [(name, "wrong-size")]


@pytest.mark.parametrize("name", FILES)
def test_longer_file_is_named(store: LocalStore, name: str) -> None:
    make(store)
    (store.path / PREFIX / name).write_bytes(FILES[name] + b"\0")
    assert problems_of(store, deep=False) == [(name, "wrong-size")]


@pytest.mark.parametrize("at", [0, 5_000, 10_239])
@pytest.mark.parametrize("bit", [0, 7])
def test_flipped_bit_is_named(store: LocalStore, at: int, bit: int) -> None:
    make(store)
    path = store.path / PREFIX / "feature/row/c/0"
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    path.write_bytes(data)
    assert problems_of(store) == [("feature/row/c/0", "wrong-digest")]


def test_shallow_verification_reads_no_payload(store: LocalStore) -> None:
    make(store)
    (store.path / PREFIX / "zarr.json").write_bytes(b"[]")
    assert problems_of(store, deep=False) == []


def test_stray_file_is_named(store: LocalStore) -> None:
    make(store)
    (store.path / PREFIX / "feature" / "copy of row").touch()
    assert problems_of(store, deep=False) == [("feature/copy of row", "stray-file")]


def test_flipped_bit_anywhere_in_the_seal_is_named(store: LocalStore) -> None:
    make(store, {"a": b""})
    path = store.path / PREFIX / SEAL
    whole = path.read_bytes()
    for at in range(0, len(whole), 7):
        data = bytearray(whole)
        data[at] ^= 4
        path.write_bytes(data)
        assert problems_of(store, deep=False) == [(SEAL, "unreadable-seal")]


def test_missing_seal_is_named(store: LocalStore) -> None:
    make(store)
    (store.path / PREFIX / SEAL).unlink()
    assert problems_of(store) == [(SEAL, "unreadable-seal")]


def test_newer_artifact_is_named(store: LocalStore) -> None:
    make(store)
    change_seal(store, format=FORMAT + 1)
    assert problems_of(store) == [(SEAL, "newer-format")]


def test_all_problems_are_found_in_one_pass(store: LocalStore) -> None:
    make(store)
    directory = store.path / PREFIX
    (directory / "empty").unlink()
    (directory / "zarr.json").write_bytes(b"[]")
    (directory / "stray").touch()
    (directory / "é b.txt").write_bytes(b"")
    assert problems_of(store) == [
        ("empty", "missing-file"),
        ("stray", "stray-file"),
        ("zarr.json", "wrong-digest"),
        ("é b.txt", "wrong-size"),
    ]


def test_deep_verification_tells_of_every_byte(store: LocalStore) -> None:
    size = make(store).size
    events: list[Event] = []
    verify_artifact(store, PREFIX, deep=True, progress=Progress(events.append))
    assert sum(event.amount for event in events) == events[0].total == size


def test_problem_is_a_value() -> None:
    assert Problem("a", "missing-file", "x") == Problem("a", "missing-file", "x")


def seal_directory(directory: Path) -> Manifest:
    return seal(
        directory,
        encoding_type="table",
        encoding_version=1,
        step="x",
        step_version=1,
        params={},
        inputs={},
        key="k",
        attributes={},
        content=None,
        seconds=0.0,
    )
