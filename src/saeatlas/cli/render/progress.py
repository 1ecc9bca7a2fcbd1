"""Progress on standard error: bars for a person at a terminal, now and then a line for a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock
from typing import TYPE_CHECKING

from saeatlas.cli.render import screen
from saeatlas.cli.render.escape import visible
from saeatlas.cli.render.numbers import bytes_text, count, seconds_text
from saeatlas.progress import Event, Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import Task, TaskID

__all__ = ["amount_text", "shown_progress"]

_LINE_EVERY = 15.0


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """Give a `Progress` that is drawn for the length of the block."""
    display = _Bars() if screen.is_terminal(sys.stderr) else _Lines()
    try:
        yield Progress(display.hear)
    finally:
        display.close()


def amount_text(amount: float, unit: str) -> str:
    """Write an amount in its unit; bytes get the unit that fits, large counts are shortened."""
    if unit == "bytes":
        return bytes_text(amount)
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if amount >= size:
            return f"{amount / (1e3 if letter == 'k' else size):.3g}{letter} {unit}".rstrip()
    return f"{count(int(amount))} {unit}".rstrip()


@dataclass
class _Open:
    """A task that has started and not ended."""

    total: float | None
    unit: str
    started: float
    spoken: float
    done: float = 0.0


class _Lines:
    """Plain lines: a task speaks when it has run for a while, and at its end if it ever spoke."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}
        self._lock = RLock()

    def hear(self, event: Event) -> None:
        now = time.monotonic()
        with self._lock:
            if event.what == "message":
                screen.say(f"note: {visible(event.text)}")
            elif event.what == "start":
                self._open[event.task] = _Open(event.total, event.unit, now, now)
            elif event.what == "advance" and event.task in self._open:
                self._advance(event, self._open[event.task], now)
            elif event.what == "end" and event.task in self._open:
                self._end(event.task, self._open.pop(event.task), now)

    def close(self) -> None:
        self._open.clear()

    def _advance(self, event: Event, task: _Open, now: float) -> None:
        task.done += event.amount
        if now - task.spoken < _LINE_EVERY:
            return
        task.spoken = now
        rate = task.done / (now - task.started)
        text = f"{visible(event.task)}: {amount_text(task.done, task.unit)}"
        if task.total:
            left = max(0.0, task.total - task.done) / rate if rate else 0.0
            text += f" of {amount_text(task.total, task.unit)} ({task.done / task.total:.0%})"
            text += f", about {seconds_text(left)} left"
        screen.say(f"{text}, {amount_text(rate, task.unit)}/s")

    def _end(self, name: str, task: _Open, now: float) -> None:
        if task.spoken > task.started:
            screen.say(f"{visible(name)}: done in {seconds_text(now - task.started)}")


class _Bars:
    """Bars that nest: a task that starts while another runs is drawn below it, further in."""

    def __init__(self) -> None:
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}
        self._lock = RLock()

    def hear(self, event: Event) -> None:
        with self._lock:
            if event.what == "message":
                self._message(f"note: {visible(event.text)}")
            elif event.what == "start":
                self._start(event)
            elif event.what == "advance" and event.task in self._tasks:
                self._live().advance(self._tasks[event.task], event.amount)
            elif event.what == "end" and event.task in self._tasks:
                self._end(event.task)

    def close(self) -> None:
        with self._lock:
            if self._bars is not None:
                self._bars.stop()

    def _start(self, event: Event) -> None:
        parent = self._parent(event.task)
        label = visible(event.task)
        if parent:
            # One line for each running step: its inner task stands for it while there is one.
            self._live().update(self._tasks[parent], visible=False)
        else:
            label = "  " * min(sum("/" not in name for name in self._tasks), 3) + label
        self._tasks[event.task] = self._live().add_task(label, total=event.total, unit=event.unit)

    def _end(self, name: str) -> None:
        self._live().remove_task(self._tasks.pop(name))
        parent = self._parent(name)
        if parent:
            self._live().update(self._tasks[parent], visible=True)

    def _parent(self, name: str) -> str:
        """Return the open task whose name, with a colon, begins this one; the engine names tasks of steps so."""
        return max((other for other in self._tasks if name.startswith(f"{other}: ")), key=len, default="")

    def _message(self, text: str) -> None:
        from rich.text import Text

        if self._bars is None:
            screen.say(text)
        else:
            self._bars.console.print(Text(text))

    def _live(self) -> Bars:
        # Made at the first task: commands that answer at once never import rich for this.
        if self._bars is None:
            self._bars = _make_bars()
            self._bars.start()
        return self._bars


def _make_bars() -> Bars:
    from rich.console import Console
    from rich.progress import BarColumn, ProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars
    from rich.table import Column
    from rich.text import Text

    class Amount(ProgressColumn):
        """Amount done, of how much, and how fast."""

        def render(self, task: Task) -> Text:
            unit = str(task.fields.get("unit", ""))
            if task.total is None:
                return Text(amount_text(task.completed, unit) if task.completed else "")
            text = f"{amount_text(task.completed, '')} of {amount_text(task.total, unit)}"
            if unit == "bytes":
                text = f"{bytes_text(task.completed)} of {bytes_text(task.total)}"
            speed = task.speed or task.finished_speed
            return Text(f"{text}, {amount_text(speed, unit)}/s" if speed else text)

    class Left(ProgressColumn):
        """Time left, from the speed of the last half minute."""

        max_refresh = 0.5

        def render(self, task: Task) -> Text:
            left = task.time_remaining
            return Text("" if left is None or task.finished else f"{seconds_text(left)} left", style="dim")

    return Bars(
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
        BarColumn(bar_width=12),
        Amount(table_column=Column(no_wrap=True)),
        TimeElapsedColumn(),
        Left(),
        console=Console(stderr=True, highlight=False, markup=False, emoji=False),
        transient=True,
        refresh_per_second=8,
    )
