"""The best match of clusters against sets in Python."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from saeatlas.kernels.stability import best_jaccard

LABELS = st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 5)), max_size=40)


@given(LABELS)
def test_best_match_is_that_of_sets(pairs: list[tuple[int, int]]) -> None:
    one, other = (np.array([p[side] for p in pairs], np.int64) for side in (0, 1))
    found = best_jaccard(one, other)
    assert found.size == (max(one.tolist(), default=-1) + 1 if len(pairs) else 0)
    for cluster in range(found.size):
        members = set(np.flatnonzero(one == cluster).tolist())
        if not members:
            assert np.isnan(found[cluster])
            continue
        others = [set(np.flatnonzero(other == c).tolist()) for c in range(6)]
        assert found[cluster] == max(len(members & o) / len(members | o) for o in others)


def test_the_same_clustering_under_other_numbers_is_found_whole() -> None:
    assert best_jaccard(np.array([0, 0, 1, 2, 2]), np.array([4, 4, 0, 1, 1])).tolist() == [1.0, 1.0, 1.0]
