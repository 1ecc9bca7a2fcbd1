"""Listen at a port and serve until told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import threading
from collections.abc import Callable, Iterator

import uvicorn
from fastapi import FastAPI

from saeatlas.errors import Conflict, InvalidInput, StorageError
from saeatlas.server.memory import keep_freed_memory
from saeatlas.server.patience import PatientProtocol

__all__ = ["AtlasServer", "listen", "serve_until_stopped"]

_GRACE_SECONDS = 5
_TRIED = 100


class AtlasServer(uvicorn.Server):
    """Serves an app until SIGINT or SIGTERM: what is being answered is finished, for 5 seconds at most.

    Parameters
    ----------
    app
        What `create_app` made.
    ready
        Called once when requests are answered.
    """

    def __init__(self, app: FastAPI, ready: Callable[[], None]) -> None:
        config = uvicorn.Config(
            app,
            http=PatientProtocol,
            ws="none",
            loop="asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        super().__init__(config)
        self._live = app.state.live
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and say so."""
        await super().startup(sockets)
        self._ready()

    def stop(self) -> None:
        """Answer what was asked, and end; a second time, end at once."""
        # Streams look at this, and end.
        self._live.stopping.set()
        self.force_exit = self.should_exit
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at a signal, and leave the program to end in its own way: uvicorn would raise the signal again."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, lambda *_: self.stop()) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve_until_stopped(app: FastAPI, at: socket.socket, ready: Callable[[], None]) -> None:
    """Serve at an open socket until SIGINT or SIGTERM; see `AtlasServer`."""
    keep_freed_memory()
    asyncio.run(AtlasServer(app, ready).serve(sockets=[at]))


def listen(host: str, port: int) -> socket.socket:
    """Open the socket to serve at; port 0 takes any free one.

    Raises
    ------
    Conflict
        When the port is taken; the hint names one that is free.
    InvalidInput
        When the host is no address of this machine.
    """
    try:
        return _bound(host, port)
    except socket.gaierror as error:
        raise InvalidInput(
            f"No address is named '{host}'", hint="Give an address of this machine to --host."
        ) from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Conflict(
                f"Port {port} of {host} is taken by another program",
                hint=f"Port {_free(host, port)} is free: add --port {_free(host, port)}",
                kind="port-taken",
            ) from error
        if error.errno == errno.EADDRNOTAVAIL:
            raise InvalidInput(f"'{host}' is no address of this machine") from error
        raise StorageError(f"Cannot listen at port {port} of {host}: {error.strerror or error}") from error


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    opened = socket.socket(family, kind, protocol)
    try:
        # A port that a server just left may be taken again at once.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(2048)
    except OSError:
        opened.close()
        raise
    opened.settimeout(0)
    return opened


def _free(host: str, taken: int) -> int:
    """Return the next port that nothing listens at, or any free one."""
    for port in range(taken + 1, min(taken + _TRIED, 65_536)):
        with contextlib.suppress(OSError), _bound(host, port):
            return port
    with _bound(host, 0) as opened:
        return int(opened.getsockname()[1])
