"""What an importer of facts about an SAE is: weights, maps and explanations, which bring no rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from saeatlas.format.identity import SaeIdentity
from saeatlas.progress import Progress

__all__ = ["Pending", "SaeImporter", "SaePart", "SaeSurvey"]


@dataclass(frozen=True)
class SaePart:
    """One artifact that a source gives."""

    name: str
    """Below the SAE: 'weights', 'map', or 'explanations/' and the name of the set."""
    encoding: Literal["weights", "feature-map", "explanations"]
    """How it is stored."""
    fingerprint: str
    """A digest of what it is made from; the same data in another place has the same fingerprint."""
    memory: int
    """Bytes that writing it may hold at most."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """What else shapes it, as JSON values."""


@dataclass(frozen=True)
class SaeSurvey:
    """What a source holds."""

    identity: SaeIdentity
    """Which SAE this is; unknown facts are None."""
    parts: tuple[SaePart, ...]
    """What it gives, at least one."""
    n_features: int | None
    """Features that it has, where it has all of them; what is there must have as many."""
    notes: tuple[str, ...] = ()
    """Sentences that the user should read: what was assumed, what was left out."""


@dataclass(frozen=True)
class Pending:
    """What must be downloaded before a source can be read."""

    parts: tuple[str, ...]
    """Names of the parts that it is expected to give."""
    size: int | None
    """Bytes; None where that is not known beforehand."""


@dataclass(frozen=True, kw_only=True)
class SaeImporter(ABC):
    """Maps one source. Subclasses are frozen keyword-only dataclasses; their fields are their parameters."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {
        "use_attribute_docstrings": True,
        "extra": "forbid",
        "arbitrary_types_allowed": True,
    }
    version: ClassVar[int]
    """Raised whenever the same source gives another result."""

    paths: ClassVar[frozenset[str]] = frozenset({"source"})
    """Fields that hold paths, which in a project file are relative to that file."""

    source: str = field(kw_only=False)
    """Where it is."""
    sae: str
    """Name of the SAE in the atlas."""

    @abstractmethod
    def survey(self, progress: Progress) -> SaeSurvey:
        """Read headers and make the checks; a source that cannot be imported is a `SourceError`."""

    @abstractmethod
    def write(self, part: SaePart, directory: Path, progress: Progress) -> dict[str, Any]:
        """Write the files of one part and return the attributes of its artifact.

        Among them `n_features`: the largest id that it names and one, by which an SAE without activations and without
        a stated width is measured.
        """

    def pending(self) -> Pending | None:
        """Return what `survey` would have to download first, or None when all is here; a plan downloads nothing."""
        return None

    def expand(self) -> tuple[SaeImporter, ...]:
        """Return an importer for each SAE where the source names several, such as one for each layer."""
        return (self,)
