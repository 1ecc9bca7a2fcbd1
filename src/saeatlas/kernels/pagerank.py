"""PageRank over what occurs together in documents, one graph per feature, without ever making the graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from saeatlas.kernels.stats import Counts, Floats

__all__ = ["NodeSets", "Ranks", "Settings", "corpus_pagerank", "pagerank", "strongest_documents"]

UInt32 = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class NodeSets:
    """The nodes of every document, such as its different tokens, and how much each weighs there."""

    indptr: Counts
    """Where each document starts and ends in the other arrays, n_documents + 1 numbers from 0."""
    nodes: UInt32
    """Nodes, each at most once in a document."""
    weights: Floats
    """Weight of each, from 0."""
    is_hidden: npt.NDArray[np.bool_]
    """Nodes that answers leave out, though they are in the graphs; its size is the number of nodes, [nodes]."""


@dataclass(frozen=True)
class Settings:
    """How PageRank is computed."""

    damping: float = 0.85
    """Chance to follow an edge; otherwise a node is drawn uniformly."""
    max_iterations: int = 100
    """Iterations at most."""
    tolerance: float = 1e-6
    """Iterations end when the sum of the absolute changes is below it."""


@dataclass(frozen=True)
class Ranks:
    """The PageRank of each of some neighbouring features; the arrays of numbers are [n_features]."""

    indptr: Counts
    """Where each feature starts and ends in `nodes` and `scores`, n_features + 1 numbers from 0."""
    nodes: UInt32
    """By descending score, of equal ones the lower node first; at most the number asked for, hidden ones left out."""
    scores: Floats
    """Of each node. The scores of all nodes of a feature sum to 1."""
    n_documents: Counts
    """Documents of the graph: those with two nodes or more."""
    n_nodes: Counts
    """Nodes of the graph."""
    n_dangling: Counts
    """Nodes whose edges all weigh 0."""
    n_iterations: Counts
    """Iterations done."""
    change: Floats
    """Sum of the absolute changes in the last iteration; NaN without a graph."""
    hidden: Floats
    """Sum of the scores of hidden nodes."""


def strongest_documents(indptr: Counts, values: Floats, n: int) -> npt.NDArray[np.bool_]:
    """Return which entries are among the `n` largest of their feature; of equal values the earlier. All for n = 0."""
    kept = np.ones(values.size, np.bool_)
    for low, high in zip(indptr[:-1].tolist(), indptr[1:].tolist(), strict=True):
        if n and high - low > n:
            kept[low:high] = False
            kept[low + np.argsort(-values[low:high], kind="stable")[:n]] = True
    return kept


def pagerank(
    sets: NodeSets,
    indptr: Counts,
    documents: UInt32,
    activations: Floats,
    n: int,
    settings: Settings,
) -> Ranks:
    """Rank the nodes of each feature's graph.

    The graph of a feature has an edge from u to v with the weight A[u, v] = sum of a(d) w(d, v) over the documents d
    that hold both, u and v different; a(d) is the feature's activation in the document, and w(d, v) the weight of v
    there. Documents of fewer than two nodes are ignored.

    Parameters
    ----------
    sets
        Nodes of all documents.
    indptr, documents, activations
        Documents of each feature, and its activation in each, above 0.
    n
        Nodes to keep per feature.
    settings
        Damping and when to stop.

    Notes
    -----
    A is X^T diag(a) W without its diagonal, X being which node is in which document and W the weights. It is never
    made: with z = x / (row sums of A), (A^T z)[v] = sum of a(d) w(d, v) (s(d) - z[v]) over the documents d of v, where
    s(d) is the sum of z over the nodes of d. So an iteration costs two passes over the nodes of the feature's
    documents. The mass of dangling nodes goes to all nodes alike, which keeps the sum at 1, and the answer is the
    last iterate. The same as `networkx.pagerank` on the graph.
    Memory: 13 bytes for each node, and 12 for each node of each document of the feature with most.

    Page, L., Brin, S., Motwani, R. & Winograd, T. (1999), The PageRank citation ranking: bringing order to the web,
    Stanford InfoLab 1999-66.
    """
    found = _pagerank(
        (sets.indptr, sets.nodes, sets.weights, sets.is_hidden),
        (np.ascontiguousarray(indptr, np.int64), np.ascontiguousarray(documents, np.uint32)),
        np.ascontiguousarray(activations, np.float64),
        (settings.damping, settings.max_iterations, settings.tolerance),
        n,
    )
    lists, counts, change, hidden = found
    return Ranks(*lists, counts[0], counts[1], counts[2], counts[3], change, hidden)


def corpus_pagerank(sets: NodeSets, settings: Settings) -> Floats:
    """Return the PageRank of every node on the graph of all documents, each counting 1; NaN for nodes without edges.

    Memory as `pagerank` with one feature that fires in all documents.
    """
    documents = np.arange(sets.indptr.size - 1, dtype=np.uint32)
    return _corpus(
        (sets.indptr, sets.nodes, sets.weights, sets.is_hidden),
        documents,
        (settings.damping, settings.max_iterations, settings.tolerance),
    )


_Lists = tuple[Counts, UInt32, Floats]


@njit(cache=True, nogil=True)
def _pagerank(
    sets: tuple[Counts, UInt32, Floats, npt.NDArray[np.bool_]],
    where: tuple[Counts, UInt32],
    activations: Floats,
    settings: tuple[float, int, float],
    n: int,
) -> tuple[_Lists, Counts, Floats, Floats]:
    set_indptr, is_hidden = sets[0], sets[3]
    indptr, documents = where
    n_features = indptr.size - 1
    most = most_documents = room = 0
    for feature in range(n_features):
        size = 0
        for i in range(indptr[feature], indptr[feature + 1]):
            size += set_indptr[documents[i] + 1] - set_indptr[documents[i]]
        most, most_documents = max(most, size), max(most_documents, indptr[feature + 1] - indptr[feature])
        room += min(n, is_hidden.size, size)
    graph = _room(most_documents, most)
    place, own = np.full(is_hidden.size, -1, np.int32), np.empty(min(most, is_hidden.size), np.uint32)
    out_indptr = np.zeros(n_features + 1, np.int64)
    out_nodes, out_scores = np.empty(room, np.uint32), np.empty(room, np.float64)
    counts = np.zeros((4, n_features), np.int64)
    change, hidden = np.full(n_features, np.nan), np.zeros(n_features)
    for feature in range(n_features):
        low, high = indptr[feature], indptr[feature + 1]
        n_documents, n_nodes = _gather(sets, documents[low:high], activations[low:high], (place, own), graph)
        start = out_indptr[feature]
        kept = 0
        if n_nodes:
            scores, n_dangling, n_iterations, change[feature] = _iterate(n_documents, n_nodes, graph, settings)
            counts[0, feature], counts[1, feature] = n_documents, n_nodes
            counts[2, feature], counts[3, feature] = n_dangling, n_iterations
            stop = start + min(n, n_nodes)
            kept, hidden[feature] = _keep_best(scores, own, is_hidden, (out_nodes[start:stop], out_scores[start:stop]))
        out_indptr[feature + 1] = start + kept
        for j in range(n_nodes):
            place[own[j]] = -1
    total = out_indptr[n_features]
    lists = (out_indptr, out_nodes[:total].copy(), out_scores[:total].copy())
    return lists, counts, change, hidden


@njit(cache=True, nogil=True)
def _corpus(
    sets: tuple[Counts, UInt32, Floats, npt.NDArray[np.bool_]],
    documents: UInt32,
    settings: tuple[float, int, float],
) -> Floats:
    n_all = sets[3].size
    graph = _room(documents.size, sets[1].size)
    place, own = np.full(n_all, -1, np.int32), np.empty(n_all, np.uint32)
    n_documents, n_nodes = _gather(sets, documents, np.ones(documents.size), (place, own), graph)
    out = np.full(n_all, np.nan)
    if n_nodes:
        scores = _iterate(n_documents, n_nodes, graph, settings)[0]
        for j in range(n_nodes):
            out[own[j]] = scores[j]
    return out


@njit(cache=True, nogil=True)
def _room(n_documents: int, n_members: int) -> tuple[Counts, UInt32, Floats, Floats]:
    """Make a place for a graph: bounds of documents, nodes by their place among the graph's, weights, strengths."""
    members, weights = np.empty(n_members, np.uint32), np.empty(n_members, np.float64)
    return np.zeros(n_documents + 1, np.int64), members, weights, np.empty(n_documents, np.float64)


@njit(cache=True, nogil=True)
def _gather(
    sets: tuple[Counts, UInt32, Floats, npt.NDArray[np.bool_]],
    documents: UInt32,
    activations: Floats,
    nodes: tuple[npt.NDArray[np.int32], UInt32],
    graph: tuple[Counts, UInt32, Floats, Floats],
) -> tuple[int, int]:
    """Copy the sets of a feature's documents, nodes renumbered; return the numbers of documents and of nodes."""
    set_indptr, set_nodes, set_weights, _ = sets
    place, own = nodes
    bounds, members, weights, strength = graph
    n_documents = n_nodes = at = 0
    for i in range(documents.size):
        low, high = set_indptr[documents[i]], set_indptr[documents[i] + 1]
        if high - low < 2:
            continue
        for j in range(low, high):
            node = set_nodes[j]
            if place[node] < 0:
                place[node] = n_nodes
                own[n_nodes] = node
                n_nodes += 1
            members[at], weights[at] = place[node], set_weights[j]
            at += 1
        strength[n_documents] = activations[i]
        n_documents += 1
        bounds[n_documents] = at
    return n_documents, n_nodes


@njit(cache=True, nogil=True)
def _iterate(
    n_documents: int,
    n_nodes: int,
    graph: tuple[Counts, UInt32, Floats, Floats],
    settings: tuple[float, int, float],
) -> tuple[Floats, int, int, float]:
    """Return scores, the number of dangling nodes, iterations, and the last change."""
    bounds, members, weights, strength = graph
    damping, max_iterations, tolerance = settings
    out = np.zeros(n_nodes)
    for d in range(n_documents):
        whole = 0.0
        for j in range(bounds[d], bounds[d + 1]):
            whole += weights[j]
        for j in range(bounds[d], bounds[d + 1]):
            # Exactly 0 where only this node has a weight: the sum is its weight then.
            out[members[j]] += strength[d] * (whole - weights[j])
    n_dangling = 0
    for u in range(n_nodes):
        n_dangling += 1 if not out[u] > 0.0 else 0
    score, z, y = np.full(n_nodes, 1.0 / n_nodes), np.empty(n_nodes), np.empty(n_nodes)
    n_iterations, change = 0, np.inf
    while n_iterations < max_iterations and not change < tolerance:
        lost = 0.0
        for u in range(n_nodes):
            y[u] = 0.0
            if out[u] > 0.0:
                z[u] = score[u] / out[u]
            else:
                z[u] = 0.0
                lost += score[u]
        for d in range(n_documents):
            whole = 0.0
            for j in range(bounds[d], bounds[d + 1]):
                whole += z[members[j]]
            for j in range(bounds[d], bounds[d + 1]):
                y[members[j]] += strength[d] * weights[j] * (whole - z[members[j]])
        total = 0.0
        for u in range(n_nodes):
            y[u] = (1.0 - damping + damping * lost) / n_nodes + damping * y[u]
            total += y[u]
        change = 0.0
        for u in range(n_nodes):
            # What a node has is taken off a sum that it is part of, which costs digits: the sum is set to 1 again.
            fresh = y[u] / total
            change += abs(fresh - score[u])
            score[u] = fresh
        n_iterations += 1
    return score, n_dangling, n_iterations, change


@njit(cache=True, nogil=True)
def _keep_best(
    scores: Floats, own: UInt32, is_hidden: npt.NDArray[np.bool_], out: tuple[UInt32, Floats]
) -> tuple[int, float]:
    """Write the nodes of the largest scores in order; return how many, and the sum of the scores of hidden ones."""
    out_nodes, out_scores = out
    kept, hidden = 0, 0.0
    for j in range(scores.size):
        score, node = scores[j], own[j]
        if is_hidden[node]:
            hidden += score
            continue
        here = kept
        while here > 0 and (
            out_scores[here - 1] < score or (out_scores[here - 1] == score and out_nodes[here - 1] > node)
        ):
            here -= 1
        if here == out_nodes.size:
            continue
        kept = min(kept + 1, out_nodes.size)
        for k in range(kept - 1, here, -1):
            out_nodes[k], out_scores[k] = out_nodes[k - 1], out_scores[k - 1]
        out_nodes[here], out_scores[here] = node, score
    return kept, hidden
