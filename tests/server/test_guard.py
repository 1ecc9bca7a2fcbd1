"""Who may ask: whatever is foreign, unauthorised, too large or writes where it must not is refused before work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from saeatlas.analyses.stats import Stats
from saeatlas.pipeline.build import build
from saeatlas.testing.make_atlas import make_atlas

TOKEN = "correct-horse-battery"
SAES = "/api/v1/saes"
LABELS = "/api/v1/saes/toy/features/1/labels"
GROUPS = "/api/v1/saes/toy/groups"


def refused(answer: Any) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["kind"]


@pytest.fixture(scope="module")
def guarded(connect: Any) -> Iterator[TestClient]:
    """A server that others than this machine reach, with a token."""
    with connect(host="0.0.0.0", token=TOKEN, allowed_hosts=("Atlas.Example",)) as made:
        yield made


@pytest.mark.parametrize("host", ["127.0.0.1:8101", "localhost", "LOCALHOST:1", "[::1]:8101", "localhost."])
def test_own_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get(SAES, headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "10.0.0.1", "", "127.0.0.1:x", "a b"]
)
def test_foreign_host_is_refused(client: TestClient, host: str) -> None:
    for path in (SAES, "/", "/health", "/metrics", "/nope"):
        assert refused(client.get(path, headers={"host": host})) == (421, "foreign-host")


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "x", "", "http://[", "file://"]
)
def test_foreign_origin_neither_reads_nor_writes(client: TestClient, origin: str) -> None:
    headers = {"origin": origin}
    assert refused(client.get(SAES, headers=headers)) == (403, "forbidden")
    assert refused(client.post(LABELS, json={"text": "x"}, headers=headers)) == (403, "forbidden")


def test_own_origin_is_answered(client: TestClient) -> None:
    body = {"metric": "stats.max", "thresholds": [1]}
    assert client.post(GROUPS, json=body, headers={"origin": "http://127.0.0.1:8101"}).status_code == 200


def test_browser_that_says_cross_site_may_not_write(client: TestClient) -> None:
    for site in ("cross-site", "same-site"):
        assert refused(client.post(GROUPS, json={}, headers={"sec-fetch-site": site})) == (403, "forbidden")
        assert client.get("/", headers={"sec-fetch-site": site}).status_code == 200


def test_no_answer_lets_another_site_read_it(client: TestClient) -> None:
    for answer in (client.get(SAES), client.get("/"), client.options(SAES), client.get("/api/v1/nope")):
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_reading_what_takes_other_methods_only_is_told_which(client: TestClient) -> None:
    for answer in (client.get(GROUPS), client.get("/api/v1/jobs/x/cancel"), client.put(GROUPS, json={})):
        assert refused(answer) == (405, "method-not-allowed")
        assert answer.headers["allow"] == "POST"
    assert client.head(GROUPS).status_code == 405
    assert refused(client.get(f"{GROUPS}/x")) == (404, "not-found")


def test_page_may_load_only_what_this_server_sends(client: TestClient) -> None:
    policy = client.get("/").headers["content-security-policy"]
    assert policy.startswith("default-src 'self';")
    assert not re.search(r"unsafe|\*|http:|https:", policy)


@pytest.mark.parametrize("path", [SAES, "/", "/metrics", "/openapi.json", "/nope", "/compat/activations/health"])
def test_token_is_asked_everywhere(guarded: TestClient, path: str) -> None:
    guarded.cookies.clear()
    for headers in ({}, {"authorization": "Bearer x"}, {"authorization": "Basic " + TOKEN}, {"cookie": "saeatlas=x"}):
        answer = guarded.get(path, headers=headers, follow_redirects=False)
        assert refused(answer) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_token_of_the_header_is_taken(guarded: TestClient) -> None:
    guarded.cookies.clear()
    assert guarded.get(SAES, headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_monitor_needs_no_token(guarded: TestClient) -> None:
    guarded.cookies.clear()
    assert guarded.get("/health").json()["token_required"] is True
    assert guarded.get("/api/v1/health").status_code == 200


def test_token_in_the_address_becomes_a_cookie_that_scripts_and_other_sites_do_not_see(guarded: TestClient) -> None:
    guarded.cookies.clear()
    answer = guarded.get(f"/s/toy/map?v=1&token={TOKEN}&a=", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/s/toy/map?v=1&a=")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie
    assert TOKEN not in answer.headers["location"]
    assert guarded.get(SAES).status_code == 200


@pytest.mark.parametrize("other", ['state={"a": 1}', "path=/", "[x]=1", "words=a b c", "ä=ö"])
def test_cookies_of_other_programs_on_this_machine_do_not_hide_the_own(guarded: TestClient, other: str) -> None:
    guarded.cookies.clear()
    own = guarded.get(f"/?token={TOKEN}", follow_redirects=False).headers["set-cookie"].partition(";")[0]
    guarded.cookies.clear()
    for cookies in (f"{other}; {own}", f"{own}; {other}"):
        assert guarded.get(SAES, headers=[(b"cookie", cookies.encode())]).status_code == 200


def test_scheme_of_a_token_is_read_in_any_case_and_must_be_there(guarded: TestClient) -> None:
    guarded.cookies.clear()
    shown = {scheme: guarded.get(SAES, headers={"authorization": f"{scheme}{TOKEN}"}) for scheme in ("bearer ", "")}
    assert shown["bearer "].status_code == 200
    assert refused(shown[""]) == (401, "unauthorized")


def test_token_in_the_address_of_data_is_none(guarded: TestClient) -> None:
    guarded.cookies.clear()
    assert refused(guarded.get(f"{SAES}?token={TOKEN}")) == (401, "unauthorized")


def test_address_with_a_token_leads_to_no_other_site(guarded: TestClient) -> None:
    guarded.cookies.clear()
    answer = guarded.get(f"//evil.example/?token={TOKEN}", follow_redirects=False)
    assert answer.headers.get("location", "/").startswith("/") and not answer.headers["location"].startswith("//")


def test_server_for_others_is_reached_by_addresses_and_by_names_it_was_given(guarded: TestClient) -> None:
    headers = {"authorization": f"Bearer {TOKEN}"}
    for host in ("192.168.1.5:8765", "[fe80::1]", "atlas.example"):
        assert guarded.get(SAES, headers=headers | {"host": host}).status_code == 200
    assert refused(guarded.get(SAES, headers=headers | {"host": "evil.example"})) == (421, "foreign-host")


def test_read_only_server_takes_nothing_and_still_groups(connect: Any) -> None:
    client = connect(read_only=True)
    assert refused(client.post(LABELS, json={"text": "x", "by": "ana"})) == (403, "read-only")
    assert refused(client.post("/api/v1/saes/toy/sets", json={"features": [1]})) == (403, "read-only")
    assert refused(client.post("/api/v1/jobs", json={"analysis": "stats", "sae": "toy"})) == (403, "read-only")
    assert client.post(GROUPS, json={"metric": "stats.max", "thresholds": [1]}).status_code == 200
    assert client.get(LABELS).json()["history"] == []


def test_body_above_the_limit_is_refused_with_and_without_a_length(connect: Any) -> None:
    client = connect(max_body_bytes=100)
    headers = {"content-type": "application/json"}
    assert refused(client.post(GROUPS, content=b" " * 101, headers=headers)) == (413, "too-large")
    assert refused(client.post(GROUPS, content=iter([b" " * 60] * 2), headers=headers)) == (413, "too-large")
    assert refused(client.post(GROUPS, content=b"{}", headers=headers | {"content-length": "9" * 30}))[0] == 413


def test_address_above_the_limit_is_refused(client: TestClient) -> None:
    assert refused(client.get(f"{SAES}?x={'y' * 17_000}")) == (414, "too-large")


@pytest.mark.parametrize("media", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_body_that_another_site_could_send_without_asking_is_refused(client: TestClient, media: str) -> None:
    answer = client.post(GROUPS, content=b'{"metric": "stats.max"}', headers={"content-type": media})
    assert refused(answer) == (415, "unsupported-media-type")
    assert "content-type: application/json" in answer.json()["hint"]


def test_answer_above_the_limit_is_refused(connect: Any) -> None:
    client = connect(max_result_bytes=100, max_json_rows=5)
    assert refused(client.get("/api/v1/saes/toy/features?format=arrow")) == (507, "over-budget")
    assert refused(client.get("/api/v1/saes/toy/features?limit=6")) == (422, "invalid-input")


@pytest.mark.parametrize(
    "path",
    [
        "/..%2f..%2fetc%2fpasswd",
        "/assets/..%2f..%2f..%2fapp.py",
        "/assets/%2e%2e/index.html",
        "/api/v1/saes/..%2f..%2fetc%2fpasswd",
        "/api/v1/saes/%2e%2e",
        "/api/v1/saes/toy%00",
        "/api/v1/saes/toy/sets/..%2f..%2fatlas",
        "/api/v1/saes/toy/features?ids=set:../../atlas",
        "/api/v1/corpora/..",
        "/api/v1/@..%2f1/saes",
        "/%ff%fe",
        "/%5c..%5catlas.json",
        "/atlas.json",
    ],
)
def test_no_path_reaches_a_file(client: TestClient, path: str) -> None:
    answer = client.get(path)
    if path.startswith("/api"):
        assert refused(answer)[0] in {404, 422}
    else:
        assert answer.status_code == 404 or answer.headers["content-type"].startswith("text/html")
    assert "root:" not in answer.text and '"checksum"' not in answer.text


def test_what_data_says_is_escaped(client: TestClient) -> None:
    answer = client.get("/api/v1/saes/<script>alert(1)</script>")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_unexpected_error_says_nothing_of_the_inside(connect: Any, caplog: pytest.LogCaptureFixture) -> None:
    client = connect()

    def broken() -> None:
        raise RuntimeError("secret place")

    client.app.router.routes.insert(0, _route(broken))
    answer = client.get("/api/v1/broken")
    assert refused(answer) == (500, "internal")
    assert "secret" not in answer.text and "secret" in caplog.text


def _route(endpoint: Any) -> Any:
    from fastapi.routing import APIRoute

    return APIRoute("/api/v1/broken", endpoint)


def test_new_commit_appears_and_the_old_one_stays(tmp_path: Any, connect: Any) -> None:
    made = make_atlas(tmp_path / "a.atlas")
    client = connect(made.url)
    assert [one["name"] for one in client.get(SAES).json()["saes"]] == ["toy"]
    make_atlas(tmp_path / "a.atlas", sae="second")
    now = client.get(SAES)
    assert [one["name"] for one in now.json()["saes"]] == ["second", "toy"]
    old = client.get(f"/api/v1/@{made.commit.number}/saes")
    assert [one["name"] for one in old.json()["saes"]] == ["toy"]
    assert "immutable" in old.headers["cache-control"] and now.headers["cache-control"] == "no-cache"


def test_commit_of_another_atlas_is_not_answered(client: TestClient) -> None:
    health = client.get("/health").json()
    number, own = health["commit"], health["atlas_id"]
    assert client.get(f"/api/v1/@{number}-{own}/saes").status_code == 200
    for name in (f"{number}-00000000", f"{number + 1}", "0x1", "-1", "1" * 5000, ""):
        assert refused(client.get(f"/api/v1/@{name}/saes"))[0] == 404


def test_server_whose_atlas_is_gone_is_not_healthy(
    tmp_path: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from saeatlas.server import live

    made = make_atlas(tmp_path / "a.atlas")
    client = connect(made.url)
    assert client.get("/health").status_code == 200
    (tmp_path / "a.atlas/commits").rename(tmp_path / "elsewhere")
    monkeypatch.setattr(live, "_LIST_SECONDS", -1.0)
    for path in ("/health", SAES, "/health"):
        assert refused(client.get(path)) == (503, "storage-error")
    (tmp_path / "elsewhere").rename(tmp_path / "a.atlas/commits")
    assert client.get("/health").status_code == 200


def test_commit_that_was_removed_beneath_its_readers_is_not_found(tmp_path: Any, connect: Any) -> None:
    made = make_atlas(tmp_path / "a.atlas")
    client = connect(made.url)
    pinned = f"/api/v1/@{made.commit.number}/saes"
    build(made, Stats())
    assert [client.get(pinned).status_code, client.get("/health").json()["commit"]] == [200, made.commit.number + 1]
    for file in (tmp_path / "a.atlas/commits").iterdir():
        if int(file.stem) == made.commit.number:
            file.unlink()
    assert refused(client.get(pinned)) == (404, "not-found")


@pytest.mark.parametrize("damage", ["halved", "overwritten"])
def test_damaged_table_is_no_bug_of_the_program(tmp_path: Any, connect: Any, damage: str) -> None:
    build(make_atlas(tmp_path / "a.atlas"), Stats())
    for file in (tmp_path / "a.atlas/artifacts").rglob("*.parquet"):
        whole = file.read_bytes()
        half = len(whole) // 2
        file.write_bytes(whole[:half] if damage == "halved" else whole[:4] + b"\x7f" * half + whole[4 + half :])
    client = connect(str(tmp_path / "a.atlas"))
    for path in (
        "saes/toy/features",
        "saes/toy/features/1",
        "corpora/reviews/documents",
        "saes/toy/histograms?columns=stats.max",
    ):
        assert refused(client.get(f"/api/v1/{path}")) == (500, "corrupt-artifact"), path
