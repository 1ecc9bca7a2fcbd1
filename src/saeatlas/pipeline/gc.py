"""Delete what no kept commit lists, safely beside readers and writers and whenever it is killed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from saeatlas.errors import InvalidInput, NotFound
from saeatlas.format.artifact import SEAL
from saeatlas.format.commit import commit_key, list_commits, load_commit
from saeatlas.progress import SILENT, Progress
from saeatlas.storage.store import Store

if TYPE_CHECKING:
    from saeatlas.atlas.atlas import Atlas

__all__ = ["GcReport", "gc"]

DAY = 86_400.0


@dataclass(frozen=True)
class GcReport:
    """What was deleted, or would be."""

    commits: tuple[str, ...]
    """Keys of old commits."""
    artifacts: tuple[str, ...]
    """Prefixes of artifacts that no kept commit lists."""
    bytes: int
    """Bytes freed, or that would be."""
    kept_young: int
    """Artifacts that no commit lists, and that are too young to delete."""
    dry_run: bool


def gc(
    atlas: Atlas | Store,
    *,
    keep_commits: int = 10,
    min_age_seconds: float = DAY,
    dry_run: bool = False,
    progress: Progress = SILENT,
) -> GcReport:
    """Delete old commits, then the artifacts that only they listed, then what killed writers left behind.

    In that order a kill at any moment leaves a smaller atlas of the same kind: a commit never lists an artifact
    that gc deleted. Anything younger than `min_age_seconds` stays, because a run that is not finished may
    be about to list it. A reader that opened its files before keeps reading them.

    Parameters
    ----------
    keep_commits
        Commits to keep at least, from the newest.
    min_age_seconds
        Age below which nothing is deleted; must exceed the longest run that is in flight.
    dry_run
        Only say what would be deleted.
    """
    from saeatlas.pipeline.importing import store_of

    if keep_commits < 1:
        raise InvalidInput(f"At least one commit is kept, asked for: {keep_commits}")
    store = store_of(atlas)
    numbers = list_commits(store)
    old = [n for n in numbers[:-keep_commits] if _is_old(store, commit_key(n), min_age_seconds)]
    # A commit that is young keeps those after it: the chain has no gaps.
    old = [number for index, number in enumerate(old) if numbers[index] == number]
    for number in numbers[len(old) :]:
        # A commit that cannot be read must stop gc before anything older, which still can be, is gone.
        with suppress(NotFound):
            load_commit(store, number)
    freed = 0
    with progress.task("Delete commits", total=len(old), unit="commits") as task:
        for number in old:
            freed += store.open(commit_key(number)).size if dry_run else store.delete(commit_key(number))
            task.advance(1)
    loose = _unlisted(store, set(old) if dry_run else set())
    doomed = [path for path in loose if _is_old_artifact(store, path, min_age_seconds)]
    with progress.task("Delete artifacts", total=len(doomed), unit="artifacts") as task:
        for path in doomed:
            freed += _size(store, path) if dry_run else _delete(store, path)
            task.advance(1)
    freed += store.sweep(min_age=min_age_seconds, dry_run=dry_run)
    commits = tuple(commit_key(number) for number in old)
    return GcReport(commits, tuple(doomed), freed, len(loose) - len(doomed), dry_run)


def _unlisted(store: Store, without: set[int]) -> list[str]:
    """Return the prefixes of the artifacts that no commit lists, those in `without` not counted."""
    there = [
        f"artifacts/{owner}/{name}"
        for owner in store.children("artifacts")
        for name in store.children(f"artifacts/{owner}")
    ]
    # Commits are read after artifacts are listed: what is committed meanwhile is in them.
    listed: set[str] = set()
    for number in list_commits(store):
        if number not in without:
            # Another gc may delete an old commit just now; a damaged one stops this gc with its error.
            with suppress(NotFound):
                listed |= {entry.path for entry in load_commit(store, number).entries.values()}
    return [path for path in there if path not in listed]


def _delete(store: Store, path: str) -> int:
    """Delete an artifact, unless a commit has come to list it since."""
    numbers = list_commits(store)
    if numbers and any(entry.path == path for entry in load_commit(store, numbers[-1]).entries.values()):
        return 0
    return store.delete_prefix(path, seal=SEAL)


def _is_old(store: Store, key: str, min_age_seconds: float) -> bool:
    try:
        return store.open(key).age >= min_age_seconds
    except NotFound:
        return False


def _is_old_artifact(store: Store, path: str, min_age_seconds: float) -> bool:
    """Whether everything in an artifact is old; one without a seal is the remains of a killed deletion."""
    return all(_is_old(store, key, min_age_seconds) for key in store.list(path))


def _size(store: Store, path: str) -> int:
    return sum(store.open(key).size for key in store.list(path))
