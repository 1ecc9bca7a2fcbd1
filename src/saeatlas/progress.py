"""Progress as events: work reports what it does, and a surface decides how to show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

__all__ = ["SILENT", "Event", "Progress", "Task"]


@dataclass(frozen=True)
class Event:
    """One thing that happened."""

    what: Literal["start", "advance", "end", "message"]
    """`start` opens a task, `advance` moves it, `end` closes it, `message` is a sentence for the user."""
    task: str
    """Name of the task, unique among those open; what a person reads beside the bar."""
    amount: float = 0.0
    """Units done since the last event (`advance`)."""
    total: float | None = None
    """Units in all (`start`), or None when they cannot be known."""
    unit: str = ""
    """Plural noun of one unit, such as 'rows' or 'bytes'."""
    text: str = ""
    """The sentence of a `message`."""


class Task:
    """A handle to one open piece of work."""

    def __init__(self, name: str, listener: Callable[[Event], None]) -> None:
        self.name = name
        self._listener = listener

    def advance(self, amount: float) -> None:
        """Say that `amount` more units are done."""
        self._listener(Event("advance", self.name, amount=amount))


class Progress:
    """Sends events to one listener. Without a listener it is silent."""

    def __init__(self, listener: Callable[[Event], None] | None = None) -> None:
        self.listener = listener or _ignore

    @contextmanager
    def task(self, name: str, *, total: float | None = None, unit: str = "") -> Iterator[Task]:
        """Open a task for the length of a `with` block; it is closed even when the block raises."""
        self.listener(Event("start", name, total=total, unit=unit))
        try:
            yield Task(name, self.listener)
        finally:
            self.listener(Event("end", name))

    def say(self, text: str) -> None:
        """Tell the user one sentence: a finding or a warning that is not an error."""
        self.listener(Event("message", "", text=text))


def _ignore(event: Event) -> None:
    """Swallow an event."""


SILENT = Progress()
