"""What is an atlas, and what is too new to read."""

from __future__ import annotations

import json

import pytest

from saeatlas.errors import AlreadyExists, FormatError
from saeatlas.format.canonical import write_document
from saeatlas.format.version import ATLAS, FORMAT, check_format, create_atlas, read_atlas
from saeatlas.storage import MemoryStore


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_created_atlas_is_read(store: MemoryStore) -> None:
    assert create_atlas(store) == read_atlas(store)


def test_atlas_document_is_plain_json(store: MemoryStore) -> None:
    atlas_id = create_atlas(store)
    found = json.loads(store.get(ATLAS))
    assert (found["format"], found["id"]) == (1, atlas_id)


def test_atlas_is_not_created_twice(store: MemoryStore) -> None:
    create_atlas(store)
    with pytest.raises(AlreadyExists):
        create_atlas(store)


def test_other_directory_is_not_an_atlas(store: MemoryStore) -> None:
    with pytest.raises(FormatError) as caught:
        read_atlas(store)
    assert caught.value.kind == "not-an-atlas"


def test_newer_atlas_is_refused(store: MemoryStore) -> None:
    store.put_new(ATLAS, write_document({"format": FORMAT + 1, "id": "x"}))
    with pytest.raises(FormatError, match="newer saeatlas") as caught:
        read_atlas(store)
    assert (caught.value.kind, "pgrade" in caught.value.hint) == ("unsupported-format", True)


@pytest.mark.parametrize("found", [None, "1", 0, -1, 1.0, True])
def test_no_version_is_corrupt(found: object) -> None:
    with pytest.raises(FormatError) as caught:
        check_format(found, "x.json")
    assert caught.value.kind == "corrupt-artifact"


def test_damaged_atlas_document_is_named(store: MemoryStore) -> None:
    store.put_new(ATLAS, b'{"format": 1}')
    with pytest.raises(FormatError, match=ATLAS):
        read_atlas(store)
