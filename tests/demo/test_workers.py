from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saeatlas.demo.workers import Workers


@given(n=st.integers(0, 50), n_threads=st.integers(1, 5))
def test_slices_cover_everything_once(n: int, n_threads: int) -> None:
    seen = np.zeros(n, int)

    def visit(part: slice) -> None:
        seen[part] += 1

    with Workers(n_threads) as workers:
        workers.each_slice(n, visit)
    assert (seen == 1).all()


def test_an_error_in_a_thread_is_raised(workers: Workers) -> None:
    def fail(part: slice) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        workers.each_slice(4, fail)


@pytest.mark.parametrize("n_threads", [1, 2, 3, 7])
@pytest.mark.parametrize("n", [0, 1, 255, 256, 257, 1647, 4096])
def test_slices_begin_at_whole_blocks_and_cover_everything(n: int, n_threads: int) -> None:
    found: list[slice] = []
    with Workers(n_threads) as workers:
        workers.each_slice(n, found.append, block=256)
    assert all(part.start % 256 == 0 for part in found)
    assert sorted(i for part in found for i in range(part.start, part.stop)) == list(range(n))
