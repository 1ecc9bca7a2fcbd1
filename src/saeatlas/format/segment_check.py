"""Check that what a segment says is true: both orientations, strongest entries and summary agree with the seal."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from saeatlas.format.segment_info import N_TOP, SegmentInfo
from saeatlas.format.segment_reader import SegmentReader
from saeatlas.format.segment_stream import Block, feature_blocks, row_blocks
from saeatlas.progress import SILENT, Progress

if TYPE_CHECKING:
    from saeatlas.kernels.sparse import FeatureSummary

__all__ = ["check_segment"]

Array = npt.NDArray[Any]
_MODULUS = 1 << 128


@dataclass
class _Seen:
    """What one orientation holds."""

    sums: npt.NDArray[np.uint64]
    """Sum of the hashes of each feature's entries."""
    fingerprint: int = 0
    n_active: int = 0
    smallest: float = np.inf
    largest: float = -np.inf
    problems: list[str] = field(default_factory=list)
    is_complete: bool = True
    """Whether everything was read; reading stops where going on makes no sense."""


def check_segment(reader: SegmentReader, progress: Progress = SILENT) -> list[str]:
    """Read everything once and return what is wrong, each as a sentence; an empty list when all is right.

    This finds damage that digests cannot, such as a file that was changed and sealed again. Files that cannot be read
    at all raise `FormatError`.

    Notes
    -----
    Peak memory: about 400 MB, and 16 bytes per feature.
    """
    info = reader.info
    with progress.task(f"Checking rows {info.first_row:,} to {info.first_row + info.n_rows:,}") as task:
        by_row = _check_rows(reader)
        task.advance(1)
        by_feature = _check_features(reader)
    problems = by_row.problems + by_feature.problems
    if not (by_row.is_complete and by_feature.is_complete):
        return problems
    differing = np.flatnonzero(by_row.sums != by_feature.sums)
    if differing.size:
        found = f"The two orientations hold different entries of {differing.size} features, first: {differing[0]}"
        return [found, *problems]
    return problems + _compare_with_seal(info, by_row)


def _compare_with_seal(info: SegmentInfo, seen: _Seen) -> list[str]:
    found = {
        "fingerprint": f"{seen.fingerprint % _MODULUS:032x}",
        "n_active": seen.n_active,
        "min": seen.smallest if info.n_listed else None,
        "max": seen.largest if info.n_listed else None,
    }
    return [
        f"The entries give {name} {value}, the seal says {getattr(info, name)}"
        for name, value in found.items()
        if value != getattr(info, name)
    ]


def _check_rows(reader: SegmentReader) -> _Seen:
    from saeatlas.kernels.sparse import fingerprint, first_unsorted, value_facts

    info = reader.info
    seen = _Seen(np.zeros(info.n_features, np.uint64))
    for start, indptr, features, values in row_blocks(reader):
        wrong = first_unsorted(indptr, features, info.n_features)
        if wrong >= 0:
            seen.problems.append(
                f"'row/feature', local row {start + wrong}: the features do not ascend, or reach {info.n_features}"
            )
            seen.is_complete = False
            break
        if not np.isfinite(values).all():
            seen.problems.append(f"'row/value' holds values that are not finite, in local rows from {start}")
            seen.is_complete = False
            break
        facts = value_facts(values)
        seen.n_active += facts.n_active
        seen.smallest, seen.largest = min(seen.smallest, facts.min), max(seen.largest, facts.max)
        seen.fingerprint += fingerprint(info.first_row + start, indptr, features, values, seen.sums)
    return seen


def _check_features(reader: SegmentReader) -> _Seen:
    seen = _Seen(np.zeros(reader.info.n_features, np.uint64))
    summary = reader.summary()
    for block in feature_blocks([reader], reader.info.n_features, reader.value_dtype):
        seen.is_complete = _check_block(reader, block, summary, seen)
        if not seen.is_complete:
            break
    return seen


def _check_block(reader: SegmentReader, block: Block, summary: dict[str, Array], seen: _Seen) -> bool:
    """Add what is wrong with a block; False when going on makes no sense."""
    from saeatlas.kernels.sparse import FeatureSummary, feature_fingerprint, first_unsorted

    info = reader.info
    found = FeatureSummary.empty(block.stop - block.first, N_TOP, summary["max"].dtype)
    last = -1
    for indptr, rows, values in block.pieces:
        wrong = first_unsorted(indptr, rows, info.n_rows)
        if wrong < 0 and block.stop - block.first == 1 and rows.size and int(rows[0]) <= last:
            wrong = 0
        if wrong >= 0:
            seen.problems.append(
                f"'feature/row', feature {block.first + wrong}: the rows do not ascend, or reach {info.n_rows}"
            )
            return False
        if not np.isfinite(values).all():
            seen.problems.append(f"'feature/value' holds values that are not finite, in features from {block.first}")
            return False
        last = int(rows[-1]) if rows.size else last
        seen.fingerprint += feature_fingerprint(info.first_row, block.first, indptr, rows, values, seen.sums)
        found.add(indptr, rows, values)
    _check_derived(reader, block, summary, found, seen)
    return True


def _check_derived(
    reader: SegmentReader,
    block: Block,
    summary: dict[str, Array],
    found: FeatureSummary,
    seen: _Seen,
) -> None:
    for name, numbers in summary.items():
        wrong = _first_difference(numbers[block.first : block.stop], getattr(found, name))
        if wrong >= 0:
            seen.problems.append(f"'summary/{name}' is wrong for feature {block.first + wrong}")
    bounds, rows, values = found.top()
    stored = reader.top_range(block.first, block.stop)
    if not np.array_equal(stored[0], bounds):
        wrong = _first_difference(stored[0], bounds)
        seen.problems.append(f"'top/indptr' is wrong for feature {block.first + wrong - 1}")
        return
    for name, ours, theirs in (("row", stored[1], rows), ("value", stored[2], values)):
        wrong = _first_difference(ours, theirs)
        if wrong >= 0:
            feature = block.first + int(np.searchsorted(bounds, wrong, "right")) - 1
            seen.problems.append(f"'top/{name}' is wrong for feature {feature}")


def _first_difference(one: Array, other: Array) -> int:
    """Return the first place where two arrays of one length differ, two NaN being equal, or -1."""
    differs = (one != other) & ~((one != one) & (other != other))  # noqa: PLR0124 - only NaN differs from itself
    return int(np.argmax(differs)) if differs.any() else -1
