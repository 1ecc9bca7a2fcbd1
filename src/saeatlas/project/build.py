"""Bring an atlas up to date with a project: import what is new, compute what is not current, export."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal

from saeatlas.atlas.currency import NEEDS, inputs_of
from saeatlas.errors import NotFound, SaeatlasError
from saeatlas.format.commit import head
from saeatlas.pipeline.analysis import Analysis, AnalysisStep, n_values_of
from saeatlas.pipeline.importer import Importer
from saeatlas.pipeline.importing import Prepared, import_source, prepare
from saeatlas.pipeline.plan import Plan, plan
from saeatlas.pipeline.prerequisites import with_prerequisites
from saeatlas.pipeline.recipe import name_of
from saeatlas.pipeline.run import Job, execute
from saeatlas.pipeline.sae_importer import SaeImporter
from saeatlas.pipeline.sae_importing import PreparedParts, import_parts, prepare_parts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from saeatlas.format.commit import Entry
    from saeatlas.pipeline.step import Step
    from saeatlas.progress import Progress
    from saeatlas.project.load import Chosen, Project
    from saeatlas.settings import Settings
    from saeatlas.storage.store import Store

__all__ = ["Outcome", "build_project", "plan_project", "steps_of"]


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
    wanted, left_out = [], []
    for one in chosen:
        if not one.fits(sae):
            continue
        why = _why_not(store, entries, sae, one.analysis, is_standard=is_standard)
        if why:
            left_out.append(Outcome("analyze", f"{name_of(type(one.analysis))} of '{sae}'", "left out", why))
        else:
            wanted.append(one.analysis)
    return [AnalysisStep(analysis, sae) for analysis in with_prerequisites(wanted, entries, sae)], left_out


def _why_not(store: Store, entries: Mapping[str, Entry], sae: str, analysis: Analysis, *, is_standard: bool) -> str:
    """Return what an analysis lacks, looking through the analyses that it needs, or nothing."""
    for one in with_prerequisites([analysis], entries, sae):
        missing = [library for library in type(one).libraries if find_spec(library.partition(".")[0]) is None]
        if missing and is_standard:
            return f"the package '{missing[0].partition('.')[0]}' is not installed: pip install 'saeatlas[analyses]'"
        try:
            inputs_of(store, entries, sae, {need for need in one.requires() if need in NEEDS or need[:4] == "sae/"})
        except NotFound as error:
            return error.message
    return ""


def plan_project(store: Store, project: Project, settings: Settings, progress: Progress) -> tuple[Plan, list[Outcome]]:
    """Say what `build_project` would do and why; sources are surveyed, nothing is written.

    Returns
    -------
    Plan
        Imports and analyses; exports are written whenever a project is built.
    list[Outcome]
        Sources that cannot be imported, and analyses that are left out.
    """
    entries = dict(head(store).entries)
    steps: dict[str, Step] = {}
    outcomes: list[Outcome] = []
    corpora: dict[str, str] = {}
    for source in project.sources:
        try:
            prepared = _prepared(store, source, progress)
        except SaeatlasError as error:
            outcomes.append(Outcome("import", _source_name(source), "failed", error.message, error=error))
            continue
        steps = {**{step.output: step for step in prepared.steps}, **steps}
        if isinstance(prepared, Prepared):
            corpora[prepared.survey.identity.name] = prepared.survey.corpus
    # Analyses of SAEs that are still to be imported are planned as if all of their data were there.
    for sae in sorted({name.split("/")[1] for name in {*steps, *entries} if name.startswith("sae/")}):
        promised = _promised({*steps, *entries}, sae, corpora.get(sae))
        for one in project.analyses:
            if not one.fits(sae):
                continue
            every = with_prerequisites([one.analysis], entries, sae)
            needs = {need for analysis in every for need in analysis.requires() & set(NEEDS)}
            why = _why_not(store, entries, sae, one.analysis, is_standard=project.is_standard)
            if why and not needs <= promised:
                outcomes.append(Outcome("analyze", f"{name_of(type(one.analysis))} of '{sae}'", "left out", why))
                continue
            for analysis in every:
                step = AnalysisStep(analysis, sae)
                steps.setdefault(step.output, step)
    return plan(store, entries, list(steps.values()), settings), outcomes


def _prepared(store: Store, source: Importer | SaeImporter, progress: Progress) -> Prepared | PreparedParts:
    if isinstance(source, Importer):
        return prepare(store, source, progress, replace_old=False)
    return prepare_parts(store, source, progress, replace_old=False)


def _promised(names: Iterable[str], sae: str, corpus: str | None) -> set[str]:
    """Return which needs an SAE will have met once everything in `names` is there."""
    own = f"sae/{sae}"
    begins = {
        "weights": f"{own}/imported/weights",
        "map": f"{own}/imported/map",
        "explanations": f"{own}/imported/explanations/",
    }
    if corpus is not None:
        begins["activations"] = f"{own}/segment/"
        begins |= {part: f"corpus/{corpus}/{part}" for part in ("documents", "tokens")}
    return {need for need, begin in begins.items() if any(name.startswith(begin) for name in names)}


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

    for source in project.sources:
        keep([_import(store, source, settings, progress)])
    for sae in sorted({name.split("/")[1] for name in head(store).entries if name.startswith("sae/")}):
        keep(_analyze(store, sae, project, settings, progress))
    keep(_export(store, project, progress))
    return outcomes


def _import(store: Store, source: Importer | SaeImporter, settings: Settings, progress: Progress) -> Outcome:
    begin = time.perf_counter()
    name = _source_name(source)
    try:
        if isinstance(source, Importer):
            made = import_source(store, source, settings=settings, progress=progress).built
        else:
            parts = import_parts(store, source, settings=settings, progress=progress).parts
            made = sum(action == "made" for action in parts.values())
    except SaeatlasError as error:
        return Outcome("import", name, "failed", error.message, time.perf_counter() - begin, error)
    return Outcome("import", name, "made" if made else "reused", "", time.perf_counter() - begin)


def _source_name(source: Importer | SaeImporter) -> str:
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
        saes = [atlas.sae(name) for name in atlas.saes if export.fits(name)]
        name = f"{export.name} to '{export.to.name}'"
        try:
            if not saes:
                raise NotFound(f"No SAE of the atlas fits: {', '.join(export.saes)}")
            export.exporter.export(saes, export.to, progress)
        except SaeatlasError as error:
            outcomes.append(Outcome("export", name, "failed", error.message, time.perf_counter() - begin, error))
        else:
            outcomes.append(Outcome("export", name, "made", f"{len(saes)} SAEs", time.perf_counter() - begin))
    return outcomes
