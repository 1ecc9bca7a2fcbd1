"""Jobs: start an analysis, see how far it is, stop it."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from saeatlas.errors import Conflict
from saeatlas.server.jobs import Jobs, JobState
from saeatlas.server.live import live_of
from saeatlas.server.respond import settings_of
from saeatlas.settings import Settings

__all__ = ["router"]

router = APIRouter(tags=["Jobs"])

_POLL_SECONDS = 0.1
_HEARTBEAT_SECONDS = 15.0
_MOST_LISTENERS = 32
_making = threading.Lock()

_JOB: dict[str, Any] = {
    "id": "0b0e6b0e-4d3c-4a38-8f0e-6f4f2a1f2c11",
    "analysis": "stats",
    "sae": "gpt2-l8",
    "params": {"floor": 0.5},
    "state": "running",
    "reason": "",
    "kind": None,
    "hint": "",
    "progress": [{"task": "sae/gpt2-l8/stats: Reading features", "done": 512.0, "total": 24576.0, "unit": "features"}],
    "messages": [],
    "commit": None,
    "queued_at": "2026-01-31T12:00:00Z",
    "started_at": "2026-01-31T12:00:01Z",
    "ended_at": None,
    "plan_bytes": 420000000,
}


class JobNew(BaseModel):
    """What is to be computed."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"analysis": "stats", "sae": "gpt2-l8", "params": {"floor": 0.5}}]},
    )

    analysis: str = Field(description="Name of the analysis, as in `/plugins`.", min_length=1, max_length=100)
    sae: str = Field(description="SAE to compute it of.", min_length=1, max_length=200)
    params: dict[str, Any] = Field(default={}, description="Its parameters; those that are left out have defaults.")


class JobTask(BaseModel):
    """One thing that is under way."""

    task: str = Field(description="What is done, for people.")
    done: float = Field(description="Units that are done.")
    total: float | None = Field(description="Units in all; null when that cannot be known.")
    unit: str = Field(description="Plural of one unit.")


class Job(BaseModel):
    """An analysis that was started over HTTP."""

    model_config = ConfigDict(json_schema_extra={"examples": [_JOB]})

    id: str = Field(description="Name of the job.")
    analysis: str = Field(description="What is computed.")
    sae: str = Field(description="Of which SAE.")
    params: dict[str, Any] = Field(description="Parameters as given.")
    state: Literal["queued", "running", "done", "failed", "cancelled"] = Field(description="The last three last.")
    reason: str = Field(description="Why it failed or was cancelled; else empty.")
    kind: str | None = Field(description="Kind of the error that stopped it.")
    hint: str = Field(description="What to do about that.")
    progress: list[JobTask] = Field(description="What is under way.")
    messages: list[str] = Field(description="What the analysis said, the last sentences.")
    commit: int | None = Field(description="Commit that holds what was made; null before it is done.")
    queued_at: str = Field(description="When it was asked for, in UTC.")
    started_at: str | None = Field(description="When its process started.")
    ended_at: str | None = Field(description="When it ended.")
    plan_bytes: int = Field(description="Bytes of memory that it may hold at most.")


class JobList(BaseModel):
    """The jobs of this server."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"jobs": [_JOB]}]})

    jobs: list[Job] = Field(description="The oldest first; of those that ended, the last 200.")


def _jobs(request: Request) -> Jobs:
    """Return the queue of the server, which is made when it is first asked for."""
    state = request.app.state
    with _making:
        if not hasattr(state, "jobs"):
            budget = min(settings_of(request).memory_budget, Settings.from_environment().memory_budget)
            state.jobs = Jobs(live_of(request).store.url, Settings(jobs=1, memory_budget=budget))
            state.job_listeners = 0
            if not hasattr(state, "at_stop"):
                state.at_stop = []
            state.at_stop.append(state.jobs.close)
    queue: Jobs = state.jobs
    return queue


_Queue = Annotated[Jobs, Depends(_jobs)]
_Id = Annotated[str, Path(description="Name of the job.", min_length=1, max_length=100)]


_EVENTS = 'id: 3\nevent: job\ndata: {"id": "…", "state": "running", "…": "…"}\n\n'


@router.post("/jobs", response_model=Job, status_code=202)
def start_job(request: Request, queue: _Queue, new: JobNew) -> Response:
    """Queue an analysis, with those that it needs and the SAE lacks; jobs run one after the other.

    The same analysis of the same SAE with the same parameters, where it is queued or runs, is that job.
    """
    job = queue.submit(live_of(request).atlas().sae(new.sae), new.analysis, new.params)
    return _answer(_shown(job), 202, {"location": f"/api/v1/jobs/{job.id}"})


@router.get("/jobs", response_model=JobList)
def jobs(queue: _Queue) -> Response:
    """List the jobs of this server."""
    return _answer(JobList(jobs=[_shown(job) for job in queue.all()]))


@router.get("/jobs/{job}", response_model=Job)
def job_now(queue: _Queue, job: _Id) -> Response:
    """Tell how far a job is."""
    return _answer(_shown(queue.get(job)))


@router.post("/jobs/{job}/cancel", response_model=Job)
def cancel_job(queue: _Queue, job: _Id) -> Response:
    """Stop a job at once. What it finished is kept for the next run; one that ended stays as it is."""
    return _answer(_shown(queue.cancel(job)))


@router.delete("/jobs/{job}", response_model=Job)
def delete_job(queue: _Queue, job: _Id) -> Response:
    """Stop a job, as `/cancel` does."""
    return _answer(_shown(queue.cancel(job)))


@router.get(
    "/jobs/{job}/events",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Server-sent events `job`, each a whole Job.",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EVENTS}},
        },
        204: {"description": "The job has ended and its last event was seen: browsers ask no more."},
    },
)
def job_events(
    request: Request,
    queue: _Queue,
    job: _Id,
    last_event_id: Annotated[
        str | None, Header(description="Number of the last event that was seen.", max_length=100)
    ] = None,
) -> Response:
    """Follow a job: an event for each change, until it ends. Each holds the whole job, so that none need be seen."""
    found = queue.get(job)
    seen = int(last_event_id) if last_event_id and re.fullmatch("[0-9]{1,9}", last_event_id) else -1
    if found.has_ended and seen >= found.number:
        return Response(status_code=204, headers={"cache-control": "no-store"})
    state = request.app.state
    with _making:
        if state.job_listeners >= _MOST_LISTENERS:
            raise Conflict(
                f"{_MOST_LISTENERS} programs follow jobs already", hint=f"Ask for /api/v1/jobs/{found.id} now and then."
            )
        state.job_listeners += 1
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return _Stream(_events(request, queue, found.id, seen), media_type="text/event-stream", headers=headers)


class _Stream(StreamingResponse):
    """A stream that is counted until it ends, however it ends."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - the protocol of ASGI
        try:
            await super().__call__(scope, receive, send)
        finally:
            with _making:
                scope["app"].state.job_listeners -= 1


async def _events(request: Request, queue: Jobs, job: str, seen: int) -> AsyncIterator[bytes]:
    stopping = live_of(request).stopping
    said_at = time.monotonic()
    yield b"retry: 2000\n\n"
    while not stopping.is_set():
        # A look at a dictionary: nothing that would hold up the loop.
        found = queue.get(job)
        if found.number > seen:
            seen = found.number
            said_at = time.monotonic()
            yield f"id: {seen}\nevent: job\ndata: {json.dumps(_shown(found).model_dump())}\n\n".encode()
        if found.has_ended:
            return
        if time.monotonic() - said_at > _HEARTBEAT_SECONDS:
            said_at = time.monotonic()
            yield b": still here\n\n"
        await asyncio.sleep(_POLL_SECONDS)


def _shown(job: JobState) -> Job:
    names = [name for name in Job.model_fields if name not in {"params", "progress", "messages"}]
    return Job(
        params=dict(job.params),
        progress=[JobTask(**one) for one in job.progress],
        messages=list(job.messages),
        **{name: getattr(job, name) for name in names},
    )


def _answer(model: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Answer with a job as it is now, which no one may keep."""
    return Response(
        model.model_dump_json().encode(),
        status,
        {"cache-control": "no-store", **(headers or {})},
        media_type="application/json",
    )
