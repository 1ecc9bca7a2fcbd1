"""Terms and positions of features against naive counting and SciPy."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as oracle

from saeatlas.kernels.token_profile import NO_TOKEN, inverse_document_frequency, positions, terms

ENTRY = st.tuples(st.sampled_from([0, 1, 2, 3, 4, 5, NO_TOKEN]), st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0]))
IDF = np.array([0.0, 0.5, 1.0, 1.0, 2.0, 3.0])


def flat(features: list[list[tuple[int, float]]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    indptr = np.concatenate([[0], np.cumsum([len(entries) for entries in features])]).astype(np.int64)
    entries = [entry for entries in features for entry in entries]
    return indptr, np.array([t for t, _ in entries], np.uint32), np.array([v for _, v in entries])


@settings(deadline=None, max_examples=150)
@given(st.lists(st.lists(ENTRY, max_size=30), max_size=5), st.integers(1, 8))
def test_terms_equal_a_counter(features: list[list[tuple[int, float]]], n: int) -> None:
    found = terms(*flat(features), IDF, n)
    for feature, entries in enumerate(features):
        values = defaultdict(list)
        active = [(token, value) for token, value in entries if value > 0]
        for token, value in active:
            values[token].append(value)
        missing = len(values.pop(NO_TOKEN, []))
        n_with = len(active) - missing
        assert (found.n_active[feature], found.n_without_token[feature]) == (len(active), missing)
        assert (found.n_tokens[feature], found.n_with_token[feature]) == (len(values), n_with)
        order = sorted(values, key=lambda t: (-len(values[t]) / n_with * IDF[t], -len(values[t]), t))[:n]
        part = slice(found.indptr[feature], found.indptr[feature + 1])
        assert found.token[part].tolist() == order
        assert found.count[part].tolist() == [len(values[token]) for token in order]
        np.testing.assert_allclose(found.mean[part], [np.mean(values[t]) for t in order])
        np.testing.assert_allclose(found.std[part], [np.std(values[t]) for t in order], atol=1e-12)
        if values:
            most = max(values, key=lambda t: (len(values[t]), -t))
            assert (found.top_token[feature], found.top_count[feature]) == (most, len(values[most]))
            counts = [len(v) for v in values.values()]
            np.testing.assert_allclose(found.entropy[feature], oracle.entropy(counts, base=2), atol=1e-12)
        else:
            assert found.top_token[feature] == NO_TOKEN
            assert math.isnan(found.entropy[feature]) and math.isnan(found.entropy_corrected[feature])


def test_entropy_of_one_token_is_a_plain_zero() -> None:
    found = terms(np.array([0, 3]), np.zeros(3, np.uint32), np.ones(3), IDF, 1)
    assert (found.entropy[0], np.signbit(found.entropy[0]), found.entropy_corrected[0]) == (0.0, False, 0.0)


def test_correction_brings_entropy_nearer_to_the_truth() -> None:
    rng = np.random.default_rng(0)
    n_features, n = 300, 40
    tokens = rng.integers(0, 6, n_features * n).astype(np.uint32)
    found = terms(np.arange(n_features + 1) * n, tokens, np.ones(tokens.size), IDF, 1)
    truth = math.log2(6)
    assert found.entropy.mean() < truth - 0.05
    assert abs(found.entropy_corrected.mean() - truth) < 0.02


def test_equal_values_have_no_spread() -> None:
    # 0.1 + 0.1 + 0.1 is not 3 * 0.1, so a mean of equal values may differ from them.
    found = terms(np.array([0, 3]), np.zeros(3, np.uint32), np.full(3, 0.1), IDF, 1)
    assert (found.mean[0], found.std[0]) == (0.1, 0.0)


def test_idf_is_the_one_of_the_formula() -> None:
    found = inverse_document_frequency(np.array([0, 1, 9]), 9)
    np.testing.assert_allclose(found, [math.log(10), math.log(10) - math.log(2), 0.0], atol=1e-15)
    assert found[2] == 0.0


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 11)), max_size=20), st.integers(1, 7))
def test_positions_equal_fractions(places: list[tuple[int, int]], n_bins: int) -> None:
    places = [(length, min(place, length - 1)) for length, place in places]
    lengths = np.array([length for length, _ in places], np.int64)
    found = positions(
        np.array([0, len(places), len(places)]),
        np.arange(len(places), dtype=np.uint32),
        np.array([place for _, place in places], np.uint32),
        np.ones(len(places)),
        lengths,
        n_bins,
    )
    relative = [Fraction(place, max(length - 1, 1)) for length, place in places]
    bins = Counter(min(int(r * n_bins), n_bins - 1) for r in relative)
    assert found.counts[0].tolist() == [bins[i] for i in range(n_bins)]
    assert found.counts[1].sum() == 0
    assert math.isnan(found.mean[1]) and math.isnan(found.std[1])
    if places:
        numbers = [float(r) for r in relative]
        np.testing.assert_allclose([found.mean[0], found.std[0]], [np.mean(numbers), np.std(numbers)], atol=1e-12)


@pytest.mark.parametrize("place", [3, 6, 9])
def test_position_on_a_border_is_in_the_upper_bin(place: int) -> None:
    # With floating edges 0.6000000000000001 stands for 3 / 5, and a row at 6 of 10 falls into the bin below.
    edges = np.linspace(0, 1, 11)
    found = positions(
        np.array([0, 1]), np.zeros(1, np.uint32), np.array([place], np.uint32), np.ones(1), np.array([11]), 10
    )
    assert found.counts[0].tolist().index(1) == place
    assert (edges[6], edges[3]) != (0.6, 0.3)


def test_silent_entries_are_in_no_number() -> None:
    found = positions(
        np.array([0, 2]),
        np.zeros(2, np.uint32),
        np.array([0, 4], np.uint32),
        np.array([0.0, 1.0]),
        np.array([5]),
        5,
    )
    assert (found.mean[0], found.counts[0].tolist()) == (1.0, [0, 0, 0, 0, 1])
