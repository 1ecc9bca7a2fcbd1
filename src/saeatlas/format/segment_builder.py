"""Build a segment from canonical rows: row-major as they came, feature-major by transposing ranges of features."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import KW_ONLY, dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from saeatlas.ahead import one_ahead
from saeatlas.errors import InternalError, InvalidInput
from saeatlas.format.array import ArrayWriter, write_array, write_group
from saeatlas.format.codecs import Profile, check_profile
from saeatlas.format.segment_info import N_TOP, SegmentInfo
from saeatlas.format.segment_stream import feature_ranges
from saeatlas.progress import SILENT, Progress, Task

if TYPE_CHECKING:
    from saeatlas.kernels.sparse import FeatureSummary
    from saeatlas.kernels.transpose import Rows

__all__ = ["FeatureSide", "RowSide", "SegmentBuilder", "check_n_rows", "id_dtype", "write_groups"]

Array = npt.NDArray[Any]


def id_dtype(n_features: int) -> np.dtype[Any]:
    """Return the dtype of feature ids in row-major order: uint16 up to 65,536 features, else uint32."""
    return np.dtype("<u2" if n_features <= 1 << 16 else "<u4")


def write_groups(directory: Path) -> None:
    """Write the Zarr groups of a segment."""
    for name in ("", "feature", "row", "top", "summary"):
        write_group(directory, name)


def check_n_rows(n_rows: int) -> None:
    """Raise `InvalidInput` when local rows would not fit uint32."""
    if n_rows >= 1 << 32:
        raise InvalidInput(
            f"A segment holds fewer than 2^32 rows, asked for: {n_rows}", hint="Choose fewer rows per segment."
        )


def _kept(values: Array, dtype: npt.DTypeLike) -> Array:
    """Return the values to hold on to: a copy only where the type or much unused memory behind a view asks for it."""
    found = values.astype(dtype, copy=False)
    is_part = isinstance(found.base, np.ndarray) and found.nbytes < found.base.nbytes // 2
    return found.copy() if is_part else found


class _Side:
    """Array writers that are completed together."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, error: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(error, value, trace)


class RowSide(_Side):
    """Writes `row/…` of a segment as a stream."""

    def __init__(
        self, directory: Path, n_features: int, value_dtype: np.dtype[Any], profile: Profile, *, has_fixed_k: bool
    ) -> None:
        super().__init__()
        enter = self._stack.enter_context
        self._features = enter(ArrayWriter(directory, "row/feature", dtype=id_dtype(n_features), profile=profile))
        self._values = enter(ArrayWriter(directory, "row/value", dtype=value_dtype, profile=profile))
        self._indptr: ArrayWriter | None = None
        self._n_listed = 0
        if not has_fixed_k:
            self._indptr = enter(ArrayWriter(directory, "row/indptr", dtype=np.int64, profile=profile))
            self._indptr.append(np.zeros(1, np.int64))

    def add(self, indptr: Array, features: Array, values: Array) -> None:
        """Write rows; they are cast, so casting must have been found to be exact or wanted."""
        self._features.append(features.astype(self._features.dtype, copy=False))
        self._values.append(values.astype(self._values.dtype, copy=False))
        if self._indptr is not None:
            self._indptr.append(np.asarray(indptr[1:], np.int64) - int(indptr[0]) + self._n_listed)
        self._n_listed += features.size


class FeatureSide(_Side):
    """Writes `feature/…`, `top/…` and `summary/…` of a segment, one range of features after the other."""

    def __init__(self, directory: Path, n_features: int, value_dtype: np.dtype[Any], profile: Profile) -> None:
        super().__init__()
        self._directory, self._profile, self._value_dtype = directory, profile, value_dtype
        enter = self._stack.enter_context
        self._rows = enter(ArrayWriter(directory, "feature/row", dtype=np.uint32, profile=profile))
        self._values = enter(ArrayWriter(directory, "feature/value", dtype=value_dtype, profile=profile))
        self._top_rows = enter(ArrayWriter(directory, "top/row", dtype=np.uint32, profile=profile))
        self._top_values = enter(ArrayWriter(directory, "top/value", dtype=value_dtype, profile=profile))
        wide = np.float64 if value_dtype.itemsize == 8 else np.float32
        self._summary: dict[str, Array] = {
            "count": np.zeros(n_features, np.int64),
            "active": np.zeros(n_features, np.int64),
            "sum": np.zeros(n_features, np.float64),
            "sum_squares": np.zeros(n_features, np.float64),
            "max": np.zeros(n_features, wide),
        }
        self._done = 0
        self._open: FeatureSummary | None = None

    def begin(self, n_features: int) -> None:
        """Start on the next `n_features` features."""
        from saeatlas.kernels.sparse import FeatureSummary

        self._open = FeatureSummary.empty(n_features, N_TOP, self._summary["max"].dtype)

    def add(self, indptr: Array, rows: Array, values: Array) -> None:
        """Write entries of the features begun: bounds [n + 1] from 0, ascending local rows, values.

        Several calls are possible for one feature only; the rows of each lie above those before.
        """
        stored = values.astype(self._value_dtype, copy=False)
        self._rows.append(rows)
        self._values.append(stored)
        self._begun.add(indptr, rows, stored)

    def end(self) -> None:
        """Write what follows from the entries of the features begun."""
        summary = self._begun
        _, top_rows, top_values = summary.top()
        self._top_rows.append(top_rows)
        self._top_values.append(top_values.astype(self._value_dtype, copy=False))
        span = slice(self._done, self._done + summary.count.size)
        for name, numbers in self._summary.items():
            numbers[span] = getattr(summary, name)
        self._done = span.stop
        self._open = None

    @property
    def _begun(self) -> FeatureSummary:
        if self._open is None:
            raise InternalError("No features were begun")
        return self._open

    def finish(self) -> None:
        """Write bounds and summary, after all features."""
        counts = self._summary["count"]
        for name, lengths in (("feature/indptr", counts), ("top/indptr", np.minimum(counts, N_TOP))):
            indptr = np.zeros(counts.size + 1, np.int64)
            np.cumsum(lengths, out=indptr[1:])
            write_array(self._directory, name, indptr, self._profile)
        for name, numbers in self._summary.items():
            write_array(self._directory, f"summary/{name}", numbers, self._profile)


@dataclass
class SegmentBuilder:
    """Collects canonical rows and writes both orientations.

    Peak memory: 6 bytes per entry (uint16 ids and float32 values; 8 from 65,537 features on, 4 more for values that
    need float64), 16 bytes per row, and 128 MiB for two ranges of features.
    """

    directory: Path
    """Empty directory to build in."""
    _: KW_ONLY
    sae: str
    """Name of the SAE."""
    corpus: str
    """Name of the corpus."""
    first_row: int
    """Global row of the first row."""
    n_rows: int
    """Rows that will be appended."""
    n_features: int | None
    """Width, or None when it is unknown."""
    profile: Profile
    """Codec profile."""
    identity: Mapping[str, object]
    """Identity of the SAE as JSON."""
    _parts: list[Rows] = field(default_factory=list, init=False, repr=False)
    _n_rows: int = field(default=0, init=False)
    _n_listed: int = field(default=0, init=False)
    _n_active: int = field(default=0, init=False)
    _n_empty: int = field(default=0, init=False)
    _largest_id: int = field(default=-1, init=False)
    _fingerprint: int = field(default=0, init=False)
    _range: tuple[float, float] = field(default=(np.inf, -np.inf), init=False)
    _row_lengths: tuple[int, int] = field(default=(1 << 62, -1), init=False)
    _fits: tuple[bool, bool] = field(default=(True, True), init=False)

    def __post_init__(self) -> None:
        check_profile(self.profile)
        check_n_rows(self.n_rows)

    def append(self, features: Array, values: Array, indptr: Array, *, n_empty: int = 0) -> None:
        """Add rows in the form that `canonical_rows` gives. The arrays are kept until `finish`: leave them as they are.

        Parameters
        ----------
        features
            Strictly ascending in each row, any unsigned dtype.
        values
            Finite; float16, float32 or float64.
        indptr
            int64 [n + 1] from 0.
        n_empty
            Slots of these rows that were dropped because they were empty.
        """
        from saeatlas.kernels.sparse import fingerprint, value_facts
        from saeatlas.kernels.transpose import Rows

        n_rows = indptr.size - 1
        if n_rows < 1:
            return
        indptr = np.array(indptr, np.int64)
        largest = int(features.max(initial=0)) if features.size else -1
        if self.n_features is not None and largest >= self.n_features:
            raise InternalError(f"Feature {largest} is beyond the {self.n_features} features of '{self.sae}'")
        facts = value_facts(values)
        dtype = np.float32 if facts.fits_float32 else np.float64
        part = Rows(self._n_rows, indptr, features.astype(id_dtype(largest + 1), copy=False), _kept(values, dtype))
        lengths = np.diff(indptr)
        total = self._fingerprint + fingerprint(self.first_row + self._n_rows, indptr, part.features, part.values)
        self._fingerprint = total % (1 << 128)
        self._parts.append(part)
        self._n_rows += n_rows
        self._n_listed += features.size
        self._n_active += facts.n_active
        self._n_empty += n_empty
        self._largest_id = max(self._largest_id, largest)
        self._range = min(self._range[0], facts.min), max(self._range[1], facts.max)
        self._row_lengths = min(self._row_lengths[0], int(lengths.min())), max(self._row_lengths[1], int(lengths.max()))
        self._fits = self._fits[0] and facts.fits_float16, self._fits[1] and facts.fits_float32

    def finish(self, progress: Progress = SILENT) -> SegmentInfo:
        """Write all arrays and return the facts; the builder is used up."""
        if self._n_rows != self.n_rows:
            raise InternalError(f"{self._n_rows} rows were appended of the {self.n_rows} that were announced")
        n_features = self._largest_id + 1 if self.n_features is None else self.n_features
        value_dtype = np.dtype("<f2" if self._fits[0] else "<f4" if self._fits[1] else "<f8")
        shortest, longest = self._row_lengths
        k = shortest if shortest == longest else None
        write_groups(self.directory)
        name = f"Writing rows {self.first_row:,} to {self.first_row + self.n_rows:,}"
        with progress.task(name, total=2.0 * self._n_listed, unit="values") as task, ThreadPoolExecutor(1) as worker:
            # Both sides only read what was collected, and spend their time in the kernel and in compiled code.
            by_row = worker.submit(self._write_rows, n_features, value_dtype, task, has_fixed_k=k is not None)
            self._write_features(n_features, value_dtype, task)
            by_row.result()
        self._parts.clear()
        return self._info(n_features, value_dtype, k)

    def _write_rows(self, n_features: int, value_dtype: np.dtype[Any], task: Task, *, has_fixed_k: bool) -> None:
        with RowSide(self.directory, n_features, value_dtype, self.profile, has_fixed_k=has_fixed_k) as side:
            for part in self._parts:
                side.add(part.indptr, part.features, part.values)
                task.advance(float(part.features.size))

    def _write_features(self, n_features: int, value_dtype: np.dtype[Any], task: Task) -> None:
        from saeatlas.kernels.transpose import transpose

        wide = np.float64 if value_dtype.itemsize == 8 else np.float32
        cut = partial(feature_ranges, value_dtype=value_dtype)
        with FeatureSide(self.directory, n_features, value_dtype, self.profile) as side:
            # The next range is put in order while this one is encoded and written.
            for indptr, rows, values in one_ahead(transpose(self._parts, n_features, wide, cut)):
                side.begin(indptr.size - 1)
                side.add(indptr, rows, values)
                side.end()
                task.advance(float(rows.size))
            side.finish()

    def _info(self, n_features: int, value_dtype: np.dtype[Any], k: int | None) -> SegmentInfo:
        is_empty = not self._n_listed
        return SegmentInfo(
            sae=self.sae,
            corpus=self.corpus,
            first_row=self.first_row,
            n_rows=self.n_rows,
            n_features=n_features,
            n_listed=self._n_listed,
            n_active=self._n_active,
            k=k,
            n_empty_slots=self._n_empty,
            value_dtype=value_dtype.name,
            profile=self.profile,
            min=None if is_empty else self._range[0],
            max=None if is_empty else self._range[1],
            fingerprint=f"{self._fingerprint:032x}",
            largest_rounding_error=0.0,
            identity=dict(self.identity),
        )
