"""A plan as a table: what would be made, why, and how much memory it may take."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from saeatlas.cli.render.numbers import bytes_text
from saeatlas.cli.render.screen import say, write_json
from saeatlas.cli.render.tables import Column, write_table

if TYPE_CHECKING:
    from saeatlas.pipeline.plan import Plan

__all__ = ["write_plan"]


def write_plan(plan: Plan, *, as_json: bool) -> None:
    """Write what would run; nothing has run."""
    if as_json:
        write_json(asdict(plan))
        return
    columns = [Column("action", is_text=True), Column("name", is_text=True), Column("memory", _memory)]
    lines = [(step.action, step.output, step.memory, step.reason) for step in plan.steps]
    write_table([*columns, Column("reason", is_text=True)], lines)
    to_run = len(plan.to_run)
    say(
        f"{to_run} of {len(plan.steps)} would run, {plan.jobs} at once at most, "
        f"with {bytes_text(plan.memory)} of memory at most. Nothing was run."
    )


def _memory(size: int) -> str:
    return bytes_text(size) if size else "-"
