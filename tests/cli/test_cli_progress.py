from __future__ import annotations

import io
import re
import sys

import pytest

from saeatlas.cli.render import progress as drawing
from saeatlas.cli.render.progress import amount_text, shown_progress


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_quick_tasks_leave_no_lines_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress() as progress, progress.task("Import", total=10, unit="rows") as task:
        task.advance(10)
    assert capsys.readouterr().err == ""


def test_long_tasks_say_how_far_they_are_in_a_log(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter([0.0, 5.0, 20.0, 30.0])
    monkeypatch.setattr(drawing.time, "monotonic", lambda: next(times))
    with shown_progress() as progress, progress.task("Import", total=100, unit="rows") as task:
        task.advance(10)
        task.advance(40)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["Import: 50 rows of 100 rows (50%), about 20 s left, 2 rows/s", "Import: done in 30 s"]


def test_messages_are_always_shown_and_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress() as progress:
        progress.say("3 ids \x1b[31m are without metadata")
    assert capsys.readouterr().err == "note: 3 ids \\x1b[31m are without metadata\n"


def test_bars_are_drawn_nested_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "120")
    with (
        shown_progress() as progress,
        progress.task("Outer", total=2, unit="steps"),
        progress.task("Inner \x1b[2J", total=4_000_000, unit="rows") as inner,
    ):
        inner.advance(2_000_000)
        with progress.task("Another"):
            pass
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", screen.getvalue())
    assert "Outer" in text
    assert "  Inner \\x1b[2J" in text
    assert "2M of 4M rows" in text


def test_nothing_is_drawn_and_rich_not_needed_without_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    with shown_progress():
        pass
    assert screen.getvalue() == ""


@pytest.mark.parametrize(
    ("amount", "unit", "text"),
    [(12, "rows", "12 rows"), (9999, "rows", "9,999 rows"), (51_702_947, "rows", "51.7M rows"), (2e9, "bytes", "2 GB")],
)
def test_amounts_are_short(amount: float, unit: str, text: str) -> None:
    assert amount_text(amount, unit) == text
