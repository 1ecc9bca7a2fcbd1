"""A matrix reads back as it was written, in any rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from saeatlas.errors import InvalidInput, NotFound
from saeatlas.format.codecs import PROFILES, Profile
from saeatlas.format.matrix import MatrixReader, write_matrix
from saeatlas.storage import LocalStore

MATRIX = np.random.default_rng(0).normal(size=(1000, 48)).astype(np.float32)


def write(tmp_path: Path, matrix: np.ndarray, profile: Profile = "fast") -> MatrixReader:
    write_matrix(tmp_path / "artifacts" / "x", matrix, profile=profile)
    return MatrixReader(LocalStore(tmp_path), "artifacts/x")


@pytest.mark.parametrize("profile", PROFILES)
def test_matrix_reads_back(tmp_path: Path, profile: Profile) -> None:
    np.testing.assert_array_equal(write(tmp_path, MATRIX, profile).read(), MATRIX)


def test_rows_come_in_the_order_asked(tmp_path: Path) -> None:
    rows = np.array([999, 0, 5, 5, 400, 401])
    np.testing.assert_array_equal(write(tmp_path, MATRIX).take(rows), MATRIX[rows])


def test_no_rows_are_no_rows(tmp_path: Path) -> None:
    assert write(tmp_path, MATRIX).take(np.zeros(0, np.int64)).shape == (0, 48)


@pytest.mark.parametrize("row", [-1, 1000])
def test_row_outside_is_refused(tmp_path: Path, row: int) -> None:
    with pytest.raises(InvalidInput):
        write(tmp_path, MATRIX).take(np.array([row]))


def test_matrix_without_rows_has_a_shape(tmp_path: Path) -> None:
    assert write(tmp_path, MATRIX[:0]).shape == (0, 48)


@pytest.mark.parametrize("shape", [(5,), (5, 0), (2, 2, 2)])
def test_other_shapes_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidInput):
        write_matrix(tmp_path, np.zeros(shape))


def test_zarr_python_reads_it(tmp_path: Path) -> None:
    write(tmp_path, MATRIX)
    np.testing.assert_array_equal(zarr.open_group(tmp_path / "artifacts" / "x", mode="r")["data"][:], MATRIX)


def test_unknown_matrix_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        MatrixReader(LocalStore(tmp_path), "artifacts/x")
