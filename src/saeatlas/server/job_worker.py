"""What the process of one job does: compute an analysis, and tell the server how far it is, line by line."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from saeatlas.errors import SaeatlasError
from saeatlas.pipeline.executors import follow_parent
from saeatlas.progress import Event, Progress
from saeatlas.settings import Settings

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE
    from saeatlas.pipeline.analysis import Analysis, AnalysisStep

__all__ = ["check_job", "steps_of", "work"]

_NICENESS = 10
_SECONDS = 0.1
"""Progress is told this often at most: some analyses advance thousands of times a second."""


def check_job(analysis: str, params: Mapping[str, Any]) -> Analysis:
    """Make the analysis that a job asks for.

    Raises
    ------
    NotFound
        When there is none of this name.
    InvalidInput
        When a parameter is unknown, of another type, or names something to read beside the atlas.
    MissingExtra
        When it needs a library that is not installed.
    """
    from importlib.util import find_spec

    from saeatlas.errors import InvalidInput, MissingExtra
    from saeatlas.pipeline.recipe import make_plugin
    from saeatlas.pipeline.registries import analyses

    cls = analyses()[analysis]
    outside = [name for name in sorted(params) if params[name] and _names_a_file(cls, name, params[name])]
    if outside:
        raise InvalidInput(
            f"'{outside[0]}' of '{analysis}' names something beside the atlas, which a job of a server does not read",
            hint=f"Run 'saeatlas analyze {analysis}' on the machine of the atlas.",
        )
    made: Analysis = make_plugin(cls, params, "params")  # type: ignore[assignment]
    for library in type(made).libraries:
        package = library.partition(".")[0]
        if find_spec(package) is None:
            raise MissingExtra(
                f"'{analysis}' needs the package '{package}', which is not installed",
                hint="Install it: pip install 'saeatlas[analyses]'",
            )
    return made


def _names_a_file(cls: type, field: str, value: object) -> bool:
    """Whether a parameter is a path, or an embedder with parameters, which may be one or ask for a download."""
    paths: frozenset[str] = getattr(cls, "paths", frozenset())
    return field in paths or (field == "embedder" and not (isinstance(value, str) and value.isidentifier()))


def steps_of(analysis: Analysis, sae: SAE) -> list[AnalysisStep]:
    """Return the step of an analysis after those of the analyses that it needs and the SAE lacks."""
    from saeatlas.pipeline.analysis import AnalysisStep
    from saeatlas.pipeline.prerequisites import with_prerequisites

    return [AnalysisStep(one, sae.name) for one in with_prerequisites([analysis], sae.atlas.entries, sae.name)]


def work(url: str, sae: str, analysis: str, params: str, settings: Settings, out: Connection) -> None:
    """Compute an analysis of one SAE in one commit, in a process of its own.

    Parameters
    ----------
    params
        Parameters of the analysis as a JSON object.
    out
        Gets JSON objects: `{"progress": […], "messages": […]}` again and again, and at the end `{"commit": n}` or
        `{"failed": {"kind", "reason", "hint"}}`.
    """
    # The terminal sends an interrupt to every process; the server alone decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=follow_parent, daemon=True).start()
    # Whoever looks at pages goes before what nobody waits for.
    os.nice(_NICENESS)
    told = _Told(out)
    try:
        commit = _compute(url, sae, check_job(analysis, json.loads(params)), settings, Progress(told.listen))
    except SaeatlasError as error:
        told.send({"failed": {"kind": error.kind, "reason": error.message, "hint": error.hint}})
    else:
        told.send({"commit": commit})
    out.close()


def _compute(url: str, sae: str, analysis: Analysis, settings: Settings, progress: Progress) -> int:
    from saeatlas.atlas.atlas import open_atlas
    from saeatlas.pipeline.analysis import n_values_of
    from saeatlas.pipeline.recipe import name_of
    from saeatlas.pipeline.run import Job, execute

    atlas = open_atlas(url)
    steps = steps_of(analysis, atlas.sae(sae))
    n_values = n_values_of(atlas.store, atlas.entries, steps)
    message = f"Analyze '{sae}': {name_of(type(analysis))}"
    job = Job(message=message, settings=settings, progress=progress, n_values=n_values)
    return execute(atlas.store, steps, job).commit.number


class _Told:
    """Collects events into what is under way now, and sends that now and then."""

    def __init__(self, out: Connection) -> None:
        self._out = out
        self._open: dict[str, dict[str, Any]] = {}
        self._messages: list[str] = []
        self._sent_at = 0.0
        # Events come from the threads of the workers too.
        self._lock = threading.Lock()

    def listen(self, event: Event) -> None:
        with self._lock:
            self._take(event)
            now = time.monotonic()
            if event.what != "advance" or now - self._sent_at >= _SECONDS:
                self._sent_at = now
                self._send({"progress": list(self._open.values()), "messages": self._messages})

    def send(self, line: Mapping[str, Any]) -> None:
        with self._lock:
            self._send(line)

    def _take(self, event: Event) -> None:
        if event.what == "start":
            # Amounts may be numbers of NumPy, which JSON does not know.
            total = None if event.total is None else float(event.total)
            self._open[event.task] = {"task": event.task, "done": 0.0, "total": total, "unit": event.unit}
        elif event.what == "end":
            self._open.pop(event.task, None)
        elif event.what == "message":
            self._messages.append(event.text)
        elif event.task in self._open:
            self._open[event.task]["done"] += float(event.amount)

    def _send(self, line: Mapping[str, Any]) -> None:
        self._out.send_bytes(json.dumps(line).encode())
