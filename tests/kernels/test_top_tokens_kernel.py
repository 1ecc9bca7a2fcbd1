"""Most frequent tokens against a counter."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as oracle

from saeatlas.kernels.tokens import NO_TOKEN, top_tokens

ENTRY = st.tuples(st.sampled_from([0, 1, 2, 3, 4, 5, NO_TOKEN]), st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0]))


@settings(deadline=None, max_examples=150)
@given(st.lists(st.lists(ENTRY, max_size=30), max_size=5), st.integers(1, 8))
def test_tokens_equal_a_counter(features: list[list[tuple[int, float]]], n: int) -> None:
    indptr = np.concatenate([[0], np.cumsum([len(entries) for entries in features])]).astype(np.int64)
    flat = [entry for entries in features for entry in entries]
    tokens = np.array([token for token, _ in flat], np.uint32)
    found = top_tokens(indptr, tokens, np.array([value for _, value in flat]), 6, n)
    for feature, entries in enumerate(features):
        active = [(token, value) for token, value in entries if value > 0]
        counts = Counter(token for token, _ in active if token != NO_TOKEN)
        expected = sorted(counts, key=lambda token: (-counts[token], token))[:n]
        part = slice(found.indptr[feature], found.indptr[feature + 1])
        assert found.token[part].tolist() == expected
        assert found.count[part].tolist() == [counts[token] for token in expected]
        assert found.sum[part].tolist() == [sum(v for t, v in active if t == token) for token in expected]
        assert found.n_without_token[feature] == sum(token == NO_TOKEN for token, _ in active)
        assert found.n_with_token[feature] == counts.total()
        assert found.n_tokens[feature] == len(counts)


def test_tokens_of_a_feature_that_does_not_care_follow_the_corpus() -> None:
    rng = np.random.default_rng(4)
    frequent = np.array([0.5, 0.25, 0.15, 0.1])
    corpus = rng.choice(4, 20_000, p=frequent).astype(np.uint32)
    p = []
    for _ in range(200):
        rows = rng.choice(20_000, 400, replace=False)
        found = top_tokens(np.array([0, 400]), corpus[rows], np.ones(400), 4, 4)
        expected = np.bincount(corpus, minlength=4)[found.token] / 20_000 * 400
        p.append(oracle.chisquare(found.count, expected).pvalue)
    assert oracle.kstest(p, "uniform").pvalue > 0.01
