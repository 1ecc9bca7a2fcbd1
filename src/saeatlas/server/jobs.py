"""Analyses that are started over HTTP: one after the other, each in a process of its own that can be stopped."""

from __future__ import annotations

import json
import multiprocessing
import threading
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Literal

from saeatlas.errors import Conflict, NotFound
from saeatlas.format.version import now
from saeatlas.pipeline.plan import plan
from saeatlas.server.job_worker import check_job, steps_of, work
from saeatlas.settings import Settings

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    from saeatlas.atlas.sae import SAE

__all__ = ["ENDED", "JobState", "Jobs"]

ENDED = frozenset({"done", "failed", "cancelled"})
"""States that last."""
_MOST_WAITING = 50
_MOST_ENDED = 200
_MOST_MESSAGES = 50
_STOP_SECONDS = 5.0


@dataclass(frozen=True)
class JobState:
    """A job as it was at one moment."""

    id: str
    analysis: str
    sae: str
    params: Mapping[str, Any]
    """Parameters as given."""
    recipe: Mapping[str, Any]
    """All parameters, those that were not given too."""
    plan_bytes: int
    """Bytes that it may hold at most."""
    queued_at: str
    state: Literal["queued", "running", "done", "failed", "cancelled"] = "queued"
    reason: str = ""
    """Why it failed or was cancelled, in words."""
    kind: str | None = None
    """Kind of the error that stopped it."""
    hint: str = ""
    progress: tuple[Mapping[str, Any], ...] = ()
    """What is under way: `task`, `done`, `total` (None when unknown), `unit`."""
    messages: tuple[str, ...] = ()
    """Sentences of the analysis, the last ones."""
    commit: int | None = None
    """Commit that holds what it made."""
    started_at: str | None = None
    ended_at: str | None = None
    number: int = 0
    """Counts what happened to the job, from 0."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.state in ENDED


@dataclass
class _Running:
    id: str
    process: SpawnProcess
    is_cancelled: bool = field(default=False)


class Jobs:
    """The queue of one server. Safe for threads; nothing is started before the first job.

    Parameters
    ----------
    url
        What opens the atlas.
    settings
        Memory budget and worker processes of each job.
    """

    def __init__(self, url: str, settings: Settings) -> None:
        self._url = url
        self._settings = settings
        self._changed = threading.Condition()
        self._jobs: dict[str, JobState] = {}
        self._waiting: deque[str] = deque()
        self._running: _Running | None = None
        self._is_closed = False
        self._thread: threading.Thread | None = None

    def submit(self, sae: SAE, analysis: str, params: Mapping[str, Any]) -> JobState:
        """Queue an analysis with those that it needs; one that is queued or runs already is returned instead.

        Raises
        ------
        NotFound
            When there is no such analysis, or the SAE lacks what it needs.
        InvalidInput
            When the parameters do not fit.
        OverBudget
            When it may need more memory than jobs may hold.
        Conflict
            When too many jobs wait.
        """
        made = check_job(analysis, params)
        recipe = made.params()
        atlas = sae.atlas
        planned = plan(atlas.store, atlas.entries, steps_of(made, sae), self._settings)
        with self._changed:
            for job in self._jobs.values():
                if not job.has_ended and (job.analysis, job.sae, job.recipe) == (analysis, sae.name, recipe):
                    return job
            if self._is_closed or len(self._waiting) >= _MOST_WAITING:
                what = "The server stops" if self._is_closed else f"{len(self._waiting)} jobs wait already"
                raise Conflict(f"No job is taken now: {what}", hint="Wait, or cancel one.")
            job = JobState(str(uuid.uuid4()), analysis, sae.name, dict(params), recipe, planned.memory, now())
            self._jobs[job.id] = job
            self._waiting.append(job.id)
            self._forget_old()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
                self._thread.start()
            self._changed.notify_all()
            return job

    def get(self, job: str) -> JobState:
        """Return a job; `NotFound` when there is none of this id, or it ended long ago."""
        with self._changed:
            if job not in self._jobs:
                raise NotFound(f"There is no job '{job:.100}'", hint="Of jobs that ended, the last 200 are kept.")
            return self._jobs[job]

    def all(self) -> list[JobState]:
        """Return the jobs that are known, the oldest first."""
        with self._changed:
            return list(self._jobs.values())

    def cancel(self, job: str) -> JobState:
        """Stop a job at once; what it finished stays cached and unseen. One that ended stays as it is."""
        with self._changed:
            found = self.get(job)
            if found.state == "queued":
                self._waiting.remove(job)
                return self._set(job, state="cancelled", reason="Cancelled before it began", ended_at=now())
            running = self._running
            if found.state == "running" and running is not None and running.id == job:
                running.is_cancelled = True
                running.process.kill()
                self._changed.wait_for(lambda: self._jobs[job].has_ended, _STOP_SECONDS)
            return self._jobs[job]

    def close(self) -> None:
        """Stop everything; no process is left."""
        with self._changed:
            self._is_closed = True
            for job in list(self._waiting):
                self._waiting.remove(job)
                self._set(job, state="cancelled", reason="The server stopped", ended_at=now())
            if self._running is not None:
                self._running.is_cancelled = True
                self._running.process.kill()
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closed)
                if self._is_closed:
                    return
                job = self._waiting.popleft()
                reader, running = self._start(job)
            self._follow(job, reader)
            running.process.join()
            reader.close()
            with self._changed:
                self._running = None
                self._settle(job, running)

    def _start(self, job: str) -> tuple[Connection, _Running]:
        found = self._jobs[job]
        # Spawned and not forked: threads of the server hold locks that a copy would never see released.
        context = multiprocessing.get_context("spawn")
        reader, writer = context.Pipe(duplex=False)
        arguments = (self._url, found.sae, found.analysis, json.dumps(dict(found.params)), self._settings, writer)
        process = context.Process(target=work, args=arguments, name=f"job-{job}")
        process.start()
        # The only writer left is the process: when it dies, reading ends.
        writer.close()
        self._running = _Running(job, process)
        self._set(job, state="running", started_at=now())
        return reader, self._running

    def _follow(self, job: str, reader: Connection) -> None:
        """Take in what the process says until it ends or dies."""
        while True:
            try:
                line = json.loads(reader.recv_bytes())
            except (EOFError, OSError):
                return
            with self._changed:
                if "commit" in line:
                    self._set(job, state="done", commit=line["commit"], progress=(), ended_at=now())
                elif "failed" in line:
                    self._set(job, state="failed", progress=(), ended_at=now(), **line["failed"])
                else:
                    messages = tuple(line["messages"][-_MOST_MESSAGES:])
                    self._set(job, progress=tuple(line["progress"]), messages=messages)

    def _settle(self, job: str, running: _Running) -> None:
        """Say how a job ended whose process did not."""
        code = running.process.exitcode
        running.process.close()
        if self._jobs[job].has_ended:
            return
        if running.is_cancelled:
            self._set(job, state="cancelled", reason="Cancelled while it ran", progress=(), ended_at=now())
            return
        self._set(
            job,
            state="failed",
            reason=f"The worker process died, exit code {code}",
            kind="worker-died",
            hint="The system may have run out of memory. Finished work is kept: start it again.",
            progress=(),
            ended_at=now(),
        )

    def _set(self, job: str, **changes: Any) -> JobState:  # noqa: ANN401 - fields of a job
        before = self._jobs[job]
        self._jobs[job] = replace(before, number=before.number + 1, **changes)
        self._changed.notify_all()
        return self._jobs[job]

    def _forget_old(self) -> None:
        ended = [job.id for job in self._jobs.values() if job.has_ended]
        for job in ended[: max(0, len(ended) - _MOST_ENDED)]:
            del self._jobs[job]
