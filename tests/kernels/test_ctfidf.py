"""Class-based TF-IDF against its formula, term by term."""

from __future__ import annotations

import math

import numpy as np
import pytest

from saeatlas.kernels.ctfidf import class_terms


def naive(classes: list[int], terms: list[int], weights: list[float], n_classes: int) -> dict[tuple[int, int], float]:
    entries = list(zip(classes, terms, weights, strict=True))
    totals = [sum(w for c, _, w in entries if c == own) for own in range(n_classes)]
    mean = sum(totals) / sum(total > 0 for total in totals)
    found = {}
    for c, t in {(c, t) for c, t, _ in entries}:
        share = sum(w for a, b, w in entries if (a, b) == (c, t)) / totals[c]
        found[c, t] = share * math.log(1 + mean / sum(w for _, b, w in entries if b == t))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_the_formula(seed: int) -> None:
    random = np.random.default_rng(seed)
    classes, terms = random.integers(0, 4, 60), random.integers(0, 9, 60)
    weights = random.random(60) + 0.1
    expected = naive(classes.tolist(), terms.tolist(), weights.tolist(), 5)
    best = class_terms(classes, terms, weights, 5, 100)
    for c in range(5):
        span = slice(best.indptr[c], best.indptr[c + 1])
        own = dict(zip(best.term[span].tolist(), best.score[span].tolist(), strict=True))
        assert own == pytest.approx({t: score for (a, t), score in expected.items() if a == c})
        assert np.all(np.diff(best.score[span]) <= 0)


def test_a_term_of_every_class_is_worth_less_than_one_of_its_own() -> None:
    best = class_terms(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 2]), np.ones(4), 2, 5)
    assert best.term.tolist() == [1, 0, 2, 0]


def test_of_equal_scores_the_lower_term_comes_first_and_only_the_best_stay() -> None:
    best = class_terms(np.array([0, 0, 0]), np.array([5, 2, 3]), np.ones(3), 1, 2)
    assert best.term.tolist() == [2, 3]
    assert best.indptr.tolist() == [0, 2]


def test_no_entries_are_no_terms() -> None:
    empty = np.empty(0, np.int64)
    assert class_terms(empty, empty, np.empty(0), 3, 5).indptr.tolist() == [0, 0, 0, 0]
