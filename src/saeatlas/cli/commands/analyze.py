"""`saeatlas analyze`: compute analyses of an SAE, one sub-command for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from saeatlas.cli.discovery import MAKE as GROUP
from saeatlas.cli.options import AsJson, AtlasOption, Jobs, PlanOnly, SaeOption
from saeatlas.cli.plugin_command import add_plugins, plugin_command
from saeatlas.cli.work import run_steps, settings_for
from saeatlas.pipeline.registries import analyses

if TYPE_CHECKING:
    from saeatlas.pipeline.analysis import Analysis

__all__ = ["GROUP", "analyze_with", "command"]

command = App(
    name="analyze",
    help="Compute analyses of an SAE over the whole corpus; what is current is not computed again.\n\n"
    "Example: saeatlas analyze stats histogram --atlas reviews.atlas",
)
add_plugins(command, analyses(), __name__, "saeatlas analyze {name} --atlas a.atlas")


def __getattr__(name: str) -> Callable[..., object]:
    """Make the command of the analysis that is asked for; only that one is imported."""
    if name not in analyses():
        raise AttributeError(name)
    return plugin_command(analyses()[name], analyze_with)


def analyze_with(
    analysis: Analysis,
    *more: Annotated[str, Parameter(name="MORE", help="Further analyses, with their default parameters.")],
    sae: SaeOption = "",
    atlas: AtlasOption = "",
    plan: PlanOnly = False,
    jobs: Jobs = 0,
    as_json: AsJson = False,
) -> None:
    """Run analyses in one commit."""
    from saeatlas.cli.target import open_sae
    from saeatlas.pipeline.analysis import AnalysisStep
    from saeatlas.pipeline.prerequisites import with_prerequisites
    from saeatlas.pipeline.recipe import check_fields

    check_fields(analysis)
    settings = settings_for(jobs)
    opened = open_sae(atlas, sae)
    asked = (analysis, *(analyses()[name]() for name in more))
    wanted = with_prerequisites(asked, opened.atlas.entries, opened.name)
    steps = [AnalysisStep(chosen, opened.name) for chosen in wanted]
    names = ", ".join(step.name for step in steps[: len(asked)])
    run_steps(opened.atlas, steps, settings, f"Analyze '{opened.name}': {names}", plan_only=plan, as_json=as_json)
