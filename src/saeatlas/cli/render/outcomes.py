"""What came of a build: a sentence for each failure as it happens, and a table at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from saeatlas.cli.render.numbers import seconds_text
from saeatlas.cli.render.screen import say, write_json
from saeatlas.cli.render.tables import Column, write_table

if TYPE_CHECKING:
    from saeatlas.project.build import Outcome

__all__ = ["say_outcome", "write_outcomes"]


def say_outcome(outcome: Outcome) -> None:
    """Say at once what failed or was left out."""
    if outcome.action in {"failed", "left out"}:
        say(f"note: {outcome.what} {outcome.name} {outcome.action}: {outcome.reason}")
        if outcome.error and outcome.error.hint:
            say(f"      {outcome.error.hint}")


def write_outcomes(outcomes: Sequence[Outcome], *, as_json: bool) -> int:
    """Write one line for each outcome, and return the exit code of the first failure or 0."""
    if as_json:
        write_json([_record(outcome) for outcome in outcomes])
    else:
        texts = [Column(name, is_text=True) for name in ("what", "name", "action", "reason")]
        lines = [(one.what, one.name, one.action, one.reason, one.seconds) for one in outcomes]
        write_table([*texts, Column("seconds", seconds_text)], lines)
    if not outcomes:
        say("There is nothing to build: the atlas has no SAE.")
    return next((outcome.error.exit_code for outcome in outcomes if outcome.error), 0)


def _record(outcome: Outcome) -> dict[str, object]:
    record: dict[str, object] = {
        "what": outcome.what,
        "name": outcome.name,
        "action": outcome.action,
        "reason": outcome.reason,
        "seconds": outcome.seconds,
    }
    return record | ({"kind": outcome.error.kind, "hint": outcome.error.hint} if outcome.error else {})
