"""Listen at a port and serve until told to stop."""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from saeatlas.errors import Conflict, InvalidInput, StorageError

if TYPE_CHECKING:
    from fastapi import FastAPI

__all__ = ["listen", "serve_until_stopped"]

_GRACE_SECONDS = 5
_TRIED = 100


def listen(host: str, port: int) -> socket.socket:
    """Open the socket to serve at; port 0 takes any free one.

    Raises
    ------
    Conflict
        When the port is taken; the hint names one that is free.
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


def serve_until_stopped(app: FastAPI, at: socket.socket, ready: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM: what is being answered is finished, for 5 seconds at most.

    Parameters
    ----------
    app, at
        What to serve, and where.
    ready
        Called once when requests are answered.
    """
    import asyncio
    import signal

    import uvicorn

    from saeatlas.server.patience import PatientProtocol

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

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready()

        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            def stop(number: int, frame: object) -> None:
                del number, frame
                # Streams look at this, and end; a second signal does not wait for the rest.
                app.state.live.stopping.set()
                self.force_exit = self.should_exit
                self.should_exit = True

            before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
            try:
                yield
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

    asyncio.run(Server(config).serve(sockets=[at]))


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
