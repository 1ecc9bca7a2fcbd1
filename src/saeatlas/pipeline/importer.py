"""What an importer is: it maps a source to rows, documents and tokens, and stops there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from saeatlas.format.identity import SaeIdentity
from saeatlas.pipeline.recipe import fields_of
from saeatlas.progress import Progress

if TYPE_CHECKING:
    from saeatlas.format.documents import DocumentsReader

__all__ = ["Importer", "Part", "RowBatch", "Survey", "even_shards"]

Part = Literal["activations", "documents", "tokens"]
"""One of the things that an importer gives, each with its own fingerprint and parameters."""


@dataclass(frozen=True)
class RowBatch:
    """Consecutive rows as the source has them: raw slots, unchecked, empty slots included."""

    first_row: int
    """Global row of the first row in the batch."""
    features: npt.NDArray[np.integer[Any]]
    """Feature ids, [slots], any integer dtype."""
    values: npt.NDArray[np.floating[Any]]
    """Activations, [slots], any float dtype."""
    indptr: npt.NDArray[np.int64]
    """Where each row starts in the slots, [rows + 1], from 0."""


@dataclass(frozen=True)
class Survey:
    """What the headers of a source say."""

    n_rows: int
    """Rows in all."""
    k: int | None
    """Slots in every row, or None when rows differ."""
    n_features: int | None
    """Declared width of the SAE, or None when the source does not say."""
    identity: SaeIdentity
    """Which SAE this is; unknown facts are None."""
    corpus: str
    """Name of the corpus."""
    fingerprints: Mapping[Part, str]
    """A digest of what each part is made from; the same data in another place has the same fingerprint."""
    has_tokens: bool = False
    """Whether `write_tokens` has something to write."""
    notes: tuple[str, ...] = ()
    """Sentences that the user should read: what was assumed, what was left out."""


@dataclass(frozen=True, kw_only=True)
class Importer(ABC):
    """Maps one source. Subclasses are frozen keyword-only dataclasses; their fields are their parameters."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {
        "use_attribute_docstrings": True,
        "extra": "forbid",
        "arbitrary_types_allowed": True,
    }
    version: ClassVar[int]
    """Raised whenever the same source gives another result."""
    ignored: ClassVar[frozenset[str]] = frozenset()
    """Fields that are no part of any recipe, such as a path whose file is in a fingerprint."""

    paths: ClassVar[frozenset[str]] = frozenset({"source"})
    """Fields that hold paths, which in a project file are relative to that file."""

    source: str = field(kw_only=False)
    """File to import."""
    sae: str
    """Name of the SAE in the atlas."""
    corpus: str = ""
    """Name of the corpus in the atlas; empty to let the importer choose."""
    profile: Literal["fast", "balanced", "compact"] = "fast"
    """How segments are stored: 'fast' to read, 'balanced', or 'compact' on disk."""
    shard_rows: int = 0
    """Rows in one segment; 0 to choose from the data."""

    @abstractmethod
    def survey(self, progress: Progress) -> Survey:
        """Read headers and make the cheap checks; a source that cannot be imported is a `SourceError`."""

    def shards(self, survey: Survey) -> tuple[range, ...]:
        """Cut the rows into consecutive ranges, each of which becomes a segment."""
        return even_shards(survey, self.shard_rows)

    @abstractmethod
    def rows(self, shard: range, progress: Progress) -> Iterator[RowBatch]:
        """Yield the rows of a shard in order, in batches of bounded size."""

    @abstractmethod
    def write_documents(self, directory: Path, progress: Progress) -> dict[str, Any]:
        """Write a `documents` artifact with `DocumentsWriter` and return its attributes."""

    def write_tokens(self, directory: Path, documents: DocumentsReader, progress: Progress) -> dict[str, Any] | None:
        """Write a `tokens` artifact and return its attributes; None when the source has no tokens."""
        del directory, documents, progress
        return None

    def params(self, part: Part) -> dict[str, Any]:
        """Return what shapes a part beside its fingerprint, as JSON values: by default every field of the subclass.

        An importer that can say which fields matter to which part overrides this, so that fewer steps
        rebuild. The name of the SAE, the corpus, the profile and the range of rows are added by the engine.
        """
        del part
        own = frozenset({"source", "sae", "corpus", "profile", "shard_rows"})
        return fields_of(self, without=own | self.ignored)

    def empty_slots(self) -> tuple[int | None, float | None]:
        """Return the feature id and the value that mark an empty slot: fields `empty_feature`, `empty_value`."""
        return getattr(self, "empty_feature", None), getattr(self, "empty_value", None)


def even_shards(survey: Survey, shard_rows: int, *, most_slots: int = 64_000_000) -> tuple[range, ...]:
    """Cut the rows into ranges of equal length.

    Parameters
    ----------
    survey
        Gives the number of rows and of slots in each; rows of varying length count as 32.
    shard_rows
        Rows in a range, or 0 for 2 to 8 million rows and at most `most_slots` slots.
    """
    rows = shard_rows or min(8_000_000, max(1, most_slots // max(1, survey.k or 32)))
    count = max(1, -(-survey.n_rows // rows))
    if not shard_rows:
        rows = -(-survey.n_rows // count)
    return tuple(range(start, min(survey.n_rows, start + rows)) for start in range(0, survey.n_rows, max(1, rows)))
