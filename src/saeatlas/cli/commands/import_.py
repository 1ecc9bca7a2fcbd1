"""`saeatlas import`: bring activations into an atlas, one sub-command for each importer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from saeatlas.cli.discovery import MAKE as GROUP
from saeatlas.cli.options import AsJson, AtlasOption, Jobs, PlanOnly
from saeatlas.cli.plugin_command import add_plugins, plugin_command
from saeatlas.cli.render import screen
from saeatlas.cli.render.numbers import bytes_text, count, seconds_text
from saeatlas.cli.render.tables import write_facts
from saeatlas.cli.work import settings_for
from saeatlas.pipeline.registries import importers

if TYPE_CHECKING:
    from saeatlas.pipeline.importer import Importer
    from saeatlas.pipeline.importing import ImportReport
    from saeatlas.pipeline.sae_importer import SaeImporter
    from saeatlas.settings import Settings

__all__ = ["GROUP", "command", "import_parts_with", "import_with"]

command = App(
    name="import",
    help="Bring activations into an atlas; the atlas is made when there is none.\n\n"
    "Example: saeatlas import h5-topk acts.h5 --metadata docs.npz --sae gpt2-l8 --atlas a.atlas",
)
add_plugins(command, importers(), __name__, "saeatlas import {name} SOURCE --sae gpt2-l8 --atlas a.atlas")


def __getattr__(name: str) -> Callable[..., object]:
    """Make the command of the importer that is asked for; only that one is imported."""
    if name not in importers():
        raise AttributeError(name)
    from saeatlas.pipeline.sae_importer import SaeImporter

    plugin = importers()[name]
    return plugin_command(plugin, import_parts_with if issubclass(plugin, SaeImporter) else import_with)


def import_with(
    importer: Importer,
    *,
    atlas: AtlasOption = "",
    replace: Annotated[
        bool, Parameter(negative="", show_default=False, help="Replace the SAE's data where it has other data already.")
    ] = False,
    plan: PlanOnly = False,
    jobs: Jobs = 0,
    as_json: AsJson = False,
) -> None:
    """Import a source in one commit; finished work of an interrupted run is reused."""
    from saeatlas.cli.render.progress import shown_progress
    from saeatlas.cli.target import open_or_create
    from saeatlas.pipeline.importing import import_source

    settings = settings_for(jobs)
    if plan:
        _show_plan([importer], atlas, settings, replace_old=replace, as_json=as_json)
        return
    with shown_progress() as progress:
        opened = open_or_create(atlas, lambda: importer.survey(progress))
        report = import_source(opened, importer, settings=settings, progress=progress, replace=replace)
    if as_json:
        screen.write_json(asdict(report))
    else:
        _write_report(report, opened.url)


def import_parts_with(
    importer: SaeImporter,
    *,
    atlas: AtlasOption = "",
    replace: Annotated[
        bool, Parameter(negative="", show_default=False, help="Replace what the SAE has under the same name.")
    ] = False,
    plan: PlanOnly = False,
    jobs: Jobs = 0,
    as_json: AsJson = False,
) -> int:
    """Import weights, a map or explanations of an SAE, or of one SAE for each layer."""
    from saeatlas.cli.part_imports import import_each, write_outcomes
    from saeatlas.cli.render.progress import shown_progress
    from saeatlas.cli.target import open_or_create

    settings = settings_for(jobs)
    each = importer.expand()
    if plan:
        _show_plan(each, atlas, settings, replace_old=replace, as_json=as_json)
        return 0
    with shown_progress() as progress:
        opened = open_or_create(atlas, lambda: each[0].survey(progress))
        outcomes = import_each(opened, each, settings, progress, replace_old=replace)
    return write_outcomes(outcomes, opened.url, as_json=as_json)


def _show_plan(
    each: Sequence[Importer | SaeImporter], atlas: str, settings: Settings, *, replace_old: bool, as_json: bool
) -> None:
    """Write what the imports would do."""
    from saeatlas.cli.render.plans import write_plan
    from saeatlas.cli.render.progress import shown_progress
    from saeatlas.cli.target import store_to_plan_in
    from saeatlas.pipeline.build import plan_build

    with shown_progress() as progress:
        store = store_to_plan_in(atlas)
        found = plan_build(store, *each, settings=settings, progress=progress, replace=replace_old)
    write_plan(found, as_json=as_json)


def _write_report(report: ImportReport, url: str) -> None:
    rate = report.listed / report.seconds if report.seconds > 0 else 0.0
    write_facts(
        {
            "sae": report.sae,
            "corpus": report.corpus,
            "rows": report.rows,
            "listed": report.listed,
            "active": report.active,
            "segments": report.segments,
            "size": bytes_text(report.bytes),
            "time": seconds_text(report.seconds),
            "made": report.built,
            "reused": report.reused,
            "commit": report.commit,
            "atlas": url,
        }
    )
    if report.built:
        screen.say(f"{count(round(rate))} listed values a second. Next: saeatlas build, then saeatlas feature show.")
