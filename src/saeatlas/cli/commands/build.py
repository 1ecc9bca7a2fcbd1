"""`saeatlas build`: bring everything that is derived up to date."""

from __future__ import annotations

from saeatlas.cli.discovery import MAKE as GROUP
from saeatlas.cli.options import AsJson, AtlasOption, Jobs, PlanOnly

__all__ = ["GROUP", "command"]


def command(*, plan: PlanOnly = False, jobs: Jobs = 0, atlas: AtlasOption = "", as_json: AsJson = False) -> None:
    """Bring the standard analyses of every SAE up to date; what is current is not computed again.

    Example: saeatlas build --plan --atlas reviews.atlas
    """
    from saeatlas.cli.render.screen import say
    from saeatlas.cli.target import open_atlas
    from saeatlas.cli.work import run_steps, settings_for, standard_steps

    settings = settings_for(jobs)
    opened = open_atlas(atlas)
    steps = []
    for name in opened.saes:
        found, skipped = standard_steps(opened.sae(name))
        steps += found
        for sentence in skipped:
            say(f"note: {sentence}")
    if not steps:
        say("There is nothing to build: the atlas has no activations.")
    run_steps(opened, steps, settings, "Build the standard analyses", plan_only=plan, as_json=as_json)
