"""An atlas at one commit: what it holds, and the handles to ask it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from saeatlas.errors import NotFound
from saeatlas.format.artifact import Manifest, load_manifest
from saeatlas.format.commit import Commit, Entry, head, load_commit
from saeatlas.format.version import create_atlas, read_atlas
from saeatlas.storage import open_store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from saeatlas.atlas.corpus import Corpus
    from saeatlas.atlas.sae import SAE
    from saeatlas.atlas.search import Found, Kind
    from saeatlas.storage.store import Store

__all__ = ["Atlas", "create", "open_atlas"]


class Atlas:
    """One atlas at one commit. It never changes: open it again to see newer commits. Only labels are those of now.

    Parameters
    ----------
    store
        Where the artifacts are.
    commit
        What is current.
    """

    def __init__(self, store: Store, commit: Commit) -> None:
        self.store = store
        self.commit = commit
        self._manifests: dict[str, Manifest] = {}
        self._saes: dict[str, SAE] = {}
        self._corpora: dict[str, Corpus] = {}

    def __repr__(self) -> str:
        return (
            f"Atlas({self.url!r}, commit {self.commit.number}, "
            f"SAEs: {', '.join(self.saes) or 'none'}; corpora: {', '.join(self.corpora) or 'none'})"
        )

    @property
    def url(self) -> str:
        """What opens this atlas again."""
        return self.store.url

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Logical name → artifact, for everything that is current."""
        return self.commit.entries

    @property
    def saes(self) -> list[str]:
        """Names of the SAEs, sorted."""
        return self._names("sae/")

    @property
    def corpora(self) -> list[str]:
        """Names of the corpora, sorted."""
        return self._names("corpus/")

    def sae(self, name: str | None = None) -> SAE:
        """Return an SAE; without a name, the only one.

        Raises
        ------
        NotFound
            When there is none of that name, or no name is given and there is not exactly one.
        """
        name = self._choose("SAE", self.saes, name)
        if name not in self._saes:
            from saeatlas.atlas.sae import SAE

            self._saes[name] = SAE(self, name)
        return self._saes[name]

    def corpus(self, name: str | None = None) -> Corpus:
        """Return a corpus; without a name, the only one. Errors as in `sae`."""
        name = self._choose("corpus", self.corpora, name)
        if name not in self._corpora:
            from saeatlas.atlas.corpus import Corpus

            self._corpora[name] = Corpus(self, name)
        return self._corpora[name]

    def manifest(self, logical_name: str) -> Manifest:
        """Return how a current artifact was made; `NotFound` when the commit does not list it."""
        if logical_name not in self._manifests:
            entry = self.entries.get(logical_name)
            if entry is None:
                raise NotFound(
                    f"Commit {self.commit.number} holds no '{logical_name}'",
                    hint="See 'saeatlas show artifacts'.",
                )
            self._manifests[logical_name] = load_manifest(self.store, entry.path)
        return self._manifests[logical_name]

    def search(self, query: str, *, sae: str | None = None, kind: Kind | None = None, limit: int = 20) -> Found:
        """Find features by words in labels, explanations and top tokens, and documents by text and metadata.

        Parameters
        ----------
        query
            Words, each found as a word or as the beginning of one; a phrase in "double quotes".
        sae
            Only this SAE, and the documents of its corpus; None for all.
        kind
            Only 'features' or 'documents'; None for both.
        limit
            Hits of each kind.

        Raises
        ------
        InvalidInput
            When there is nothing to look for, or too much.
        NotFound
            When nothing can be searched; the message says what to run.
        """
        from saeatlas.atlas.search import search

        return search(self, query, sae=sae, kind=kind, limit=limit)

    def _names(self, prefix: str) -> list[str]:
        return sorted({name.split("/", 2)[1] for name in self.entries if name.startswith(prefix)})

    def _choose(self, what: str, names: list[str], name: str | None) -> str:
        known = f"Known: {', '.join(names)}" if names else "It is empty. Run 'saeatlas import' first."
        if name is None:
            if len(names) == 1:
                return names[0]
            count = "no" if not names else str(len(names))
            plural = "corpora" if what == "corpus" and len(names) > 1 else f"{what}{'s' * (len(names) > 1)}"
            raise NotFound(f"The atlas has {count} {plural}, and no name was given", hint=known)
        if name not in names:
            raise NotFound(f"The atlas has no {what} named '{name}'", hint=known)
        return name


def open_atlas(url: str | Path, commit: int | None = None) -> Atlas:
    """Open an atlas at its newest commit, or at an older one by number.

    Raises
    ------
    NotFound
        When there is no such directory or commit.
    FormatError
        When the directory is not an atlas, is damaged, or was made by a newer saeatlas.
    """
    store = open_store(url)
    read_atlas(store)
    return Atlas(store, head(store) if commit is None else load_commit(store, commit))


def create(url: str | Path) -> Atlas:
    """Make an empty atlas in a new or empty directory and open it; `AlreadyExists` when there is one."""
    store = open_store(url, create=True)
    create_atlas(store)
    return Atlas(store, head(store))
