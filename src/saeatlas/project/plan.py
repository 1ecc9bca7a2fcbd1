"""What building a project would do, and why, before anything is downloaded, imported or computed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from saeatlas.errors import SaeatlasError
from saeatlas.format.commit import head
from saeatlas.pipeline.analysis import AnalysisStep
from saeatlas.pipeline.importer import Importer
from saeatlas.pipeline.importing import prepare
from saeatlas.pipeline.plan import Plan, PlannedStep, plan
from saeatlas.pipeline.prerequisites import with_prerequisites
from saeatlas.pipeline.sae_importer import Pending, SaeImporter, SaePart
from saeatlas.pipeline.sae_importing import PartStep, prepare_parts
from saeatlas.project.build import Outcome, saes_in, sort_out, source_name, spread, unmatched

if TYPE_CHECKING:
    from collections.abc import Mapping

    from saeatlas.format.commit import Entry
    from saeatlas.pipeline.step import Step
    from saeatlas.progress import Progress
    from saeatlas.project.load import Project
    from saeatlas.settings import Settings
    from saeatlas.storage.store import Store

__all__ = ["plan_project"]


def plan_project(store: Store, project: Project, settings: Settings, progress: Progress) -> tuple[Plan, list[Outcome]]:
    """Say what `build_project` would do and why; nothing is written, and nothing large is downloaded.

    Sources that are here are surveyed. A source that must be downloaded is planned as what it is expected to give.

    Returns
    -------
    Plan
        Imports and analyses; exports are written whenever a project is built.
    list[Outcome]
        Sources that cannot be imported, and analyses that are left out.
    """
    entries = dict(head(store).entries)
    sources, outcomes = spread(project)
    expected = _Expected(store)
    for source in sources:
        try:
            expected.take(source, progress)
        except SaeatlasError as error:
            outcomes.append(Outcome("import", source_name(source), "failed", error.message, error=error))
    steps = expected.steps
    # Analyses of SAEs that are still to be imported are planned as if all of their data were there.
    promised = expected.promised(entries)
    for sae in saes_in({*steps, *entries}):
        wanted, left_out = sort_out(
            store, entries, sae, project.analyses, is_standard=project.is_standard, promised=promised
        )
        outcomes += left_out
        for analysis in with_prerequisites(wanted, entries, sae):
            step = AnalysisStep(analysis, sae)
            steps.setdefault(step.output, step)
    outcomes += unmatched(project, saes_in({*steps, *entries}))
    planned = plan(store, entries, list(steps.values()), settings)
    return replace(planned, steps=tuple(expected.shown(step, entries) for step in planned.steps)), outcomes


class _Expected:
    """What the sources of a project give, as far as that is known before a download."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._corpora: dict[str, str] = {}
        self._downloads: dict[str, Pending] = {}
        self.steps: dict[str, Step] = {}
        """By output; what an earlier source gives is not given again."""

    def take(self, source: Importer | SaeImporter, progress: Progress) -> None:
        """Plan one source; a `SaeatlasError` says why it cannot be imported."""
        if isinstance(source, Importer):
            prepared = prepare(self._store, source, progress, replace_old=False)
            self._add(prepared.steps)
            self._corpora[prepared.survey.identity.name] = prepared.survey.corpus
            return
        pending = source.pending()
        if pending is None:
            self._add(prepare_parts(self._store, source, progress, replace_old=False).steps)
            return
        # What has not arrived has no fingerprint, and this one is that of nothing.
        parts = [PartStep(source, SaePart(part, "weights", "to be downloaded", 0)) for part in pending.parts]
        self._add(parts)
        self._downloads |= {part.output: pending for part in parts}

    def promised(self, entries: Mapping[str, Entry]) -> set[str]:
        """Return the needs that will be met once all sources are imported, as `sae/<name>/<need>`."""
        found = set()
        for name in self.steps:
            kind, sae, *rest = name.split("/")
            # 'imported/explanations/<set>' is one need whatever the set.
            if kind == "sae" and rest[0] == "imported":
                found.add(f"sae/{sae}/{rest[1]}")
        for sae, corpus in self._corpora.items():
            found.add(f"sae/{sae}/activations")
            there = {name for name in {*self.steps, *entries} if name.startswith(f"corpus/{corpus}/")}
            found |= {f"sae/{sae}/{name.rpartition('/')[2]}" for name in there}
        return found

    def shown(self, step: PlannedStep, entries: Mapping[str, Entry]) -> PlannedStep:
        """Return a planned step, with what is known about one whose source is still to be downloaded."""
        pending = self._downloads.get(step.output)
        if pending is None:
            return step
        size = "" if pending.size is None else f": {pending.size:,} bytes"
        return replace(
            step, action="maybe" if step.output in entries else "run", reason=f"to be downloaded{size}", key=""
        )

    def _add(self, steps: Iterable[Step]) -> None:
        for step in steps:
            self.steps.setdefault(step.output, step)
