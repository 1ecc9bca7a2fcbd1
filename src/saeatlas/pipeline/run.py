"""Run steps once, and publish what they made in one commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from saeatlas.errors import StorageError
from saeatlas.format.artifact import SEAL
from saeatlas.format.commit import Commit, Entry, head, publish_commit
from saeatlas.pipeline.changes import Change, Overlay, without_stale
from saeatlas.pipeline.executors import Executor, Workers, choose_executor
from saeatlas.pipeline.make import Made, find, recipe_of
from saeatlas.pipeline.plan import check_memory, plan, waits_for
from saeatlas.pipeline.step import Step, View
from saeatlas.progress import SILENT, Progress
from saeatlas.settings import Settings
from saeatlas.storage.store import Store

__all__ = ["Job", "Ran", "execute", "run"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """How a run is done, and what it does to the commit."""

    message: str
    """What the commit says was done."""
    settings: Settings = field(default_factory=Settings)
    progress: Progress = SILENT
    changes: tuple[Change, ...] = (Overlay(),)
    """Applied in order, again and again when other writers are faster."""
    executor: Executor | None = None
    """Where steps run; None for local processes when `settings.jobs` is above 1 and the run is not small."""
    n_values: int | None = None
    """Values that all steps read, about, by which a run is small; None when that is not known."""


@dataclass(frozen=True)
class Ran:
    """What a run did."""

    commit: Commit
    """The newest commit; an older one than this run when nothing changed."""
    made: Mapping[str, Made]
    """Logical name to artifact, for every step, whether built or reused."""


def run(
    store: Store,
    steps: Sequence[Step],
    *,
    message: str,
    settings: Settings | None = None,
    progress: Progress = SILENT,
) -> Commit:
    """Make the artifacts of all steps and publish them in one commit."""
    job = Job(message=message, settings=settings or Settings(), progress=progress)
    return execute(store, steps, job).commit


def execute(store: Store, steps: Sequence[Step], job: Job) -> Ran:
    """Make the artifacts of all steps and publish them in one commit.

    An artifact that exists already, from whatever run, is reused. When a step fails, nothing becomes visible,
    and what was finished is found by the next run.

    Raises
    ------
    OverBudget
        Before any work, when a step needs more memory than allowed.
    SaeatlasError
        What stopped a step, with a note that names it.
    """
    base = head(store).entries
    for change in job.changes:
        change.admit(store, base, {})
        base = change.prepare(store, base)
    planned = plan(store, base, steps, job.settings)
    executor = job.executor or choose_executor(store, planned.jobs, job.n_values)
    # gc may delete an old unreferenced artifact between the moment it is reused and the commit. Once
    # listed it is safe, so looking again after the commit, and making it again, closes the gap.
    for _ in range(3):
        made = _Round(store, steps, job, base).make_all(executor)
        commit = publish_commit(store, partial(_lay, store, made, job), job.message)
        if all(store.exists(f"{artifact.path}/{SEAL}") for artifact in made.values()):
            return Ran(commit, made)
    raise StorageError("What this run made is deleted again and again", hint="Wait until gc is done, and run again.")


def _lay(store: Store, made: Mapping[str, Made], job: Job, entries: Mapping[str, Entry]) -> dict[str, Entry]:
    found = {name: artifact.entry for name, artifact in made.items()}
    result = dict(entries)
    for change in job.changes:
        change.admit(store, entries, found)
        result = change.lay(store, result, found)
    kept = without_stale(store, entries, result, found)
    for name in sorted(found.keys() - kept.keys() & result.keys()):
        job.progress.say(f"'{name}' is not published: its inputs were replaced while it was made")
    return kept


class _Round:
    """One pass over the steps of a run."""

    def __init__(self, store: Store, steps: Sequence[Step], job: Job, base: Mapping[str, Entry]) -> None:
        self._store = store
        self._job = job
        self._entries = dict(base)
        self._left = {step.output: step for step in steps}
        self._waits = {step.output: set(waits_for(step, steps)) for step in steps}
        self._made: dict[str, Made] = {}
        self._held: dict[str, int] = {}

    def make_all(self, executor: Executor) -> dict[str, Made]:
        """Reuse or make every artifact, in an order in which each finds its inputs."""
        with executor.open(self._store, self._job.settings, self._job.progress) as workers:
            while self._left or self._held:
                self._hand_out(workers, executor.jobs)
                if self._held:
                    self._take(workers.collect())
        return self._made

    def _hand_out(self, workers: Workers, jobs: int) -> None:
        """Submit what can start within the jobs and the memory; reuse what exists, which may free others."""
        moved = True
        while moved:
            moved = False
            for output, step in list(self._left.items()):
                if self._waits[output] - self._made.keys():
                    continue
                view = View(self._store, self._entries)
                found = find(self._store, output, recipe_of(step, view))
                if found:
                    del self._left[output]
                    self._take(found)
                    moved = True
                elif self._fits(step, view, jobs):
                    del self._left[output]
                    workers.submit(step, self._entries)

    def _fits(self, step: Step, view: View, jobs: int) -> bool:
        memory = step.memory(view)
        check_memory(step.output, memory, self._job.settings)
        used = sum(self._held.values())
        if self._held and (len(self._held) >= jobs or used + memory > self._job.settings.memory_budget):
            return False
        self._held[step.output] = memory
        return True

    def _take(self, artifact: Made) -> None:
        self._held.pop(artifact.output, None)
        self._made[artifact.output] = artifact
        self._entries = {**self._entries, artifact.output: artifact.entry}
        found = {name: made.entry for name, made in self._made.items()}
        current = head(self._store).entries
        for change in self._job.changes:
            change.admit(self._store, current, found)
