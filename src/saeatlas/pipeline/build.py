"""Import sources and compute analyses in one run: what `saeatlas.build` and the command line call."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from saeatlas.errors import InvalidInput, NotFound
from saeatlas.format.commit import Entry, head
from saeatlas.pipeline.analysis import Analysis, AnalysisStep, n_values_of
from saeatlas.pipeline.changes import Change, Overlay
from saeatlas.pipeline.importer import Importer
from saeatlas.pipeline.importing import ImportReport, Prepared, prepare, report, store_of
from saeatlas.pipeline.plan import Plan, plan
from saeatlas.pipeline.prerequisites import with_prerequisites
from saeatlas.pipeline.recipe import check_fields, name_of
from saeatlas.pipeline.run import Job, Ran, execute
from saeatlas.pipeline.sae_importer import SaeImporter
from saeatlas.pipeline.sae_importing import PartsReport, PreparedParts, parts_report, prepare_parts
from saeatlas.pipeline.step import Step
from saeatlas.progress import SILENT, Progress
from saeatlas.settings import Settings
from saeatlas.storage.store import Store

if TYPE_CHECKING:
    from saeatlas.atlas.atlas import Atlas

__all__ = ["BuildReport", "Building", "build", "build_report", "plan_build"]

Thing = Importer | SaeImporter | Analysis
"""What `build` takes."""


@dataclass(frozen=True)
class BuildReport:
    """What a build did."""

    imports: tuple[ImportReport, ...]
    parts: tuple[PartsReport, ...]
    """Imports of weights, maps and explanations."""
    analyses: tuple[str, ...]
    """Logical names of the analyses that are current now."""
    built: int
    """Artifacts that were made."""
    reused: int
    """Artifacts that were there before."""
    seconds: float
    commit: int
    """Number of the newest commit."""


@dataclass(frozen=True)
class Building:
    """Steps of a build and what they do to the commit."""

    steps: tuple[Step, ...]
    changes: tuple[Change, ...]
    imports: tuple[Prepared, ...]
    parts: tuple[PreparedParts, ...]
    message: str


def build(
    atlas: Atlas | Store,
    *things: Thing,
    saes: tuple[str, ...] = (),
    settings: Settings | None = None,
    progress: Progress = SILENT,
    replace: bool = False,
) -> Atlas:
    """Import sources and compute analyses, publish all in one commit and return the atlas there.

    Parameters
    ----------
    atlas
        Atlas or store to build in; of an atlas, the newest commit counts.
    things
        Importers and analyses, in any order.
    saes
        SAEs to analyse; none for those imported here, or all of the atlas when nothing is imported.
    replace
        Whether imports may replace other data of the same name.
    """
    from saeatlas.atlas.atlas import Atlas

    store = store_of(atlas)
    build_report(store, *things, saes=saes, settings=settings, progress=progress, replace=replace)
    return Atlas(store, head(store))


def build_report(
    atlas: Atlas | Store,
    *things: Thing,
    saes: tuple[str, ...] = (),
    settings: Settings | None = None,
    progress: Progress = SILENT,
    replace: bool = False,
) -> BuildReport:
    """Do what `build` does, and return what was done."""
    begin = time.perf_counter()
    store = store_of(atlas)
    building = _building(store, things, saes, progress, replace_old=replace)
    ran = execute(
        store,
        building.steps,
        Job(
            message=building.message,
            settings=settings or Settings(),
            progress=progress,
            changes=building.changes,
            n_values=_n_values(store, building),
        ),
    )
    return _report(store, building, ran, time.perf_counter() - begin)


def plan_build(
    atlas: Atlas | Store,
    *things: Thing,
    saes: tuple[str, ...] = (),
    settings: Settings | None = None,
    progress: Progress = SILENT,
    replace: bool = False,
) -> Plan:
    """Say what `build` would do, and why; sources are surveyed, nothing is written.

    Raises
    ------
    OverBudget
        When a step needs more memory than `settings.memory_budget`.
    """
    store = store_of(atlas)
    building = _building(store, things, saes, progress, replace_old=replace)
    entries: Mapping[str, Entry] = head(store).entries
    for change in building.changes:
        change.admit(store, entries, {})
    for change in building.changes:
        entries = change.prepare(store, entries)
    return plan(store, entries, building.steps, settings or Settings())


def _building(
    store: Store, things: tuple[Thing, ...], saes: tuple[str, ...], progress: Progress, *, replace_old: bool
) -> Building:
    importers = [thing for thing in things if isinstance(thing, Importer)]
    part_importers = [one for thing in things if isinstance(thing, SaeImporter) for one in thing.expand()]
    analyses = [thing for thing in things if isinstance(thing, Analysis)]
    wrong = [thing for thing in things if not isinstance(thing, Importer | SaeImporter | Analysis)]
    if wrong:
        raise InvalidInput("Only importers and analyses can be built", hint="Give instances, such as Stats().")
    for analysis in analyses:
        check_fields(analysis)
    prepared = [prepare(store, importer, progress, replace_old=replace_old) for importer in importers]
    parts = [prepare_parts(store, importer, progress, replace_old=replace_old) for importer in part_importers]
    _check_together(prepared, parts)
    steps: dict[str, Step] = {}
    every: tuple[Prepared | PreparedParts, ...] = (*prepared, *parts)
    for one in every:
        # Two SAEs of one corpus share its documents and tokens: the first importer writes them.
        steps = {**{step.output: step for step in one.steps}, **steps}
    imported = tuple(dict.fromkeys(one.change.identity.name for one in every))
    names = saes or imported or _all_saes(store)
    known = {*_all_saes(store), *imported}
    for name in names:
        if name not in known:
            raise NotFound(f"The atlas has no SAE named '{name}'", hint=f"Known: {', '.join(sorted(known)) or 'none'}")
    if analyses and not names:
        raise NotFound("The atlas has no SAE to analyse", hint="Import activations first.")
    steps |= _analysis_steps(store, analyses, names)
    did = [f"import '{name}'" for name in imported]
    did += [f"analyze {name_of(type(analysis))}" for analysis in analyses]
    return Building(
        steps=tuple(steps.values()),
        changes=(Overlay(), *(one.change for one in every)),
        imports=tuple(prepared),
        parts=tuple(parts),
        message=", ".join(did).capitalize() or "Nothing",
    )


def _analysis_steps(store: Store, analyses: list[Analysis], saes: tuple[str, ...]) -> dict[str, Step]:
    """Return the steps of the analyses and of those that they need, by output."""
    names = [name_of(type(analysis)) for analysis in analyses]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInput(f"'{twice[0]}' is asked for twice", hint="Build one of them after the other.")
    entries = head(store).entries
    found = [AnalysisStep(one, sae) for sae in saes for one in with_prerequisites(analyses, entries, sae)]
    return {step.output: step for step in found}


def _check_together(prepared: list[Prepared], parts: list[PreparedParts]) -> None:
    """Refuse imports that would overwrite or borrow each other's data within one build."""
    saes: set[str] = set()
    both = sorted({one.change.identity.name for one in prepared} & {one.change.identity.name for one in parts})
    if both or len({one.change.identity.name for one in parts}) < len(parts):
        raise InvalidInput(
            f"One build takes one source of each SAE, found more of '{(both or [parts[0].change.identity.name])[0]}'",
            hint="Import one after the other, so that their identities are compared.",
        )
    corpora: dict[str, Prepared] = {}
    for one in prepared:
        survey = one.survey
        if survey.identity.name in saes:
            raise InvalidInput(f"SAE '{survey.identity.name}' is imported twice", hint="Give the SAEs different names.")
        saes.add(survey.identity.name)
        first = corpora.setdefault(survey.corpus, one).survey
        if (first.n_rows, first.fingerprints["documents"]) != (survey.n_rows, survey.fingerprints["documents"]):
            raise InvalidInput(
                f"'{first.identity.name}' and '{survey.identity.name}' bring documents of their own for corpus "
                f"'{survey.corpus}'",
                hint="Import one after the other, so that they are compared, or name another corpus for one.",
            )


def _n_values(store: Store, building: Building) -> int:
    """Return how many values the build reads, about: what is imported counts once for each of its analyses too."""
    imported = {one.survey.identity.name: one.n_values for one in building.imports}
    analyses = [step for step in building.steps if isinstance(step, AnalysisStep)]
    of_imported = sum(imported[step.sae] for step in analyses if step.sae in imported)
    others = [step for step in analyses if step.sae not in imported]
    return sum(imported.values()) + of_imported + n_values_of(store, head(store).entries, others)


def _report(store: Store, building: Building, ran: Ran, seconds: float) -> BuildReport:
    analyses = [name for step in building.steps if isinstance(step, AnalysisStep) for name in [step.output]]
    return BuildReport(
        imports=tuple(report(store, one, ran, seconds) for one in building.imports),
        parts=tuple(parts_report(one, ran, seconds) for one in building.parts),
        analyses=tuple(name for name in analyses if name in ran.commit.entries),
        built=sum(not made.reused for made in ran.made.values()),
        reused=sum(made.reused for made in ran.made.values()),
        seconds=seconds,
        commit=ran.commit.number,
    )


def _all_saes(store: Store) -> tuple[str, ...]:
    return tuple(sorted({name.split("/")[1] for name in head(store).entries if name.startswith("sae/")}))
