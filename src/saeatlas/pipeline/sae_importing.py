"""Bring weights, maps and explanations of an SAE into an atlas: all parts of a source or none."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from saeatlas.errors import AlreadyExists, Conflict, SourceError
from saeatlas.format.artifact import load_manifest
from saeatlas.format.commit import Entry, head
from saeatlas.format.identity import SaeIdentity, check_name, merge_identities
from saeatlas.pipeline.import_steps import IdentityStep
from saeatlas.pipeline.importing import store_of, stored_identity
from saeatlas.pipeline.recipe import check_fields, name_of
from saeatlas.pipeline.run import Job, Ran, execute
from saeatlas.pipeline.sae_importer import SaeImporter, SaePart, SaeSurvey
from saeatlas.pipeline.step import Built, Step, View, Work
from saeatlas.progress import SILENT, Progress
from saeatlas.settings import Settings
from saeatlas.storage.store import Store

if TYPE_CHECKING:
    from saeatlas.atlas.atlas import Atlas

__all__ = ["PartStep", "PartsChange", "PartsReport", "PreparedParts", "import_parts", "parts_report", "prepare_parts"]


@dataclass(frozen=True)
class PartsReport:
    """What an import of parts did."""

    sae: str
    parts: Mapping[str, str]
    """Name of each part, and 'made' or 'reused'."""
    n_features: int | None
    """Features of the source, where it has all."""
    seconds: float
    bytes: int
    """Size of the parts, whether built or reused."""
    notes: tuple[str, ...]
    commit: int
    """Number of the newest commit."""


@dataclass(frozen=True)
class PartStep:
    """Writes one part."""

    importer: SaeImporter
    part: SaePart

    encoding_version = 1

    @property
    def name(self) -> str:
        """Name of the importer."""
        return name_of(type(self.importer))

    @property
    def version(self) -> int:
        """Version of the importer."""
        return type(self.importer).version

    @property
    def encoding_type(self) -> str:
        """How the part is stored."""
        return self.part.encoding

    @property
    def output(self) -> str:
        """Logical name."""
        return f"sae/{self.importer.sae}/imported/{self.part.name}"

    def params(self) -> dict[str, Any]:
        """Return what shapes the part beside its source."""
        return {"part": self.part.name, **self.part.params}

    def inputs(self, view: View) -> dict[str, str]:
        """Return the fingerprint of the source."""
        del view
        return {"source": self.part.fingerprint}

    def after(self) -> tuple[str, ...]:
        """Wait for nothing."""
        return ()

    def memory(self, view: View) -> int:
        """Return what the importer says."""
        del view
        return self.part.memory

    def build(self, work: Work) -> Built:
        """Write the files."""
        return Built(self.importer.write(self.part, work.directory, work.progress))


@dataclass(frozen=True)
class PartsChange:
    """What may be replaced by an import of parts."""

    identity: SaeIdentity
    n_features: int | None
    outputs: frozenset[str]
    replace: bool
    replaced: SaeIdentity | None = None
    """Facts that go with the parts that are replaced, as nothing else of the SAE is there; None where they stay."""

    def prepare(self, store: Store, entries: Mapping[str, Entry]) -> dict[str, Entry]:
        """Show the entries as they are."""
        del store
        return dict(entries)

    def admit(self, store: Store, entries: Mapping[str, Entry], made: Mapping[str, Entry]) -> None:
        """Refuse another width, other facts, or other data under names that are taken."""
        there = stored_identity(store, entries, self.identity.name)
        is_free = there == self.replaced and not _others(entries, self.identity.name, self.outputs)
        if there and not is_free and merge_identities(there, self.identity) != self.identity:
            raise Conflict(
                f"Another writer stated new facts about SAE '{self.identity.name}' during this import",
                hint="Run the import again: finished work is kept.",
            )
        self._check_width(store, entries)
        self._check_ids(store, made)
        if self.replace:
            return
        # The identity may gain facts; that it loses and changes none was asked above.
        parts = self.outputs - {f"sae/{self.identity.name}/identity"}
        for name in sorted(parts & entries.keys() & made.keys()):
            if entries[name].content != made[name].content:
                part = name.removeprefix(f"sae/{self.identity.name}/imported/")
                raise AlreadyExists(
                    f"SAE '{self.identity.name}' has other {part} than this source",
                    hint="Choose another SAE name, or say --replace.",
                )

    def lay(self, store: Store, entries: Mapping[str, Entry], made: Mapping[str, Entry]) -> dict[str, Entry]:
        """Put the parts over the entries."""
        del store
        return {**entries, **{name: entry for name, entry in made.items() if name in self.outputs}}

    def _check_width(self, store: Store, entries: Mapping[str, Entry]) -> None:
        if self.n_features is None:
            return
        for what, n_features in _widths(store, entries, self.identity.name).items():
            if f"sae/{self.identity.name}/imported/{what}" not in self.outputs and n_features > self.n_features:
                raise SourceError(
                    f"The source has {self.n_features} features, and the {what} of SAE '{self.identity.name}' name "
                    f"feature {n_features - 1}, so at least {n_features}",
                    hint="They are of different SAEs: give this one another name.",
                    kind="shape-mismatch",
                )

    def _check_ids(self, store: Store, made: Mapping[str, Entry]) -> None:
        """Refuse parts that name features beyond a width that is known."""
        for name in sorted(self.outputs & made.keys()):
            n_features = int(str(load_manifest(store, made[name].path).attributes.get("n_features", 0)))
            if self.identity.width is not None and n_features > self.identity.width:
                raise SourceError(
                    f"The source names feature {n_features - 1}, and SAE '{self.identity.name}' has "
                    f"{self.identity.width} features",
                    hint="They are of different SAEs: give this one another name.",
                    kind="index-out-of-range",
                )


def _others(entries: Mapping[str, Entry], sae: str, outputs: frozenset[str]) -> bool:
    """Whether an SAE has activations, or parts that are not among the outputs."""
    prefixes = (f"sae/{sae}/segment/", f"sae/{sae}/imported/")
    return any(name.startswith(prefixes) and name not in outputs for name in entries)


def _widths(store: Store, entries: Mapping[str, Entry], sae: str) -> dict[str, int]:
    """Return for all that the atlas has of an SAE the largest id named and one."""
    from saeatlas.atlas.currency import read_segments

    found = {}
    segments = [info.n_features for _, info in read_segments(store, entries, sae)]
    if segments:
        found["activations"] = max(segments)
    prefix = f"sae/{sae}/imported/"
    for name, entry in entries.items():
        if name.startswith(prefix):
            attributes = load_manifest(store, entry.path).attributes
            found[name.removeprefix(prefix)] = int(str(attributes["n_features"]))
    return found


@dataclass(frozen=True)
class PreparedParts:
    """An import of parts that could start."""

    steps: tuple[Step, ...]
    change: PartsChange
    survey: SaeSurvey


def prepare_parts(store: Store, importer: SaeImporter, progress: Progress, *, replace_old: bool) -> PreparedParts:
    """Survey a source and return its steps; what the atlas knows of the SAE joins what the source says."""
    check_fields(importer)
    check_name(importer.sae, "an SAE")
    survey = importer.survey(progress)
    for note in survey.notes:
        progress.say(note)
    entries = head(store).entries
    there = stored_identity(store, entries, importer.sae)
    steps = [PartStep(importer, part) for part in survey.parts]
    outputs = frozenset({step.output for step in steps} | {f"sae/{importer.sae}/identity"})
    # Weights carry facts that no other weights can have: their digest. Labels and maps state what they are about.
    has_weights = any(part.encoding == "weights" for part in survey.parts)
    is_free = replace_old and has_weights and not _others(entries, importer.sae, outputs)
    replaced = there if is_free else None
    identity = survey.identity
    if there is not None and there != replaced:
        identity = merge_identities(there, _as_known(survey.identity, there))
    change = PartsChange(identity, survey.n_features, outputs, replace_old, replaced)
    change.admit(store, entries, {})
    return PreparedParts((IdentityStep(identity), *steps), change, survey)


def _as_known(found: SaeIdentity, there: SaeIdentity) -> SaeIdentity:
    """Return what a source says, with the revision under which its weights were seen first.

    A repository gets new commits that leave the weights as they are: what the weights are decides, not where they lie.
    """
    is_same = found.weights_digest is not None and found.weights_digest == there.weights_digest
    return replace(found, revision=there.revision or found.revision) if is_same else found


def import_parts(
    atlas: Atlas | Store,
    importer: SaeImporter,
    *,
    settings: Settings | None = None,
    progress: Progress = SILENT,
    replace: bool = False,
) -> PartsReport:
    """Import all parts of a source in one commit; what an earlier run finished is reused.

    Parameters
    ----------
    atlas
        Atlas or store to import into; of an atlas, the newest commit counts.
    replace
        Whether parts of the same names may be replaced. Another identity is refused all the same, unless weights are
        replaced and nothing else of the SAE is there: then the facts are replaced with the weights that stated them.

    Raises
    ------
    SourceError
        The source cannot be read, or it has another width than what the SAE has already.
    AlreadyExists
        The SAE has other data under the same name.
    Conflict
        The SAE has another identity.
    """
    begin = time.perf_counter()
    store = store_of(atlas)
    prepared = prepare_parts(store, importer, progress, replace_old=replace)
    parts = ", ".join(part.name for part in prepared.survey.parts)
    job = Job(
        message=f"Import {parts} of '{importer.sae}' from {importer.source.replace(chr(92), '/').rpartition('/')[2]}",
        settings=settings or Settings(),
        progress=progress,
        changes=(prepared.change,),
    )
    return parts_report(prepared, execute(store, prepared.steps, job), time.perf_counter() - begin)


def parts_report(prepared: PreparedParts, ran: Ran, seconds: float) -> PartsReport:
    """Sum up what the run did for one import of parts."""
    steps = [step for step in prepared.steps if isinstance(step, PartStep)]
    return PartsReport(
        sae=prepared.change.identity.name,
        parts={step.part.name: "reused" if ran.made[step.output].reused else "made" for step in steps},
        n_features=prepared.survey.n_features,
        seconds=seconds,
        bytes=sum(ran.made[step.output].n_bytes for step in steps),
        notes=prepared.survey.notes,
        commit=ran.commit.number,
    )
