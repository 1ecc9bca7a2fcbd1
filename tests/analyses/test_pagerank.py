"""PageRank of tokens against networkx, and what an earlier tool got wrong."""

from __future__ import annotations

import os
import tracemalloc
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest

from saeatlas.analyses.pagerank import PageRank
from saeatlas.atlas.atlas import Atlas
from saeatlas.errors import InvalidInput, NotFound, SourceError
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.importing import import_source
from saeatlas.progress import SILENT
from saeatlas.storage import MemoryStore
from saeatlas.testing.analysis_contract import compute_tables
from saeatlas.testing.arrays_importer import ArraysImporter, SparseArrays
from saeatlas.testing.make_atlas import make_atlas

FAMILIES = """family\tlevel\ttoken\tencoding\tweight
x\t3\tx_3\tcumulative\t
x\t6\tx_6\tcumulative\t
y\t2\ty_2\texclusive\t7
u\t\tu\texclusive\t
"""
WORDS = ("x_3", "x_6", "y_2", "u", "a", "b", "c")


def sae_of(texts: list[list[str]], dense: np.ndarray, vocabulary: tuple[str, ...] = ()) -> Any:
    """Documents of tokens, and values [rows, features] of which those that are not 0 are listed."""
    words = [word for text in texts for word in text]
    vocabulary = vocabulary or tuple(sorted(set(words)))
    listed = dense != 0
    data = SparseArrays(
        features=np.nonzero(listed)[1],
        values=dense[listed],
        indptr=np.concatenate([[0], np.cumsum(listed.sum(1))]),
        documents=np.repeat(np.arange(len(texts)), [len(text) for text in texts]),
        ids=tuple(f"d{number}" for number in range(len(texts))),
        tokens=np.array([vocabulary.index(word) for word in words]),
        vocabulary=vocabulary,
    )
    store = MemoryStore()
    create_atlas(store)
    importer = ArraysImporter(sae="toy", corpus="texts", data=data, n_features=dense.shape[1], shard_rows=40)
    import_source(store, importer)
    return Atlas(store, head(store)).sae()


@cache
def shared() -> tuple[Any, list[list[str]], np.ndarray]:
    rng = np.random.default_rng(0)
    texts = [[WORDS[i] for i in rng.integers(0, 7, rng.integers(1, 7))] for _ in range(40)]
    dense = np.where(rng.random((sum(map(len, texts)), 4)) < 0.2, rng.lognormal(size=(sum(map(len, texts)), 4)), 0.0)
    dense[::9, 0] = -1.0
    dense[:, 3] = 0.0
    return sae_of(texts, dense, WORDS), texts, dense


@pytest.fixture
def families(tmp_path: Path) -> str:
    path = tmp_path / "families.tsv"
    path.write_text(FAMILIES)
    return str(path)


def ranked(found: Any, feature: int, mode: str) -> dict[str, float]:
    lines = found["data"].to_pylist()
    return {line["string"]: line["score"] for line in lines if (line["feature"], line["mode"]) == (feature, mode)}


def expected(texts: list[list[str]], dense: np.ndarray, feature: int, mode: str, pool: Any = max) -> dict[str, float]:
    """What networkx gives on the graph that is spelled out edge by edge."""
    weight = {"x_3": 3.0, "x_6": 6.0, "y_2": 7.0, "u": 10.0}
    graph, row = nx.DiGraph(), 0
    for text in texts:
        values = np.maximum(dense[row : row + len(text), feature], 0.0).tolist()
        row += len(text)
        w = {token: 1.0 if mode == "raw" else weight.get(token, 0.0) for token in text}
        if mode == "family":
            w = {}
            for token in set(text) & set(weight):
                w[token[0]] = max(w.get(token[0], 0.0), weight[token])
        if not any(values) or len(w) < 2:
            continue
        graph.add_nodes_from(w)
        for u in w:
            for v in w:
                if u != v and w[v]:
                    before = graph.get_edge_data(u, v, {"weight": 0.0})["weight"]
                    graph.add_edge(u, v, weight=before + pool(values) * w[v])
    return nx.pagerank(graph, tol=1e-15, max_iter=5000) if len(graph) else {}


@pytest.mark.parametrize("mode", ["raw", "level", "family"])
def test_scores_equal_networkx(mode: Any, families: str) -> None:
    sae, texts, dense = shared()
    found = compute_tables(PageRank(modes=(mode,), families=families, tolerance=1e-14, max_iterations=1000), sae)
    for feature in range(4):
        scores = expected(texts, dense, feature, mode)
        shown = {token: s for token, s in scores.items() if mode != "level" or token in {"x_3", "x_6", "y_2", "u"}}
        mine = ranked(found, feature, mode)
        assert mine == pytest.approx(shown, abs=1e-11)
        assert list(mine.values()) == sorted(mine.values(), reverse=True)
        about = next(line for line in found["graphs"].to_pylist() if line["feature"] == feature)
        assert about["hidden_score"] + sum(mine.values()) == pytest.approx(1.0 if scores else 0.0, abs=1e-12)


@pytest.mark.parametrize(("pool", "how"), [("max", max), ("sum", sum), ("mean", np.mean)])
def test_pool_says_how_rows_become_a_document(pool: Any, how: Any) -> None:
    sae, texts, dense = shared()
    found = compute_tables(PageRank(pool=pool, tolerance=1e-14, max_iterations=1000), sae)
    assert ranked(found, 1, "raw") == pytest.approx(expected(texts, dense, 1, "raw", how), abs=1e-11)


def test_graphs_say_what_they_are_of(families: str) -> None:
    sae, texts, dense = shared()
    found = compute_tables(PageRank(families=families), sae)
    lines = found["graphs"].to_pylist()
    assert [(line["feature"], line["mode"]) for line in lines] == [
        (feature, mode) for feature in range(4) for mode in ("raw", "level", "family")
    ]
    bounds = np.cumsum([0, *map(len, texts)])
    fires = [(dense[low:high, 0] > 0).any() for low, high in pairwise(bounds)]
    raw = lines[0]
    assert raw["n_documents"] == sum(f and len(set(t)) > 1 for f, t in zip(fires, texts, strict=True))
    assert raw["n_documents"] + raw["n_ignored"] == sum(fires)
    assert raw["is_converged"] and raw["change"] < 1e-6
    silent = lines[9]
    assert (silent["n_nodes"], silent["n_iterations"], silent["change"], silent["is_converged"]) == (0, 0, None, None)


def test_iterations_that_end_too_early_are_not_said_to_converge() -> None:
    found = compute_tables(PageRank(max_iterations=1, tolerance=1e-12), shared()[0])
    assert found["graphs"]["is_converged"].to_pylist() == [False, False, False, None]


def test_lift_finds_what_the_frequent_tokens_hide() -> None:
    # Raw PageRank follows frequency: 'the' leads the list of every feature. Feature 0 fires where 'refund' is.
    rng = np.random.default_rng(1)
    texts = [
        ["the", "a", *(f"w{i}" for i in rng.integers(0, 9, 3)), "refund" if n % 10 == 0 else "x"] for n in range(60)
    ]
    dense = np.zeros((360, 2))
    dense[::60, 0] = 1.0
    dense[::6, 1] = 1.0
    lines = compute_tables(PageRank(), sae_of(texts, dense))["data"].to_pylist()
    mine = [line for line in lines if line["feature"] == 0]
    assert {mine[0]["string"], mine[1]["string"]} <= {"the", "a", "refund"}
    assert max(mine, key=lambda line: line["lift"])["string"] == "refund"
    # A feature that fires in all documents alike has the graph of the corpus.
    assert [line["lift"] for line in lines if line["feature"] == 1] == pytest.approx(
        [1.0] * sum(line["feature"] == 1 for line in lines)
    )


def test_token_counts_once_in_a_document() -> None:
    once, often = (sae_of([["a", "b", "c"], text], np.eye(len(text) + 3, 1)) for text in (["a", "b"], ["a", "b", "b"]))
    assert ranked(compute_tables(PageRank(), once), 0, "raw") == ranked(compute_tables(PageRank(), often), 0, "raw")


def test_hidden_tokens_are_those_that_are_named_and_stay_in_the_graph() -> None:
    # An earlier tool took the ids 0 to 3 for special ones, and so dropped four real tokens.
    vocabulary = ("a", "b", "c", "d", "<pad>")
    texts = [["a", "b", "<pad>"], ["c", "d", "<pad>"]]
    sae = sae_of(texts, np.ones((6, 1)), vocabulary)
    every, found = (compute_tables(PageRank(hide=hide), sae) for hide in ((), ("<pad>",)))
    assert ranked(every, 0, "raw").keys() == set(vocabulary)
    shown = ranked(found, 0, "raw")
    assert shown.keys() == {"a", "b", "c", "d"}
    assert found["graphs"]["hidden_score"][0].as_py() == ranked(every, 0, "raw")["<pad>"]
    assert all(shown[token] == ranked(every, 0, "raw")[token] for token in shown)
    with pytest.raises(NotFound, match="<PAD>"):
        compute_tables(PageRank(hide=("<PAD>",)), sae)


def test_strongest_documents_are_taken_only_when_asked_for() -> None:
    texts = [["a", "b"], ["c", "d"], ["e", "f"]]
    sae = sae_of(texts, np.array([[1.0, 0.0, 3.0, 0.0, 3.0, 0.0]]).T)
    assert len(ranked(compute_tables(PageRank(), sae), 0, "raw")) == 6
    found = compute_tables(PageRank(max_documents=1), sae)
    assert ranked(found, 0, "raw").keys() == {"c", "d"}
    assert (found["graphs"]["n_documents"][0].as_py(), found["graphs"]["n_ignored"][0].as_py()) == (1, 0)


def test_families_are_known_by_their_content(families: str, tmp_path: Path) -> None:
    before = PageRank(families=families).params()
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "families.tsv").write_text(FAMILIES)
    assert PageRank(families=str(folder / "families.tsv")).params() == before
    (folder / "families.tsv").write_text(FAMILIES.replace("\t7\n", "\t8\n"))
    assert PageRank(families=str(folder / "families.tsv")).params()["families_sha256"] != before["families_sha256"]
    assert "families_sha256" not in PageRank().params()


def test_digest_is_of_what_is_computed(families: str) -> None:
    analysis = PageRank(families=families, modes=("level",))
    before = analysis.params()
    scores = compute_tables(analysis, shared()[0])
    Path(families).write_text("")
    os.utime(families, (0, 0))
    assert analysis.params() == before
    assert compute_tables(analysis, shared()[0])["data"].equals(scores["data"])


@pytest.mark.parametrize("mode", ["level", "family"])
def test_negative_level_weighs_nothing_by_itself(mode: Any, tmp_path: Path) -> None:
    """A negative edge makes scores that diverge and do not sum to 1, so such a level must be given a weight."""
    path = tmp_path / "degrees.tsv"
    path.write_text(FAMILIES.replace("x\t3", "x\t-3"))
    with pytest.raises(SourceError, match="'x_3' has no weight of its own and the level -3"):
        compute_tables(PageRank(families=str(path), modes=(mode,)), shared()[0])
    path.write_text(FAMILIES.replace("x\t3\tx_3\tcumulative\t", "x\t-3\tx_3\tcumulative\t1"))
    found = compute_tables(PageRank(families=str(path), modes=(mode,)), shared()[0])["data"]
    assert min(found["score"].to_pylist()) > 0
    compute_tables(PageRank(families=str(path), modes=("raw",)), shared()[0])


def test_unary_weight_is_a_parameter(families: str) -> None:
    sae, _, _ = shared()
    light, heavy = (
        ranked(compute_tables(PageRank(modes=("level",), families=families, unary_weight=w), sae), 0, "level")["u"]
        for w in (1.0, 100.0)
    )
    assert light < heavy


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"k": 0}, "'k'"),
        ({"damping": 1.0}, "damping"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"unary_weight": -1.0}, "unary_weight"),
        ({"modes": ("raw", "raw")}, "twice"),
        ({"modes": ("family",)}, "needs families"),
        ({"pattern": "("}, "regular expression"),
    ],
    ids=str,
)
def test_parameter_that_makes_no_sense_is_refused(parameters: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        PageRank(**parameters)


def test_corpus_without_tokens_says_so() -> None:
    with pytest.raises(NotFound, match="no tokens"):
        compute_tables(PageRank(), make_atlas(MemoryStore(), n_rows=9, n_features=5, k=2, tokens=False).sae())


def test_families_that_the_vocabulary_does_not_have_are_refused(families: str) -> None:
    with pytest.raises(SourceError, match="not in the vocabulary"):
        compute_tables(PageRank(families=families), sae_of([["a", "b"]], np.ones((2, 1))))


def test_memory_is_within_the_bound() -> None:
    sae = make_atlas(MemoryStore(), n_rows=20_000, n_features=100, k=6, n_documents=500).sae()
    compute_tables(PageRank(), make_atlas(MemoryStore(), n_rows=20, n_features=9, k=2).sae())
    list(sae.activations.feature_blocks())
    tracemalloc.start()
    PageRank().compute(sae, SILENT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < PageRank().peak_bytes(sae) - 300_000_000
