"""Asking a server that misbehaves."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from saeatlas.errors import InvalidInput, SourceError
from saeatlas.importers._http import Client, GaveUp, Timing, retry_after
from saeatlas.testing.local_server import Fault, LocalServer, Reply, Request


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self) -> None:
        self.seconds = 1_000_000_000.0
        self.waits: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds

    def timing(self, chance: float = 1.0) -> Timing:
        return Timing(self.sleep, lambda: self.seconds, lambda: self.seconds, lambda: chance)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server() -> Iterator[LocalServer]:
    bodies = {"/good": b"good " * 2_000}

    def answer(request: Request) -> Reply:
        if request.path not in bodies:
            return Reply(404)
        return Reply(200, bodies[request.path])

    with LocalServer(answer) as running:
        yield running


def text(body: bytes) -> str:
    return body.decode().strip()


def test_body_is_read(server: LocalServer, clock: Clock) -> None:
    assert Client(timing=clock.timing()).ask(f"{server.url}/good", len) == 10_000
    assert clock.waits == []


@pytest.mark.parametrize("status", [404, 410])
def test_what_is_not_there_is_none_and_not_asked_again(server: LocalServer, clock: Clock, status: int) -> None:
    server.faults.append(Fault.status(status))
    assert Client(timing=clock.timing()).ask(f"{server.url}/good", text) is None
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault.status(500, times=2),
        Fault.status(502, times=2),
        Fault.status(503, times=2),
        Fault.status(408, times=2),
        Fault.broken(3_000, times=2),
        Fault.broken(0, times=2),
        Fault.body(lambda body: b"\xff\xff", times=2),
    ],
    ids=["500", "502", "503", "408", "cut", "cut at once", "unreadable"],
)
def test_failures_that_pass_are_tried_again(server: LocalServer, clock: Clock, fault: Fault) -> None:
    server.faults.append(fault)
    assert Client(timing=clock.timing()).ask(f"{server.url}/good", text) == text(b"good " * 2_000)
    assert clock.waits == [1.0, 2.0]


def test_slow_server_counts_as_broken(server: LocalServer, clock: Clock) -> None:
    server.faults.append(Fault.silence())
    client = Client(timeout=0.1, timing=clock.timing())
    assert client.ask(f"{server.url}/good", len) == 10_000
    assert len(server.requests) == 2


def test_tries_are_counted_and_then_given_up(server: LocalServer, clock: Clock) -> None:
    server.faults.append(Fault.status(500, times=99))
    with pytest.raises(GaveUp, match="failed 3 times; the last time it answered with status 500"):
        Client(tries=3, timing=clock.timing()).ask(f"{server.url}/good", text)
    assert len(server.requests) == 3


def test_pause_doubles_up_to_a_minute_and_is_random_in_its_upper_half(server: LocalServer, clock: Clock) -> None:
    server.faults.append(Fault.status(500, times=99))
    with pytest.raises(GaveUp):
        Client(tries=9, timing=clock.timing()).ask(f"{server.url}/good", text)
    assert clock.waits == [1, 2, 4, 8, 16, 32, 60, 60]
    clock.waits.clear()
    with pytest.raises(GaveUp):
        Client(tries=4, timing=clock.timing(chance=0.0)).ask(f"{server.url}/good", text)
    assert clock.waits == [0.5, 1, 2]


def test_server_that_is_not_there_is_given_up(clock: Clock) -> None:
    with pytest.raises(GaveUp, match="broke the connection"):
        Client(timing=clock.timing()).ask("http://127.0.0.1:9/x", text)
    assert len(clock.waits) == 4


@pytest.mark.parametrize("status", [429, 503])
def test_wait_in_seconds_is_kept_to(server: LocalServer, clock: Clock, status: int) -> None:
    server.faults.append(Fault.status(status, headers={"Retry-After": "17"}))
    said: list[str] = []
    client = Client(tries=1, timing=clock.timing(), tell=said.append)
    assert client.ask(f"{server.url}/good", len) == 10_000
    assert clock.waits == [17]
    assert said == ["Waiting 17 seconds: the server asks for it"]


def test_wait_until_a_date_is_kept_to_by_the_clock_of_the_server(server: LocalServer, clock: Clock) -> None:
    sent = clock.seconds + 5_000  # Our clock is wrong by more than an hour.
    headers = {"Date": formatdate(sent, usegmt=True), "Retry-After": formatdate(sent + 40, usegmt=True)}
    server.faults.append(Fault.status(429, headers=headers))
    assert Client(timing=clock.timing()).ask(f"{server.url}/good", len) == 10_000
    assert clock.waits == [40]


@pytest.mark.parametrize("header", [{}, {"Retry-After": "soon"}])
def test_refusal_without_a_time_is_waited_out_longer_each_time(
    server: LocalServer, clock: Clock, header: dict[str, str]
) -> None:
    server.faults.append(Fault.status(429, times=3, headers=header))
    assert Client(tries=1, timing=clock.timing()).ask(f"{server.url}/good", len) == 10_000
    assert clock.waits == [1, 2, 4]


def test_refusals_do_not_use_up_the_tries(server: LocalServer, clock: Clock) -> None:
    server.faults.append(Fault.status(429, times=15, headers={"Retry-After": "0"}))
    assert Client(tries=1, timing=clock.timing()).ask(f"{server.url}/good", len) == 10_000


def test_wait_of_hours_is_an_error_that_says_how_long(server: LocalServer, clock: Clock) -> None:
    server.faults.append(Fault.status(429, headers={"Retry-After": "9000"}))
    with pytest.raises(SourceError, match=r"refuses more requests for 2\.5 hours") as caught:
        Client(timing=clock.timing()).ask(f"{server.url}/good", text)
    assert caught.value.kind == "network-error"
    assert clock.waits == []


def test_refusals_without_end_are_an_error(server: LocalServer, clock: Clock) -> None:
    server.faults.append(Fault.status(429, times=99, headers={"Retry-After": "1"}))
    with pytest.raises(SourceError, match="refuses more requests"):
        Client(timing=clock.timing()).ask(f"{server.url}/good", text)
    assert len(server.requests) == 21


def test_budget_holds_within_any_hour_and_counts_every_try(server: LocalServer, clock: Clock) -> None:
    server.faults.append(Fault.status(500, times=1))
    client = Client(requests_per_hour=3, timing=clock.timing())
    for _ in range(5):
        client.ask(f"{server.url}/good", text)
    # Six requests: the fourth waits for the first to be an hour old, the others leave the window 1 second later.
    assert len(server.requests) == 6
    assert clock.waits == [1.0, 3599.0, 1.0]


def test_other_status_is_an_error_at_once(server: LocalServer, clock: Clock) -> None:
    server.faults.append(Fault.status(400))
    with pytest.raises(SourceError, match="answered with status 400") as caught:
        Client(timing=clock.timing()).ask(f"{server.url}/good", text)
    assert caught.value.kind == "network-error"
    assert len(server.requests) == 1


def test_refused_key_is_an_error_that_does_not_show_it(server: LocalServer, clock: Clock) -> None:
    server.faults.append(Fault.status(401))
    client = Client(private={"x-api-key": "sk-secret"}, timing=clock.timing())
    with pytest.raises(SourceError, match="refuses the key") as caught:
        client.ask(f"{server.url}/good", text)
    assert "sk-secret" not in f"{caught.value!r} {client!r}"
    assert server.requests[0].headers["x-api-key"] == "sk-secret"


def test_key_is_not_shown_to_a_server_that_is_redirected_to(server: LocalServer, clock: Clock) -> None:
    with LocalServer(lambda request: Reply(302, headers={"Location": f"{server.url}/good"})) as first:
        client = Client(private={"x-api-key": "sk-secret"}, timing=clock.timing())
        assert client.ask(f"{first.url}/good", len) == 10_000
        assert first.requests[0].headers["x-api-key"] == "sk-secret"
    assert "x-api-key" not in server.requests[0].headers


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/x", "data:,x", "good"])
def test_only_web_addresses_are_opened(url: str) -> None:
    with pytest.raises(InvalidInput, match="Not a web address"):
        Client().ask(url, text)


def test_download_is_whole_or_not_there(server: LocalServer, clock: Clock, tmp_path: Path) -> None:
    server.faults.append(Fault.broken(5_000, times=2))
    client = Client(tries=2, timing=clock.timing())
    with pytest.raises(GaveUp, match="broke off after 5000 of 10000 bytes"):
        client.download(f"{server.url}/good", tmp_path / "good")
    assert not (tmp_path / "good").exists()
    assert client.download(f"{server.url}/good", tmp_path / "good")
    assert (tmp_path / "good").read_bytes() == b"good " * 2_000
    assert not client.download(f"{server.url}/none", tmp_path / "none")
    assert [path.name for path in tmp_path.iterdir()] == ["good"]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Sun, 09 Sep 2001 01:46:50 GMT", 10.0),
        ("Sun, 09 Sep 2001 01:46:30 GMT", 0.0),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("later", None),
        ("Sun, 99 Sep 2001 01:46:50 GMT", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str, seconds: float | None) -> None:
    assert retry_after(header, 1_000_000_000.0) == seconds
