"""A server in a thread of this process, for what asks it over real sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from saeatlas.server.settings import ServerSettings

__all__ = ["running_server"]


@contextmanager
def running_server(url: str, settings: ServerSettings | None = None, *, port: int = 0) -> Iterator[str]:
    """Serve an atlas on this machine until the block ends, and give the address.

    Parameters
    ----------
    url
        What opens the atlas.
    settings
        Of the server.
    port
        Where to listen; 0 takes any free one.
    """
    import uvicorn

    from saeatlas.server.app import create_app
    from saeatlas.server.run import listen

    at = listen("127.0.0.1", port)
    ready = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready.set()

    server = Server(uvicorn.Config(create_app(url, settings), ws="none", log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [at]})
    thread.start()
    try:
        ready.wait()
        yield f"http://127.0.0.1:{at.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
