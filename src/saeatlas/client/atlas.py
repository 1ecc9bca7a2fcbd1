"""An atlas that a server shows, at one commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from saeatlas.client.answers import found_of
from saeatlas.client.connection import API, Connection, segment
from saeatlas.errors import Conflict, NotFound, SaeatlasError

if TYPE_CHECKING:
    from types import TracebackType

    from saeatlas.atlas.search import Found, Kind
    from saeatlas.client.corpus import RemoteCorpus
    from saeatlas.client.sae import RemoteSAE

__all__ = ["RemoteAtlas", "connect"]


class RemoteAtlas:
    """An atlas behind a server, at the commit that was newest when it was asked for. It never changes.

    Parameters
    ----------
    connection
        Where to ask.
    commit
        Its commit.
    atlas_id
        First digits of the id of the atlas: another one at the same address is refused.
    known
        Digests of identities by SAE, from earlier commits: an SAE of the same name must be the same.
    """

    def __init__(self, connection: Connection, commit: int, atlas_id: str, known: dict[str, str]) -> None:
        self.connection = connection
        self.commit = commit
        self.root = f"{API}/@{commit}-{atlas_id}"
        """Path below which every answer is of this commit."""
        self._atlas_id = atlas_id
        self._known = known
        self._saes: dict[str, RemoteSAE] = {}
        listed = connection.get(f"{self.root}/saes")["saes"]
        self._digests: dict[str, str] = {one["name"]: one["identity_digest"] for one in listed}
        self._corpora: tuple[str, ...] | None = None

    def __repr__(self) -> str:
        return f"RemoteAtlas({self.url!r}, commit {self.commit}, SAEs: {', '.join(self.saes) or 'none'})"

    def __enter__(self) -> RemoteAtlas:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Address of the server."""
        return self.connection.url

    @property
    def saes(self) -> list[str]:
        """Names of the SAEs, sorted."""
        return sorted(self._digests)

    @property
    def corpora(self) -> list[str]:
        """Names of the corpora, sorted."""
        if self._corpora is None:
            found = self.connection.get(f"{self.root}/corpora")["corpora"]
            self._corpora = tuple(sorted(one["name"] for one in found))
        return list(self._corpora)

    def sae(self, name: str | None = None, *, identity_digest: str | None = None) -> RemoteSAE:
        """Return an SAE; without a name, the only one.

        Parameters
        ----------
        name
            What the atlas calls it.
        identity_digest
            Digest that its identity must have, such as `sae.identity_digest` of an earlier day.

        Raises
        ------
        NotFound
            When there is none of that name, or no name is given and there is not exactly one.
        Conflict
            Kind identity-mismatch when another SAE has this name now.
        """
        name = _choose("SAE", self.saes, name)
        wanted = identity_digest or self._known.get(name)
        found = self._digests[name]
        if wanted is not None and wanted != found:
            raise Conflict(
                f"'{name}' is another SAE than before: its identity has the digest {found[:12]}…, not {wanted[:12]}…",
                hint="What was learnt about the one does not hold for the other: see .identity of both.",
                kind="identity-mismatch",
            )
        if name not in self._saes:
            from saeatlas.client.sae import RemoteSAE

            self._saes[name] = RemoteSAE(self, name)
        return self._saes[name]

    def corpus(self, name: str | None = None) -> RemoteCorpus:
        """Return a corpus; without a name, the only one. `NotFound` as for `sae`."""
        from saeatlas.client.corpus import RemoteCorpus

        return RemoteCorpus(self, _choose("corpus", self.corpora, name))

    def search(self, query: str, *, sae: str | None = None, kind: Kind | None = None, limit: int = 20) -> Found:
        """Find features and documents by words; see `saeatlas.Atlas.search`. Labels are those of now."""
        asked = {"q": query, "sae": sae, "kind": kind, "limit": limit}
        return found_of(self.connection.get(f"{self.root}/search", asked))

    def newest(self) -> RemoteAtlas:
        """Return the atlas at its newest commit; SAEs of it must be those of the same names here."""
        health = self.connection.health()
        if health["atlas_id"] != self._atlas_id:
            raise Conflict(
                f"Another atlas is at {self.url} now: '{health['atlas_id']}', not '{self._atlas_id}'",
                hint="Call saeatlas.connect to look at that one.",
                kind="identity-mismatch",
            )
        return RemoteAtlas(self.connection, int(health["commit"]), self._atlas_id, {**self._known, **self._digests})

    def close(self) -> None:
        """Let go of the connections; atlases got by `newest` share them."""
        self.connection.close()

    def path(self, *parts: str) -> str:
        """Return a path of this commit; parts may hold any character."""
        return "/".join([self.root, *map(segment, parts)])


def connect(url: str, token: str | None = None, *, timeout: float = 60.0) -> RemoteAtlas:
    """Open the atlas that `saeatlas serve` shows at an address.

    Parameters
    ----------
    url
        Such as 'http://127.0.0.1:8765'; a `?token=` in it counts.
    token
        What the server asks for; None when it asks for none.
    timeout
        Seconds to wait for an answer.

    Raises
    ------
    StorageError
        Kind network-error when nothing answers.
    FormatError
        Kind unsupported-format when something else answers.
    """
    connection = Connection(url, token, timeout=timeout)
    try:
        health = connection.health()
        return RemoteAtlas(connection, int(health["commit"]), str(health["atlas_id"]), {})
    except SaeatlasError:
        connection.close()
        raise


def _choose(what: str, names: list[str], name: str | None) -> str:
    hint = f"Known: {', '.join(names)}" if names else "The atlas has none."
    if name is None:
        if len(names) == 1:
            return names[0]
        raise NotFound(f"The atlas has {len(names)} of the kind '{what}', and no name was given", hint=hint)
    if name not in names:
        raise NotFound(f"The atlas has no {what} named '{name}'", hint=hint)
    return name
