"""Make the first page as quick as the second: what the program loads once, it loads before somebody waits for it."""

from __future__ import annotations

import asyncio
import logging
import threading

import numpy as np
from fastapi import FastAPI
from starlette.types import Message, Scope

from saeatlas.atlas.characteristic_tokens import STRINGS, has_token_strings
from saeatlas.atlas.sae import SAE
from saeatlas.errors import SaeatlasError
from saeatlas.server.live import Live
from saeatlas.server.settings import ServerSettings

__all__ = ["warm_up"]

_log = logging.getLogger("saeatlas.server")
_LONGEST_PAGE_SECONDS = 10.0
_ENOUGH = 100
"""Active rows of a feature whose page needs everything that pages need."""


def warm_up(app: FastAPI) -> threading.Thread:
    """Ask an app in a thread of its own for what a person sees first: libraries and kernels are loaded by it."""
    thread = threading.Thread(target=_ask, args=(app,), name="saeatlas-warm-up", daemon=True)
    thread.start()
    # A thread that is in compiled code while the interpreter ends may take the program down with it.
    app.state.at_stop.append(lambda: thread.join(_LONGEST_PAGE_SECONDS))
    return thread


def _ask(app: FastAPI) -> None:
    live: Live = app.state.live
    try:
        atlas = live.atlas()
        sae = next((atlas.sae(name) for name in atlas.saes if atlas.sae(name).has_activations), None)
        paths = [] if sae is None else _first_asked(sae)
    except SaeatlasError as error:
        # Whoever asks for it is told.
        _log.debug("Nothing was loaded beforehand: %s", error)
        return
    for path in paths:
        if not live.stopping.is_set():
            asyncio.run(_get(app, path))


def _first_asked(sae: SAE) -> list[str]:
    """Return what the pages ask first: the SAE, the one column of the table that takes long to make, a feature."""
    root = f"/api/v1/saes/{sae.name}"
    table = [f"{root}/features?columns={STRINGS}&limit=1"] if has_token_strings(sae) else []
    return [root, *table, f"{root}/features/{_typical(sae)}"]


def _typical(sae: SAE) -> int:
    """Return a feature that fires, though not everywhere."""
    counts = sae.activations.counts
    return int(np.argmax(counts >= min(_ENOUGH, int(counts.max())))) if counts.size else 0


async def _get(app: FastAPI, address: str) -> None:
    """Ask an app without a connection, and drop the answer."""
    path, _, query = address.partition("?")
    settings: ServerSettings = app.state.settings
    headers = [(b"host", b"localhost"), (b"authorization", f"Bearer {settings.token}".encode())]
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
        "state": {},
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        del message

    await app(scope, receive, send)
