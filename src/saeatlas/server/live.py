"""The atlas as it is now: new commits appear without a restart, and what was read of a commit stays read."""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from typing import Annotated, cast

from fastapi import Depends, Path, Request

from saeatlas.atlas.atlas import Atlas
from saeatlas.atlas.corpus import Corpus
from saeatlas.atlas.feature import Feature
from saeatlas.atlas.labels import hand_over
from saeatlas.atlas.sae import SAE
from saeatlas.errors import NotFound, StorageError
from saeatlas.format.commit import commit_key, head, load_commit
from saeatlas.format.version import read_atlas
from saeatlas.storage import open_store

__all__ = ["MAX_ID", "AtlasNow", "CorpusNow", "FeatureNow", "Live", "SaeNow", "live_of"]

MAX_ID = 2**53 - 1
"""Largest whole number that every reader of JSON takes as it is."""

_KEPT_COMMITS = 4
"""Older commits, beside the newest, whose caches are kept."""
_LIST_SECONDS = 1.0
"""Time after which commits are listed again even where the next number is not there: gc may have taken it."""
_PINNED = re.compile(r"([0-9]{1,12})(?:-([0-9a-f]{8}))?")


class Live:
    """Opens the atlas at the commit that a request is about. Safe for threads."""

    def __init__(self, url: str) -> None:
        self.store = open_store(url)
        self.id = read_atlas(self.store)
        """Random id of the atlas: another atlas at the same address is not this one."""
        self.stopping = threading.Event()
        """Set when the server is told to stop: streams end then."""
        self._lock = threading.Lock()
        self._newest = Atlas(self.store, head(self.store))
        self._listed_at = time.monotonic()
        self._kept: OrderedDict[int, Atlas] = OrderedDict()

    def atlas(self, commit: int | None = None) -> Atlas:
        """Return the atlas at its newest commit, or at one by number; `NotFound` when that is not kept."""
        newest = self._look()
        if commit is None or commit == newest.commit.number:
            return newest
        with self._lock:
            if commit in self._kept and not self.store.exists(commit_key(commit)):
                # Removed by 'saeatlas gc': half of its answers would be what was read before, half errors.
                del self._kept[commit]
            if commit not in self._kept:
                self._keep(Atlas(self.store, load_commit(self.store, commit)))
            self._kept.move_to_end(commit)
            return self._kept[commit]

    def _look(self) -> Atlas:
        """Return the newest atlas; one look at the store says whether there is a newer commit."""
        newest = self._newest
        now = time.monotonic()
        is_due = now - self._listed_at > _LIST_SECONDS
        if not is_due and not self.store.exists(commit_key(newest.commit.number + 1)):
            return newest
        with self._lock:
            found = head(self.store)
            if found.number < self._newest.commit.number:
                raise StorageError(
                    f"Commits are there no more in '{self.store.url}'",
                    hint="Put it back, or start the server on another.",
                )
            self._listed_at = now
            if found.number > self._newest.commit.number:
                self._keep(self._newest)
                fresh = Atlas(self.store, found)
                hand_over(self._newest, fresh)
                self._newest = fresh
            return self._newest

    def _keep(self, atlas: Atlas) -> None:
        self._kept[atlas.commit.number] = atlas
        while len(self._kept) > _KEPT_COMMITS:
            self._kept.popitem(last=False)


def live_of(request: Request) -> Live:
    """Return what the server serves."""
    return cast("Live", request.app.state.live)


def _atlas(request: Request) -> Atlas:
    live = live_of(request)
    pinned = request.path_params.get("commit")
    atlas = live.atlas(None if pinned is None else _number(live, str(pinned)))
    request.state.atlas = atlas
    return atlas


def _number(live: Live, pinned: str) -> int:
    """Read `12` or `12-<first digits of the atlas' id>`; the id keeps caches of another atlas apart."""
    match = _PINNED.fullmatch(pinned)
    if match is None or (match[2] is not None and not live.id.startswith(match[2])):
        raise NotFound(
            f"This atlas has no commit '{pinned}'",
            hint=f"Write @NUMBER or @NUMBER-{live.id[:8]}; see /api/v1/commits.",
        )
    return int(match[1])


AtlasNow = Annotated[Atlas, Depends(_atlas)]
"""The atlas at the commit that the request is about."""

_Name = Annotated[str, Path(description="Name, as in the list.", min_length=1, max_length=200)]
_Id = Annotated[int, Path(description="Id of the feature, from 0.", ge=0, le=MAX_ID)]


def _sae(atlas: AtlasNow, sae: _Name) -> SAE:
    return atlas.sae(sae)


SaeNow = Annotated[SAE, Depends(_sae)]
"""The SAE that the path names."""


def _feature(sae: SaeNow, feature: _Id) -> Feature:
    return sae.feature(feature)


FeatureNow = Annotated[Feature, Depends(_feature)]
"""The feature that the path names."""


def _corpus(atlas: AtlasNow, corpus: _Name) -> Corpus:
    return atlas.corpus(corpus)


CorpusNow = Annotated[Corpus, Depends(_corpus)]
"""The corpus that the path names."""
