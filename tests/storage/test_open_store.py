"""A store is found by path or URL."""

from __future__ import annotations

from pathlib import Path

import pytest

from saeatlas.errors import InvalidInput, NotFound
from saeatlas.storage import LocalStore, open_store


def test_path_opens_a_local_store(tmp_path: Path) -> None:
    assert isinstance(open_store(tmp_path), LocalStore)


def test_text_is_a_path(tmp_path: Path) -> None:
    assert open_store(str(tmp_path)).url == str(tmp_path)


def test_url_of_a_store_opens_it(tmp_path: Path) -> None:
    store = open_store(tmp_path / "a b", create=True)
    assert open_store(store.url).url == store.url


def test_file_url_is_unquoted(tmp_path: Path) -> None:
    store = open_store(tmp_path / "a b", create=True)
    assert open_store((tmp_path / "a b").as_uri()).url == store.url


def test_tilde_is_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_store("~").url == str(tmp_path)


def test_missing_directory_is_not_made_unasked(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        open_store(tmp_path / "none")


@pytest.mark.parametrize("url", ["s3://bucket/x", "https://host/x", "file://host/x", "", " "])
def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        open_store(url)
