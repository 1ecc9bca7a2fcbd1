"""A web server on this machine that answers as it is told, and misbehaves on purpose."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

__all__ = ["Fault", "LocalServer", "Reply", "Request"]


@dataclass(frozen=True)
class Request:
    """What a client asked."""

    method: str
    path: str
    """Path and query, as sent."""
    headers: Mapping[str, str]
    """By lower-case name."""


@dataclass(frozen=True)
class Reply:
    """What the server sends."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    """Bytes of the body after which the connection breaks, or None to send all."""
    silent: bool = False
    """Whether the client waits in vain: nothing is sent before the server closes."""


@dataclass
class Fault:
    """Changes the replies to the first few requests that it is about."""

    change: Callable[[Reply], Reply]
    path: str = ""
    """Part of the path of the requests that it is about."""
    method: str = "GET"
    times: int = 1
    """Requests that are still to be changed."""

    @classmethod
    def status(cls, status: int, *, path: str = "", times: int = 1, headers: Mapping[str, str] | None = None) -> Fault:
        """Answer with a status and nothing else."""
        return cls(lambda _: Reply(status, b"no", headers or {}), path, times=times)

    @classmethod
    def broken(cls, after: int, *, path: str = "", times: int = 1) -> Fault:
        """Break the connection after some bytes of the body."""
        return cls(lambda reply: replace(reply, cut=after), path, times=times)

    @classmethod
    def body(cls, change: Callable[[bytes], bytes], *, path: str = "", times: int = 1) -> Fault:
        """Send another body."""
        return cls(lambda reply: replace(reply, body=change(reply.body)), path, times=times)

    @classmethod
    def silence(cls, *, path: str = "", times: int = 1) -> Fault:
        """Let the client wait until it gives up."""
        return cls(lambda reply: replace(reply, silent=True), path, times=times)


class LocalServer:
    """Serves `answer(request)` on 127.0.0.1 for the length of a `with` block, and keeps what was asked.

    Parameters
    ----------
    answer
        Gives the reply to a request; called from one thread for each connection.
    """

    def __init__(self, answer: Callable[[Request], Reply]) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Address without a slash at its end."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def asked(self, path: str, method: str = "GET") -> list[Request]:
        """Return the requests so far whose path contains `path`."""
        with self._lock:
            return [request for request in self.requests if request.method == method and path in request.path]

    def reply_to(self, request: Request) -> Reply:
        """Note a request, and return the reply, changed by the first fault that is about it."""
        with self._lock:
            self.requests.append(request)
            fault = next((fault for fault in self.faults if _is_about(fault, request)), None)
            if fault:
                fault.times -= 1
        reply = self.answer(request)
        return fault.change(reply) if fault else reply

    def wait_for_close(self) -> None:
        """Block until the server closes, 20 seconds at most."""
        self._closing.wait(20)


def _is_about(fault: Fault, request: Request) -> bool:
    return fault.times > 0 and fault.method == request.method and fault.path in request.path


def _handler(server: LocalServer) -> type[BaseHTTPRequestHandler]:
    """Return the class that speaks HTTP for a server."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve()

        def do_HEAD(self) -> None:
            self._serve()

        def log_message(self, *args: object) -> None:
            """Stay silent."""

        def _serve(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = server.reply_to(Request(self.command, self.path, headers))
            self.close_connection = True
            if reply.silent:
                server.wait_for_close()
                return
            self.send_response_only(reply.status)
            own = {"Date": self.date_time_string(), "Content-Length": str(len(reply.body))}
            given = {**own, **reply.headers, "Connection": "close"}
            for name, value in given.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body[: reply.cut])

    return Handler
