"""What the client does when the other side is another, is away, is slow, or refuses."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress

import httpx
import pyarrow as pa
import pytest

from saeatlas.client.atlas import connect
from saeatlas.client.connection import Connection
from saeatlas.client.problems import error_of
from saeatlas.errors import FormatError, InvalidInput, NotFound, OverBudget, SaeatlasError, StorageError, error_classes
from saeatlas.testing.local_server import Fault, LocalServer, Reply, Request

HEALTH = {"status": "ok", "version": "0.1.0", "commit": 7, "atlas_id": "5ac1f00d"}


def answer(request: Request) -> Reply:
    bodies = {"/api/v1/health": HEALTH, "/api/v1/@7-5ac1f00d/saes": {"commit": 7, "saes": []}}
    found = bodies.get(request.path)
    return Reply(404) if found is None else Reply(200, json.dumps(found).encode(), {"content-type": "application/json"})


def with_transport(connection: Connection, handle: Callable[[httpx.Request], httpx.Response]) -> Connection:
    connection._client = httpx.Client(base_url=connection.url, transport=httpx.MockTransport(handle))
    return connection


def test_connection_is_pinned_to_the_commit_and_the_atlas() -> None:
    with LocalServer(answer) as server, connect(server.url + "/") as atlas:
        assert (atlas.commit, atlas.saes) == (7, [])
        assert server.asked("/api/v1/@7-5ac1f00d/saes")


def test_token_of_the_address_is_sent_in_a_header_and_not_in_addresses() -> None:
    with LocalServer(answer) as server, connect(f"{server.url}/?token=secret-secret-secret"):
        assert {request.headers["authorization"] for request in server.requests} == {"Bearer secret-secret-secret"}
        assert not server.asked("secret")


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8765", "ftp://x", "http://", "", "http://127.0.0.1:x", "http://127.0.0.1:0", "http://[::1", None]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        connect(url)
    assert "http://" in caught.value.hint


@pytest.mark.parametrize("value", [math.nan, math.inf, "\ud800", b"x", {1, 2}])
def test_what_is_no_json_is_refused_before_it_is_sent(value: object) -> None:
    connection = with_transport(Connection("http://127.0.0.1:9"), lambda _: pytest.fail("it was sent"))
    with pytest.raises(InvalidInput, match="no JSON"):
        connection.post("/api/v1/saes/x/groups", {"metric": "stats.max", "thresholds": [value]})


@pytest.mark.parametrize("token", ["a\nb", "\u00e9"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidInput, match="token"):
        connect("http://127.0.0.1:9", token)


@pytest.mark.parametrize("timeout", [0, -1, math.nan, math.inf, "60", True, None])
def test_what_is_no_time_to_wait_is_refused(timeout: float) -> None:
    with pytest.raises(InvalidInput, match="seconds"):
        connect("http://127.0.0.1:9", timeout=timeout)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b'{"status": "ok"}',
        b"[]",
        b"[" * 100_000,
        json.dumps(HEALTH | {"commit": None}).encode(),
        json.dumps(HEALTH | {"commit": "newest"}).encode(),
        json.dumps(HEALTH | {"atlas_id": 5}).encode(),
    ],
)
def test_another_program_or_version_is_told_apart(body: bytes) -> None:
    with LocalServer(lambda request: Reply(200, body)) as server, pytest.raises(FormatError) as caught:
        connect(server.url)
    assert caught.value.kind == "unsupported-format"
    assert "same version" in caught.value.hint


def test_reading_is_tried_again_when_the_connection_breaks() -> None:
    with LocalServer(answer) as server:
        server.faults = [Fault.broken(3, path="health", times=2)]
        connect(server.url).close()
        assert len(server.asked("health")) == 3


def test_nobody_there_is_an_error_that_says_so() -> None:
    with LocalServer(answer) as server:
        url = server.url
    with pytest.raises(StorageError, match="cannot be reached") as caught:
        connect(url)
    assert (caught.value.kind, "saeatlas serve" in caught.value.hint) == ("network-error", True)


def test_silence_ends_after_the_time_that_was_given_and_is_not_tried_again() -> None:
    with LocalServer(answer) as server:
        server.faults = [Fault.silence()]
        with pytest.raises(StorageError, match="in time"):
            connect(server.url, timeout=0.3)
        assert len(server.asked("health")) == 1


def test_writing_is_never_tried_again() -> None:
    asked = []

    def break_off(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        raise httpx.RemoteProtocolError("broken")

    connection = with_transport(Connection("http://127.0.0.1:9"), break_off)
    with pytest.raises(StorageError):
        connection.post("/api/v1/saes/x/labels", {})
    assert asked == ["POST"]
    with pytest.raises(StorageError):
        connection.get("/api/v1/saes")
    assert asked[1:] == ["GET"] * 3


def test_answer_that_is_no_table_is_an_error() -> None:
    connection = with_transport(Connection("http://127.0.0.1:9"), lambda _: httpx.Response(200, content=b"nothing"))
    with pytest.raises(FormatError, match="no table"):
        connection.table("/api/v1/saes/x/features")


def test_no_damaged_table_is_another_error_or_a_part_of_the_table() -> None:
    table = pa.table({"feature": [1, 2, 3], "value": [1.0, 2.0, 3.0]}).replace_schema_metadata({"saeatlas": "{}"})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        for batch in table.to_batches(max_chunksize=1):
            writer.write_batch(batch)
    whole = sink.getvalue().to_pybytes()
    answers = [whole]
    connection = with_transport(Connection("http://127.0.0.1:9"), lambda _: httpx.Response(200, content=answers[-1]))
    assert connection.table("/x").table.num_rows == 3
    for stop in range(len(whole)):
        answers.append(whole[:stop])
        with pytest.raises(FormatError, match="no table"):
            connection.table("/x")
    for place in range(len(whole)):
        answers.append(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with suppress(FormatError):
            connection.table("/x")


def test_member_that_another_version_lacks_is_named() -> None:
    body = b'{"histograms": [{"column": "x"}]}'
    connection = with_transport(Connection("http://127.0.0.1:9"), lambda _: httpx.Response(200, content=body))
    found = connection.get("/x")
    assert found == json.loads(body)
    for part in (found, found["histograms"][0]):
        with pytest.raises(FormatError, match="'edges'") as caught:
            part["edges"]
        assert "same version" in caught.value.hint


def test_error_of_a_proxy_in_between_is_not_taken_for_an_answer() -> None:
    connection = with_transport(Connection("http://127.0.0.1:9"), lambda _: httpx.Response(502, text="Bad gateway"))
    with pytest.raises(FormatError, match="502"):
        connection.get("/api/v1/saes")


def test_problem_becomes_the_exception_with_kind_hint_and_notes() -> None:
    error = error_of(
        422, {"detail": "no", "kind": "over-budget", "hint": "less", "notes": ["while reading"]} | {"status": 507}
    )
    assert (error.message, error.hint, error.kind) == ("no", "less", "over-budget")
    assert error.notes == ("while reading",)


def test_problem_with_members_of_other_types_is_still_an_exception() -> None:
    error = error_of(404, {"detail": {"a": 1}, "kind": ["x"], "hint": None, "notes": 5})
    assert (type(error), error.kind, error.hint) == (NotFound, "not-found", "")


@pytest.mark.parametrize("name", error_classes())
def test_every_class_comes_back_from_its_problem(name: str) -> None:
    cls = next(one for one in SaeatlasError.__subclasses__() if one.__name__ == name)
    assert type(error_of(cls.http_status, {"kind": cls.default_kind})) is cls


@pytest.mark.parametrize(("status", "expected"), [(404, NotFound), (413, InvalidInput), (507, OverBudget)])
def test_kind_of_a_newer_server_gives_way_to_that_of_the_class(status: int, expected: type[SaeatlasError]) -> None:
    error = error_of(status, {"detail": "no", "kind": "from-the-future"})
    assert type(error) is expected
    assert (error.kind, error.__notes__) == (expected.default_kind, ["Kind of the server: from-the-future"])


def test_public_name_loads_no_http_library_before_it_is_called() -> None:
    code = "import saeatlas, sys; saeatlas.connect; sys.exit('httpx' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
