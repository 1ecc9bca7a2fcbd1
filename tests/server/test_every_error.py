"""Every endpoint and every kind of bad input: refused with the right status, in the one shape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from saeatlas.errors import KINDS
from saeatlas.server.problems import HTTP_KINDS

GOOD = {"sae": "toy", "corpus": "reviews", "feature": "1", "a": "1", "b": "2", "document": "0", "name": "imported"}
JSON = {"content-type": "application/json"}
HUGE = str(10**30)


@dataclass(frozen=True)
class Operation:
    """One line of the table."""

    method: str
    path: str
    about: dict[str, Any]

    @property
    def names(self) -> list[str]:
        return [one["name"] for one in self.about.get("parameters", []) if one["in"] == "path"]

    @property
    def queries(self) -> list[dict[str, Any]]:
        return [one for one in self.about.get("parameters", []) if one["in"] == "query"]

    def at(self, **other: str) -> str:
        """The path with good names, but for those that are given."""
        found = self.path
        for name in self.names:
            found = found.replace(f"{{{name}}}", quote(other.get(name, GOOD.get(name, "0" * 16)), safe="%"))
        return found

    def needed(self) -> dict[str, str]:
        """Values of the query that must be there."""
        return {one["name"]: "stats.max" for one in self.queries if one.get("required")}


@pytest.fixture(scope="module")
def operations(client: TestClient) -> list[Operation]:
    paths = client.get("/openapi.json").json()["paths"]
    found = [Operation(method, path, about) for path, all_ in paths.items() for method, about in all_.items()]
    assert len(found) > 40
    return found


@pytest.fixture(scope="module")
def wary(connect: Any) -> Iterator[TestClient]:
    """A server with a token and a small limit of bodies."""
    with connect(token="correct-horse-battery", max_body_bytes=2_000) as made:
        yield made


def wrong(answer: Any, *statuses: int) -> str:
    """What is wrong with a refusal, or ''."""
    about = f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:200]}"
    if answer.status_code not in statuses or answer.headers["content-type"] != "application/problem+json":
        return about
    body = answer.json()
    members = {"type", "title", "status", "detail", "kind", "hint", "instance"}
    is_whole = members <= set(body) <= members | {"notes"} and all(
        isinstance(body[name], str) for name in members - {"status"}
    )
    is_true = body["status"] == answer.status_code and body["title"] == HTTPStatus(answer.status_code).phrase
    is_known = body["kind"] in KINDS | HTTP_KINDS and body["detail"] and answer.headers["cache-control"] == "no-store"
    is_safe = "Traceback" not in answer.text and "site-packages" not in answer.text and "/tmp/" not in answer.text
    return "" if is_whole and is_true and is_known and is_safe else about


def check(found: Iterator[str]) -> None:
    failures = [one for one in found if one]
    assert failures == [], "\n".join(failures)


def ask(client: TestClient, one: Operation, path: str = "", **more: Any) -> Any:
    """Ask with an empty object where a body is wanted, so that nothing but the path or the query is wrong."""
    has_body = "requestBody" in one.about and "content" not in more
    body = {"content": b"{}", "headers": JSON | more.pop("headers", {})} if has_body else {}
    return client.request(one.method, path or one.at(), **({"params": one.needed()} | body | more))


@pytest.mark.parametrize(
    ("name", "value", "statuses"),
    [
        ("sae", "nope", (404,)),
        ("sae", "..%2f..%2fetc%2fpasswd", (404, 405)),
        ("sae", "%00", (404, 422)),
        ("sae", "x" * 300, (404, 422)),
        ("corpus", "nope", (404,)),
        ("corpus", "%00", (404, 422)),
        ("feature", "64", (404,)),
        ("feature", "-1", (404, 422)),
        ("feature", HUGE, (404, 422)),
        ("feature", "9" * 5000, (404, 422)),
        ("feature", "abc", (422,)),
        ("feature", "1.5", (422,)),
        ("feature", "NaN", (422,)),
        ("a", "64", (404,)),
        ("b", "-1", (404, 422)),
        ("document", "nope", (404, 422)),
        ("document", HUGE, (404, 422)),
        ("name", "nope", (404, 422)),
        ("given", "nope", (404, 422)),
        ("given", "..%2f..%2fatlas.json", (404, 422)),
        ("job", "nope", (404, 422)),
    ],
)
def test_name_that_is_not_there(
    client: TestClient, operations: list[Operation], name: str, value: str, statuses: tuple[int, ...]
) -> None:
    concerned = [one for one in operations if name in one.names]
    assert concerned
    # A body that says nothing may be refused before the name is looked up.
    check(
        wrong(ask(client, one, one.at(**{name: value})), *statuses, *((422,) * ("requestBody" in one.about)))
        for one in concerned
    )


def bad_values(schema: dict[str, Any]) -> list[str]:
    """Texts that no value of a schema is written as."""
    found = [bad_values(kind) for kind in schema.get("anyOf", []) if kind.get("type") != "null"]
    if found:
        return [value for value in found[0] if all(value in other for other in found)]
    if "enum" in schema or "const" in schema:
        return ["nope", ""]
    kind = schema.get("type")
    if kind == "boolean":
        return ["maybe", "2"]
    if kind in {"integer", "number"}:
        texts = ["x", "NaN", "1e999"] + (["1.5", HUGE, "-" + HUGE] if kind == "integer" else [])
        return texts + ([str(schema["minimum"] - 1)] if "minimum" in schema else [])
    return ["y" * (schema["maxLength"] + 1)] if schema.get("maxLength", 16_000) < 16_000 else []


def test_value_of_the_query_that_cannot_be(client: TestClient, operations: list[Operation]) -> None:
    asked = [
        ask(client, one, params=one.needed() | {query["name"]: value})
        for one in operations
        for query in one.queries
        for value in bad_values(query["schema"])
    ]
    assert len(asked) > 150
    check(wrong(answer, 422) for answer in asked)


def test_columns_conditions_and_orders_that_are_not_there(client: TestClient, operations: list[Operation]) -> None:
    texts = {
        "columns": "nope",
        "where": "[{",
        "sort": "nope",
        "after": "nope",
        "ids": "1,x",
        "by": "nope",
        "sae": "nope",
    }
    asked = [
        ask(client, one, params=one.needed() | {query["name"]: texts[query["name"]]})
        for one in operations
        for query in one.queries
        if query["name"] in texts and not (query["name"] == "by" and one.path.endswith("/labels"))
    ]
    assert len(asked) > 10
    check(wrong(answer, 404, 422) for answer in asked)


def test_parameter_that_nobody_knows(client: TestClient, operations: list[Operation]) -> None:
    ours = [one for one in operations if one.path.startswith("/api/v1/")]
    assert len(ours) > 35
    check(wrong(ask(client, one, params=one.needed() | {"limti": "5"}), 422) for one in ours)


def test_misspelt_parameter_is_told_the_one_that_is_near(client: TestClient) -> None:
    answer = client.get("/api/v1/saes/toy/features", params={"colums": "stats.max"})
    assert (answer.status_code, answer.json()["hint"]) == (422, "Did you mean 'columns'?")


def test_parameter_that_is_given_twice(client: TestClient, operations: list[Operation]) -> None:
    given = [("format", "json"), ("format", "json")]
    ours = [one for one in operations if one.path.startswith("/api/v1/")]
    check(wrong(ask(client, one, params=[*one.needed().items(), *given]), 422) for one in ours)


def test_parameter_that_is_needed_and_missing(client: TestClient, operations: list[Operation]) -> None:
    check(wrong(ask(client, one, params={}), 422) for one in operations if one.needed())


@pytest.mark.parametrize("accept", ["image/png", "application/json;q=0", "text/html, */*;q=0", ";;;,"])
def test_form_that_is_not_given(client: TestClient, operations: list[Operation], accept: str) -> None:
    tables = [one for one in operations if any(query["name"] == "format" for query in one.queries)]
    assert len(tables) > 8
    check(
        wrong(ask(client, one, headers={"accept": accept}), 406) for one in tables if accept != "application/json;q=0"
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nope",
        b"[]",
        b"3",
        b"null",
        b'"x"',
        b'{"a": NaN}',
        b"\xff\xfe",
        b"\x00",
        b"[" * 3000,
        b'{"nope": 1}',
    ],
)
def test_body_that_is_not_what_is_asked(client: TestClient, operations: list[Operation], body: bytes) -> None:
    concerned = [one for one in operations if "requestBody" in one.about]
    assert concerned
    check(wrong(ask(client, one, content=body, headers=JSON), 400, 422) for one in concerned)


def test_member_of_another_type(client: TestClient, operations: list[Operation]) -> None:
    document = client.get("/openapi.json").json()
    found = []
    for one in operations:
        if "requestBody" not in one.about:
            continue
        reference = one.about["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        members = document["components"]["schemas"][reference.rpartition("/")[2]]["properties"]
        for member in members:
            for value in ({"deep": []}, [[]], -1.5):
                body = json.dumps({member: value}).encode()
                found.append(wrong(ask(client, one, content=body, headers=JSON), 404, 422))
    assert len(found) > 50
    check(iter(found))


def test_body_of_another_media_type(client: TestClient, operations: list[Operation]) -> None:
    concerned = [one for one in operations if "requestBody" in one.about]
    headers = {"content-type": "text/plain"}
    check(wrong(ask(client, one, content=b"{}", headers=headers), 415) for one in concerned)


def test_body_above_the_limit(wary: TestClient, operations: list[Operation]) -> None:
    headers = JSON | {"authorization": "Bearer correct-horse-battery"}
    check(wrong(wary.request("POST", one.at(), content=b" " * 2_001, headers=headers), 413) for one in operations)


def test_method_that_is_not_taken(client: TestClient, operations: list[Operation]) -> None:
    taken = {one.path: {other.method for other in operations if other.path == one.path} for one in operations}
    check(
        wrong(client.request(method, one.at()), 405)
        for one in operations
        for method in {"put", "patch", "delete", "options"} - taken[one.path]
    )


def test_refused_method_is_told_all_that_are_taken(client: TestClient, operations: list[Operation]) -> None:
    for one in operations:
        taken = {other.method.upper() for other in operations if other.path == one.path}
        taken |= {"HEAD"} if "GET" in taken else set()
        assert set(client.request("patch", one.at()).headers["allow"].split(", ")) == taken, one.path
    assert client.post("/").headers["allow"] == "GET, HEAD"


def test_commit_that_is_not_kept(client: TestClient, operations: list[Operation]) -> None:
    reads = [one for one in operations if one.method == "get" and one.path.startswith("/api/v1/saes")]
    for commit in ("999999", "x", "-1", HUGE):
        check(wrong(ask(client, one, one.at().replace("/api/v1", f"/api/v1/@{commit}")), 404) for one in reads)


def test_foreign_host(client: TestClient, operations: list[Operation]) -> None:
    check(wrong(ask(client, one, headers={"host": "evil.example"}), 421) for one in operations)


def test_foreign_origin(client: TestClient, operations: list[Operation]) -> None:
    check(wrong(ask(client, one, headers={"origin": "http://evil.example"}), 403) for one in operations)


def test_missing_token(wary: TestClient, operations: list[Operation]) -> None:
    check(wrong(ask(wary, one), 401) for one in operations if one.path != "/api/v1/health")


def test_address_above_the_limit(client: TestClient, operations: list[Operation]) -> None:
    check(wrong(ask(client, one, params={"x": "y" * 17_000}), 414) for one in operations)


@pytest.mark.parametrize(
    "path", ["/api", "/api/v1", "/api/v1/nope", "/api/v2/saes", "/api/v1/saes/toy/nope", "/compat/x"]
)
def test_path_that_is_not_there(client: TestClient, path: str) -> None:
    check(wrong(client.get(path + end), 404) for end in ("", "/", "//"))
