"""Go through the entries of segments in blocks of bounded size, in either orientation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from saeatlas.format.segment_info import SegmentInfo
from saeatlas.format.segment_reader import SegmentReader

__all__ = ["RANGE_BYTES", "Block", "feature_blocks", "feature_ranges", "row_blocks"]

Array = npt.NDArray[Any]

RANGE_BYTES = 64 << 20
"""Bytes of rows and values that are handled at once."""
_RANGE_FEATURES = 1 << 15
"""Features of one range at most: each needs room for its strongest entries."""


@dataclass(frozen=True)
class Block:
    """Neighbouring features over several segments."""

    first: int
    """First feature."""
    stop: int
    """One past the last feature."""
    n_listed: int
    """Entries in all."""
    pieces: Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32], Array]]
    """One piece, or several when the block is one feature: bounds from 0, rows from the first segment's first row,
    values. The rows of each piece lie above those of the piece before."""


def _limit(itemsize: int) -> int:
    return RANGE_BYTES // (4 + max(4, itemsize))


def feature_ranges(counts: npt.NDArray[np.int64], value_dtype: np.dtype[Any]) -> Iterator[tuple[int, int]]:
    """Cut the features so that the entries of a range take `RANGE_BYTES` at most, or the range is one feature."""
    ends = np.cumsum(counts)
    limit = _limit(value_dtype.itemsize)
    first, before = 0, 0
    while first < counts.size:
        stop = max(first + 1, int(np.searchsorted(ends, before + limit, "right")))
        stop = min(stop, first + _RANGE_FEATURES)
        yield first, stop
        first, before = stop, int(ends[stop - 1])


def row_blocks(reader: SegmentReader) -> Iterator[tuple[int, npt.NDArray[np.int64], Array, Array]]:
    """Yield all rows in order: first local row, and what `SegmentReader.rows` gives.

    A block takes half of `RANGE_BYTES`, or is one row.
    """
    info = reader.info
    limit = _limit(reader.value_dtype.itemsize) // 2
    bounds = reader.row_indptr
    start = 0
    while start < info.n_rows:
        if bounds is None:
            stop = start + max(1, limit // max(1, info.k or 0))
        else:
            stop = max(start + 1, int(np.searchsorted(bounds, bounds[start] + limit, "right")) - 1)
        # Empty rows take no entries, but their bounds take 8 bytes each.
        stop = min(stop, start + limit, info.n_rows)
        yield start, *reader.rows(start, stop)
        start = stop


def feature_blocks(readers: Sequence[SegmentReader], n_features: int, value_dtype: np.dtype[Any]) -> Iterator[Block]:
    """Yield all features in order, joined over consecutive segments.

    Peak memory: `RANGE_BYTES` twice for a block.
    """
    counts = np.zeros(n_features, np.int64)
    for reader in readers:
        counts[: reader.info.n_features] += np.diff(reader.indptr)
    for first, stop in feature_ranges(counts, value_dtype):
        n_listed = int(counts[first:stop].sum())
        if n_listed > _limit(value_dtype.itemsize):
            pieces = _pieces_of_one(readers, first, value_dtype)
        else:
            pieces = iter([_joined(readers, (first, stop), value_dtype)])
        yield Block(first, stop, n_listed, pieces)


def _offset(readers: Sequence[SegmentReader], info: SegmentInfo) -> int:
    return info.first_row - readers[0].info.first_row


def _joined(
    readers: Sequence[SegmentReader], span: tuple[int, int], dtype: np.dtype[Any]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32], Array]:
    from saeatlas.kernels.sparse import merge_features

    parts = []
    for reader in readers:
        width = reader.info.n_features
        indptr, rows, values = reader.feature_range(min(span[0], width), min(span[1], width))
        bounds = np.full(span[1] - span[0] + 1, indptr[-1], np.int64)
        bounds[: indptr.size] = indptr
        parts.append((bounds, rows, values, _offset(readers, reader.info)))
    if len(parts) == 1 and parts[0][2].dtype == dtype:
        return parts[0][:3]
    return merge_features(parts, dtype)


def _pieces_of_one(
    readers: Sequence[SegmentReader], feature: int, dtype: np.dtype[Any]
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32], Array]]:
    step = _limit(dtype.itemsize)
    for reader in readers:
        if feature >= reader.info.n_features:
            continue
        first, last = int(reader.indptr[feature]), int(reader.indptr[feature + 1])
        for start in range(first, last, step):
            rows, values = reader.entries(start, min(start + step, last))
            rows += np.uint32(_offset(readers, reader.info))
            yield np.array([0, rows.size], np.int64), rows, values.astype(dtype, copy=False)
