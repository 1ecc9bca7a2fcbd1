"""Run steps for a command: with bars, in one commit, and with a table of what was made and what was there."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from saeatlas.errors import InvalidInput
from saeatlas.settings import Settings

if TYPE_CHECKING:
    from saeatlas.atlas.atlas import Atlas
    from saeatlas.pipeline.run import Ran
    from saeatlas.pipeline.step import Step

__all__ = ["run_steps", "settings_for"]


def settings_for(jobs: int) -> Settings:
    """Read the settings of this machine; `jobs` above 0 is what the user said."""
    if jobs < 0:
        raise InvalidInput(f"The number of jobs must be 1 or more, found: {jobs}")
    settings = Settings.from_environment()
    return dataclasses.replace(settings, jobs=jobs) if jobs else settings


def run_steps(
    atlas: Atlas, steps: Sequence[Step], settings: Settings, message: str, *, plan_only: bool, as_json: bool
) -> None:
    """Plan or run steps and write the outcome."""
    from saeatlas.cli.render.plans import write_plan
    from saeatlas.cli.render.progress import shown_progress
    from saeatlas.pipeline.analysis import n_values_of
    from saeatlas.pipeline.plan import plan
    from saeatlas.pipeline.run import Job, execute

    if plan_only:
        write_plan(plan(atlas.store, atlas.entries, steps, settings), as_json=as_json)
        return
    with shown_progress() as progress:
        n_values = n_values_of(atlas.store, atlas.entries, steps)
        job = Job(message=message, settings=settings, progress=progress, n_values=n_values)
        ran = execute(atlas.store, steps, job)
    _write_ran(ran, as_json=as_json)


def _write_ran(ran: Ran, *, as_json: bool) -> None:
    """Write one line for each artifact: made or reused, time, size."""
    from saeatlas.cli.render.numbers import bytes_text, seconds_text
    from saeatlas.cli.render.screen import write_json
    from saeatlas.cli.render.tables import Column, write_table

    lines = [
        (name, "reused" if made.reused else "made", made.manifest.seconds, made.n_bytes)
        for name, made in ran.made.items()
    ]
    if as_json:
        records = [dict(zip(("name", "action", "seconds", "bytes"), line, strict=True)) for line in lines]
        write_json({"commit": ran.commit.number, "artifacts": records})
        return
    columns = [Column("name", is_text=True), Column("action", is_text=True)]
    write_table([*columns, Column("seconds", seconds_text), Column("bytes", bytes_text)], lines)
