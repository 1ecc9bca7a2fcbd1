"""The server as a program: its port, its end, and clients that are slow or do not speak HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from saeatlas.atlas.atlas import Atlas
from saeatlas.cli.main import main
from saeatlas.errors import Conflict, InvalidInput
from saeatlas.server import patience
from saeatlas.server.app import create_app
from saeatlas.server.run import AtlasServer, listen
from saeatlas.server.settings import ServerSettings
from saeatlas.server.warm import warm_up

SAES = "/api/v1/saes"
FEATURES = "/api/v1/saes/toy/features?format=arrow"


@contextmanager
def running(atlas: Atlas, **settings: Any) -> Iterator[tuple[str, int]]:
    """A server in a thread of this program."""
    at = listen("127.0.0.1", 0)
    is_ready = threading.Event()
    server = AtlasServer(create_app(atlas.url, ServerSettings(**settings)), is_ready.set)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[at])))
    address = at.getsockname()
    thread.start()
    assert is_ready.wait(30)
    try:
        yield address
    finally:
        server.stop()
        thread.join(30)
        assert not thread.is_alive()


@contextmanager
def program(atlas: Atlas, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server in a program of its own, and what it said first."""
    command = [sys.executable, "-m", "saeatlas.cli.main", "serve", "--atlas", atlas.url, "--port", "0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as started:
        assert started.stderr is not None
        try:
            yield started, started.stderr.readline()
        finally:
            started.kill()


def talk(address: tuple[str, int], data: bytes) -> bytes:
    """Send bytes and return all that comes until the server closes, or breaks the connection."""
    found = b""
    with socket.create_connection(address, timeout=30) as connection, suppress(ConnectionError):
        connection.sendall(data)
        while piece := connection.recv(65_536):
            found += piece
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_program_cleanly(atlas: Atlas, number: signal.Signals) -> None:
    with program(atlas) as (started, first):
        address = re.search(r"http://127\.0\.0\.1:\d+/", first)
        assert address, first
        with urllib.request.urlopen(address[0] + "api/v1/health") as answer:
            assert json.load(answer)["status"] == "ok"
        started.send_signal(number)
        assert started.wait(20) == 0


def test_host_that_others_reach_gets_a_token_that_is_printed(atlas: Atlas) -> None:
    with program(atlas, "--host", "0.0.0.0") as (_, first):
        match = re.search(r"http://[^/]+:(\d+)/\?token=([\w-]{20,})", first)
        assert match, first
        url = f"http://127.0.0.1:{match[1]}{SAES}"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(url)
        asked = urllib.request.Request(url, headers={"authorization": f"Bearer {match[2]}"})
        with urllib.request.urlopen(asked) as answer:
            assert answer.status == 200


def test_first_page_is_loaded_before_somebody_asks(atlas: Atlas) -> None:
    app = create_app(atlas.url, ServerSettings(token="correct-horse-battery"))
    warm_up(app).join(60)
    text = app.state.metrics.text(0)
    asked = re.findall(r'route="/api/v1/saes/\{sae\}([^"]*)",status="200"\} 1', text)
    assert {"", "/features", "/features/{feature}"} <= set(asked), text


def test_taken_port_is_named_with_a_free_one(atlas: Atlas, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["serve", "--atlas", atlas.url, "--port", str(port)]) == Conflict.exit_code
    said = capsys.readouterr().err
    free = re.search(r"hint: Port (\d+) is free: add --port \1", said)
    assert free and f"Port {port} of 127.0.0.1 is taken" in said
    with socket.create_server(("127.0.0.1", int(free[1]))):
        pass


def test_kind_of_a_taken_port_is_stable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(Conflict) as raised:
        listen("127.0.0.1", other.getsockname()[1])
    assert raised.value.kind == "port-taken"


def test_host_that_is_none_of_this_machine_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no address"):
        listen("192.0.2.1", 0)


@pytest.mark.parametrize(
    "options", [["--port", "65536"], ["--token", "short"], ["--token", ""], ["--pages", "nowhere"]]
)
def test_option_that_cannot_be_is_refused(atlas: Atlas, options: list[str]) -> None:
    assert main(["serve", "--atlas", atlas.url, *options]) in {2, 3}


def test_head_that_does_not_end_is_dropped(atlas: Atlas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEADER_SECONDS", 0.2)
    with running(atlas) as address:
        for start in (b"", b"GET / HTTP/1.1\r\nHost: x", f"GET {SAES} HTTP/1.1\r\nHost: localhost\r\n".encode()):
            assert talk(address, start) == b""


def test_second_head_that_does_not_end_is_dropped_too(atlas: Atlas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "HEADER_SECONDS", 2.0)
    with running(atlas) as address, socket.create_connection(address, timeout=30) as connection:
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET / HT")
        assert _is_closed(connection)


def test_head_of_an_answer_comes_without_its_body(atlas: Atlas) -> None:
    with running(atlas) as address:
        asked = f"HEAD {FEATURES} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        head, _, body = talk(address, asked).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200") and b"content-length: " in head and body == b""


def test_body_that_does_not_come_is_refused(atlas: Atlas) -> None:
    head = b"POST /api/v1/saes/toy/groups HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n"
    with running(atlas, body_seconds=0.2) as address:
        answer = talk(address, head + b"Content-Type: application/json\r\n\r\n{")
    assert answer.startswith(b"HTTP/1.1 408") and b"application/problem+json" in answer


def test_reader_that_takes_nothing_is_dropped(atlas: Atlas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "STALL_SECONDS", 0.2)
    with running(atlas) as address, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.settimeout(30)
        connection.connect(address)
        # Answers to many requests at once fill every buffer on the way, and none is read.
        asked = f"GET {FEATURES} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        with pytest.raises(ConnectionError):
            connection.sendall(asked * 200_000)


def test_bytes_that_are_no_request_are_refused_in_the_one_shape(atlas: Atlas) -> None:
    with running(atlas) as address:
        for data in (b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"):
            answer = talk(address, data)
            assert answer.startswith(b"HTTP/1.1 400") and b"application/problem+json" in answer


def test_two_hosts_and_two_lengths_are_refused(atlas: Atlas) -> None:
    with running(atlas) as address:
        twice = b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
        assert talk(address, twice).startswith(b"HTTP/1.1 4")
        lengths = b"POST /api/v1/saes/toy/groups HTTP/1.1\r\nHost: localhost\r\n"
        lengths += b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"
        assert talk(address, lengths).startswith(b"HTTP/1.1 400")


def test_head_above_every_size_is_refused(atlas: Atlas) -> None:
    with running(atlas) as address:
        assert not talk(address, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 70_000).startswith(b"HTTP/1.1 2")


def test_program_leaves_nothing_behind_when_it_is_killed(atlas: Atlas) -> None:
    before = sorted(path.name for path in Path(atlas.url).iterdir())
    with program(atlas) as (started, _):
        os.kill(started.pid, signal.SIGKILL)
        started.wait(20)
    assert sorted(path.name for path in Path(atlas.url).iterdir()) == before


def _is_closed(connection: socket.socket) -> bool:
    """Whether the server closes, after what it has still to say; fails by its timeout otherwise."""
    with suppress(ConnectionError):
        while connection.recv(65_536):
            pass
    return True
