"""The lines and vectors of the analysis 'example-embeddings', feature by feature."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from saeatlas.errors import NotFound

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE
    from saeatlas.format.matrix import MatrixReader

__all__ = ["EXAMPLES", "ExampleTable", "needed_examples", "number_of_examples"]

EXAMPLES = "example-embeddings"
"""The analysis that is read."""

_PER_FEATURE = 20


@dataclass(frozen=True)
class ExampleTable:
    """The examples of all features."""

    indptr: npt.NDArray[np.int64]
    """Where each feature starts and ends in the lines, n_features + 1 numbers from 0."""
    table: pa.Table
    """Its lines, by feature."""
    reader: MatrixReader
    """Its vectors."""

    def vectors(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        """Return the vectors of some lines as they were embedded, float32 [stop - start, width]."""
        numbers = self.reader.read(start, stop).astype(np.float32)
        if self.reader.dtype != np.int8:
            return numbers
        scale = self.table.column("scale").slice(start, stop - start).to_numpy()
        return np.asarray(numbers * scale[:, None], np.float32)

    def texts(self, start: int, stop: int) -> list[str]:
        """Return the texts of some lines."""
        return self.table.column("text").slice(start, stop - start).to_pylist()  # type: ignore[no-any-return]

    def tokens(self) -> npt.NDArray[np.uint32]:
        """Return the token at the peak of each line."""
        return np.asarray(self.table.column("token").to_numpy(), np.uint32)

    def portions(self, n_lines: int) -> Iterator[tuple[int, int]]:
        """Yield ranges of features with `n_lines` lines at most together, or of one feature that has more."""
        edges = [0]
        while edges[-1] < self.indptr.size - 1:
            first = edges[-1]
            edges.append(max(first + 1, int(np.searchsorted(self.indptr, self.indptr[first] + n_lines, "right")) - 1))
        yield from pairwise(edges)


def needed_examples(sae: SAE) -> ExampleTable:
    """Return the examples of an SAE; `NotFound` when they are not there, or were made from something else."""
    table, reader = sae.table(EXAMPLES), sae.matrix(EXAMPLES, "vectors")
    if table is None or reader is None:
        raise NotFound(sae.why_no_table(EXAMPLES), hint=f"Run: saeatlas analyze {EXAMPLES}")
    counts = np.bincount(table.column("feature").to_numpy(), minlength=sae.n_features)
    return ExampleTable(np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]), table, reader)


def number_of_examples(sae: SAE) -> tuple[int, int]:
    """Return how many examples there are, and the width of their vectors; what is usual where there are none yet."""
    reader = sae.matrix(EXAMPLES, "vectors")
    return (_PER_FEATURE * sae.n_features, 128) if reader is None else reader.shape
