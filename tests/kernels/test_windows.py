"""Windows around a position: the cases of source 0, and what shifting keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saeatlas.kernels.windows import window_bounds


def bounds(position: int, length: int, size: int, *, is_shifted: bool) -> tuple[int, int]:
    start, stop = window_bounds(np.array([position]), np.array([length]), size, is_shifted=is_shifted)
    return int(start[0]), int(stop[0])


@pytest.mark.parametrize(("position", "n_tokens"), [(0, 16), (120, 23), (126, 17), (16, 32), (60, 32), (111, 32)])
def test_clipped_windows_have_the_lengths_of_the_source(position: int, n_tokens: int) -> None:
    start, stop = bounds(position, 127, 32, is_shifted=False)
    assert stop - start == n_tokens


@pytest.mark.parametrize("position", [0, 5, 60, 120, 126])
def test_shifted_windows_are_whole(position: int) -> None:
    start, stop = bounds(position, 127, 32, is_shifted=True)
    assert stop - start == 32
    assert 0 <= start <= position < stop <= 127


def test_inner_windows_are_the_same_and_have_sixteen_tokens_before_the_peak() -> None:
    assert bounds(60, 127, 32, is_shifted=True) == bounds(60, 127, 32, is_shifted=False) == (44, 76)


@pytest.mark.parametrize("size", [1, 3, 5, 33])
def test_odd_windows_are_centred(size: int) -> None:
    start, stop = bounds(50, 100, size, is_shifted=False)
    assert (50 - start, stop - 50) == (size // 2, size // 2 + 1)


@given(st.integers(1, 80), st.integers(1, 40), st.data())
def test_shifted_window_is_the_nearest_whole_one_within_the_document(
    length: int, size: int, data: st.DataObject
) -> None:
    position = data.draw(st.integers(0, length - 1))
    start, stop = bounds(position, length, size, is_shifted=True)
    assert stop - start == min(size, length)
    assert 0 <= start <= position < stop <= length
    wanted = position - size // 2
    nearest = min(range(length - min(size, length) + 1), key=lambda first: abs(first - wanted))
    assert start == nearest


@given(st.integers(1, 80), st.integers(1, 40), st.data())
def test_clipped_window_is_the_part_within_the_document(length: int, size: int, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, length - 1))
    wanted = [place for place in range(position - size // 2, position - size // 2 + size) if 0 <= place < length]
    assert bounds(position, length, size, is_shifted=False) == (wanted[0], wanted[-1] + 1)
