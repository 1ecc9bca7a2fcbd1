"""Bring a source into an atlas: survey it, run the steps, and publish all of it or none."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from saeatlas.errors import AlreadyExists, Conflict
from saeatlas.format.artifact import SEAL, load_manifest
from saeatlas.format.commit import Entry, head
from saeatlas.format.identity import SaeIdentity, check_name, merge_identities
from saeatlas.pipeline.import_steps import SegmentStep, import_steps
from saeatlas.pipeline.importer import Importer, Survey
from saeatlas.pipeline.recipe import check_fields
from saeatlas.pipeline.run import Job, Ran, execute
from saeatlas.pipeline.step import Step
from saeatlas.progress import SILENT, Progress
from saeatlas.settings import Settings
from saeatlas.storage.store import Store

if TYPE_CHECKING:
    from saeatlas.atlas.atlas import Atlas
    from saeatlas.pipeline.executors import Executor

__all__ = ["ImportChange", "ImportReport", "Prepared", "import_source", "prepare", "report"]


@dataclass(frozen=True)
class ImportReport:
    """What an import did."""

    sae: str
    corpus: str
    rows: int
    listed: int
    """Entries present in the source."""
    active: int
    """Those above zero."""
    segments: int
    reused: int
    """Artifacts that were there before."""
    built: int
    """Artifacts that were made."""
    seconds: float
    bytes: int
    """Size of what the import lists, whether built or reused."""
    notes: tuple[str, ...]
    commit: int
    """Number of the newest commit."""


@dataclass(frozen=True)
class ImportChange:
    """What may be replaced by an import, and what it drops."""

    identity: SaeIdentity
    survey: Survey
    outputs: frozenset[str]
    replace: bool

    @property
    def _segments(self) -> str:
        return f"sae/{self.identity.name}/segment/"

    @property
    def _documents(self) -> str:
        return f"corpus/{self.survey.corpus}/documents"

    @property
    def _tokens(self) -> str:
        return f"corpus/{self.survey.corpus}/tokens"

    def prepare(self, store: Store, entries: Mapping[str, Entry]) -> dict[str, Entry]:
        """Hide old segments that have no successor of the same number."""
        del store
        return {name: entry for name, entry in entries.items() if not self._is_dropped(name)}

    def admit(self, store: Store, entries: Mapping[str, Entry], made: Mapping[str, Entry]) -> None:
        """Refuse other facts, another corpus or other data under names that are taken."""
        self._check_identity(store, entries)
        self._check_corpus(store, entries, made)
        if not self.replace:
            self._check_data(store, entries, made)

    def lay(self, store: Store, entries: Mapping[str, Entry], made: Mapping[str, Entry]) -> dict[str, Entry]:
        """Replace the SAE's data as a whole; tokens that belong to other documents go."""
        own = {name: entry for name, entry in made.items() if name in self.outputs}
        kept = {**self.prepare(store, entries), **own}
        tokens = kept.get(self._tokens)
        if tokens and self._tokens not in own:
            of = load_manifest(store, tokens.path).inputs.get("documents")
            if of != kept[self._documents].digest:
                del kept[self._tokens]
        return kept

    def _is_dropped(self, name: str) -> bool:
        return name.startswith(self._segments) and name not in self.outputs

    def _check_identity(self, store: Store, entries: Mapping[str, Entry]) -> None:
        there = stored_identity(store, entries, self.identity.name)
        if there and merge_identities(there, self.identity) != self.identity:
            raise Conflict(
                f"Another writer stated new facts about SAE '{self.identity.name}' during this import",
                hint="Run the import again: finished work is kept.",
            )

    def _check_corpus(self, store: Store, entries: Mapping[str, Entry], made: Mapping[str, Entry]) -> None:
        for name in (self._documents, self._tokens):
            old, new = entries.get(name), made.get(name)
            if not old or not new or old.digest == new.digest:
                continue
            others = self._others(store, entries)
            if self.replace and (not others or name == self._tokens or _same_rows(store, old, new)):
                continue
            if not others and self._of_this_corpus(store, entries):
                raise _other_data(self.identity.name, name)
            used = f", which {', '.join(others)} use" if others else ""
            raise Conflict(
                f"Corpus '{self.survey.corpus}'{used} has other {name.rpartition('/')[2]} than this source",
                hint="Give the corpus another name, or the same documents and metadata; --replace replaces it "
                "where every row stays in its document.",
                kind="corpus-mismatch",
            )

    def _check_data(self, store: Store, entries: Mapping[str, Entry], made: Mapping[str, Entry]) -> None:
        old = {name: entry for name, entry in entries.items() if name.startswith(self._segments)}
        if not old:
            return
        if not self._of_this_corpus(store, entries):
            raise AlreadyExists(
                f"SAE '{self.identity.name}' has activations on another corpus than '{self.survey.corpus}'",
                hint="Choose another SAE name, or say --replace.",
            )
        before = [load_manifest(store, entry.path).attributes for entry in old.values()]
        n_rows = sum(_whole(attributes["n_rows"]) for attributes in before)
        if n_rows != self.survey.n_rows:
            raise AlreadyExists(
                f"SAE '{self.identity.name}' has {n_rows} rows of activations, and the source {self.survey.n_rows}",
                hint="Choose another SAE name, or say --replace.",
            )
        new = {name: made[name] for name in self.outputs & made.keys() if name.startswith(self._segments)}
        known = {(_whole(a["first_row"]), _whole(a["n_rows"])): str(a["fingerprint"]) for a in before}
        for entry in new.values():
            attributes = load_manifest(store, entry.path).attributes
            place = _whole(attributes["first_row"]), _whole(attributes["n_rows"])
            if known.get(place, entry.content) != entry.content:
                raise _other_data(self.identity.name, f"rows {place[0]} to {sum(place)}")
        if len(new) == sum(name.startswith(self._segments) for name in self.outputs) and _total(
            entry.content for entry in new.values()
        ) != _total(known.values()):
            raise _other_data(self.identity.name, "activations")

    def _of_this_corpus(self, store: Store, entries: Mapping[str, Entry]) -> bool:
        entry = next((entry for name, entry in sorted(entries.items()) if name.startswith(self._segments)), None)
        return entry is not None and load_manifest(store, entry.path).attributes["corpus"] == self.survey.corpus

    def _others(self, store: Store, entries: Mapping[str, Entry]) -> list[str]:
        """Return the other SAEs that have rows of this corpus."""
        found = {}
        for name, entry in sorted(entries.items()):
            kind, sae, *rest = name.split("/")
            if kind == "sae" and rest[0] == "segment" and sae != self.identity.name and sae not in found:
                found[sae] = load_manifest(store, entry.path).attributes["corpus"]
        return [f"'{sae}'" for sae, corpus in found.items() if corpus == self.survey.corpus]


def _same_rows(store: Store, old: Entry, new: Entry) -> bool:
    """Whether two documents artifacts put every row at the same position of a document of the same id."""
    from saeatlas.format.documents import DocumentsReader

    one, other = (
        DocumentsReader(store, entry.path, load_manifest(store, entry.path).attributes) for entry in (old, new)
    )
    if (one.n_rows, one.n_documents) != (other.n_rows, other.n_documents):
        return False
    pairs = ((getattr(one.runs, name), getattr(other.runs, name)) for name in ("first_row", "document", "position"))
    return all(np.array_equal(*pair) for pair in pairs) and one.ids().equals(other.ids())


@dataclass(frozen=True)
class Prepared:
    """An import that could start."""

    steps: tuple[Step, ...]
    change: ImportChange
    survey: Survey
    merged: int
    """Segments of the same data that were merged meanwhile and are kept."""

    @property
    def n_values(self) -> int:
        """Slots of the source, rows of varying length counting as 32."""
        return self.survey.n_rows * (self.survey.k or 32)


def prepare(store: Store, importer: Importer, progress: Progress, *, replace_old: bool) -> Prepared:
    """Survey a source and return its steps; what the atlas knows of the SAE joins what the source says."""
    check_fields(importer)
    check_name(importer.sae, "an SAE")
    survey = importer.survey(progress)
    check_name(survey.corpus, "a corpus")
    entries = head(store).entries
    there = stored_identity(store, entries, importer.sae)
    identity = merge_identities(there, survey.identity) if there else survey.identity
    for note in survey.notes:
        progress.say(note)
    steps = import_steps(importer, survey, identity)
    outputs = {step.output for step in steps}
    merged = _merged_segments(store, entries, steps)
    if merged:
        steps = [step for step in steps if not isinstance(step, SegmentStep)]
        outputs = {step.output for step in steps} | merged
    change = ImportChange(identity, survey, frozenset(outputs), replace_old)
    return Prepared(tuple(steps), change, survey, len(merged))


def import_source(
    atlas: Atlas | Store,
    importer: Importer,
    *,
    settings: Settings | None = None,
    progress: Progress = SILENT,
    replace: bool = False,
    executor: Executor | None = None,
) -> ImportReport:
    """Import a source in one commit; what an earlier run finished is reused.

    Parameters
    ----------
    atlas
        Atlas or store to import into; of an atlas, the newest commit counts.
    importer
        What to import.
    replace
        Whether the SAE's data, and the corpus where no other SAE would lose its rows, may be replaced.

    Raises
    ------
    SourceError
        The source cannot be read, or a row is not valid: the message names row and slot.
    AlreadyExists
        The SAE has other data.
    Conflict
        The SAE has another identity, or the corpus other documents.
    """
    begin = time.perf_counter()
    store = store_of(atlas)
    prepared = prepare(store, importer, progress, replace_old=replace)
    job = Job(
        message=f"Import '{importer.sae}' from {importer.source.replace(chr(92), '/').rpartition('/')[2]}",
        settings=settings or Settings(),
        progress=progress,
        changes=(prepared.change,),
        executor=executor,
        n_values=prepared.n_values,
    )
    return report(store, prepared, execute(store, prepared.steps, job), time.perf_counter() - begin)


def report(store: Store, prepared: Prepared, ran: Ran, seconds: float) -> ImportReport:
    """Sum up what the run did for one import."""
    made = {name: ran.made[name] for name in (step.output for step in prepared.steps)}
    segments = f"sae/{prepared.survey.identity.name}/segment/"
    manifests = {name: artifact.manifest for name, artifact in made.items()}
    if prepared.merged:
        there = {name: entry for name, entry in ran.commit.entries.items() if name.startswith(segments)}
        manifests |= {name: load_manifest(store, entry.path) for name, entry in there.items()}
    facts = [manifest.attributes for name, manifest in manifests.items() if name.startswith(segments)]
    return ImportReport(
        sae=prepared.survey.identity.name,
        corpus=prepared.survey.corpus,
        rows=prepared.survey.n_rows,
        listed=sum(_whole(attributes["n_listed"]) for attributes in facts),
        active=sum(_whole(attributes["n_active"]) for attributes in facts),
        segments=len(facts),
        reused=sum(artifact.reused for artifact in made.values()) + prepared.merged,
        built=sum(not artifact.reused for artifact in made.values()),
        seconds=seconds,
        bytes=sum(manifest.size for manifest in manifests.values()),
        notes=prepared.survey.notes,
        commit=ran.commit.number,
    )


def store_of(atlas: Atlas | Store) -> Store:
    """Return the store of an atlas, or the store itself."""
    from saeatlas.atlas.atlas import Atlas

    return atlas.store if isinstance(atlas, Atlas) else atlas


def stored_identity(store: Store, entries: Mapping[str, Entry], sae: str) -> SaeIdentity | None:
    """Return what the entries say about an SAE, or None."""
    from saeatlas.atlas.currency import read_identity

    return read_identity(store, entries, sae)


def _merged_segments(store: Store, entries: Mapping[str, Entry], steps: list[Step]) -> set[str]:
    """Return the names of current segments if they are these very steps' segments, merged by `compact`."""
    own = [step for step in steps if isinstance(step, SegmentStep)]
    prefix = own[0].output.rpartition("/")[0] + "/"
    current = {name: entry for name, entry in entries.items() if name.startswith(prefix)}
    manifests = []
    for entry in current.values():
        if not store.exists(f"{entry.path}/{SEAL}"):
            return set()
        manifests.append(load_manifest(store, entry.path))
    if not any(manifest.step == "compact" for manifest in manifests):
        return set()
    return set(current) if all(manifest.attributes.get("origin") == own[0].origin for manifest in manifests) else set()


def _other_data(sae: str, what: str) -> AlreadyExists:
    return AlreadyExists(
        f"SAE '{sae}' has other data than this source: '{what}' differ",
        hint="Choose another SAE name, or say --replace.",
    )


def _total(fingerprints: Iterable[str]) -> int:
    return sum(int(fingerprint, 16) for fingerprint in fingerprints) % (1 << 128)


def _whole(value: object) -> int:
    return int(str(value))
