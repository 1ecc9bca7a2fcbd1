"""What an exporter is: it writes files that other tools read, from what is current in an atlas."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from saeatlas.progress import Progress

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE

__all__ = ["Exporter"]


@dataclass(frozen=True, kw_only=True)
class Exporter(ABC):
    """Writes files for one other tool. Subclasses are frozen keyword-only dataclasses; fields are parameters."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"use_attribute_docstrings": True, "extra": "forbid"}

    @abstractmethod
    def export(self, saes: Sequence[SAE], directory: Path, progress: Progress) -> tuple[Path, ...]:
        """Write the files of some SAEs into a directory, each whole or not at all, and return their paths."""

    def lacks(self, sae: SAE) -> str:
        """Return in words what an SAE lacks to be exported, or nothing; of many SAEs, the others are exported."""
        del sae
        return ""
