"""A server that is killed while it takes labels loses nothing that it confirmed, and threads of one do not mix them."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

import saeatlas as sa
from saeatlas.pipeline.verify import verify
from saeatlas.testing.make_atlas import make_atlas


@pytest.fixture
def atlas(tmp_path: Path) -> sa.Atlas:
    return make_atlas(tmp_path / "a.atlas", n_rows=40, n_features=16, tokens=False)


def served(atlas: sa.Atlas) -> tuple[subprocess.Popen[str], int]:
    """A server as a program of its own, and its port."""
    command = [sys.executable, "-m", "saeatlas.cli.main", "serve", "--atlas", atlas.url, "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout
    for line in process.stdout:
        found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        if found:
            return process, int(found[1])
    raise AssertionError("the server did not say where it is")


def say_until_the_end(port: int, by: str, killed_after: int, process: subprocess.Popen[str]) -> list[str]:
    """Send labels until the server is gone, and return the ids of those that it confirmed."""
    confirmed: list[str] = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with suppress(OSError, http.client.HTTPException):
        while True:
            body = json.dumps({"text": f"{by} {len(confirmed)}", "by": by})
            path = f"/api/v1/saes/toy/features/{len(confirmed) % 16}/labels"
            connection.request("POST", path, body, {"content-type": "application/json"})
            answer = connection.getresponse()
            found = json.loads(answer.read())
            assert answer.status == 201, found
            confirmed.append(found["id"])
            if len(confirmed) == killed_after:
                process.send_signal(signal.SIGKILL)
    connection.close()
    return confirmed


def test_killed_server_loses_nothing_that_it_confirmed(atlas: sa.Atlas) -> None:
    process, port = served(atlas)
    with process, ThreadPoolExecutor(4) as pool:
        waits = [pool.submit(say_until_the_end, port, f"w{n}", 25 + n, process) for n in range(4)]
        confirmed = {id_ for wait in waits for id_ in wait.result()}
    found = {event.id for event in sa.open(atlas.url).sae().labels.events()}
    assert len(confirmed) >= 25
    assert confirmed <= found
    # One of each client may have been on its way.
    assert len(found) - len(confirmed) <= 4
    assert verify(atlas).ok


def test_threads_that_share_an_sae_lose_and_mix_nothing(atlas: sa.Atlas) -> None:
    sae = atlas.sae()

    def say(number: int) -> str:
        event = sa.label(sae, f"text {number}", by=f"w{number % 4}", features=[number % 16, 15])
        assert event.id in {label.id for label in sae.labels.of(number % 16).history}
        assert sae.labels.current.num_rows > 0
        return event.id

    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(say, range(200)))
    assert {event.id for event in sae.labels.events()} == set(ids)
    assert sa.open(atlas.url).sae().labels.current == sae.labels.current
    assert len(sae.labels.of(15).current) == 4
