"""The activations of one SAE over all its segments, by feature and by row; NumPy only, to keep start-up short."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from saeatlas.errors import FormatError, InvalidInput, NotFound
from saeatlas.format.segment_info import N_TOP
from saeatlas.format.segment_reader import SegmentReader
from saeatlas.progress import SILENT, Progress

__all__ = ["Activations", "FeatureBlock", "RowBlock", "top_entries"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class FeatureBlock:
    """The listed entries of neighbouring features, feature by feature."""

    first: int
    """First feature id."""
    stop: int
    """One past the last feature id."""
    indptr: npt.NDArray[np.int64]
    """Where each feature starts and ends in `rows` and `values`; `stop - first + 1` numbers from 0."""
    rows: Array
    """Global rows, ascending within a feature; uint32, or int64 from 2^32 rows on."""
    values: Array
    """Their values, float32 or float64."""
    segments: tuple[tuple[int, int, npt.NDArray[np.int64]], ...]
    """First row, number of rows and listed entries per feature of each segment, in row order."""

    def feature(self, feature: int) -> tuple[Array, Array]:
        """Return rows and values of one feature of the block, as views."""
        low, high = self.indptr[feature - self.first], self.indptr[feature - self.first + 1]
        return self.rows[low:high], self.values[low:high]

    def gather(self, read: Callable[[int, int], Array]) -> Array:
        """Return, for each entry, the value of a column that is aligned with the rows.

        Parameters
        ----------
        read
            Gives the column between two global rows, such as `tokens.read` or `documents.row_documents`.

        Notes
        -----
        One segment's part of the column is held at a time, and the answer.
        """
        from saeatlas.kernels.gather import gather_into

        out: Array | None = None
        starts = self.indptr[:-1].copy()
        for first_row, n_rows, counts in self.segments:
            if out is None or counts.any():
                column = read(first_row, first_row + n_rows)
                if out is None:
                    out = np.empty(self.rows.size, column.dtype)
                gather_into(out, column, self.rows, first_row, starts=starts, counts=counts)
            starts += counts
        return read(0, 0) if out is None else out


@dataclass(frozen=True)
class RowBlock:
    """The listed entries of consecutive rows, row by row."""

    first: int
    """First row."""
    stop: int
    """One past the last row."""
    indptr: npt.NDArray[np.int64]
    """Where each row starts and ends in `features` and `values`; `stop - first + 1` numbers from 0."""
    features: npt.NDArray[np.uint32]
    """Ascending within a row."""
    values: Array
    """Their values, float32 or float64."""


class Activations:
    """Sparse activations: which rows list a feature and with which value, and the other way round.

    An entry is *listed* when the source holds it and *active* when its value is above 0.

    Parameters
    ----------
    segments
        Readers in row order; together they cover the rows from 0 without a gap.
    n_features
        Width of the SAE, or the largest listed id and one where the width is unknown.
    is_width_known
        Whether `n_features` is the width.
    """

    def __init__(self, segments: Sequence[SegmentReader], n_features: int, *, is_width_known: bool) -> None:
        self.segments = tuple(segments)
        self.n_features = n_features
        self.is_width_known = is_width_known
        infos = [segment.info for segment in self.segments]
        self.n_rows = sum(info.n_rows for info in infos)
        self.n_listed = sum(info.n_listed for info in infos)
        expected = 0
        for info in infos:
            if info.first_row != expected:
                raise FormatError(
                    f"SAE '{info.sae}': a segment starts at row {info.first_row}, expected row {expected}",
                    hint="Run 'saeatlas verify'.",
                    kind="corrupt-artifact",
                )
            expected += info.n_rows
        self.row_dtype = np.dtype(np.uint32 if self.n_rows < 1 << 32 else np.int64)
        is_wide = any(info.value_dtype == "float64" for info in infos)
        self.value_dtype = np.dtype(np.float64 if is_wide else np.float32)
        first_rows = [self.row_dtype.type(info.first_row) if info.first_row else None for info in infos]
        self._parts = tuple(zip(self.segments, first_rows, strict=True))
        as_stored = len(infos) == 1 and infos[0].value_dtype == self.value_dtype.name
        self._only = self.segments[0] if as_stored and self.row_dtype == np.uint32 else None
        self._starts = np.array([info.first_row for info in infos], np.int64)

    def __repr__(self) -> str:
        return (
            f"Activations({self.n_rows:,} rows, {self.n_features:,} features, {self.n_listed:,} listed, "
            f"{len(self.segments)} segments)"
        )

    def check_feature(self, feature: int) -> int:
        """Return a feature id as int.

        Raises
        ------
        InvalidInput
            When it is not a whole number from 0.
        NotFound
            When it is beyond the last feature.
        """
        if isinstance(feature, bool) or not isinstance(feature, int | np.integer) or feature < 0:
            raise InvalidInput(f"A feature id is a whole number from 0, found: {feature!r}")
        if feature >= self.n_features:
            raise NotFound(f"No feature {feature}: {self._range()}")
        return int(feature)

    def count(self, feature: int) -> int:
        """Return how many rows list a feature."""
        feature = self.check_feature(feature)
        return sum(segment.count(feature) for segment in self.segments)

    def feature(self, feature: int) -> tuple[Array, Array]:
        """Return all rows that list a feature and their values, whole corpus.

        Returns
        -------
        rows
            Ascending global rows, uint32 (int64 from 2^32 rows on).
        values
            Aligned values, float32 (float64 where a segment stores float64), zeros and negatives included.
        """
        feature = self.check_feature(feature)
        if self._only is not None:
            return self._only.feature(feature)
        counts = [segment.count(feature) for segment, _ in self._parts]
        n_listed = sum(counts)
        rows, values = np.empty(n_listed, self.row_dtype), np.empty(n_listed, self.value_dtype)
        start = 0
        for (segment, first_row), count in zip(self._parts, counts, strict=True):
            if not count:
                continue
            stop = start + count
            part = rows[start:stop]
            segment.feature_into(feature, part, values[start:stop])
            if first_row is not None:
                # Not `rows[start:stop] += …`, which would write the piece once more.
                np.add(part, first_row, out=part)
            start = stop
        return rows, values

    def rows(self, start: int, stop: int) -> tuple[npt.NDArray[np.int64], Array, Array]:
        """Return the entries of the rows from `start` up to but without `stop`.

        Returns
        -------
        indptr
            int64 [stop - start + 1], from 0.
        features
            Ascending within a row, uint16 or uint32 as stored.
        values
            Aligned with `features`.

        Raises
        ------
        InvalidInput
            When the range does not lie within the rows.
        """
        if not 0 <= start <= stop <= self.n_rows:
            raise InvalidInput(f"Rows {start} to {stop} do not lie within the {self.n_rows:,} rows")
        first = max(int(self._starts.searchsorted(start, "right")) - 1, 0)
        pieces = []
        for segment in self.segments[first:]:
            base = segment.info.first_row
            low, high = max(start, base), min(stop, base + segment.info.n_rows)
            if low < high:
                pieces.append(segment.rows(low - base, high - base))
            if stop <= base + segment.info.n_rows:
                break
        return self._join(pieces)

    def _join(
        self, pieces: list[tuple[npt.NDArray[np.int64], Array, Array]]
    ) -> tuple[npt.NDArray[np.int64], Array, Array]:
        """Put rows of several reads behind one another."""
        if len(pieces) == 1:
            indptr, features, values = pieces[0]
            return indptr, features, values.astype(self.value_dtype, copy=False)
        if not pieces:
            return np.zeros(1, np.int64), np.empty(0, np.uint16), np.empty(0, self.value_dtype)
        lengths = np.concatenate([np.diff(piece[0]) for piece in pieces])
        indptr = np.zeros(lengths.size + 1, np.int64)
        np.cumsum(lengths, out=indptr[1:])
        values = np.concatenate([piece[2] for piece in pieces], dtype=self.value_dtype)
        return indptr, np.concatenate([piece[1] for piece in pieces]), values

    def at(self, rows: npt.NDArray[np.integer[Any]]) -> tuple[npt.NDArray[np.int64], Array, Array]:
        """Return the entries of any rows, in the order in which the rows are given; as `rows` otherwise.

        Neighbouring rows are read together, so the rows of a document cost one read per run.
        """
        rows = np.asarray(rows, np.int64)
        breaks = np.flatnonzero(np.diff(rows) != 1) + 1
        runs = [run for run in np.split(rows, breaks) if run.size]
        return self._join([self.rows(int(run[0]), int(run[-1]) + 1) for run in runs])

    def value(self, row: int, feature: int) -> float | None:
        """Return the listed value of a feature at a row, or None when the row does not list it."""
        return self.values(np.array([self.check_row(row)]), feature)[0]

    def values(self, rows: npt.NDArray[np.integer[Any]], feature: int) -> list[float | None]:
        """Return the listed value of a feature at each of some rows, None where it is not listed."""
        feature = self.check_feature(feature)
        indptr, features, values = self.at(rows)
        found: list[float | None] = [None] * (indptr.size - 1)
        hits = np.flatnonzero(features == feature)
        for index, hit in zip(np.searchsorted(indptr, hits, "right") - 1, hits, strict=True):
            found[int(index)] = float(values[hit])
        return found

    def top(self, feature: int, n: int) -> tuple[Array, Array]:
        """Return the `n` strongest active rows of a feature and their values; of equal values the lower row first.

        Fewer come back only when fewer rows are active.
        """
        feature = self.check_feature(feature)
        if n < 0:
            raise InvalidInput(f"The number of rows must not be negative, found: {n}")
        if n > N_TOP:
            return top_entries(*self.feature(feature), n)
        rows, values = [], []
        for segment in self.segments:
            local, found = segment.top(feature)
            rows.append(local.astype(self.row_dtype) + self.row_dtype.type(segment.info.first_row))
            values.append(found.astype(self.value_dtype, copy=False))
        if not rows:
            return np.empty(0, self.row_dtype), np.empty(0, self.value_dtype)
        return top_entries(np.concatenate(rows), np.concatenate(values), n)

    @cached_property
    def counts(self) -> npt.NDArray[np.int64]:
        """Listed entries of every feature, int64 [n_features]."""
        return self._total("count")

    @cached_property
    def active_counts(self) -> npt.NDArray[np.int64]:
        """Active rows of every feature, int64 [n_features]."""
        return self._total("active")

    def feature_blocks(self, max_listed: int = 8_000_000, progress: Progress = SILENT) -> Iterator[FeatureBlock]:
        """Yield all features in order, as many at a time as list `max_listed` entries, but at least one.

        Notes
        -----
        Memory: 8 bytes (12 with float64) per listed entry of the block, twice while segments are joined.
        """
        ends = np.cumsum(self.counts)
        with progress.task("Reading features", total=float(self.n_listed), unit="values") as task:
            first, before = 0, 0
            while first < self.n_features:
                stop = max(first + 1, int(np.searchsorted(ends, before + max_listed, "right")))
                yield self._block(first, stop)
                task.advance(float(ends[stop - 1] - before))
                first, before = stop, int(ends[stop - 1])

    def row_blocks(self, max_listed: int = 8_000_000, progress: Progress = SILENT) -> Iterator[RowBlock]:
        """Yield all rows in order, as many at a time as list about `max_listed` entries, but at least one.

        Notes
        -----
        Memory: 8 to 12 bytes per listed entry of the block and 8 per row. Rows of a segment that list more than its
        mean make a block larger.
        """
        with progress.task("Reading rows", total=float(self.n_listed), unit="values") as task:
            for segment in self.segments:
                info = segment.info
                step = max(1, max_listed * info.n_rows // max(1, info.n_listed))
                for start in range(0, info.n_rows, step):
                    stop = min(info.n_rows, start + step)
                    indptr, features, values = segment.rows(start, stop)
                    yield RowBlock(
                        info.first_row + start,
                        info.first_row + stop,
                        indptr,
                        features.astype(np.uint32, copy=False),
                        values.astype(self.value_dtype, copy=False),
                    )
                    task.advance(float(indptr[-1]))

    def _block(self, first: int, stop: int) -> FeatureBlock:
        pieces, counts = [], []
        for segment in self.segments:
            indptr, rows, values = self._piece(segment, first, stop)
            pieces.append((indptr, rows, values, segment.info.first_row))
            counts.append((segment.info.first_row, segment.info.n_rows, np.diff(indptr)))
        if len(pieces) == 1:
            indptr, rows, values, _ = pieces[0]
            values = values.astype(self.value_dtype, copy=False)
            return FeatureBlock(first, stop, indptr, rows.astype(self.row_dtype, copy=False), values, tuple(counts))
        from saeatlas.kernels.sparse import merge_features

        if self.row_dtype == np.uint32:
            indptr, rows, values = merge_features(pieces, self.value_dtype)
            return FeatureBlock(first, stop, indptr, rows, values, tuple(counts))
        # Rows beyond 2^32 do not fit what the kernel writes: it merges local rows, and their first rows are added here.
        indptr, local, values = merge_features([(*piece[:3], 0) for piece in pieces], self.value_dtype)
        by_feature = np.column_stack([count for _, _, count in counts]).ravel()
        offsets = np.repeat(np.tile(self._starts, stop - first), by_feature)
        return FeatureBlock(first, stop, indptr, local + offsets, values, tuple(counts))

    def _piece(self, segment: SegmentReader, first: int, stop: int) -> tuple[npt.NDArray[np.int64], Array, Array]:
        """Read a range of features of one segment; those beyond its last feature are empty."""
        last = max(first, min(stop, segment.info.n_features))
        indptr = np.zeros(stop - first + 1, np.int64)
        if last == first:
            return indptr, np.empty(0, np.uint32), np.empty(0, segment.value_dtype)
        part, rows, values = segment.feature_range(first, last)
        indptr[: part.size], indptr[part.size :] = part, part[-1]
        return indptr, rows, values

    def _total(self, what: str) -> npt.NDArray[np.int64]:
        total = np.zeros(self.n_features, np.int64)
        for segment in self.segments:
            part = segment.summary()[what]
            total[: part.size] += part
        return total

    def check_row(self, row: int) -> int:
        """Return a row as int; `InvalidInput` when it is not a whole number from 0, `NotFound` beyond the last row."""
        if isinstance(row, bool) or not isinstance(row, int | np.integer) or row < 0:
            raise InvalidInput(f"A row is a whole number from 0, found: {row!r}")
        if row >= self.n_rows:
            raise NotFound(f"No row {row}: the rows are 0 to {self.n_rows - 1:,}")
        return int(row)

    def _range(self) -> str:
        if not self.n_features:
            return "no feature is listed anywhere"
        if self.is_width_known:
            return f"the features are 0 to {self.n_features - 1}"
        return (
            f"the features are 0 to {self.n_features - 1}, the largest id listed anywhere, because the width of the "
            "SAE is unknown"
        )


def top_entries(rows: Array, values: Array, n: int) -> tuple[Array, Array]:
    """Select the `n` largest values above 0, of equal ones the lower rows, largest first.

    Parameters
    ----------
    rows, values
        Aligned; rows ascending, or each row once in any order.
    """
    active = np.flatnonzero(values > 0)
    if n < active.size // 2:
        # Everything that ties with the n-th stays in, so that the sort can prefer the lower rows.
        limit = np.partition(values[active], active.size - n)[active.size - n] if n else np.inf
        active = active[values[active] >= limit]
    order = active[np.lexsort((rows[active], -values[active]))[:n]]
    return rows[order], values[order]
