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
