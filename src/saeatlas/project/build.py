"""Bring an atlas up to date with a project: import what is new, compute what is not current, export."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from saeatlas.atlas.currency import inputs_of, is_of_analysis
from saeatlas.errors import InvalidInput, NotFound, SaeatlasError
from saeatlas.format.commit import head
from saeatlas.pipeline.analysis import Analysis, AnalysisStep, n_values_of
from saeatlas.pipeline.importer import Importer
from saeatlas.pipeline.importing import import_source
from saeatlas.pipeline.plan import plan
from saeatlas.pipeline.prerequisites import with_prerequisites
from saeatlas.pipeline.recipe import name_of
from saeatlas.pipeline.run import Job, execute
from saeatlas.pipeline.sae_importer import SaeImporter
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.pipeline.step import View

if TYPE_CHECKING:
    from collections.abc import Mapping

    from saeatlas.format.commit import Entry
    from saeatlas.progress import Progress
    from saeatlas.project.load import Chosen, Project
    from saeatlas.settings import Settings
    from saeatlas.storage.store import Store

__all__ = ["Outcome", "build_project", "lacks", "saes_in", "sort_out", "source_name", "spread", "steps_of", "unmatched"]


@dataclass(frozen=True)
class Outcome:
    """What came of one thing that a project asks for."""

    what: Literal["import", "analyze", "export"]
    name: str
    """What was imported, computed or exported, and of which SAE."""
    action: Literal["made", "reused", "left out", "failed"]
    reason: str
    """Why it was made, left out, or failed; empty when it was there."""
    seconds: float = 0.0
    error: SaeatlasError | None = None
    """What stopped it."""


def steps_of(
    store: Store, entries: Mapping[str, Entry], sae: str, chosen: Iterable[Chosen], *, is_standard: bool
) -> tuple[list[AnalysisStep], list[Outcome]]:
    """Return the steps of the analyses that an SAE can have, with what they need, and what is left out and why.

    Parameters
    ----------
    is_standard
        Leave out what lacks an optional library too; otherwise that is an error when it runs.
    """
    wanted, left_out = sort_out(store, entries, sae, chosen, is_standard=is_standard)
    return [AnalysisStep(analysis, sae) for analysis in with_prerequisites(wanted, entries, sae)], left_out


def sort_out(
    store: Store,
    entries: Mapping[str, Entry],
    sae: str,
    chosen: Iterable[Chosen],
    *,
    is_standard: bool,
    promised: Collection[str] = (),
) -> tuple[list[Analysis], list[Outcome]]:
    """Return the analyses that an SAE can have, and what is left out and why; `promised` is as in `lacks`."""
    fitting = [one.analysis for one in chosen if one.fits(sae)]
    asked = partial(lacks, store, entries, sae, is_standard=is_standard)
    why = [asked(analysis, promised=promised) for analysis in fitting]
    # What one of them computes, another may be content with.
    names = [name_of(type(analysis)) for analysis, lack in zip(fitting, why, strict=True) if not lack]
    coming = {f"sae/{sae}/{name}" for name in filter(is_of_analysis, names)}
    why = [lack and asked(analysis, promised={*promised, *coming}) for analysis, lack in zip(fitting, why, strict=True)]
    wanted = [analysis for analysis, lack in zip(fitting, why, strict=True) if not lack]
    left_out = [
        Outcome("analyze", f"{name_of(type(analysis))} of '{sae}'", "left out", lack)
        for analysis, lack in zip(fitting, why, strict=True)
        if lack
    ]
    return wanted, left_out


def lacks(
    store: Store,
    entries: Mapping[str, Entry],
    sae: str,
    analysis: Analysis,
    *,
    is_standard: bool,
    promised: Collection[str] = (),
) -> str:
    """Return in words what an analysis lacks, looking through the analyses that it needs, or nothing.

    Parameters
    ----------
    promised
        Needs that will be met before it runs, those of other SAEs as `sae/<name>/<need>`.
    """
    for one in with_prerequisites([analysis], entries, sae):
        missing = [library for library in type(one).libraries if find_spec(library.partition(".")[0]) is None]
        if missing and is_standard:
            return f"the package '{missing[0].partition('.')[0]}' is not installed: pip install 'saeatlas[analyses]'"
        needs = {need for need in one.requires() if not is_of_analysis(need)}
        own = {need.removeprefix(f"sae/{sae}/") for need in promised}
        try:
            inputs_of(store, entries, sae, needs - own)
            if needs == one.requires() and not own & (needs | one.uses()):
                # Some need one of several things, which the analysis alone can say.
                AnalysisStep(one, sae).bound(View(store, entries))
        except NotFound as error:
            return error.message
    return ""


def saes_in(names: Iterable[str]) -> list[str]:
    """Return the SAEs that logical names are about, layer 2 before layer 10."""
    found = {name.split("/")[1] for name in names if name.startswith("sae/")}
    return sorted(
        found, key=lambda sae: [int(part) if part.isdecimal() else part for part in re.split("([0-9]+)", sae)]
    )


def spread(project: Project) -> tuple[list[Importer | SaeImporter], list[Outcome]]:
    """Return the sources of a project, a sweep as one for each layer, and the sweeps whose place did not answer.

    Raises
    ------
    InvalidInput
        When a sweep is not said well, such as a list of layers that runs backwards.
    """
    found: list[Importer | SaeImporter] = []
    failed = []
    for source in project.sources:
        try:
            found += source.expand() if isinstance(source, SaeImporter) else (source,)
        except InvalidInput:
            raise
        except SaeatlasError as error:
            failed.append(Outcome("import", source_name(source), "failed", error.message, error=error))
    return found, failed


def build_project(
    store: Store, project: Project, settings: Settings, progress: Progress, tell: Callable[[Outcome], None]
) -> list[Outcome]:
    """Import, compute and export what is not up to date, and return what came of each.

    A source, an SAE or an export that fails is told and the others go on. What was finished stays: the same call goes
    on where this one ended.
    """
    outcomes: list[Outcome] = []

    def keep(found: Iterable[Outcome]) -> None:
        for outcome in found:
            tell(outcome)
            outcomes.append(outcome)

    sources, failed = spread(project)
    keep(failed)
    for source in sources:
        keep([_import(store, source, settings, progress)])
    for sae in saes_in(head(store).entries):
        keep(_analyze(store, sae, project, settings, progress))
    keep(unmatched(project, saes_in(head(store).entries)))
    keep(_export(store, project, progress))
    return outcomes


def unmatched(project: Project, saes: Collection[str]) -> list[Outcome]:
    """Return the analyses that are asked for by patterns that no SAE fits, which is often a slip of the pen."""
    lost = [one for one in project.analyses if saes and not any(map(one.fits, saes))]
    return [
        Outcome("analyze", name_of(type(one.analysis)), "left out", f"no SAE is named: {', '.join(one.saes)}")
        for one in lost
    ]


def _import(store: Store, source: Importer | SaeImporter, settings: Settings, progress: Progress) -> Outcome:
    begin = time.perf_counter()
    name = source_name(source)
    try:
        if isinstance(source, Importer):
            made = import_source(store, source, settings=settings, progress=progress).built
        else:
            parts = import_parts(store, source, settings=settings, progress=progress).parts
            made = sum(action == "made" for action in parts.values())
    except SaeatlasError as error:
        return Outcome("import", name, "failed", error.message, time.perf_counter() - begin, error)
    return Outcome("import", name, "made" if made else "reused", "", time.perf_counter() - begin)


def source_name(source: Importer | SaeImporter) -> str:
    """Return what is imported, and how."""
    return f"'{source.sae}' by {name_of(type(source))}"


def _analyze(store: Store, sae: str, project: Project, settings: Settings, progress: Progress) -> list[Outcome]:
    begin = time.perf_counter()
    entries = head(store).entries
    steps, outcomes = steps_of(store, entries, sae, project.analyses, is_standard=project.is_standard)
    if not steps:
        return outcomes
    try:
        reasons = {one.output: one.reason for one in plan(store, entries, steps, settings).steps}
        n_values = n_values_of(store, entries, steps)
        job = Job(message=f"Analyze '{sae}'", settings=settings, progress=progress, n_values=n_values)
        ran = execute(store, steps, job)
    except SaeatlasError as error:
        return [
            *outcomes,
            Outcome("analyze", f"'{sae}'", "failed", error.message, time.perf_counter() - begin, error),
        ]
    for step in steps:
        made = ran.made[step.output]
        name = f"{step.name} of '{sae}'"
        if made.reused:
            outcomes.append(Outcome("analyze", name, "reused", ""))
        else:
            outcomes.append(Outcome("analyze", name, "made", reasons[step.output], made.manifest.seconds))
    return outcomes


def _export(store: Store, project: Project, progress: Progress) -> list[Outcome]:
    from saeatlas.atlas.atlas import Atlas

    atlas = Atlas(store, head(store))
    outcomes = []
    for export in project.exports:
        begin = time.perf_counter()
        fitting = [atlas.sae(name) for name in atlas.saes if export.fits(name)]
        missing = {sae.name: why for sae in fitting if (why := export.exporter.lacks(sae))}
        name = f"{export.name} to '{export.to.name}'"
        outcomes += [Outcome("export", f"'{sae}' by {name}", "left out", why) for sae, why in missing.items()]
        saes = [sae for sae in fitting if sae.name not in missing]
        try:
            if not saes:
                raise NotFound(f"No SAE of the atlas that fits can be exported: {', '.join(export.saes)}")
            export.exporter.export(saes, export.to, progress)
        except SaeatlasError as error:
            outcomes.append(Outcome("export", name, "failed", error.message, time.perf_counter() - begin, error))
        else:
            outcomes.append(Outcome("export", name, "made", f"{len(saes)} SAEs", time.perf_counter() - begin))
    return outcomes
