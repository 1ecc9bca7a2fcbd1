"""The tokens around the rows where features are active, for many features at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from saeatlas.atlas.activations import FeatureBlock
    from saeatlas.atlas.corpus import Corpus
    from saeatlas.format.tokens import TokensReader

__all__ = ["CONTEXTS_AT_ONCE", "Windows", "windows_of"]

CONTEXTS_AT_ONCE = 200_000
"""Contexts that are read at a time, or those of one feature that has more."""

_OUTSIDE = -1


@dataclass(frozen=True)
class Windows:
    """Tokens around the active rows of neighbouring features."""

    first: int
    """First feature id."""
    indptr: npt.NDArray[np.int64]
    """Which windows are of each feature, n_features + 1 numbers from 0."""
    tokens: npt.NDArray[np.uint32]
    """[windows, 2 half + 1], the active row's own token in the middle; `NO_TOKEN` outside of the document and where a
    token is not known."""
    documents: npt.NDArray[np.uint32]
    """Document of each window; windows of a feature are in the order of documents, then positions."""

    def middle(self, half: int) -> npt.NDArray[np.uint32]:
        """Return the windows cut to `half` tokens on each side."""
        centre = self.tokens.shape[1] // 2
        return np.ascontiguousarray(self.tokens[:, centre - half : centre + half + 1])


def windows_of(block: FeatureBlock, corpus: Corpus, tokens: TokensReader, half: int, n: int) -> Iterator[Windows]:
    """Yield the windows of the `n` strongest active rows of each feature of a block, or of all; of ties the lower rows.

    Parameters
    ----------
    block, corpus, tokens
        The features, and what the windows are cut from.
    half
        Tokens on each side.
    n
        Windows of a feature at most; 0 for all.

    Notes
    -----
    Holds 50 bytes for each token of `CONTEXTS_AT_ONCE` windows, or of those of one feature that has more.
    """
    from saeatlas.kernels.ngrams import strongest_entries

    bounds, entries = strongest_entries(block.indptr, block.values, n)
    first, n_features = 0, bounds.size - 1
    while first < n_features:
        stop = max(first + 1, int(np.searchsorted(bounds, bounds[first] + CONTEXTS_AT_ONCE, "right")) - 1)
        indptr = bounds[first : stop + 1] - bounds[first]
        rows = block.rows[entries[bounds[first] : bounds[stop]]].astype(np.int64)
        documents, positions = corpus.documents.locate(rows)
        order = np.lexsort((positions, documents, np.repeat(np.arange(stop - first), np.diff(indptr))))
        rows, documents, positions = rows[order], documents[order], positions[order]
        around = _rows_around(corpus, rows, documents, positions, half)
        yield Windows(block.first + first, indptr, _tokens_at(tokens, around), documents)
        first = stop


def _rows_around(
    corpus: Corpus,
    rows: npt.NDArray[np.int64],
    documents: npt.NDArray[np.uint32],
    positions: npt.NDArray[np.uint32],
    half: int,
) -> npt.NDArray[np.int64]:
    """Return the rows at the positions around each row, [rows, 2 half + 1]; -1 outside of the document."""
    offsets = np.arange(-half, half + 1)
    place = positions.astype(np.int64)[:, None] + offsets
    if corpus.documents.attributes["contiguous"]:
        lengths = corpus.documents.lengths()[documents]
        return np.where((place >= 0) & (place < lengths[:, None]), rows[:, None] + offsets, _OUTSIDE)
    found = corpus.documents.rows_at(np.repeat(documents, offsets.size), place.ravel())
    return found.reshape(place.shape)


def _tokens_at(tokens: TokensReader, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
    """Return the tokens of rows in any order, `NO_TOKEN` where a row is -1; each row is read once."""
    from saeatlas.format.tokens import NO_TOKEN

    wanted, place = np.unique(rows, return_inverse=True)
    outside = int(np.searchsorted(wanted, 0))
    found = np.full(wanted.size, NO_TOKEN, np.uint32)
    found[outside:] = tokens.tokens(wanted[outside:])
    return found[place.reshape(rows.shape)]
