"""A pair of features: every number equals the dense oracle, over all rows."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from saeatlas.analyses.coactivation import Coactivation
from saeatlas.analyses.neighbors import Neighbors
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import make_atlas

PAIRS = [(9, 10), (10, 9), (3, 11), (9, 5), (5, 9), (4, 5), (0, 1)]


def active(source: Any, feature: int) -> Any:
    return np.where(source.active(feature), np.nan_to_num(source.dense[:, feature]), 0.0)


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_counts_and_measures_equal_the_oracle(source: Any, atlas: Any, a: int, b: int) -> None:
    pair, x, y = atlas.sae().pair(a, b), active(source, a), active(source, b)
    both, n = (x > 0) & (y > 0), x.size
    n_a, n_b, n_both = int((x > 0).sum()), int((y > 0).sum()), int(both.sum())
    assert (pair.n_rows, pair.n_a, pair.n_b, pair.n_both) == (n, n_a, n_b, n_both)
    assert pair.rows.tolist() == np.flatnonzero(both).tolist()
    assert (pair.values_a.tolist(), pair.values_b.tolist()) == (x[both].tolist(), y[both].tolist())
    assert pair.lift == (pytest.approx(n_both * n / (n_a * n_b)) if n_a and n_b else None)
    assert pair.pmi == (pytest.approx(math.log2(n_both * n / (n_a * n_b))) if n_both else None)
    assert pair.jaccard == (pytest.approx(n_both / int(((x > 0) | (y > 0)).sum())) if n_a or n_b else None)
    assert pair.p_b_given_a == (n_both / n_a if n_a else None)
    assert pair.p_a_given_b == (n_both / n_b if n_b else None)
    expected = np.corrcoef(x, y)[0, 1] if x.std() and y.std() else None
    assert pair.pearson == (None if expected is None else pytest.approx(expected))


def test_a_pair_is_the_same_from_both_sides(atlas: Any) -> None:
    for a, b in permutations((3, 9, 10, 11), 2):
        one, other = atlas.sae().pair(a, b), atlas.sae().pair(b, a)
        assert (one.lift, one.pmi, one.jaccard, one.pearson) == (other.lift, other.pmi, other.jaccard, other.pearson)
        assert one.strongest(100).tolist() == other.strongest(100).tolist()


def test_measures_are_those_of_the_analysis_to_the_last_bit(atlas: Any, analyze: Any) -> None:
    sae = analyze(atlas, Coactivation(k=50, min_count=1)).sae()
    for line in sae.table("coactivation").to_pylist():
        pair = sae.pair(line["feature"], line["partner"])
        for name in ("lift", "pmi", "jaccard", "pearson"):
            assert getattr(pair, name) == line[name], name
        assert pair.n_both == line["count"]


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("bins", [1, 3, 20])
def test_joint_histogram_counts_every_row_once(source: Any, atlas: Any, bins: int, scale: Any) -> None:
    pair = atlas.sae().pair(9, 10)
    found = pair.joint(bins, scale)
    expected = np.histogram2d(pair.values_a, pair.values_b, [found.edges_a, found.edges_b])[0]
    assert np.array(found.counts).tolist() == expected.tolist()
    assert np.sum(found.counts) == pair.n_both
    assert found.edges_a[-1] >= pair.values_a.max()


def test_features_that_never_fire_together_have_no_joint_histogram(atlas: Any) -> None:
    pair = atlas.sae().pair(9, 5)
    assert pair.joint().counts == ()
    assert pair.strongest(5).size == 0
    assert pair.windows(pair.strongest(5)) == []
    assert pair.tokens().num_rows == pair.documents().num_rows == 0


def test_strongest_rows_are_those_where_the_weaker_of_both_is_strongest(source: Any, atlas: Any) -> None:
    pair = atlas.sae().pair(9, 10)
    x, y = active(source, 9), active(source, 10)
    strength = np.minimum(x / x.max(), y / y.max())[pair.rows]
    expected = np.lexsort((pair.rows, -strength))[:5]
    assert pair.rows[pair.strongest(5)].tolist() == pair.rows[expected].tolist()


def test_windows_carry_the_values_of_both_on_every_token(source: Any, atlas: Any) -> None:
    pair = atlas.sae().pair(9, 10)
    for window in pair.windows(pair.strongest(5), 2, 2):
        rows = source.rows_of(window.place.index)[window.first : window.first + len(window.strings)]
        for feature, values in zip((9, 10), window.values, strict=True):
            dense = source.dense[rows, feature]
            assert values == [None if math.isnan(value) else value for value in dense.tolist()]


def test_tokens_and_documents_count_the_rows_where_both_fire(source: Any, atlas: Any) -> None:
    pair = atlas.sae().pair(9, 10)
    tokens, documents = source.tokens[pair.rows], source.documents[pair.rows]
    for line in pair.tokens(100).to_pylist():
        assert line["count"] == int((tokens == line["token"]).sum())
        assert line["mean_a"] == pytest.approx(pair.values_a[tokens == line["token"]].mean())
        assert line["mean_b"] == pytest.approx(pair.values_b[tokens == line["token"]].mean())
    assert sum(pair.tokens(100)["count"].to_pylist()) == pair.n_both
    found = pair.documents().to_pylist()
    assert [line["document"] for line in found] == np.unique(documents).tolist()
    for line in found:
        here = documents == line["document"]
        assert (line["count"], line["id"]) == (int(here.sum()), f"d{line['document']}")
        assert (line["max_a"], line["max_b"]) == (pair.values_a[here].max(), pair.values_b[here].max())
        assert line["n_rows"] == source.rows_of(line["document"]).size


def test_cosines_are_those_of_the_neighbors(analyze: Any) -> None:
    atlas = make_atlas(MemoryStore(), parts=True)
    sae = analyze(atlas, Neighbors(k=5)).sae()
    for line in sae.table("neighbors").to_pylist()[:100]:
        assert sae.pair(line["feature"], line["neighbor"]).cosine().value == line["cosine"]


def test_a_cosine_that_is_not_defined_says_why(atlas: Any) -> None:
    found = atlas.sae().pair(1, 2).cosine()
    assert (found.value, "no weights" in found.reason) == (None, True)
    with pytest.raises(InvalidInput):
        atlas.sae().pair(1, 2).cosine("sideways")


def test_what_is_no_pair_is_refused(atlas: Any, make: Any) -> None:
    with pytest.raises(InvalidInput, match="two features"):
        atlas.sae().pair(3, 3)
    with pytest.raises(NotFound):
        atlas.sae().pair(3, 12)
    with pytest.raises(InvalidInput):
        atlas.sae().pair(3, 4).joint(0)
    _, bare = make(3, has_tokens=False)
    with pytest.raises(NotFound, match="without tokens"):
        bare.sae().pair(9, 10).tokens()
    assert all(window.reason for window in bare.sae().pair(9, 10).windows(bare.sae().pair(9, 10).strongest(2)))
