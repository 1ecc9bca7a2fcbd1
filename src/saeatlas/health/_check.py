"""What a check is, and what it finds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from saeatlas.atlas.corpus import Corpus
    from saeatlas.atlas.sae import SAE
    from saeatlas.progress import Progress

__all__ = ["CorpusCheck", "Finding", "SaeCheck", "Verdict"]

Verdict = Literal["ok", "suspect", "wrong", "not-applicable"]
"""`ok`: as it should be. `suspect`: look at it. `wrong`: results from these data mislead. `not-applicable`: what the
check needs is not there."""


@dataclass(frozen=True)
class Finding:
    """What one check found about one SAE or corpus, or about one part of it."""

    verdict: Verdict
    message: str
    """What was found, or what is missing, as a sentence without a full stop."""
    remedy: str = ""
    """What to do; empty when there is nothing to do."""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    """Figures by name, as JSON values; None where one is undefined."""


@dataclass(frozen=True, kw_only=True)
class SaeCheck(ABC):
    """Examines one SAE. Fields are parameters; each has a default."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"use_attribute_docstrings": True, "extra": "forbid"}

    @abstractmethod
    def examine(self, sae: SAE, progress: Progress) -> Iterable[Finding]:
        """Give one finding or more; memory is bounded whatever the size of the data."""


@dataclass(frozen=True, kw_only=True)
class CorpusCheck(ABC):
    """Examines one corpus, once for all SAEs that ran on it. Fields are parameters; each has a default."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"use_attribute_docstrings": True, "extra": "forbid"}

    @abstractmethod
    def examine(self, corpus: Corpus, progress: Progress) -> Iterable[Finding]:
        """Give one finding or more; memory is bounded whatever the size of the data."""
