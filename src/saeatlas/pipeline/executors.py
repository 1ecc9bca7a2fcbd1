"""Where steps run: in this process or in several; others can be added behind the same two protocols."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import traceback
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from saeatlas.errors import SaeatlasError, StepFailed
from saeatlas.format.commit import Entry
from saeatlas.pipeline.make import Made, make
from saeatlas.pipeline.step import Step, View
from saeatlas.progress import Event, Progress
from saeatlas.settings import Settings
from saeatlas.storage import MemoryStore, open_store
from saeatlas.storage.store import Store

if TYPE_CHECKING:
    from multiprocessing.queues import Queue
    from multiprocessing.synchronize import Event as Flag

__all__ = ["Executor", "InProcess", "LocalProcesses", "Workers", "choose_executor", "follow_parent"]

_WORTH_PROCESSES = 4_000_000
"""Values that are read and written in about the time that a process takes to start and to load compiled code."""


class Workers(Protocol):
    """Runs steps that are handed in; results come out in the order in which they finish."""

    def submit(self, step: Step, entries: Mapping[str, Entry]) -> None:
        """Take a step whose inputs all exist."""
        ...

    def collect(self) -> Made:
        """Wait for the next finished step and return its artifact, or raise what stopped it."""
        ...


class Executor(Protocol):
    """Opens workers for one run. All that travels is a store's URL, step descriptions, entries and seals."""

    @property
    def jobs(self) -> int:
        """Steps at once at most."""
        ...

    def open(self, store: Store, settings: Settings, progress: Progress) -> AbstractContextManager[Workers]:
        """Start workers; at the end of the block whatever still runs is stopped."""
        ...


def choose_executor(store: Store, jobs: int, n_values: int | None = None) -> Executor:
    """Return what runs up to `jobs` steps at once.

    Processes of their own need a store that they can open, and work that is worth their start; `n_values` says how
    many values the run reads, if that is known.
    """
    is_small = n_values is not None and n_values < _WORTH_PROCESSES
    return InProcess() if jobs == 1 or is_small or isinstance(store, MemoryStore) else LocalProcesses(jobs)


@dataclass(frozen=True)
class InProcess:
    """Runs each step in the calling thread."""

    jobs: int = 1

    @contextmanager
    def open(self, store: Store, settings: Settings, progress: Progress) -> Iterator[Workers]:
        """Give workers that do the work while it is collected."""
        yield _Caller(store, settings, progress)


class _Caller:
    def __init__(self, store: Store, settings: Settings, progress: Progress) -> None:
        self._store, self._settings, self._progress = store, settings, progress
        self._waiting: deque[tuple[Step, Mapping[str, Entry]]] = deque()

    def submit(self, step: Step, entries: Mapping[str, Entry]) -> None:
        self._waiting.append((step, entries))

    def collect(self) -> Made:
        step, entries = self._waiting.popleft()
        return _attempt(step, View(self._store, entries), self._settings, self._progress)


def _attempt(step: Step, view: View, settings: Settings, progress: Progress) -> Made:
    """Run a step; whatever stops it leaves as a `SaeatlasError` that names the step."""
    try:
        return make(step, view, settings, progress)
    except SaeatlasError as error:
        error.add_note(f"While making '{step.output}'")
        raise
    except Exception as error:
        failure = StepFailed(
            f"Making '{step.output}' stopped: {type(error).__name__}: {error}",
            hint="Mend the cause and run again: finished work is kept.",
        )
        failure.add_note(f"While making '{step.output}' with step '{step.name}' version {step.version}")
        # A cause does not survive the way between processes; its text does.
        failure.add_note("".join(traceback.format_exception(error)).rstrip())
        raise failure from error


@dataclass(frozen=True)
class LocalProcesses:
    """Runs steps in fresh processes of this machine.

    They are spawned, not forked, so that no lock or thread of the caller is copied. A program that calls
    this must therefore guard its main module with `if __name__ == "__main__":`.
    """

    jobs: int

    @contextmanager
    def open(self, store: Store, settings: Settings, progress: Progress) -> Iterator[Workers]:
        """Start the pool at the first submitted step; stop it, and all it runs, at the end."""
        pool = _Pool(self.jobs, store.url, settings, progress)
        try:
            yield pool
        finally:
            pool.close()


class _Pool:
    def __init__(self, jobs: int, url: str, settings: Settings, progress: Progress) -> None:
        context = multiprocessing.get_context("spawn")
        self._settings = settings
        self._events: Queue[Event] = context.Queue()
        self._stop = context.Event()
        self._closed = threading.Event()
        self._running: dict[Future[Made], Step] = {}
        self._pool = ProcessPoolExecutor(
            jobs, mp_context=context, initializer=_start_worker, initargs=(url, self._events, self._stop)
        )
        self._listener = threading.Thread(target=self._listen, args=(progress,), daemon=True)
        self._listener.start()

    def submit(self, step: Step, entries: Mapping[str, Entry]) -> None:
        try:
            self._running[self._pool.submit(_work, step, dict(entries), self._settings)] = step
        except BrokenExecutor as error:
            raise self._died() from error

    def collect(self) -> Made:
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        future = next(future for future in self._running if future in done)
        try:
            result = future.result()
        except BrokenExecutor as error:
            raise self._died() from error
        del self._running[future]
        return result

    def close(self) -> None:
        """Let running steps notice at their next sign of progress that they are not wanted any more."""
        self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._closed.set()
        # A worker killed in the middle of a message can block the listener for ever; it is a daemon.
        self._listener.join(timeout=2)
        self._events.cancel_join_thread()
        self._events.close()

    def _listen(self, progress: Progress) -> None:
        while True:
            try:
                progress.listener(self._events.get(timeout=0.1))
            except queue.Empty:
                if self._closed.is_set():
                    return
            except (EOFError, OSError):
                return

    def _died(self) -> StepFailed:
        names = ", ".join(f"'{step.output}'" for step in self._running.values())
        return StepFailed(
            f"A worker process died while making {names or 'nothing'}",
            hint="The system may have run out of memory: use fewer jobs or smaller shards, and run again. "
            "Finished work is kept.",
            kind="worker-died",
        )


_worker: dict[str, tuple[Store, Queue[Event], Flag]] = {}


def _start_worker(url: str, events: Queue[Event], stop: Flag) -> None:
    # The terminal sends an interrupt to every process; the parent alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=follow_parent, daemon=True).start()
    _worker["state"] = open_store(url), events, stop


def follow_parent() -> None:
    """End this process when its parent is gone, even by SIGKILL: nobody would collect the result."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


class _Unwanted(BaseException):
    """The run is over; the step's result has no taker."""


def _work(step: Step, entries: Mapping[str, Entry], settings: Settings) -> Made:
    store, events, stop = _worker["state"]

    def listen(event: Event) -> None:
        events.put(event)
        if stop.is_set() and event.what == "advance":
            raise _Unwanted

    return _attempt(step, View(store, entries), settings, Progress(listen))
