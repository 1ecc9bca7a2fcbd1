"""Merge consecutive segments into one, in blocks: fewer files to ask, another codec, another value type."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from saeatlas.errors import Conflict, FormatError, InternalError, InvalidInput
from saeatlas.format.codecs import Profile, check_profile
from saeatlas.format.segment_builder import FeatureSide, RowSide, check_n_rows, write_groups
from saeatlas.format.segment_info import SegmentInfo
from saeatlas.format.segment_reader import SegmentReader
from saeatlas.format.segment_stream import feature_blocks, row_blocks
from saeatlas.progress import SILENT, Progress, Task

__all__ = ["merge_segments"]

Array = npt.NDArray[Any]
_MODULUS = 1 << 128


@dataclass
class _Facts:
    """What is found out while the rows stream by."""

    fingerprint: int = 0
    n_active: int = 0
    smallest: float = np.inf
    largest: float = -np.inf
    rounding_error: float = 0.0


def merge_segments(
    readers: Sequence[SegmentReader],
    directory: Path,
    profile: Profile,
    progress: Progress = SILENT,
    *,
    value_dtype: Literal["exact", "float16"] = "exact",
) -> SegmentInfo:
    """Write one segment with the entries of several.

    Parameters
    ----------
    readers
        Segments of one SAE and corpus in row order, without gaps between them.
    directory
        Empty directory to write into.
    profile
        Codec profile of the result.
    value_dtype
        `exact` takes the widest type among the segments, so that nothing changes. `float16` rounds, records the largest
        difference, and gives the fingerprint of the rounded values.

    Returns
    -------
    SegmentInfo
        Its fingerprint is the sum of those of the segments, unless values were rounded.

    Raises
    ------
    InvalidInput
        No segments, rows that do not follow each other, 2^32 rows or more, or values beyond float16.
    Conflict
        Segments of different SAEs, corpora or identities.
    FormatError
        A segment holds other entries than its seal says; nothing wrong is passed on.

    Notes
    -----
    Peak memory: about 400 MB, and 16 bytes per feature and segment; 8 bytes per row of one segment where rows have
    different numbers of entries.
    """
    check_profile(profile)
    infos = [reader.info for reader in readers]
    _check_neighbours(infos)
    merged = _joined(infos, profile, value_dtype)
    facts = _write(readers, directory, merged, progress)
    is_empty = not merged.n_listed
    return replace(
        merged,
        n_active=facts.n_active,
        min=None if is_empty else facts.smallest,
        max=None if is_empty else facts.largest,
        fingerprint=f"{facts.fingerprint:032x}",
        largest_rounding_error=max(facts.rounding_error, *(info.largest_rounding_error for info in infos)),
    )


def _joined(infos: Sequence[SegmentInfo], profile: Profile, value_dtype: Literal["exact", "float16"]) -> SegmentInfo:
    """Return what can be said of the result before its entries are read."""
    lengths = {info.k for info in infos if info.n_rows}
    widest = max((np.dtype(info.value_dtype) for info in infos), key=lambda dtype: dtype.itemsize)
    return replace(
        infos[0],
        n_rows=sum(info.n_rows for info in infos),
        n_features=max(info.n_features for info in infos),
        n_listed=sum(info.n_listed for info in infos),
        k=lengths.pop() if len(lengths) == 1 else None,
        n_empty_slots=sum(info.n_empty_slots for info in infos),
        value_dtype="float16" if value_dtype == "float16" else widest.name,
        profile=profile,
    )


def _check_neighbours(infos: Sequence[SegmentInfo]) -> None:
    if not infos:
        raise InvalidInput("No segments to merge")
    first = infos[0]
    expected = first.first_row
    for info in infos:
        for what in ("sae", "corpus", "identity"):
            ours, theirs = getattr(first, what), getattr(info, what)
            if ours != theirs:
                raise Conflict(
                    f"Segments of different {what} cannot be merged: {ours!r} and {theirs!r}", kind="identity-mismatch"
                )
        if info.first_row != expected:
            raise InvalidInput(f"The next segment must start at row {expected}, found: {info.first_row}")
        expected += info.n_rows
    check_n_rows(expected - first.first_row)


def _write(readers: Sequence[SegmentReader], directory: Path, merged: SegmentInfo, progress: Progress) -> _Facts:
    """Write both orientations and return what the rows say of themselves."""
    stored, profile = np.dtype(merged.value_dtype).newbyteorder("<"), check_profile(merged.profile)
    write_groups(directory)
    name = f"Merging rows {merged.first_row:,} to {merged.first_row + merged.n_rows:,}"
    with progress.task(name, total=2.0 * merged.n_listed, unit="values") as task:
        with RowSide(directory, merged.n_features, stored, profile, has_fixed_k=merged.k is not None) as by_row:
            facts = _merge_rows(readers, by_row, stored, task)
        with FeatureSide(directory, merged.n_features, stored, profile) as by_feature:
            found = _merge_features(readers, by_feature, merged, task)
            by_feature.finish()
    if found != facts.fingerprint:
        raise InternalError("The two orientations of a merged segment hold different entries")
    return facts


def _merge_rows(readers: Sequence[SegmentReader], by_row: RowSide, stored: np.dtype[Any], task: Task) -> _Facts:
    from saeatlas.kernels.sparse import fingerprint, value_facts

    facts = _Facts()
    for reader in readers:
        read, written = 0, 0
        for start, indptr, features, values in row_blocks(reader):
            first_row = reader.info.first_row + start
            kept = _rounded(values, stored)
            own = fingerprint(first_row, indptr, features, values)
            read += own
            written += own if kept is values else fingerprint(first_row, indptr, features, kept)
            found = value_facts(kept)
            facts.n_active += found.n_active
            facts.smallest, facts.largest = min(facts.smallest, found.min), max(facts.largest, found.max)
            facts.rounding_error = max(facts.rounding_error, _largest_difference(values, kept))
            by_row.add(indptr, features, kept)
            task.advance(float(features.size))
        if read % _MODULUS != int(reader.info.fingerprint, 16):
            raise FormatError(
                f"The rows of '{reader.prefix}' are not those of its seal",
                hint="Run 'saeatlas verify --deep' and do what it says.",
                kind="corrupt-artifact",
            )
        facts.fingerprint = (facts.fingerprint + written) % _MODULUS
    return facts


def _merge_features(readers: Sequence[SegmentReader], by_feature: FeatureSide, merged: SegmentInfo, task: Task) -> int:
    """Write the feature-major side and return the fingerprint of what was written."""
    from saeatlas.kernels.sparse import feature_fingerprint

    stored = np.dtype(merged.value_dtype)
    widest = max((reader.value_dtype for reader in readers), key=lambda dtype: dtype.itemsize)
    found = 0
    with ThreadPoolExecutor(1) as worker:
        blocks = feature_blocks(readers, merged.n_features, widest)
        ahead = worker.submit(next, blocks, None)
        while (block := ahead.result()) is not None:
            # The next block is read and joined while this one is encoded and written.
            ahead = worker.submit(next, blocks, None)
            by_feature.begin(block.stop - block.first)
            for indptr, rows, values in block.pieces:
                kept = _rounded(values, stored)
                found += feature_fingerprint(merged.first_row, block.first, indptr, rows, kept)
                by_feature.add(indptr, rows, kept)
            by_feature.end()
            task.advance(float(block.n_listed))
    return found % _MODULUS


def _rounded(values: Array, stored: np.dtype[Any]) -> Array:
    """Return the values as they will be stored, widened or rounded; the same array when it has that type."""
    if stored.itemsize >= values.dtype.itemsize:
        return values
    with np.errstate(over="ignore"):
        rounded = values.astype(stored)
    if not np.isfinite(rounded).all():
        raise InvalidInput(
            f"Values up to {float(np.abs(values).max()):g} do not fit {stored.name}", hint="Merge with exact values."
        )
    return rounded


def _largest_difference(values: Array, kept: Array) -> float:
    if kept is values:
        return 0.0
    return float(np.max(np.abs(values.astype(np.float64) - kept.astype(np.float64)), initial=0.0))
