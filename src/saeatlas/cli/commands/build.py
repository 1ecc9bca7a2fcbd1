"""`saeatlas build`: bring an atlas up to date with its project file, or with the standard analyses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from saeatlas.cli.discovery import MAKE as GROUP
from saeatlas.cli.options import AsJson, AtlasOption, Jobs, PlanOnly

if TYPE_CHECKING:
    from saeatlas.project.load import Project

__all__ = ["GROUP", "command"]


def command(
    *,
    project: Annotated[
        Path | None,
        Parameter(help="Project file; otherwise 'atlas.toml' of the current directory.", show_default=False),
    ] = None,
    plan: PlanOnly = False,
    jobs: Jobs = 0,
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> int:
    """Bring an atlas up to date: import, compute and export what the project file names and is not current.

    Without a project file the standard analyses of every SAE are computed. What cannot be done is named, and the rest
    goes on; the same command goes on after an interruption.

    Example: saeatlas build --plan --atlas reviews.atlas
    """
    from saeatlas.cli.render.outcomes import say_outcome, write_outcomes
    from saeatlas.cli.render.plans import write_plan
    from saeatlas.cli.render.progress import shown_progress
    from saeatlas.cli.target import open_atlas, open_or_create, store_to_plan_in
    from saeatlas.cli.work import settings_for
    from saeatlas.project.build import build_project
    from saeatlas.project.plan import plan_project

    settings = settings_for(jobs)
    chosen = _project(project, atlas)
    place = atlas or chosen.atlas
    if plan:
        with shown_progress() as progress:
            planned, failed = plan_project(store_to_plan_in(place), chosen, settings, progress)
        for outcome in failed:
            say_outcome(outcome)
        write_plan(planned, as_json=as_json)
        return next((outcome.error.exit_code for outcome in failed if outcome.error), 0)
    opened = open_atlas(place) if chosen.is_standard else open_or_create(place, lambda: None)
    with shown_progress() as progress:
        outcomes = build_project(opened.store, chosen, settings, progress, say_outcome)
    return write_outcomes(outcomes, as_json=as_json)


def _project(given: Path | None, atlas: str) -> Project:
    """Return the project of a file that is named, or of the current directory unless another atlas is named."""
    from saeatlas.project.load import PROJECT_FILE, load_project, standard_project

    if given is not None:
        return load_project(given)
    here = Path(PROJECT_FILE)
    return load_project(here) if here.is_file() and not atlas else standard_project()
