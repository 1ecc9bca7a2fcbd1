"""Files of one repository of the Hugging Face hub: what there is, and a verified copy in the hub's own cache.

The cache is the one that `huggingface_hub` documents (`blobs`, `refs`, `snapshots`), so that what other tools have
downloaded is used and the reverse. Only the transfer of large files differs: `huggingface_hub` drops what an
interrupted process had received, so here the part that has arrived is kept beside the blob, is continued with a range
request, and becomes a blob only when its SHA-256 is the one that the hub states.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar

from saeatlas.errors import SaeatlasError, SourceError
from saeatlas.extras import require
from saeatlas.progress import Progress, Task
from saeatlas.storage.faults import is_fault_of_disk, storage_error

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["Hub", "Listing", "RemoteFile"]

_TRIES = 5
_AGAIN: Final = frozenset({408, 429, 500, 502, 503, 504})
_TRUE: Final = frozenset({"1", "ON", "YES", "TRUE"})
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_GIT: Final = re.compile(r"[0-9a-f]{40}")
_Answer = TypeVar("_Answer")
_LISTINGS: dict[tuple[str, str, str, str], Listing] = {}
"""By hub, repository, commit and folder."""


@dataclass(frozen=True)
class RemoteFile:
    """A file at one commit."""

    path: str
    """Inside the repository."""
    size: int
    """Bytes."""
    digest: str
    """SHA-256 of a large file, which the hub states; the id that git gives, 40 digits, of any other."""


@dataclass(frozen=True)
class Listing:
    """What a repository has below a path."""

    commit: str
    """Hash of the commit, which a branch may leave behind."""
    files: tuple[RemoteFile, ...]
    """Sorted by path."""


@dataclass(frozen=True)
class Hub:
    """Where files come from and where they are kept."""

    endpoint: str
    """Address of the hub, without a slash at its end."""
    cache: Path
    """Folder of the repositories."""
    offline: bool = False
    """Whether only the cache may be used."""
    sleep: Callable[[float], None] = time.sleep
    """Waits some seconds between two tries."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Hub:
        """Read HF_ENDPOINT, HF_HUB_CACHE, HF_HOME and HF_HUB_OFFLINE, and take what `huggingface_hub` has otherwise."""
        known = _library().constants
        home = environment.get("HF_HOME", "")
        cache = environment.get("HF_HUB_CACHE", "") or (f"{home}/hub" if home else "") or known.HF_HUB_CACHE
        offline = environment.get("HF_HUB_OFFLINE", "").upper() in _TRUE or bool(known.HF_HUB_OFFLINE)
        endpoint = environment.get("HF_ENDPOINT", "") or known.ENDPOINT
        return cls(endpoint.rstrip("/"), Path(cache).expanduser(), offline)

    def list_files(self, repository: str, revision: str, folder: str) -> Listing:
        """Return the files below a folder at a branch, tag or commit.

        Offline, these are the files in the cache, and no more is known.

        Raises
        ------
        SourceError
            When the repository, the revision or the folder does not exist, or the hub does not answer.
        """
        if self.offline:
            return self._list_cached(repository, revision, folder)
        api = _library().HfApi(endpoint=self.endpoint)
        commit = revision
        if not _GIT.fullmatch(revision):
            commit = str(self._ask(repository, lambda: api.model_info(repository, revision=revision)).sha)
            self._write_ref(repository, revision, commit)
        # What a commit holds never changes, and a sweep over layers looks at it many times.
        key = self.endpoint, repository, commit, folder
        if key not in _LISTINGS:

            def entries() -> list[Any]:
                return list(api.list_repo_tree(repository, folder or None, revision=commit, recursive=True))

            found = (entry for entry in self._ask(repository, entries) if hasattr(entry, "blob_id"))
            files = (RemoteFile(file.path, file.size, file.lfs.sha256 if file.lfs else file.blob_id) for file in found)
            _LISTINGS[key] = Listing(commit, tuple(sorted(files, key=lambda file: file.path)))
        return _LISTINGS[key]

    def has(self, repository: str, listing: Listing, file: RemoteFile) -> bool:
        """Whether the cache has a file, unverified."""
        folder = self._folder(repository)
        return (folder / "snapshots" / listing.commit / file.path).exists() or (folder / "blobs" / file.digest).exists()

    def fetch(self, repository: str, listing: Listing, file: RemoteFile, progress: Progress) -> Path:
        """Return a local copy of a file whose bytes are those that the hub states.

        A copy that is damaged is fetched again, once; what has arrived of a large file when the connection broke is
        kept, also when this process ends.

        Raises
        ------
        SourceError
            Kind network-error when the hub does not give the file, digest-mismatch when it gives another one.
        """
        place = self._folder(repository) / "snapshots" / listing.commit / file.path
        for _ in range(1 if self.offline else 2):
            if not self.offline:
                place = self._download(repository, listing.commit, file, progress)
            if _digest_of(place, file.digest) == file.digest:
                return place
            if not self.offline:
                place.resolve().unlink()
                place.unlink(missing_ok=True)
        source = f"the copy in the cache, '{place}'" if self.offline else "what the hub sends"
        raise SourceError(
            f"The checksum of '{file.path}' of {repository} is {file.digest[:16]}…, and that of {source}, is another",
            hint="Remove the copy and download it again." if self.offline else "Try again later, or another mirror.",
            kind="digest-mismatch",
        )

    def _download(self, repository: str, commit: str, file: RemoteFile, progress: Progress) -> Path:
        """Have a file in the cache, unverified where it was there before."""
        library = _library()
        if _SHA256.fullmatch(file.digest):
            self._fetch_blob(repository, commit, file, progress)

        def link() -> str:
            with _without_bars():
                return str(
                    library.hf_hub_download(
                        repository, file.path, revision=commit, endpoint=self.endpoint, cache_dir=self.cache
                    )
                )

        return Path(self._ask(repository, link))

    def _fetch_blob(self, repository: str, commit: str, file: RemoteFile, progress: Progress) -> None:
        """Download a large file to its place among the blobs, going on where an earlier try stopped."""
        blob = self._folder(repository) / "blobs" / file.digest
        if blob.exists():
            return
        blob.parent.mkdir(parents=True, exist_ok=True)
        part = blob.with_name(f"{file.digest}.saeatlas.incomplete")
        lock = self.cache / ".locks" / blob.parent.parent.name / f"{part.name}.lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        library = _library()
        with library.utils.WeakFileLock(lock):
            if blob.exists():
                return
            # What an earlier process left may be wrong in a way that its length does not show.
            for _ in range(2 if part.exists() else 1):
                self._receive(repository, commit, file, part, progress)
                if _digest_of(part, file.digest) == file.digest:
                    part.replace(blob)
                    return
                part.unlink()
        raise SourceError(
            f"What the hub sends as '{file.path}' of {repository} does not have the checksum that it states: "
            f"{file.digest[:16]}…",
            hint="Nothing is kept of it. Try again later, or another mirror.",
            kind="digest-mismatch",
        )

    def _receive(self, repository: str, commit: str, file: RemoteFile, part: Path, progress: Progress) -> None:
        """Append to `part` until it has the length of the file."""
        library = _library()
        url = library.hf_hub_url(repository, file.path, revision=commit, endpoint=self.endpoint)
        headers = library.utils.build_hf_headers()
        name = file.path.rpartition("/")[2]

        counted = 0

        def more() -> None:
            nonlocal counted
            with part.open("ab") as opened, _without_bars():
                if opened.tell() > file.size:
                    opened.seek(opened.truncate(0))
                start = opened.tell()
                task.advance(max(0, start - counted))
                counted = max(start, counted)
                library.file_download.http_get(
                    url, _Counted(opened, task), resume_size=start, headers=dict(headers), expected_size=file.size
                )

        with progress.task(f"Download {name}", total=file.size, unit="bytes") as task:
            self._ask(repository, more)

    def _ask(self, repository: str, call: Callable[[], _Answer]) -> _Answer:
        """Call until it does not fail for a reason that passes, five times at most."""
        errors = _library().errors
        transport = (OSError, *errors.HfHubHTTPError.__bases__)
        for attempt in range(1, _TRIES + 1):
            try:
                return call()
            except transport as error:
                if attempt == _TRIES or not _may_pass(error):
                    raise self._explained(repository, error) from error
            except ValueError as error:
                raise self._explained(repository, error) from error
            self.sleep(2 ** (attempt - 1) * random.uniform(0.5, 1.0))  # noqa: S311  # spreads clients, guards nothing
        raise AssertionError

    def _explained(self, repository: str, error: Exception) -> SaeatlasError:
        """Return what to tell the user about an error of the library."""
        errors = _library().errors
        if isinstance(error, OSError) and is_fault_of_disk(error):
            return storage_error(error, f"keep a file in '{self.cache}'")
        if isinstance(error, errors.GatedRepoError):
            return SourceError(
                f"The repository {repository} is only for those who accepted its terms",
                hint=f"Accept them at {self.endpoint}/{repository}, then log in: hf auth login, or set HF_TOKEN.",
            )
        if isinstance(error, errors.RevisionNotFoundError):
            return SourceError(
                f"The repository {repository} has no such revision",
                hint="Give a branch, a tag or a whole commit hash at the end: hf://owner/repo/path@revision",
            )
        if isinstance(error, errors.RepositoryNotFoundError):
            return SourceError(
                f"There is no repository {repository} at {self.endpoint}, or it is private",
                hint="Check its name; for a private one log in: hf auth login, or set HF_TOKEN.",
            )
        if isinstance(error, errors.EntryNotFoundError):
            return SourceError(
                f"The repository {repository} has no such file or folder", hint="Look at its list of files."
            )
        return SourceError(
            f"The hub at {self.endpoint} failed: {str(error).strip()[:300] or type(error).__name__}",
            hint="Run it again: what has arrived is kept. With HF_HUB_OFFLINE=1 only the cache is used.",
            kind="network-error",
        )

    def _folder(self, repository: str) -> Path:
        return self.cache / f"models--{repository.replace('/', '--')}"

    def _write_ref(self, repository: str, revision: str, commit: str) -> None:
        """Note which commit a branch or tag is, by which it is found offline."""
        ref = self._folder(repository) / "refs" / revision
        ref.parent.mkdir(parents=True, exist_ok=True)
        if not ref.exists() or ref.read_text() != commit:
            new = ref.with_name(f"{ref.name}.{os.getpid()}.tmp")
            new.write_text(commit)
            new.replace(ref)

    def _list_cached(self, repository: str, revision: str, folder: str) -> Listing:
        ref = self._folder(repository) / "refs" / revision
        commit = ref.read_text().strip() if ref.is_file() else revision
        root = self._folder(repository) / "snapshots" / commit
        if not root.is_dir():
            raise SourceError(
                f"The cache has nothing of {repository} at '{revision}': '{self.cache}'",
                hint="Run it once without HF_HUB_OFFLINE.",
            )
        files = [
            RemoteFile(path.relative_to(root).as_posix(), path.stat().st_size, _stated_digest(path))
            for path in sorted((root / folder).rglob("*"))
            if path.is_file()
        ]
        return Listing(commit, tuple(sorted(files, key=lambda file: file.path)))


class _Counted:
    """A file opened for appending that tells a task how much was written."""

    def __init__(self, file: BinaryIO, task: Task) -> None:
        self._file = file
        self._task = task

    def write(self, data: bytes) -> int:
        """Append, and count."""
        self._task.advance(len(data))
        return self._file.write(data)

    def tell(self) -> int:
        """Return the bytes there are."""
        return self._file.tell()

    def seek(self, place: int) -> int:
        """Go to a place, from where `truncate` cuts."""
        return self._file.seek(place)

    def truncate(self) -> int:
        """Drop what comes after the place; the server sends it again."""
        return self._file.truncate()


def _library() -> ModuleType:
    """Return `huggingface_hub` with the submodules that are used."""
    for module in ("errors", "constants", "file_download", "utils"):
        require(f"huggingface_hub.{module}", extra="hub", to="read from the Hugging Face hub")
    return require("huggingface_hub", extra="hub")


@contextmanager
def _without_bars() -> Iterator[None]:
    """Keep the library from drawing its own progress bars among ours."""
    utils = _library().utils
    if utils.are_progress_bars_disabled() or os.environ.get("HF_HUB_DISABLE_PROGRESS_BARS"):
        yield
        return
    utils.disable_progress_bars()
    try:
        yield
    finally:
        utils.enable_progress_bars()


def _may_pass(error: Exception) -> bool:
    """Whether another try may succeed."""
    response = getattr(error, "response", None)
    if response is not None:
        return response.status_code in _AGAIN
    # A full disk or a folder that must not be written stays so; what a connection does may pass.
    return getattr(error, "errno", None) is None or isinstance(error, ConnectionError | TimeoutError)


def _stated_digest(path: Path) -> str:
    """Return the digest that the cache names a blob for, or the SHA-256 of the bytes where it keeps copies."""
    name = path.resolve().name
    return name if _SHA256.fullmatch(name) or _GIT.fullmatch(name) else _digest_of(path, "0" * 64)


def _digest_of(path: Path, like: str) -> str:
    """Return the digest of a file of the kind that `like` is: SHA-256, or the id that git gives."""
    place = path.resolve()
    facts = place.stat()
    return _digest_at(place, facts.st_size, facts.st_mtime_ns, is_git=len(like) != 64)


@lru_cache(maxsize=1024)
def _digest_at(path: Path, size: int, changed: int, *, is_git: bool) -> str:
    """Return the digest of a file as it was when `changed`: one import looks at a file more than once."""
    del changed
    with path.open("rb") as file:
        if not is_git:
            return hashlib.file_digest(file, "sha256").hexdigest()
        digest = hashlib.sha1(b"blob %d\x00" % size, usedforsecurity=False)
        while block := file.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()
