"""The active entries of all rows, block after block, of one SAE or of several over the same rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from saeatlas.ahead import one_ahead

if TYPE_CHECKING:
    import numpy.typing as npt

    from saeatlas.atlas.activations import Activations, RowBlock
    from saeatlas.atlas.sae import SAE
    from saeatlas.kernels.cooccurrence import ActiveRows
    from saeatlas.kernels.pair_measures import Totals
    from saeatlas.progress import Progress

__all__ = ["MAX_ROW_ENTRIES", "ActiveBlocks", "Draw", "n_listed_pairs", "pair_bytes", "row_bytes"]

MAX_ROW_ENTRIES = 16_000_000
"""Listed entries of a block of rows."""
_KEPT_ENTRIES = 32_000_000
"""Rows with this many active entries in all are kept, instead of being read once more for each range of features."""


@dataclass(frozen=True)
class Draw:
    """Which rows are read."""

    share: float = 1.0
    """Probability of each row."""
    seed: int = 0
    """Seed of the draw."""


class ActiveBlocks:
    """Blocks of rows of some SAEs, aligned; any number of times, and only once from disk when they fit in memory.

    Features are renamed to labels, which only those have that fire in the corpus: pairs of features take memory as
    the square of their number.
    """

    def __init__(self, saes: Sequence[SAE], progress: Progress, draw: Draw | None = None) -> None:
        self._activations = [sae.activations for sae in saes]
        self._progress = progress
        self._draw = draw or Draw()
        self.features = [np.flatnonzero(activations.active_counts) for activations in self._activations]
        """Of each SAE, the id of the feature behind each label, ascending, int64."""
        self._labels = [
            _labels(activations.n_features, features)
            for activations, features in zip(self._activations, self.features, strict=True)
        ]
        self._kept: list[list[ActiveRows]] | None = None
        self.totals: list[Totals] = []
        """Of each SAE, the totals of every label over the rows that were drawn; there once all were read."""

    def __iter__(self) -> Iterator[list[ActiveRows]]:
        """Yield the same rows of every SAE."""
        if self._kept is not None:
            yield from self._kept
        elif self.totals:
            yield from one_ahead(self._read())
        else:
            yield from self._read_first()

    def _read_first(self) -> Iterator[list[ActiveRows]]:
        from saeatlas.kernels.cooccurrence import add_totals
        from saeatlas.kernels.pair_measures import Totals

        sums = [(np.zeros(ids.size, np.int64), np.zeros(ids.size), np.zeros(ids.size)) for ids in self.features]
        kept: list[list[ActiveRows]] | None = []
        n_rows = n_entries = 0
        for blocks in one_ahead(self._read()):
            for block, (n_active, total, squares) in zip(blocks, sums, strict=True):
                add_totals(block, n_active, total, squares)
            n_rows += blocks[0].n_drawn
            n_entries += sum(block.features.size for block in blocks)
            if kept is not None:
                kept.append(blocks)
            if n_entries > _KEPT_ENTRIES:
                kept = None
            yield blocks
        self._kept = kept
        self.totals = [Totals(n_rows, *of_sae) for of_sae in sums]

    def _read(self) -> Iterator[list[ActiveRows]]:
        from saeatlas.kernels.cooccurrence import active_rows
        from saeatlas.kernels.row_draw import drawn_rows

        first, most = self._activations[0].n_listed, max(one.n_listed for one in self._activations)
        # So few rows that those of the SAE with the longest rows are a block too.
        entries = max(1, MAX_ROW_ENTRIES * first // max(1, most))
        for block in self._activations[0].row_blocks(entries, self._progress):
            drawn = drawn_rows(block.first, block.stop, self._draw.share, self._draw.seed)
            blocks = [block, *(_same_rows(activations, block) for activations in self._activations[1:])]
            yield [
                active_rows(one.indptr, one.features, one.values, labels, drawn)
                for one, labels in zip(blocks, self._labels, strict=True)
            ]


def _labels(n_features: int, features: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
    from saeatlas.kernels.cooccurrence import NO_LABEL

    labels = np.full(n_features, NO_LABEL, np.uint32)
    labels[features] = np.arange(features.size, dtype=np.uint32)
    return labels


def _same_rows(activations: Activations, block: RowBlock) -> RowBlock:
    from saeatlas.atlas.activations import RowBlock

    indptr, features, values = activations.rows(block.first, block.stop)
    return RowBlock(block.first, block.stop, indptr, features.astype(np.uint32, copy=False), values)


def n_listed_pairs(activations: Activations) -> int:
    """Return how many pairs of listed entries share a row, from the bounds of the rows alone."""
    total = 0
    for segment in activations.segments:
        bounds = segment.row_indptr
        if bounds is None:
            k = segment.info.k or 0
            total += segment.info.n_rows * (k * (k - 1) // 2)
        else:
            lengths = np.diff(bounds)
            total += int((lengths * (lengths - 1) // 2).sum())
    return total


def pair_bytes(n_rows: int, n_pairs: int) -> int:
    """Return the bytes of the number of rows and the sum of products of so many pairs of features."""
    return n_pairs * (12 if n_rows < 1 << 32 else 16)


def row_bytes(activations: Activations) -> int:
    """Return the bytes of a block of rows while its pairs are added, of the next one, and of rows that are kept."""
    entries = min(activations.n_listed, MAX_ROW_ENTRIES)
    width = 4 + activations.value_dtype.itemsize
    rows = activations.n_rows * entries // max(1, activations.n_listed)
    kept = min(activations.n_listed, _KEPT_ENTRIES)
    return entries * (5 * width + 4) + 80 * rows + kept * width
