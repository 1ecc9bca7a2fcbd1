"""Work in stages that are kept: a stage whose inputs are the same and whose files are whole is not done again."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from saeatlas.demo.weights import sha256_of
from saeatlas.errors import Conflict, SaeatlasError, StorageError

__all__ = ["Done", "Facts", "Stage", "Stages"]

Facts = Mapping[str, Any]
"""What a stage found out: JSON values."""


@dataclass(frozen=True)
class Stage:
    """One stage: what it makes, and everything that its output depends on."""

    name: str
    """Its name, also that of its record on disk."""
    inputs: Mapping[str, object]
    """Parameters, code version and digests of what it reads: JSON values."""
    outputs: tuple[str, ...]
    """Files it makes, relative to the directory."""

    @property
    def key(self) -> str:
        """SHA-256 over all of it."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Done:
    """A finished stage."""

    key: str
    """The stage's key."""
    digests: Mapping[str, str]
    """SHA-256 of each output file."""
    facts: Facts
    """What the stage found out."""
    seconds: float
    """Time it took when it was done."""
    is_reused: bool
    """Whether it was found done."""


class Stages:
    """The finished stages of one directory. Use `open` to get one: two runs at once would mix their files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._records = directory / ".stages"

    @classmethod
    @contextmanager
    def open(cls, directory: Path) -> Iterator[Stages]:
        """Make the directory if need be and hold it against other runs.

        Raises
        ------
        Conflict
            Another run is at work in the directory.
        StorageError
            The file system refused a write; kinds disk-full and read-only where these are the reasons.
        """
        stages = cls(directory)
        with _storage_errors(directory):
            stages._records.mkdir(parents=True, exist_ok=True)
            with (stages._records / "lock").open("w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    raise Conflict(
                        f"Another run is making the demo's source in '{directory}'",
                        hint="Wait until it has ended, or name another directory.",
                    ) from error
                yield stages

    def run(self, stage: Stage, build: Callable[[Path], Facts]) -> Done:
        """Return the stage's record, calling `build` with an empty directory for its outputs when there is none.

        Outputs become visible when all are complete. A changed or missing output file means not done.
        """
        found = self._current(stage)
        if found is not None:
            return found
        began = time.monotonic()
        partial = self._records / f"{stage.name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        try:
            for output in stage.outputs:
                (partial / output).parent.mkdir(parents=True, exist_ok=True)
            facts = build(partial)
            digests = {output: sha256_of(partial / output) for output in stage.outputs}
            # Without a record nobody takes a mixture of old and new files for a finished stage.
            self._record(stage).unlink(missing_ok=True)
            for output in stage.outputs:
                (self.directory / output).parent.mkdir(parents=True, exist_ok=True)
                (partial / output).replace(self.directory / output)
            done = Done(stage.key, digests, facts, time.monotonic() - began, is_reused=False)
            self._write(stage, done)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return done

    def _record(self, stage: Stage) -> Path:
        return self._records / f"{stage.name}.json"

    def _current(self, stage: Stage) -> Done | None:
        record = self._record(stage)
        if not record.exists():
            return None
        try:
            found = Done(**{**json.loads(record.read_bytes()), "is_reused": True})
        except (ValueError, TypeError):
            return None  # Torn by a power cut, or of another version: the stage is done again.
        if found.key != stage.key or set(found.digests) != set(stage.outputs):
            return None
        whole = all(
            (self.directory / output).is_file() and sha256_of(self.directory / output) == digest
            for output, digest in found.digests.items()
        )
        return found if whole else None

    def _write(self, stage: Stage, done: Done) -> None:
        temporary = self._records / f"{stage.name}.partial" / "record.json"
        temporary.write_text(json.dumps(asdict(done), indent=1, sort_keys=True))
        temporary.replace(self._record(stage))


@contextmanager
def _storage_errors(directory: Path) -> Iterator[None]:
    try:
        yield
    except SaeatlasError:
        raise
    except OSError as error:
        kind = {errno.ENOSPC: "disk-full", errno.EDQUOT: "disk-full"}.get(error.errno or 0, "storage-error")
        if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
            kind = "read-only"
        raise StorageError(
            f"The demo's source cannot be made in '{directory}': {error}",
            hint="Name a directory that can be written to and has 300 MB free; finished stages are kept.",
            kind=kind,
        ) from error
