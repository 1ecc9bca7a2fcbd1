"""Read a segment: one feature, a range of features or rows, the strongest entries, the summary; NumPy only."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from saeatlas.errors import FormatError, InvalidInput
from saeatlas.format.array import ArrayReader
from saeatlas.format.codecs import codec_pool
from saeatlas.format.segment_info import SegmentInfo
from saeatlas.storage.store import Store

__all__ = ["SegmentReader"]

Array = npt.NDArray[Any]

_ROW_DTYPE = np.dtype("<u4")


class SegmentReader:
    """One segment of one SAE. Rows are local: counted from the segment's first row. Any thread may call any method.

    Memory: 8 bytes per feature once a feature was asked for, and per row once rows were where their number varies.
    """

    def __init__(self, store: Store, prefix: str, info: SegmentInfo) -> None:
        self.info = info
        self.prefix = prefix
        self._store = store
        self._n_features = info.n_features
        self.value_dtype: np.dtype[Any] = np.dtype(info.value_dtype).newbyteorder("<")
        self._is_raw = info.profile == "fast"
        self._rows = self._array("feature/row")
        self._values = self._array("feature/value")
        self._row_features = self._array("row/feature")
        self._row_values = self._array("row/value")

    def __repr__(self) -> str:
        return f"SegmentReader('{self.prefix}', {self.info.n_rows:,} rows from {self.info.first_row:,})"

    def _array(self, name: str) -> ArrayReader:
        return ArrayReader(self._store, f"{self.prefix}/{name}" if self.prefix else name)

    @cached_property
    def indptr(self) -> npt.NDArray[np.int64]:
        """Where each feature starts and ends in the feature-major arrays, int64 [n_features + 1]."""
        indptr = self._bounds("feature/indptr", self._n_features, self.info.n_listed)
        for array, dtype in ((self._rows, _ROW_DTYPE), (self._values, self.value_dtype)):
            self._expect(array, self.info.n_listed, dtype)
        return indptr

    @cached_property
    def row_indptr(self) -> npt.NDArray[np.int64] | None:
        """Where each row starts and ends, int64 [n_rows + 1], or None when every row has the same number."""
        width = np.dtype("<u2" if self._n_features <= 1 << 16 else "<u4")
        for array, dtype in ((self._row_features, width), (self._row_values, self.value_dtype)):
            self._expect(array, self.info.n_listed, dtype)
        if self.info.k is not None:
            return None
        return self._bounds("row/indptr", self.info.n_rows, self.info.n_listed)

    @cached_property
    def _top_indptr(self) -> npt.NDArray[np.int64]:
        array = self._array("top/indptr")
        return self._bounds("top/indptr", self._n_features, int(array.read(len(array) - 1)[0]) if len(array) else 0)

    @cached_property
    def _top_arrays(self) -> tuple[ArrayReader, ArrayReader]:
        rows, values = self._array("top/row"), self._array("top/value")
        for array, dtype in ((rows, _ROW_DTYPE), (values, self.value_dtype)):
            self._expect(array, int(self._top_indptr[-1]), dtype)
        return rows, values

    def _expect(self, array: ArrayReader, length: int, dtype: np.dtype[Any]) -> None:
        if array.shape != (length,) or array.dtype != dtype:
            raise FormatError(
                f"'{array.prefix}' holds {array.dtype.name} {array.shape}, the seal says {dtype.name} ({length},)",
                hint="Run 'saeatlas verify --deep'.",
                kind="corrupt-artifact",
            )

    def _bounds(self, name: str, n: int, total: int) -> npt.NDArray[np.int64]:
        array = self._array(name)
        self._expect(array, n + 1, np.dtype("<i8"))
        bounds = array.read()
        if bounds[0] != 0 or bounds[-1] != total or np.any(bounds[1:] < bounds[:-1]):
            raise FormatError(
                f"The bounds in '{array.prefix}' do not ascend from 0 to {total}",
                hint="Run 'saeatlas verify --deep'.",
                kind="corrupt-artifact",
            )
        return bounds

    def _span(self, feature: int) -> tuple[int, int]:
        if feature >= self._n_features:
            return 0, 0
        if feature < 0:
            raise InvalidInput(f"A feature id is a whole number from 0, found: {feature}")
        item = self.indptr.item
        return item(feature), item(feature + 1)

    def count(self, feature: int) -> int:
        """Return how many rows list a feature; 0 beyond the last feature."""
        start, stop = self._span(feature)
        return stop - start

    def feature(self, feature: int) -> tuple[npt.NDArray[np.uint32], Array]:
        """Return the ascending local rows (uint32) that list a feature, and their values (the segment's dtype)."""
        start, stop = self._span(feature)
        rows = np.empty(stop - start, _ROW_DTYPE)
        values = np.empty(stop - start, self.value_dtype)
        self._read_both((self._rows, self._values), start, stop, (rows, values))
        return rows, values

    def feature_into(self, feature: int, rows: Array, values: Array) -> None:
        """Fill `rows` and `values`, both of length `count(feature)`, with what `feature` returns.

        Nothing is allocated when they are contiguous, `rows` is uint32 and `values` has the segment's dtype; otherwise
        values are cast. So a caller with many segments makes one allocation and adds `info.first_row` in place.
        """
        start, stop = self._span(feature)
        if rows.size != stop - start or values.size != stop - start:
            raise InvalidInput(f"Feature {feature} lists {stop - start} rows, the arrays hold {rows.size}")
        if rows.dtype == _ROW_DTYPE and values.dtype == self.value_dtype:
            self._read_both((self._rows, self._values), start, stop, (rows, values))
        elif start < stop:
            rows[:], values[:] = self.feature(feature)

    def _read_both(
        self, arrays: tuple[ArrayReader, ArrayReader], start: int, stop: int, outs: tuple[Array, Array]
    ) -> None:
        if start == stop:
            return
        if self._is_raw:
            arrays[0].read_into(start, stop, outs[0])
            arrays[1].read_into(start, stop, outs[1])
            return
        # Even for one entry: cold, the two reads overlap, and at least two chunks are decoded.
        in_two_threads(
            lambda: arrays[0].read_into(start, stop, outs[0]), lambda: arrays[1].read_into(start, stop, outs[1])
        )

    def feature_range(self, first: int, stop: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32], Array]:
        """Return the entries of the features from `first` up to but without `stop`, with one read per array.

        Returns
        -------
        indptr
            int64 [stop - first + 1], from 0.
        rows
            Local, uint32, ascending within a feature.
        values
            Aligned with `rows`, in the segment's dtype.
        """
        if not 0 <= first <= stop <= self._n_features:
            raise InvalidInput(f"Features {first} to {stop} are outside the {self._n_features} of '{self.prefix}'")
        indptr = self.indptr[first : stop + 1]
        rows, values = self.entries(int(indptr[0]), int(indptr[-1]))
        return indptr - indptr[0], rows, values

    def entries(self, start: int, stop: int) -> tuple[npt.NDArray[np.uint32], Array]:
        """Return rows and values of the feature-major entries `start` to `stop`, counted over all features."""
        rows = np.empty(stop - start, _ROW_DTYPE)
        values = np.empty(stop - start, self.value_dtype)
        self._read_both((self._rows, self._values), start, stop, (rows, values))
        return rows, values

    def rows(self, start: int, stop: int) -> tuple[npt.NDArray[np.int64], Array, Array]:
        """Return the entries of the local rows from `start` up to but without `stop`, with one read per array.

        Returns
        -------
        indptr
            int64 [stop - start + 1], from 0.
        features
            Ascending within a row, uint16 or uint32 as stored.
        values
            Aligned with `features`, in the segment's dtype.
        """
        if not 0 <= start <= stop <= self.info.n_rows:
            raise InvalidInput(f"Rows {start} to {stop} are outside the {self.info.n_rows} of '{self.prefix}'")
        bounds = self.row_indptr
        if bounds is None:
            k = self.info.k or 0
            first, last = start * k, stop * k
            indptr = np.arange(0, last - first + 1, k) if k else np.zeros(stop - start + 1, np.int64)
        else:
            first, last = int(bounds[start]), int(bounds[stop])
            indptr = bounds[start : stop + 1] - first
        features = np.empty(last - first, self._row_features.dtype)
        values = np.empty(last - first, self.value_dtype)
        self._read_both((self._row_features, self._row_values), first, last, (features, values))
        return indptr, features, values

    def top(self, feature: int) -> tuple[npt.NDArray[np.uint32], Array]:
        """Return the strongest listed rows of a feature and their values: at most 64, all when there are fewer.

        The largest value comes first; of equal values the lower row.
        """
        if feature >= self._n_features:
            return np.empty(0, _ROW_DTYPE), np.empty(0, self.value_dtype)
        if feature < 0:
            raise InvalidInput(f"A feature id is a whole number from 0, found: {feature}")
        rows, values = self._top_arrays
        start, stop = self._top_indptr.item(feature), self._top_indptr.item(feature + 1)
        return rows.read(start, stop), values.read(start, stop)

    def top_range(self, first: int, stop: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32], Array]:
        """Return what `top` gives of a range of features, as one run: indptr from 0, rows, values."""
        rows, values = self._top_arrays
        indptr = self._top_indptr[first : stop + 1]
        start, end = int(indptr[0]), int(indptr[-1])
        return indptr - start, rows.read(start, end), values.read(start, end)

    def summary(self) -> dict[str, Array]:
        """Return one number per feature, [n_features] each.

        `count` and `active` (int64) are the entries listed and those above 0; `sum` and `sum_squares` (float64) run
        over the values above 0 in row order; `max` (float32, or float64 where values are) is the largest listed
        value, NaN for a feature that is never listed.
        """
        wide = "<f8" if self.value_dtype.itemsize == 8 else "<f4"
        dtypes = {"count": "<i8", "active": "<i8", "sum": "<f8", "sum_squares": "<f8", "max": wide}
        arrays = {name: self._array(f"summary/{name}") for name in dtypes}
        for name, array in arrays.items():
            self._expect(array, self._n_features, np.dtype(dtypes[name]))
        return {name: array.read() for name, array in arrays.items()}


def in_two_threads(first: Callable[[], None], second: Callable[[], None]) -> None:
    """Run both, the first in the codec pool; alone when the pool is busy, so that nested calls cannot wait forever."""
    future = codec_pool().submit(first)
    second()
    if future.cancel():
        first()
    else:
        future.result()
