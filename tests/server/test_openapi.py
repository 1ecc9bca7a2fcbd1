"""The OpenAPI document: complete, with examples, and true under a fuzzer that reads it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.specs.openapi.checks import positive_data_acceptance
from starlette.testclient import TestClient

from saeatlas.atlas.atlas import Atlas
from saeatlas.server.app import create_app
from saeatlas.server.problems import HTTP_KINDS
from saeatlas.server.settings import ServerSettings
from saeatlas.testing.make_atlas import make_atlas

KNOWN = {"sae": "toy", "corpus": "reviews", "feature": 1, "a": 1, "b": 2, "name": "imported", "document": "doc-001"}


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
        # 204 is an answer without a body.
        answers = [answer for status, answer in operation["responses"].items() if status[0] == "2" and status != "204"]
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


def test_reference_lists_every_operation_and_every_kind_of_error(document: dict[str, Any]) -> None:
    page = (Path(__file__).parents[2] / "docs/reference/http.md").read_text(encoding="utf-8")
    lacking = [name for name, _ in operations(document) if f"| `{name.replace('/api/v1', '')}` |" not in page]
    assert lacking + [kind for kind in HTTP_KINDS if f"| `{kind}` |" not in page] == []


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_fuzzer_finds_no_500_and_no_answer_beside_the_document(tmp_path: Path, mode: GenerationMode) -> None:
    atlas: Atlas = make_atlas(tmp_path / "a.atlas", n_rows=60, n_features=16, parts=True)
    app = create_app(atlas.url, ServerSettings(allowed_hosts=("testserver",), max_url_bytes=1_000_000))
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    found = [result.ok() for result in schema.get_all_operations()]
    assert len(found) > 40
    wrong = [one.label + str(error) for one in found if (error := fuzz(one, mode)) is not None]
    assert wrong == [], "\n\n".join(wrong)


def fuzz(operation: Any, mode: GenerationMode) -> Exception | None:
    """Ask one operation what the document allows, or what it does not; return what is wrong with an answer."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=8, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    def ask(case: Any) -> None:
        if mode == GenerationMode.POSITIVE:
            # Names that are there, so that more than 'not found' is answered.
            case.path_parameters = {name: KNOWN.get(name, value) for name, value in case.path_parameters.items()}
        case.call_and_validate(excluded_checks=[positive_data_acceptance])

    try:
        ask()
    except (FailureGroup, Failure) as error:
        return error
    except Unsatisfiable:
        # It takes nothing that could be wrong.
        assert mode == GenerationMode.NEGATIVE
    return None
