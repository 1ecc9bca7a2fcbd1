from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

from saeatlas.kernels.transpose import Rows, transpose

Array = npt.NDArray[Any]
N_FEATURES = 7


@st.composite
def sources(draw: st.DrawFn) -> list[Rows]:
    """Up to four parts of up to five rows each, some empty."""
    parts, first_row = [], draw(st.sampled_from([0, 2**32 - 40]))
    for _ in range(draw(st.integers(0, 4))):
        rows = [sorted(draw(st.sets(st.integers(0, N_FEATURES - 1)))) for _ in range(draw(st.integers(0, 5)))]
        indptr = np.cumsum([0, *map(len, rows)]).astype(np.int64)
        features = np.array([feature for row in rows for feature in row], np.uint16)
        parts.append(Rows(first_row, indptr, features, np.arange(features.size, dtype=np.float32) - 2.5))
        first_row += len(rows)
    return parts


def columns(parts: list[Rows]) -> list[list[tuple[int, float]]]:
    """(row, value) of each feature, one entry at a time."""
    found: list[list[tuple[int, float]]] = [[] for _ in range(N_FEATURES)]
    for part in parts:
        for i in range(part.indptr.size - 1):
            for at in range(part.indptr[i], part.indptr[i + 1]):
                found[part.features[at]].append((part.first_row + i, float(part.values[at])))
    return found


@given(parts=sources(), marks=st.sets(st.integers(1, N_FEATURES - 1)), dtype=st.sampled_from(["f4", "f8"]))
def test_transposed_ranges_hold_every_entry_in_order(parts: list[Rows], marks: set[int], dtype: str) -> None:
    bounds = [0, *sorted(marks), N_FEATURES]

    def cut(counts: Array) -> Iterator[tuple[int, int]]:
        assert counts.tolist() == [len(column) for column in columns(parts)]
        return itertools.pairwise(bounds)

    found = []
    for indptr, rows, values in transpose(parts, N_FEATURES, dtype, cut):
        assert values.dtype == dtype
        for start, stop in itertools.pairwise(indptr):
            found.append(list(zip(rows[start:stop].tolist(), values[start:stop].tolist(), strict=True)))
    assert found == columns(parts)


@pytest.mark.parametrize("n_parts", [1, 2, 5])
def test_transposition_equals_scipy(n_parts: int) -> None:
    rng = np.random.default_rng(0)
    matrix = scipy.sparse.random(5000, 300, 0.02, "csr", random_state=rng, dtype=np.float32)
    matrix.sort_indices()
    cuts = [5000 * part // n_parts for part in range(n_parts + 1)]
    parts = []
    for low, high in itertools.pairwise(cuts):
        span = slice(matrix.indptr[low], matrix.indptr[high])
        bounds = (matrix.indptr[low : high + 1] - matrix.indptr[low]).astype(np.int64)
        parts.append(Rows(low, bounds, matrix.indices[span].astype(np.uint16), matrix.data[span]))
    ((indptr, rows, values),) = transpose(parts, 300, np.float32, lambda counts: iter([(0, counts.size)]))
    expected = matrix.tocsc()
    np.testing.assert_array_equal(indptr, expected.indptr)
    np.testing.assert_array_equal(rows, expected.indices)
    np.testing.assert_array_equal(values, expected.data)
