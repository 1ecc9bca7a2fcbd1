"""All rows as a stream."""

from __future__ import annotations

import numpy as np
import pytest

from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import Shape, make_arrays, make_atlas


@pytest.mark.parametrize("shard_rows", [0, 37])
@pytest.mark.parametrize("max_listed", [1, 50, 10_000])
def test_blocks_hold_every_entry_once_in_row_order(shard_rows: int, max_listed: int) -> None:
    shape = Shape(ragged=True, listed_zeros=0.2)
    activations = make_atlas(MemoryStore(), ragged=True, listed_zeros=0.2, shard_rows=shard_rows).sae().activations
    found = np.full((shape.n_rows, shape.n_features), np.nan)
    expected_first = 0
    for block in activations.row_blocks(max_listed):
        assert block.first == expected_first
        expected_first = block.stop
        rows = np.repeat(np.arange(block.first, block.stop), np.diff(block.indptr))
        assert np.isnan(found[rows, block.features]).all()
        found[rows, block.features] = block.values
        inner = np.ones(block.features.size, bool)
        inner[block.indptr[:-1][np.diff(block.indptr) > 0]] = False
        assert (np.diff(block.features.astype(int))[inner[1:]] > 0).all()
    assert expected_first == shape.n_rows
    assert np.array_equal(found, make_arrays(shape).dense(shape.n_features), equal_nan=True)
