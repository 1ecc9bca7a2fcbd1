"""What a run does to the list of current artifacts, so that it can be applied again when another writer was faster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from saeatlas.errors import FormatError, NotFound
from saeatlas.format.artifact import load_manifest
from saeatlas.format.commit import Entry
from saeatlas.storage.store import Store

__all__ = ["Change", "Overlay", "without_stale"]


class Change(Protocol):
    """A rule for one thing that a run makes, such as an import."""

    def prepare(self, store: Store, entries: Mapping[str, Entry]) -> dict[str, Entry]:
        """Return what the steps should see before anything is made."""
        ...

    def admit(self, store: Store, entries: Mapping[str, Entry], made: Mapping[str, Entry]) -> None:
        """Raise when what was made so far cannot join `entries`, before more work is spent on it."""
        ...

    def lay(self, store: Store, entries: Mapping[str, Entry], made: Mapping[str, Entry]) -> dict[str, Entry]:
        """Return `entries` with what was made in its place."""
        ...


@dataclass(frozen=True)
class Overlay:
    """Everything that was made replaces what had its logical name."""

    def prepare(self, store: Store, entries: Mapping[str, Entry]) -> dict[str, Entry]:
        """Show the entries as they are."""
        del store
        return dict(entries)

    def admit(self, store: Store, entries: Mapping[str, Entry], made: Mapping[str, Entry]) -> None:
        """Admit everything."""

    def lay(self, store: Store, entries: Mapping[str, Entry], made: Mapping[str, Entry]) -> dict[str, Entry]:
        """Put what was made over the entries."""
        del store
        return {**entries, **made}


def without_stale(
    store: Store, before: Mapping[str, Entry], after: Mapping[str, Entry], made: Iterable[str] = ()
) -> dict[str, Entry]:
    """Drop analyses whose inputs are not those of `after`; a commit never lists what is out of date.

    Nothing is looked at where nothing differs from `before` and nothing was made.
    """
    changed = {name for name in {*before, *after} if _content(before, name) != _content(after, name)}
    fresh = set(made)
    kept = dict(after)
    tables = [name for name, entry in after.items() if name.startswith("sae/") and entry.encoding_type == "table"]
    if not changed and not fresh:
        return kept
    # What read a dropped analysis is dropped in the next pass.
    while gone := [name for name in tables if name in kept and not _is_current(store, kept, name)]:
        for name in gone:
            del kept[name]
    return kept


def _content(entries: Mapping[str, Entry], name: str) -> str:
    return entries[name].content if name in entries else ""


def _is_current(store: Store, entries: Mapping[str, Entry], name: str) -> bool:
    from saeatlas.atlas.currency import inputs_of

    try:
        inputs = load_manifest(store, entries[name].path).inputs
        today = inputs_of(store, entries, name.split("/")[1], inputs)
    except (NotFound, FormatError):
        return False
    return today == inputs
