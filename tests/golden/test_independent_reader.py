"""An atlas means the same to a reader that shares no code with us."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from read_independently import read

from saeatlas.testing.make_atlas import Shape, make_arrays, make_atlas

SHAPES = {
    "fast": {"profile": "fast", "listed_zeros": 0.1},
    "balanced": {"profile": "balanced", "ragged": True, "shard_rows": 70},
    "compact": {"profile": "compact", "interleaved": True, "shard_rows": 64},
}


# zarr-python says so of every pcodec array; other readers of zarr v3 may not have the codec.
@pytest.mark.filterwarnings("ignore:Numcodecs codecs are not in the Zarr")
@pytest.mark.parametrize("name", SHAPES)
def test_stranger_reads_what_was_imported(name: str, tmp_path: Path) -> None:
    options = SHAPES[name]
    make_atlas(tmp_path / "a.atlas", **options)
    shape = Shape(**{k: v for k, v in options.items() if k not in {"profile", "shard_rows"}})
    arrays = make_arrays(shape)
    rows = np.repeat(np.arange(shape.n_rows), np.diff(arrays.indptr))
    expected = {(int(r), int(f)): float(v) for r, f, v in zip(rows, arrays.features, arrays.values, strict=True)}
    found = read(tmp_path / "a.atlas", "toy", "reviews")
    assert found.by_row == expected
    assert found.by_feature == expected
    seen: dict[int, int] = {}
    for row, document in enumerate(arrays.documents.tolist()):
        assert found.place[row] == (arrays.ids[document], seen.get(document, 0))
        seen[document] = seen.get(document, 0) + 1
        assert found.words[row] == arrays.vocabulary[arrays.tokens[row]]
    assert found.texts == dict(zip(arrays.ids, arrays.texts, strict=True))


def test_commit_lists_only_what_exists(tmp_path: Path) -> None:
    make_atlas(tmp_path / "a.atlas")
    commit = json.loads(max((tmp_path / "a.atlas" / "commits").glob("*.json")).read_text())
    assert all((tmp_path / "a.atlas" / e["path"] / "artifact.json").exists() for e in commit["entries"].values())
