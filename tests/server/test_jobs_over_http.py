"""Jobs: analyses run in a process of their own, one after the other, and can be followed and stopped."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from saeatlas.atlas.atlas import Atlas, open_atlas
from saeatlas.errors import Conflict, InvalidInput, NotFound, OverBudget
from saeatlas.server.app import create_app
from saeatlas.server.jobs import Jobs, JobState
from saeatlas.server.settings import ServerSettings
from saeatlas.settings import Settings
from saeatlas.testing.make_atlas import make_atlas

SECONDS = 60.0


@pytest.fixture
def atlas(tmp_path: Path) -> Atlas:
    return make_atlas(tmp_path / "a.atlas")


@pytest.fixture
def jobs(atlas: Atlas) -> Iterator[Jobs]:
    made = Jobs(atlas.url, Settings())
    yield made
    made.close()


@pytest.fixture
def client(atlas: Atlas) -> Iterator[TestClient]:
    with TestClient(create_app(atlas.url), base_url="http://127.0.0.1") as client:
        yield client


def wait(jobs: Jobs, job: JobState, until: Callable[[JobState], bool] = lambda found: found.has_ended) -> JobState:
    with jobs._changed:
        assert jobs._changed.wait_for(lambda: until(jobs.get(job.id)), SECONDS)
        return jobs.get(job.id)


def is_running(found: JobState) -> bool:
    return found.state != "queued"


def test_job_publishes_what_it_computed(jobs: Jobs, atlas: Atlas) -> None:
    job = jobs.submit(atlas.sae(), "stats", {"floor": 0.5})
    assert (job.state, job.plan_bytes > 0) == ("queued", True)
    ended = wait(jobs, job)
    assert (ended.state, ended.reason, ended.progress) == ("done", "", ())
    opened = open_atlas(atlas.url)
    assert opened.commit.number == ended.commit
    assert opened.manifest("sae/toy/stats").params == {"floor": 0.5}
    assert ended.started_at is not None
    assert ended.queued_at <= ended.started_at <= str(ended.ended_at)


def test_what_an_analysis_needs_is_computed_too(jobs: Jobs, atlas: Atlas) -> None:
    ended = wait(jobs, jobs.submit(atlas.sae(), "example-similarity", {}))
    assert (ended.state, ended.reason) == ("done", "")
    assert {"sae/toy/example-embeddings", "sae/toy/example-similarity"} <= set(open_atlas(atlas.url).entries)


def test_same_job_is_not_queued_twice(jobs: Jobs, atlas: Atlas) -> None:
    first = jobs.submit(atlas.sae(), "stats", {})
    assert jobs.submit(atlas.sae(), "stats", {"floor": 0.0}).id == first.id
    assert jobs.submit(atlas.sae(), "stats", {"floor": 1.0}).id != first.id
    wait(jobs, first)
    assert jobs.submit(atlas.sae(), "stats", {}).id != first.id


def test_jobs_run_one_after_the_other(jobs: Jobs, atlas: Atlas) -> None:
    submitted = [jobs.submit(atlas.sae(), name, {}) for name in ("stats", "histogram", "examples")]
    ended = [wait(jobs, job) for job in submitted]
    assert [job.state for job in ended] == ["done"] * 3
    assert all(str(one.ended_at) <= str(other.started_at) for one, other in pairwise(ended))
    assert [job.id for job in jobs.all()] == [job.id for job in submitted]


@pytest.mark.parametrize(
    ("analysis", "params", "error"),
    [
        ("stats", {"flor": 1}, InvalidInput),
        ("stats", {"floor": "1"}, InvalidInput),
        ("stats", {"floor": float("nan")}, InvalidInput),
        ("nope", {}, NotFound),
        ("../stats", {}, NotFound),
        ("neighbors", {}, NotFound),
        ("token-families", {"families": "families.tsv"}, InvalidInput),
        ("logit-effects", {"unembedding": "hf://a/b"}, InvalidInput),
        ("example-embeddings", {"embedder": "sentence-transformers:model=x"}, InvalidInput),
    ],
)
def test_what_cannot_run_is_refused_before_it_is_queued(
    jobs: Jobs, atlas: Atlas, analysis: str, params: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        jobs.submit(atlas.sae(), analysis, params)
    assert jobs.all() == []


def test_more_memory_than_allowed_is_refused(atlas: Atlas) -> None:
    with pytest.raises(OverBudget):
        Jobs(atlas.url, Settings(memory_budget=1_000_000)).submit(atlas.sae(), "stats", {})


def test_waiting_job_is_cancelled_before_it_begins(jobs: Jobs, atlas: Atlas) -> None:
    first, second = (jobs.submit(atlas.sae(), name, {}) for name in ("stats", "histogram"))
    assert jobs.cancel(second.id).state == "cancelled"
    assert wait(jobs, first).state == "done"
    assert "sae/toy/histogram" not in open_atlas(atlas.url).entries
    assert jobs.cancel(first.id).state == "done"


def test_running_job_is_stopped_and_publishes_nothing(jobs: Jobs, atlas: Atlas) -> None:
    job = jobs.submit(atlas.sae(), "stats", {})
    wait(jobs, job, is_running)
    process = jobs._running.process if jobs._running is not None else None
    assert process is not None
    ended = jobs.cancel(job.id)
    assert (ended.state, ended.commit) == ("cancelled", None)
    assert open_atlas(atlas.url).commit.number == atlas.commit.number
    assert wait(jobs, jobs.submit(atlas.sae(), "stats", {})).state == "done"


def test_worker_that_dies_is_a_failed_job_with_a_reason(jobs: Jobs, atlas: Atlas) -> None:
    job = jobs.submit(atlas.sae(), "stats", {})
    wait(jobs, job, is_running)
    with jobs._changed:
        assert jobs._running is not None
        os.kill(int(jobs._running.process.pid or 0), signal.SIGKILL)
    ended = wait(jobs, job)
    assert (ended.state, ended.kind) == ("failed", "worker-died")
    assert "-9" in ended.reason
    assert wait(jobs, jobs.submit(atlas.sae(), "histogram", {})).state == "done"


def test_error_of_the_analysis_is_the_reason(jobs: Jobs, atlas: Atlas) -> None:
    job = jobs.submit(atlas.sae(), "stats", {})
    # Between the plan and the run somebody destroys the data.
    for path in Path(atlas.url).glob("artifacts/toy/*/feature/value/c/0"):
        path.write_bytes(b"")
    ended = wait(jobs, job)
    assert ended.state == "failed"
    assert ended.kind in {"corrupt-artifact", "step-failed"}
    assert ended.reason


def test_no_process_is_left_at_the_end(atlas: Atlas) -> None:
    jobs = Jobs(atlas.url, Settings())
    running, waiting = (jobs.submit(atlas.sae(), name, {}) for name in ("stats", "histogram"))
    wait(jobs, running, is_running)
    with jobs._changed:
        assert jobs._running is not None
        pid = int(jobs._running.process.pid or 0)
    jobs.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert jobs.get(waiting.id).state == "cancelled"
    with pytest.raises(Conflict):
        jobs.submit(atlas.sae(), "examples", {})


def test_history_and_queue_are_bounded(jobs: Jobs, atlas: Atlas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saeatlas.server.jobs._MOST_ENDED", 1)
    monkeypatch.setattr("saeatlas.server.jobs._MOST_WAITING", 2)
    with jobs._changed:
        # Nothing starts while this is held.
        first, second = (jobs.submit(atlas.sae(), "stats", {"floor": float(n)}) for n in (1, 2))
        with pytest.raises(Conflict, match="wait already"):
            jobs.submit(atlas.sae(), "stats", {"floor": 3.0})
        jobs.cancel(first.id)
        jobs.cancel(second.id)
    last = jobs.submit(atlas.sae(), "histogram", {})
    assert len(jobs.all()) == 2
    wait(jobs, last)
    with pytest.raises(NotFound):
        jobs.get(first.id)


def test_job_over_http(client: TestClient) -> None:
    made = client.post("/api/v1/jobs", json={"analysis": "stats", "sae": "toy", "params": {"floor": 0.25}})
    assert (made.status_code, made.json()["state"]) == (202, "queued")
    place = made.headers["location"]
    assert client.get(place).json()["id"] == made.json()["id"]
    with client.stream("GET", f"{place}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = list(stream.iter_lines())
    states = [json.loads(line[6:])["state"] for line in lines if line.startswith("data: ")]
    numbers = [int(line[4:]) for line in lines if line.startswith("id: ")]
    assert (states[-1], numbers) == ("done", sorted(set(numbers)))
    assert client.get("/api/v1/jobs").json()["jobs"][0]["commit"] == client.get("/api/v1/health").json()["commit"]
    # An `EventSource` asks again for ever, unless it is told that there is nothing more.
    assert client.get(f"{place}/events", headers={"last-event-id": str(numbers[-1])}).status_code == 204
    with client.stream("GET", f"{place}/events", headers={"last-event-id": str(numbers[-1] - 1)}) as stream:
        assert sum(line.startswith("data: ") for line in stream.iter_lines()) == 1


def test_job_is_cancelled_over_http(client: TestClient) -> None:
    place = client.post("/api/v1/jobs", json={"analysis": "coactivation", "sae": "toy"}).headers["location"]
    assert client.post(f"{place}/cancel").json()["state"] == "cancelled"
    assert client.delete(place).json()["state"] == "cancelled"


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [
        ({"analysis": "stats", "sae": "toy", "params": {"flor": 1}}, 422, "invalid-input"),
        ({"analysis": "stats", "sae": "toy", "more": 1}, 422, "invalid-input"),
        ({"analysis": "stats", "sae": "nope"}, 404, "not-found"),
        ({"analysis": "nope", "sae": "toy"}, 404, "not-found"),
        ({"sae": "toy"}, 422, "invalid-input"),
        ([], 422, "invalid-input"),
    ],
)
def test_wrong_bodies_are_refused(client: TestClient, body: Any, status: int, kind: str) -> None:
    answer = client.post("/api/v1/jobs", json=body)
    assert (answer.status_code, answer.json()["kind"]) == (status, kind)


def test_unknown_job_is_not_found(client: TestClient) -> None:
    for answer in (
        client.get("/api/v1/jobs/x"),
        client.get("/api/v1/jobs/x/events"),
        client.post("/api/v1/jobs/x/cancel"),
    ):
        assert (answer.status_code, answer.json()["kind"]) == (404, "not-found")


def test_read_only_server_starts_nothing(atlas: Atlas) -> None:
    app = create_app(atlas.url, ServerSettings(read_only=True))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        answer = client.post("/api/v1/jobs", json={"analysis": "stats", "sae": "toy"})
        assert (answer.status_code, answer.json()["kind"]) == (403, "read-only")


def test_budget_of_the_server_is_that_of_jobs(atlas: Atlas) -> None:
    app = create_app(atlas.url, ServerSettings(memory_budget=1000))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        answer = client.post("/api/v1/jobs", json={"analysis": "stats", "sae": "toy"})
        assert (answer.status_code, answer.json()["kind"]) == (507, "over-budget")


def test_listeners_are_bounded_and_counted_down(atlas: Atlas, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saeatlas.server.resources.jobs._MOST_LISTENERS", 0)
    app = create_app(atlas.url)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        place = client.post("/api/v1/jobs", json={"analysis": "stats", "sae": "toy"}).headers["location"]
        assert client.get(f"{place}/events").status_code == 409
        monkeypatch.setattr("saeatlas.server.resources.jobs._MOST_LISTENERS", 1)
        for _ in range(3):
            assert client.get(f"{place}/events").status_code == 200
        assert app.state.job_listeners == 0


def test_silent_streams_say_that_they_are_still_here(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saeatlas.server.resources.jobs._HEARTBEAT_SECONDS", 0.0)
    place = client.post("/api/v1/jobs", json={"analysis": "stats", "sae": "toy"}).headers["location"]
    lines = client.get(f"{place}/events").text.splitlines()
    assert ": still here" in lines
    assert "retry: 2000" in lines


def test_server_that_stops_leaves_no_process(atlas: Atlas) -> None:
    with TestClient(create_app(atlas.url), base_url="http://127.0.0.1") as client:
        client.post("/api/v1/jobs", json={"analysis": "coactivation", "sae": "toy"})
    assert not [thread for thread in threading.enumerate() if thread.name == "jobs"]
