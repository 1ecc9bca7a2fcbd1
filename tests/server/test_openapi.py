"""The OpenAPI document: complete, with examples, and true under a fuzzer that reads it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from starlette.testclient import TestClient

from saeatlas.atlas.atlas import Atlas
from saeatlas.server.app import create_app
from saeatlas.server.settings import ServerSettings
from saeatlas.testing.make_atlas import make_atlas


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def has_example(media: dict[str, Any], document: dict[str, Any]) -> bool:
    schema = media.get("schema", {})
    name = schema.get("$ref", "").rpartition("/")[2]
    found = document["components"]["schemas"].get(name, schema)
    return bool("example" in media or media.get("examples") or found.get("examples") or "contentMediaType" in schema)


@pytest.fixture(scope="module")
def document(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def test_document_is_at_both_places(client: TestClient, document: dict[str, Any]) -> None:
    assert client.get("/api/v1/openapi.json").json() == document


def test_every_operation_says_what_it_does_and_shows_an_example(document: dict[str, Any]) -> None:
    lacking = []
    for name, operation in operations(document):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        answers = [answer for status, answer in operation["responses"].items() if status.startswith("2")]
        shown = [
            any(has_example(media, document) for media in part["content"].values()) for part in (*bodies, *answers)
        ]
        lacking += [name] * (not all(shown))
        assert operation["description"], name
    assert lacking == []


def test_every_operation_answers_errors_in_the_one_shape(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status in ("4XX", "5XX"):
            schema = operation["responses"][status]["content"]["application/problem+json"]["schema"]
            assert schema["$ref"].endswith("/Problem"), name
        assert not {"422", "default"} & set(operation["responses"]), name


def test_every_parameter_and_member_says_what_it_is(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        silent = [one["name"] for one in operation.get("parameters", []) if not one.get("description")]
        assert silent == [], name
    for name, schema in document["components"]["schemas"].items():
        silent = [member for member, one in schema.get("properties", {}).items() if "description" not in one]
        assert silent == [], name


def test_every_whole_number_that_is_asked_has_bounds(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for one in operation.get("parameters", []):
            kinds = one["schema"].get("anyOf", [one["schema"]])
            for kind in kinds:
                if kind.get("type") == "integer":
                    assert {"minimum", "maximum"} <= set(kind), f"{name} {one['name']}"
                if kind.get("type") == "string" and "enum" not in kind and "const" not in kind:
                    assert "maxLength" in kind, f"{name} {one['name']}"


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The schema of a server of its own, which the fuzzer may write to."""
    atlas: Atlas = make_atlas(tmp_path_factory.mktemp("fuzzed") / "a.atlas", n_rows=60, n_features=16, parts=True)
    app = create_app(atlas.url, ServerSettings())
    config = schemathesis.Config.from_dict({"base-url": "http://127.0.0.1"})
    return schemathesis.openapi.from_asgi("/openapi.json", app, config=config)


schema = schemathesis.pytest.from_fixture("fuzzed")


@schema.parametrize()
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
def test_fuzzer_finds_no_500_and_no_answer_beside_the_document(case: Any) -> None:
    case.call_and_validate()
