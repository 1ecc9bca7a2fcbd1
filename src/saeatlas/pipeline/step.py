"""What the engine asks of a step, and what it hands to one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from saeatlas.format.commit import Entry
from saeatlas.progress import Progress
from saeatlas.settings import Settings
from saeatlas.storage.store import Store

__all__ = ["Built", "Step", "View", "Work"]


@dataclass(frozen=True)
class View:
    """What is known before a step runs: the artifacts that it would see."""

    store: Store
    """Where they are."""
    entries: Mapping[str, Entry]
    """Logical name to artifact: the head commit, with what this run has made so far laid over it."""


@dataclass(frozen=True)
class Work:
    """What a running step gets."""

    directory: Path
    """Empty; the step writes its files here and nowhere else."""
    view: View
    """What it may read, and only what it declared as inputs."""
    progress: Progress
    """Where to say how far it is."""
    settings: Settings
    """Limits of this worker."""

    @property
    def store(self) -> Store:
        """Where the inputs are."""
        return self.view.store

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Logical name to artifact."""
        return self.view.entries


@dataclass(frozen=True)
class Built:
    """What a step says about the files that it wrote."""

    attributes: Mapping[str, Any] = field(default_factory=dict)
    """Facts for the seal, as JSON values."""
    content: str | None = None
    """A fingerprint of the meaning, where equal meaning can have different bytes; else None."""


class Step(Protocol):
    """Makes one artifact. A step is a frozen dataclass that pickles, because it may run in another process."""

    @property
    def output(self) -> str:
        """Logical name of the artifact."""
        ...

    @property
    def name(self) -> str:
        """Name of the step, as in the artifact's directory and its seal."""
        ...

    @property
    def version(self) -> int:
        """Raised whenever the output of the same inputs and parameters changes."""
        ...

    @property
    def encoding_type(self) -> str:
        """What kind of artifact it makes, such as 'segment' or 'table'."""
        ...

    @property
    def encoding_version(self) -> int:
        """Version of that encoding."""
        ...

    def params(self) -> dict[str, Any]:
        """Everything else that the output depends on, as JSON values."""
        ...

    def inputs(self, view: View) -> dict[str, str]:
        """Name of each input and its digest, content or source fingerprint; all in `after` are in the view."""
        ...

    def after(self) -> tuple[str, ...]:
        """Patterns of logical names that must be made first, if this run makes them at all."""
        ...

    def memory(self, view: View) -> int:
        """Bytes it may hold at most; 0 when that cannot be known before its inputs exist."""
        ...

    def build(self, work: Work) -> Built:
        """Write the files."""
        ...
