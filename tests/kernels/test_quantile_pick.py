"""Examples of every strength against sorting everything, and against what source 0 is known to give."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from saeatlas.kernels.examples import Quota
from saeatlas.kernels.quantile_pick import (
    NO_STRATUM,
    Chosen,
    Units,
    draw_strata,
    find_units,
    quantile_boundaries,
    sort_units,
    top_parts,
)

LEVELS = st.sampled_from([-1.0, 0.0, 0.5, 0.5, 1.0, 1.0, 2.0, 3.0])
ENTRIES = st.lists(st.lists(st.tuples(st.integers(0, 5), LEVELS), max_size=30), max_size=4)


def units_of(values: np.ndarray) -> Units:
    active = np.flatnonzero(values > 0)
    return Units(np.array([0, active.size]), active)


def source_0(values: list[float], per_part: int = 5, n_parts: int = 4) -> Chosen:
    array = np.array(values, np.float32)
    units = units_of(array)
    return top_parts(units, array, quantile_boundaries(sort_units(units, array), n_parts), per_part)


def strata(values: list[float], per_stratum: int = 5, seed: int = 0) -> Chosen:
    array = np.array(values, np.float32)
    units = units_of(array)
    quota = Quota(strata=4, per_stratum=per_stratum, seed=seed)
    rows = np.arange(array.size, dtype=np.uint32)
    return draw_strata(units, sort_units(units, array), rows, array, quota, first_feature=3)


@settings(deadline=None, max_examples=80)
@given(ENTRIES)
def test_units_of_documents_are_the_first_strongest_entries(features: list[list[tuple[int, float]]]) -> None:
    indptr = np.cumsum([0, *map(len, features)])
    documents = np.array([document for entries in features for document, _ in entries], np.uint32)
    values = np.array([value for entries in features for _, value in entries], np.float32)
    usable = np.array([True, True, False, True, True, True])
    found = find_units(indptr, documents, values, usable, per_document=True)
    expected: list[list[int]] = []
    for low, high in zip(indptr[:-1].tolist(), indptr[1:].tolist(), strict=True):
        best: dict[int, int] = {}
        for i in range(low, high):
            document = int(documents[i])
            if values[i] > 0 and usable[document] and (document not in best or values[i] > values[best[document]]):
                best[document] = i
        expected.append(sorted(best.values()))
    assert [found.entry[a:b].tolist() for a, b in zip(found.indptr[:-1], found.indptr[1:], strict=True)] == expected
    rows = find_units(indptr, documents, values, usable, per_document=False)
    kept = np.flatnonzero((values > 0) & usable[documents]) if values.size else np.zeros(0)
    assert rows.entry.tolist() == kept.tolist()
    assert rows.n_units.sum() == rows.entry.size


@settings(deadline=None, max_examples=80)
@given(st.lists(st.floats(2**-10, 100, width=32), max_size=50), st.integers(1, 7))
def test_boundaries_are_numpys_quantiles_of_all_units(values: list[float], n_parts: int) -> None:
    array = np.array(values, np.float32)
    found = quantile_boundaries(sort_units(units_of(array), array), n_parts)
    assert found.shape == (1, n_parts - 1)
    if values:
        expected = np.quantile(array.astype(np.float64), np.arange(1, n_parts) / n_parts)
        np.testing.assert_allclose(found[0], expected, rtol=1e-12)
    else:
        assert np.isnan(found).all()


def test_source_takes_the_top_of_each_quarter_the_weakest_first() -> None:
    chosen = source_0([float(value) for value in range(1, 41)])
    values = (chosen.unit + 1).tolist()
    assert values == [*range(10, 5, -1), *range(20, 15, -1), *range(30, 25, -1), *range(40, 35, -1)]
    assert chosen.stratum.tolist() == [3] * 5 + [2] * 5 + [1] * 5 + [0] * 5


def test_source_keeps_only_one_part_of_equal_values_and_strata_keep_all_four() -> None:
    equal = [2.0] * 40
    assert source_0(equal).unit.tolist() == [0, 1, 2, 3, 4]
    chosen = strata(equal)
    assert chosen.unit.size == 20
    assert np.bincount(chosen.stratum).tolist() == [5, 5, 5, 5]


def test_source_loses_examples_on_ties_and_strata_do_not() -> None:
    tied = [1.0] * 30 + [float(value) for value in range(2, 12)]
    assert source_0(tied).unit.size == 10
    assert strata(tied).unit.size == 20


def test_source_takes_fewer_units_than_parts_as_they_stand() -> None:
    chosen = source_0([3.0, 1.0, 2.0])
    assert chosen.unit.tolist() == [0, 1, 2]
    assert chosen.stratum.tolist() == [NO_STRATUM] * 3


@settings(deadline=None, max_examples=80)
@given(st.lists(LEVELS, max_size=60))
def test_source_against_a_plain_reading_of_its_rule(values: list[float]) -> None:
    array = np.array([value for value in values if value > 0], np.float64)
    expected: list[float] = array.tolist()
    if array.size >= 4:
        edges = [-np.inf, *np.quantile(array, [0.25, 0.5, 0.75]), np.inf]
        parts = [array[(array > low) & (array <= high)] for low, high in pairwise(edges)]
        expected = [value for part in parts for value in sorted(part.tolist(), reverse=True)[:5]]
    chosen = source_0(values)
    assert array[chosen.unit].tolist() == expected


@settings(deadline=None, max_examples=80)
@given(st.lists(LEVELS, max_size=60), st.integers(0, 9))
def test_strata_choose_as_many_as_there_can_be_each_once(values: list[float], seed: int) -> None:
    n = sum(value > 0 for value in values)
    chosen = strata(values, seed=seed)
    assert len(set(chosen.unit.tolist())) == chosen.unit.size == min(n, 20)
    array = np.array([value for value in values if value > 0])
    for stronger, weaker in ((0, 1), (1, 2), (2, 3)):
        above, below = array[chosen.unit[chosen.stratum == stronger]], array[chosen.unit[chosen.stratum == weaker]]
        if above.size and below.size:
            assert above.min() >= below.max()


def test_draw_is_uniform_within_a_stratum() -> None:
    counts = np.zeros(40)
    for seed in range(400):
        counts[strata([float(value) for value in range(1, 41)], per_stratum=2, seed=seed).unit] += 1
    # 2 of 10 in 400 draws: 80 expected, standard deviation 8.
    assert (abs(counts - 80) < 36).all()
    assert abs(counts.mean() - 80) < 1e-9


def test_features_do_not_share_their_units() -> None:
    values = np.array([1, 2, 3, 4, 5, 6, 7, 8], np.float32)
    units = Units(np.array([0, 0, 4, 8]), np.arange(8))
    chosen = top_parts(units, values, quantile_boundaries(sort_units(units, values), 4), 1)
    assert chosen.feature.tolist() == [1, 1, 1, 1, 2, 2, 2, 2]
    assert chosen.unit.tolist() == list(range(8))
