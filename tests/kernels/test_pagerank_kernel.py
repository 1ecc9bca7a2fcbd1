"""PageRank without the graph, against networkx on the graph and against dense matrices."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from saeatlas.kernels.pagerank import NodeSets, Settings, corpus_pagerank, pagerank, strongest_documents

EXACT = Settings(tolerance=1e-14, max_iterations=2000)


def random_sets(seed: int, *, n_documents: int = 15, n_nodes: int = 20, zeros: float = 0.3) -> NodeSets:
    rng = np.random.default_rng(seed)
    sets = [np.sort(rng.choice(n_nodes, rng.integers(0, 7), replace=False)) for _ in range(n_documents)]
    indptr = np.cumsum([0, *(one.size for one in sets)]).astype(np.int64)
    nodes = np.concatenate(sets).astype(np.uint32)
    weights = rng.random(nodes.size) * (rng.random(nodes.size) > zeros)
    return NodeSets(indptr, nodes, weights, np.zeros(n_nodes, np.bool_))


def dense(sets: NodeSets, documents: np.ndarray, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A, and which nodes are in it."""
    n = sets.is_hidden.size
    A, seen = np.zeros((n, n)), np.zeros(n, bool)
    for document, strength in zip(documents, a, strict=True):
        part = slice(sets.indptr[document], sets.indptr[document + 1])
        nodes, weights = sets.nodes[part], sets.weights[part]
        if nodes.size < 2:
            continue
        seen[nodes] = True
        for u in nodes:
            for v, w in zip(nodes, weights, strict=True):
                A[u, v] += strength * w * (u != v)
    return A, seen


def scores_of(sets: NodeSets, documents: np.ndarray, a: np.ndarray, how: Settings = EXACT) -> dict[int, float]:
    found = pagerank(sets, np.array([0, documents.size]), documents.astype(np.uint32), a, 10_000, how)
    return dict(zip(found.nodes.tolist(), found.scores.tolist(), strict=True))


@settings(deadline=None, max_examples=60)
@example(seed=195, zeros=0.9)  # where what is left of a sum has lost five digits
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.3, 0.9, 1.0]))
def test_scores_equal_networkx_and_sum_to_one(seed: int, zeros: float) -> None:
    sets = random_sets(seed, zeros=zeros)
    rng = np.random.default_rng(seed + 1)
    documents = np.flatnonzero(rng.random(15) < 0.6)
    a = rng.lognormal(size=documents.size)
    found = scores_of(sets, documents, a)
    A, seen = dense(sets, documents, a)
    assert set(found) == set(np.flatnonzero(seen).tolist())
    if not found:
        return
    # Edges that weigh nothing are not edges: networkx would count them as ways out of a dangling node.
    graph = nx.DiGraph()
    graph.add_nodes_from(found)
    graph.add_weighted_edges_from((int(u), int(v), A[u, v]) for u, v in zip(*np.nonzero(A), strict=True))
    expected = nx.pagerank(graph, tol=1e-15, max_iter=5000)
    assert sum(found.values()) == pytest.approx(1.0, abs=1e-12)
    for node, score in found.items():
        assert score == pytest.approx(expected[node], abs=1e-11)


def test_dangling_mass_is_not_lost() -> None:
    # v weighs nothing, so u has no way out. An earlier tool left such rows at zero: its scores summed to 0.575.
    sets = NodeSets(np.array([0, 2]), np.array([0, 1], np.uint32), np.array([1.0, 0.0]), np.zeros(2, np.bool_))
    found = pagerank(sets, np.array([0, 1]), np.zeros(1, np.uint32), np.ones(1), 2, EXACT)
    P = np.array([[0.0, 0.0], [1.0, 0.0]])
    leaking = np.full(2, 0.5)
    for _ in range(100):
        leaking = 0.15 / 2 + 0.85 * P.T @ leaking
    assert leaking.sum() < 0.6
    assert found.n_dangling.tolist() == [1]
    assert found.scores.sum() == pytest.approx(1.0, abs=1e-13)


def test_last_iterate_is_returned() -> None:
    # An earlier tool gave the iterate before the last one.
    sets, documents = random_sets(3), np.arange(15)
    A, seen = dense(sets, documents, np.ones(15))
    nodes = np.flatnonzero(seen)
    A = A[np.ix_(nodes, nodes)]
    out = A.sum(1)
    x = np.full(nodes.size, 1 / nodes.size)
    for _ in range(3):
        spread = A.T @ np.divide(x, out, out=np.zeros_like(x), where=out > 0)
        x = 0.15 / nodes.size + 0.85 * (spread + x[out == 0].sum() / nodes.size)
    found = scores_of(sets, documents, np.ones(15), Settings(max_iterations=3, tolerance=1e-12))
    np.testing.assert_allclose([found[node] for node in nodes], x, atol=1e-14)


def test_best_nodes_come_first_and_hidden_ones_do_not_come() -> None:
    sets, documents = random_sets(5, zeros=0.0), np.arange(15, dtype=np.uint32)
    every = scores_of(sets, documents, np.ones(15))
    order = sorted(every, key=lambda node: (-every[node], node))
    hidden = np.zeros(20, np.bool_)
    hidden[order[1]] = True
    sets = NodeSets(sets.indptr, sets.nodes, sets.weights, hidden)
    found = pagerank(sets, np.array([0, 15]), documents, np.ones(15), 3, EXACT)
    assert found.nodes.tolist() == [order[0], *order[2:4]]
    assert found.hidden[0] == pytest.approx(every[order[1]])
    assert found.scores[0] == every[order[0]]


def test_features_do_not_disturb_each_other() -> None:
    sets = random_sets(8, zeros=0.0)
    parts = [np.array([0, 1, 2, 3]), np.array([], int), np.arange(15), np.array([4])]
    indptr, documents = np.cumsum([0, *(p.size for p in parts)]), np.concatenate(parts).astype(np.uint32)
    a = np.random.default_rng(1).random(documents.size) + 0.1
    together = pagerank(sets, indptr, documents, a, 100, EXACT)
    for feature, part in enumerate(parts):
        alone = scores_of(sets, part, a[indptr[feature] : indptr[feature + 1]])
        here = slice(together.indptr[feature], together.indptr[feature + 1])
        assert dict(zip(together.nodes[here].tolist(), together.scores[here].tolist(), strict=True)) == alone
    assert np.isnan(together.change[1])
    assert together.n_nodes[1] == 0


def test_raw_scores_follow_the_weighted_degree() -> None:
    # The raw graph is symmetric, so without teleporting PageRank is the degree; that is why the analysis gives lifts.
    sets = random_sets(2, n_documents=60, zeros=0.0)
    sets = NodeSets(sets.indptr, sets.nodes, np.ones(sets.nodes.size), sets.is_hidden)
    A, _ = dense(sets, np.arange(60), np.ones(60))
    scores = corpus_pagerank(sets, Settings(damping=0.999999, tolerance=1e-13, max_iterations=5000))
    np.testing.assert_allclose(scores, A.sum(1) / A.sum(), atol=1e-5)


def test_corpus_is_a_feature_that_fires_everywhere_alike() -> None:
    sets = random_sets(9, n_documents=4)
    scores = corpus_pagerank(sets, EXACT)
    alone = scores_of(sets, np.arange(4), np.ones(4))
    assert {node: score for node, score in enumerate(scores.tolist()) if not np.isnan(score)} == alone


def test_strongest_documents_of_ties_are_the_first() -> None:
    indptr, values = np.array([0, 4, 4, 6]), np.array([1.0, 3.0, 1.0, 2.0, 5.0, 5.0])
    assert strongest_documents(indptr, values, 3).tolist() == [True, True, False, True, True, True]
    assert strongest_documents(indptr, values, 1).tolist() == [False, True, False, False, True, False]
    assert strongest_documents(indptr, values, 0).all()
