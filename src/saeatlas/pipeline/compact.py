"""Merge the segments of an SAE, or store them in another profile; what they hold stays the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from saeatlas.errors import Conflict, InvalidInput, NotFound
from saeatlas.format.artifact import load_manifest
from saeatlas.format.commit import Commit, Entry, head
from saeatlas.format.segment_info import SegmentInfo
from saeatlas.pipeline.importing import store_of
from saeatlas.pipeline.run import Job, execute
from saeatlas.pipeline.step import Built, View, Work
from saeatlas.progress import SILENT, Progress
from saeatlas.settings import Settings
from saeatlas.storage.store import Store

if TYPE_CHECKING:
    from saeatlas.atlas.atlas import Atlas

__all__ = ["CompactChange", "CompactStep", "compact", "compact_steps"]

Profile = Literal["fast", "balanced", "compact"]

MAX_ROWS = 32_000_000
"""Rows of a merged segment at most."""


@dataclass(frozen=True)
class CompactStep:
    """Merges consecutive segments into one."""

    sae: str
    number: int
    """Number of the segment that it makes."""
    sources: tuple[Entry, ...]
    """The segments, in row order."""
    profile: Profile
    bytes_needed: int
    """Bytes that merging holds at most."""
    origin: str
    """What the segments were imported from, so that a later import recognises its own data."""

    name: ClassVar[str] = "compact"
    version: ClassVar[int] = 1
    encoding_type: ClassVar[str] = "segment"
    encoding_version: ClassVar[int] = 1

    @property
    def output(self) -> str:
        """Logical name."""
        return f"sae/{self.sae}/segment/{self.number:05d}"

    def params(self) -> dict[str, Any]:
        """Return the profile, and the origin that the result carries."""
        return {"profile": self.profile, "origin": self.origin}

    def inputs(self, view: View) -> dict[str, str]:
        """Return the digests of the segments by their place among them."""
        del view
        return {f"segment/{index:05d}": entry.digest for index, entry in enumerate(self.sources)}

    def after(self) -> tuple[str, ...]:
        """Wait for nothing: the segments are given."""
        return ()

    def memory(self, view: View) -> int:
        """Return the bound: entries pass in ranges, whatever their number."""
        del view
        return self.bytes_needed

    def build(self, work: Work) -> Built:
        """Merge."""
        from saeatlas.format.segment_merge import merge_segments
        from saeatlas.format.segment_reader import SegmentReader

        readers = [
            SegmentReader(
                work.store, entry.path, SegmentInfo.from_json(load_manifest(work.store, entry.path).attributes)
            )
            for entry in self.sources
        ]
        info = merge_segments(readers, work.directory, self.profile, work.progress)
        return Built({**info.to_json(), "origin": self.origin}, content=info.fingerprint)


@dataclass(frozen=True)
class CompactChange:
    """Replaces the segments of an SAE, if they are still those that were merged."""

    sae: str
    before: tuple[str, ...]
    """Digests of the segments that were there, in the order of their names."""
    kept: Mapping[str, Entry]
    """Segments that stay as they are, under their new names."""

    @property
    def _prefix(self) -> str:
        return f"sae/{self.sae}/segment/"

    def prepare(self, store: Store, entries: Mapping[str, Entry]) -> dict[str, Entry]:
        """Show the entries as they are."""
        del store
        return dict(entries)

    def admit(self, store: Store, entries: Mapping[str, Entry], made: Mapping[str, Entry]) -> None:
        """Refuse when another writer replaced the segments."""
        del store, made
        now = tuple(entries[name].digest for name in sorted(entries) if name.startswith(self._prefix))
        if now != self.before:
            raise Conflict(
                f"The segments of SAE '{self.sae}' were replaced while they were merged",
                hint="Run 'saeatlas compact' again if it is still wanted.",
            )

    def lay(self, store: Store, entries: Mapping[str, Entry], made: Mapping[str, Entry]) -> dict[str, Entry]:
        """Put the merged segments in the place of all old ones."""
        del store
        others = {name: entry for name, entry in entries.items() if not name.startswith(self._prefix)}
        return {**others, **self.kept, **made}


def compact(
    atlas: Atlas | Store,
    sae: str,
    *,
    profile: Profile | None = None,
    max_rows: int = MAX_ROWS,
    settings: Settings | None = None,
    progress: Progress = SILENT,
) -> Commit:
    """Merge the segments of an SAE and return the newest commit, which is an old one if nothing was to do.

    Analyses stay current, because what they are made from is the content and not its storage. Each merged
    segment is a step: an interrupted run goes on where it stopped.

    Parameters
    ----------
    profile
        How the segments are stored; None keeps the profile of the first segment.
    max_rows
        Rows of a merged segment at most; a segment that is larger stays alone.

    Raises
    ------
    NotFound
        When the atlas has no such SAE.
    Conflict
        When an import replaced the segments meanwhile; nothing changes then.
    """
    if max_rows < 1:
        raise InvalidInput(f"A segment has at least one row, asked for at most: {max_rows}")
    store = store_of(atlas)
    steps, change = compact_steps(store, head(store).entries, sae, profile, max_rows)
    if not steps:
        progress.say(f"SAE '{sae}' is compact already")
        return head(store)
    job = Job(message=f"Compact '{sae}'", settings=settings or Settings(), progress=progress, changes=(change,))
    return execute(store, steps, job).commit


def compact_steps(
    store: Store, entries: Mapping[str, Entry], sae: str, profile: Profile | None, max_rows: int
) -> tuple[list[CompactStep], CompactChange]:
    """Return the merges to do, none when all is as asked, and what they do to the commit."""
    from saeatlas.format.codecs import check_profile

    prefix = f"sae/{sae}/segment/"
    names = sorted(name for name in entries if name.startswith(prefix))
    if not names:
        known = sorted({name.split("/")[1] for name in entries if name.startswith("sae/")})
        raise NotFound(f"The atlas has no segments of an SAE '{sae}'", hint=f"Known: {', '.join(known) or 'none'}")
    found = []
    for name in names:
        attributes = load_manifest(store, entries[name].path).attributes
        found.append((SegmentInfo.from_json(attributes), entries[name], str(attributes.get("origin", ""))))
    found.sort(key=lambda segment: segment[0].first_row)
    wanted = profile or check_profile(found[0][0].profile)
    steps: list[CompactStep] = []
    kept: dict[str, Entry] = {}
    for number, group in enumerate(_groups([info for info, _, _ in found], max_rows)):
        members = [found[index] for index in group]
        if len(members) == 1 and members[0][0].profile == wanted:
            kept[f"{prefix}{number:05d}"] = members[0][1]
            continue
        sources = tuple(entry for _, entry, _ in members)
        memory = _memory([info for info, _, _ in members])
        steps.append(CompactStep(sae, number, sources, wanted, memory, _shared({origin for _, _, origin in members})))
    change = CompactChange(sae, tuple(entries[name].digest for name in names), kept)
    return steps, change


def _groups(infos: list[SegmentInfo], max_rows: int) -> list[list[int]]:
    """Return runs of neighbours with `max_rows` rows at most, or one segment."""
    groups: list[list[int]] = []
    n_rows = 0
    for index, info in enumerate(infos):
        if groups and n_rows + info.n_rows <= max_rows:
            groups[-1].append(index)
            n_rows += info.n_rows
        else:
            groups.append([index])
            n_rows = info.n_rows
    return groups


def _memory(infos: list[SegmentInfo]) -> int:
    """Return what `merge_segments` states, and the interpreter with its libraries."""
    features = max(info.n_features for info in infos)
    return 600_000_000 + 16 * features * len(infos) + 8 * max(info.n_rows for info in infos)


def _shared(origins: set[str]) -> str:
    return origins.pop() if len(origins) == 1 else ""
