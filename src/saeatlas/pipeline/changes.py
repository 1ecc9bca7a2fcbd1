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

    Where a corpus differs from `before`, all are looked at; else those of SAEs that differ, and those in `made`.
    """
    changed = {name for name in {*before, *after} if _content(before, name) != _content(after, name)}
    has_new_corpus = any(name.startswith("corpus/") for name in changed)
    touched = {name.split("/")[1] for name in changed if name.startswith("sae/")}
    fresh = set(made)
    kept = dict(after)
    for name, entry in after.items():
        if not name.startswith("sae/") or entry.encoding_type != "table":
            continue
        if (name in fresh or has_new_corpus or name.split("/")[1] in touched) and not _is_current(store, after, name):
            del kept[name]
    return kept


def _content(entries: Mapping[str, Entry], name: str) -> str:
    return entries[name].content if name in entries else ""


def _is_current(store: Store, entries: Mapping[str, Entry], name: str) -> bool:
    from saeatlas.atlas.currency import NEEDS, inputs_of

    try:
        inputs = load_manifest(store, entries[name].path).inputs
        today = inputs_of(store, entries, name.split("/")[1], [need for need in NEEDS if need in inputs])
    except (NotFound, FormatError):
        return False
    return today == inputs
