"""The built pages: every file with its type and cache, the index for every address of a page, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

INDEX = "<!doctype html><title>pages</title><script type=module src=/assets/index-AbCd1234.js></script>"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(INDEX)
    (tmp_path / "assets/index-AbCd1234.js").write_text("export const a = 1;\n" * 200)
    (tmp_path / "assets/style-AbCd1234.css").write_text("a{}")
    (tmp_path / "favicon.svg").write_text("<svg/>")
    (tmp_path / "secret").symlink_to("/etc/passwd")
    return tmp_path


@pytest.fixture
def pages(built: Path, connect: Any) -> Iterator[TestClient]:
    with connect(pages=built) as made:
        yield made


@pytest.mark.parametrize("path", ["/", "/s/toy/map", "/s/toy/f/12?v=1", "/c/reviews/d/a.b", "/secret", "/index.html"])
def test_address_of_a_page_is_the_index(pages: TestClient, path: str) -> None:
    answer = pages.get(path)
    assert (answer.status_code, answer.text) == (200, INDEX)
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-cache"


def test_hashed_file_is_kept_for_ever_and_others_are_asked_again(pages: TestClient) -> None:
    answer = pages.get("/assets/index-AbCd1234.js", headers={"accept-encoding": "identity"})
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "immutable" in answer.headers["cache-control"]
    assert pages.get("/assets/style-AbCd1234.css").headers["content-type"].startswith("text/css")
    icon = pages.get("/favicon.svg")
    assert (icon.headers["content-type"], icon.headers["cache-control"]) == ("image/svg+xml", "no-cache")


def test_file_comes_compressed_and_unchanged_ones_not_at_all(pages: TestClient) -> None:
    path = "/assets/index-AbCd1234.js"
    packed = pages.get(path, headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip" and packed.text.startswith("export")
    assert pages.get(path, headers={"if-none-match": packed.headers["etag"]}).status_code == 304


def test_head_has_the_headers_and_no_body(pages: TestClient) -> None:
    answer = pages.head("/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(INDEX))


def test_page_that_did_not_change_keeps_its_policy(pages: TestClient) -> None:
    answer = pages.get("/s/toy/explore", headers={"if-none-match": pages.get("/s/toy/explore").headers["etag"]})
    assert answer.status_code == 304
    # Browsers take the headers of this answer for the page that they kept.
    assert "content-security-policy" not in answer.headers


def test_file_of_an_older_build_is_not_found(pages: TestClient) -> None:
    for path in ("/assets/index-Older123.js", "/nope.js", "/nope.css"):
        answer = pages.get(path)
        assert (answer.status_code, answer.json()["kind"]) == (404, "not-found")


def test_new_build_is_served_without_a_restart(pages: TestClient, built: Path) -> None:
    assert pages.get("/").text == INDEX
    (built / "index.html").write_text("anew")
    os.utime(built / "index.html", (1, 1))
    assert pages.get("/").text == "anew"


def test_without_pages_the_server_says_how_to_build_them(connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from saeatlas.server import pages

    monkeypatch.setattr(pages, "_OWN", Path("/nowhere"))
    with connect() as client:
        answer = client.get("/")
    assert answer.status_code == 200 and "npm" in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_directory_without_pages_is_refused(tmp_path: Path, connect: Any) -> None:
    from saeatlas.errors import NotFound

    with pytest.raises(NotFound, match="no built pages"):
        connect(pages=tmp_path)
