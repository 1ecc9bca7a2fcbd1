"""How many features are active in each row, counted once for all checks that ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from saeatlas.kernels.counted import active_per_row

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE
    from saeatlas.progress import Progress

__all__ = ["RowCounts", "row_counts"]

_MAX_LISTED = 4_000_000


@dataclass(frozen=True)
class RowCounts:
    """Active features by row, over the whole corpus."""

    n_rows_by_count: npt.NDArray[np.int64]
    """Rows with 0, 1, 2 … active features."""
    first_row: npt.NDArray[np.int64]
    """First row with each number of active features; -1 where there is none."""

    @property
    def n_active(self) -> int:
        """Active entries in all."""
        return int((self.n_rows_by_count * np.arange(self.n_rows_by_count.size)).sum())

    @property
    def most(self) -> int:
        """Largest number of active features in a row."""
        return self.n_rows_by_count.size - 1

    def above(self, k: int) -> int:
        """Return the rows with more than `k` active features."""
        return int(self.n_rows_by_count[k + 1 :].sum())


_SEEN: WeakKeyDictionary[SAE, RowCounts] = WeakKeyDictionary()


def row_counts(sae: SAE, progress: Progress) -> RowCounts:
    """Count the active features of every row, from the row-major side of the activations.

    Memory: one block of about 4 million entries, 21 bytes each.
    """
    if sae not in _SEEN:
        _SEEN[sae] = _count(sae, progress)
    return _SEEN[sae]


def _count(sae: SAE, progress: Progress) -> RowCounts:
    rows, first = np.zeros(1, np.int64), np.full(1, -1, np.int64)
    for block in sae.activations.row_blocks(_MAX_LISTED, progress):
        active = active_per_row(block.indptr, block.values)
        found, where, counts = np.unique(active, return_index=True, return_counts=True)
        more = int(found[-1]) + 1 - rows.size if found.size else 0
        if more > 0:
            rows, first = np.pad(rows, (0, more)), np.pad(first, (0, more), constant_values=-1)
        new = found[first[found] < 0]
        first[new] = block.first + where[first[found] < 0]
        rows[found] += counts
    return RowCounts(rows, first)
