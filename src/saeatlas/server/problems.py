"""Every error as one shape: `application/problem+json` with the kind and the hint of `saeatlas.errors`."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from saeatlas.errors import SaeatlasError

__all__ = [
    "HTTP_KINDS",
    "PROBLEM",
    "PROBLEMS",
    "CatchUnexpected",
    "Problem",
    "add_problem_handlers",
    "methods_of",
    "problem",
]

PROBLEM = "application/problem+json"
_SHOWN = 200
_log = logging.getLogger("saeatlas.server")

_KINDS = {
    400: "invalid-input",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    408: "too-slow",
    413: "too-large",
    414: "too-large",
    415: "unsupported-media-type",
    421: "foreign-host",
    422: "invalid-input",
    503: "busy",
}
HTTP_KINDS = frozenset(_KINDS.values())
"""Kinds of what HTTP itself refuses; all others are in `saeatlas.errors.KINDS`."""


class Problem(BaseModel):
    """What went wrong, for a program (`kind`) and for a person (`detail`, `hint`); RFC 9457."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Not Found",
                    "status": 404,
                    "detail": "The atlas has no SAE named 'gpt3'",
                    "kind": "not-found",
                    "hint": "Known: gpt2-l8",
                    "instance": "/api/v1/saes/gpt3",
                }
            ]
        }
    )

    type: str = Field(description="Always 'about:blank': `kind` says what it is.")
    title: str = Field(description="The words of the status.")
    status: int = Field(description="The status of the answer.")
    detail: str = Field(description="What was asked and what was found.")
    kind: str = Field(description="A stable word that programs may test.")
    hint: str = Field(description="What to do; empty where there is nothing useful to say.")
    instance: str = Field(description="The path that was asked.")
    notes: list[str] | None = Field(default=None, description="What was being done, innermost first.")


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {
        "description": words,
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status, words in (("4XX", "What was asked cannot be answered."), ("5XX", "The answer failed."))
}
"""What every operation of the OpenAPI document may answer beside what it says itself."""


def problem(
    instance: str, status: int, detail: str, *, kind: str = "", hint: str = "", notes: tuple[str, ...] = ()
) -> Response:
    """Make the answer for one error."""
    found = Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        kind=kind or _KINDS.get(status, "invalid-input" if status < 500 else "internal"),
        hint=hint,
        instance=instance,
        notes=list(notes) or None,
    )
    # Lone halves of surrogates, which a path may smuggle in, are not UTF-8: JSON escapes them.
    body = json.dumps(found.model_dump(exclude_none=True)).encode()
    return Response(body, status, {"cache-control": "no-store"}, media_type=PROBLEM)


def add_problem_handlers(app: FastAPI) -> None:
    """Make an app answer its errors as problems."""
    app.add_exception_handler(SaeatlasError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)


class CatchUnexpected:
    """Answers 500 without internals when anything else goes wrong, and logs the traceback.

    The one place of the server that catches every exception: a request must not end without an answer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        has_begun = False

        async def watched(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self.app(scope, receive, watched)
        except Exception:
            if scope["type"] != "http" or has_begun:
                raise
            _log.exception("Unexpected error in %s %s", scope["method"], _escaped(scope["path"]))
            answer = problem(
                scope["path"],
                500,
                "Something went wrong that should not: this is a bug in saeatlas",
                hint="Please report it with what the server wrote to its standard error.",
            )
            await answer(scope, receive, watched)


def _known(request: Request, error: Exception) -> Response:
    if not isinstance(error, SaeatlasError):
        raise error
    if error.http_status >= 500:
        _log.error("%s in %s: %s", error.kind, _escaped(request.url.path), _escaped(error.message))

    def told(text: str) -> str:
        # Where the atlas lies is the business of this machine.
        url: str = request.app.state.live.store.url
        return text.replace(f"'{url}'", "the atlas").replace(url, "the atlas")

    notes = tuple(told(note) for note in error.notes if "Traceback" not in note)
    return problem(
        request.url.path,
        error.http_status,
        told(error.message),
        kind=error.kind,
        hint=told(error.hint),
        notes=notes,
    )


def _invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    found = error.errors()
    broken = next((one for one in found if one["type"] == "json_invalid"), None)
    if broken is not None:
        detail = f"The body is not JSON: {broken.get('ctx', {}).get('error', broken['msg'])}"
        return problem(request.url.path, 422, detail, hint="Send one JSON value as application/json.")
    notes = tuple(_sentence(one) for one in found[1:10])
    return problem(request.url.path, 422, _sentence(found[0]), hint="See /openapi.json for what is asked.", notes=notes)


def _sentence(error: Mapping[str, Any]) -> str:
    where, *names = (str(part) for part in error["loc"])
    place = {"path": "The path", "query": "The query", "header": "A header", "body": "The body"}.get(where, where)
    name = f" '{'.'.join(names)}'" if names else ""
    value = "" if error["type"] == "missing" else f", found: {error.get('input')!r:.{_SHOWN}}"
    return f"{place}{name}: {error['msg']}{value}"


def _refused(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    path = request.url.path
    detail = {
        404: f"Nothing is at '{path[:_SHOWN]}'",
        405: f"'{path[:_SHOWN]}' does not take {request.method}",
    }.get(error.status_code, str(error.detail))
    answer = problem(path, error.status_code, detail, hint="See /openapi.json for what there is.")
    answer.headers.update(error.headers or {})
    if error.status_code == 405:
        answer.headers["allow"] = ", ".join(methods_of(request)) or "GET, HEAD"
    return answer


def methods_of(request: Request) -> list[str]:
    """Return the methods that the path takes, whichever route takes them."""
    paths: dict[re.Pattern[str], set[str]] = request.app.state.methods
    found = {method for pattern, all_ in paths.items() if pattern.match(request.url.path) for method in all_}
    return sorted(found | {"HEAD"} if "GET" in found else found)


def _escaped(text: str) -> str:
    return text.encode("unicode_escape").decode("ascii")[:500]
