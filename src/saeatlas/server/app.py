"""The application: the resources that are found in `resources`, the pages, and what guards both."""

from __future__ import annotations

import importlib
import pkgutil
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

from anyio import to_thread
from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, compile_path

from saeatlas._version import __version__
from saeatlas.server import resources
from saeatlas.server.guard import Guard
from saeatlas.server.live import Live
from saeatlas.server.metrics import Measure, Metrics
from saeatlas.server.pages import Pages
from saeatlas.server.parameters import refuse_unknown
from saeatlas.server.problems import PROBLEMS, CatchUnexpected, Problem, add_problem_handlers, methods_of
from saeatlas.server.respond import ARROW, JSON
from saeatlas.server.settings import ServerSettings
from saeatlas.settings import available_cores

__all__ = ["API", "create_app"]

API = "/api/v1"
_PINNED = "/api/v1/@{commit}"
_THREADS_PER_CORE, _SPARE_THREADS = 4, 4
"""Threads that wait for each other's lock make all answers late; the spare ones keep quick answers from queueing."""
_ABOUT = """Everything that an atlas knows about its SAEs, features, documents and labels.

Every `GET` under `/api/v1/…` is also at `/api/v1/@{commit}/…`, which answers from that commit and never changes.
Tables come as JSON or, with `Accept: application/vnd.apache.arrow.stream` or `?format=arrow`, as an Arrow stream.
Every error is `application/problem+json` with a `kind`. Missing values are null, and never 0.
"""


def create_app(atlas_url: str, settings: ServerSettings | None = None) -> FastAPI:
    """Make the application that serves one atlas.

    Parameters
    ----------
    atlas_url
        What opens the atlas.
    settings
        Who may ask what; the defaults are those of a server for programs on this machine.
    """
    chosen = settings or ServerSettings()
    app = FastAPI(
        title="saeatlas",
        version=__version__,
        description=_ABOUT,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
    )
    app.state.live = Live(atlas_url)
    app.state.settings = chosen
    app.state.metrics = Metrics()
    app.state.pages = Pages(chosen.pages)
    app.state.started_at = time.monotonic()
    app.state.at_stop = []
    app.state.methods = {}
    add_problem_handlers(app)
    for module in _modules():
        _mount(app, module)
    _mount_roots(app)
    app.add_middleware(CatchUnexpected)
    app.add_middleware(Guard, settings=chosen)
    app.add_middleware(Measure, metrics=app.state.metrics)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Answer in as many threads as help, and stop at the end what resources have running."""
    to_thread.current_default_thread_limiter().total_tokens = _SPARE_THREADS + _THREADS_PER_CORE * available_cores()
    yield
    app.state.live.stopping.set()
    for stop in app.state.at_stop:
        stop()


def _modules() -> list[ModuleType]:
    names = sorted(found.name for found in pkgutil.iter_modules(resources.__path__) if not found.name.startswith("_"))
    return [importlib.import_module(f"{resources.__name__}.{name}") for name in names]


def _mount(app: FastAPI, module: ModuleType) -> None:
    """Mount a resource under the API and, what reads, under a commit; `PREFIX` in it names another place."""
    router: APIRouter = module.router
    prefix: str = getattr(module, "PREFIX", API)
    checks = [Depends(refuse_unknown)] if prefix == API else []
    app.include_router(router, prefix=prefix, responses=PROBLEMS, dependencies=checks)
    _note_methods(app, prefix, router.routes)
    if prefix == API:
        pinned = APIRouter()
        pinned.routes.extend(
            route for route in router.routes if isinstance(route, APIRoute) and (route.methods or set()) <= {"GET"}
        )
        app.include_router(pinned, prefix=_PINNED, include_in_schema=False, dependencies=checks)
        _note_methods(app, _PINNED, pinned.routes)


def _note_methods(app: FastAPI, prefix: str, routes: Sequence[BaseRoute]) -> None:
    """Note which methods a path takes: each route of it knows its own only, and a refusal names all."""
    for route in routes:
        if isinstance(route, APIRoute):
            app.state.methods.setdefault(compile_path(prefix + route.path)[0], set()).update(route.methods or ())


def _mount_roots(app: FastAPI) -> None:
    from saeatlas.server.resources import health

    app.add_api_route("/health", health.health, methods=["GET"], include_in_schema=False, response_model=None)

    @app.get("/metrics", include_in_schema=False)
    def metrics(request: Request) -> Response:
        number = request.app.state.live.atlas().commit.number
        return PlainTextResponse(app.state.metrics.text(number), headers={"cache-control": "no-store"})

    @app.get("/openapi.json", include_in_schema=False)
    @app.get(f"{API}/openapi.json", include_in_schema=False)
    def openapi() -> Response:
        return JSONResponse(_openapi(app), headers={"cache-control": "no-cache"})

    @app.get("/{path:path}", include_in_schema=False)
    def page(request: Request, path: str) -> Response:
        if path.partition("/")[0] in {"api", "compat"}:
            # What takes other methods only is there all the same.
            raise HTTPException(405 if methods_of(request) else 404)
        pages: Pages = app.state.pages
        return pages.answer(request, path)


def _openapi(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document, with what holds for all operations written at each."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=_ABOUT, routes=app.routes)
        components = document.setdefault("components", {})
        components.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
        components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{}, {"token": []}]
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                _complete(operation, is_read=method == "get" and path.startswith(API))
        app.openapi_schema = document
    return app.openapi_schema


def _complete(operation: dict[str, Any], *, is_read: bool) -> None:
    """Add what every operation of its kind has: the form of a table, and the answer that nothing has changed."""
    content = operation["responses"].get("200", {}).get("content", {})
    if {ARROW, JSON} <= set(content):
        operation.setdefault("parameters", []).append(
            {
                "name": "format",
                "in": "query",
                "required": False,
                "description": "Form of the table, whatever 'Accept' says.",
                "schema": {"type": "string", "enum": ["json", "arrow"]},
            }
        )
    if is_read:
        operation["responses"]["304"] = {"description": "The client has this answer: 'If-None-Match' is its tag."}
