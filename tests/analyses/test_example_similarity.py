"""Similarities of examples against plain loops over the same lines; planted and empty cases."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from saeatlas.analyses import example_similarity as module
from saeatlas.analyses.example_embeddings import ExampleEmbeddings
from saeatlas.analyses.example_similarity import ExampleSimilarity
from saeatlas.errors import NotFound
from saeatlas.pipeline.build import build
from saeatlas.progress import SILENT
from saeatlas.storage import MemoryStore
from saeatlas.testing.analysis_contract import compute_tables
from saeatlas.testing.make_atlas import make_atlas

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE

TextSae = Callable[..., "SAE"]
Lines = list[dict[str, Any]]

SEMANTIC = {"n_pairs", "mean_cosine", "std_cosine", "min_cosine", "max_cosine"}
LEXICAL = {"jaccard_2", "jaccard_3", "jaccard_4", "jaccard_words"}


def with_examples(sae: SAE, **fields: Any) -> SAE:
    return build(sae.atlas, ExampleEmbeddings(**fields)).sae(sae.name)


def similarities(sae: SAE, **fields: Any) -> Lines:
    return compute_tables(ExampleSimilarity(**fields), sae)["data"].to_pylist()


@pytest.fixture(scope="module")
def toy() -> SAE:
    return with_examples(make_atlas(MemoryStore(), n_rows=400, n_features=12, k=3, n_documents=40).sae())


@pytest.fixture(scope="module")
def planted(text_sae: TextSae) -> SAE:
    """Feature 0 fires in texts about cats, 1 in random ones, 2 in two texts, 3 in one, 4 never, 5 without any word."""
    random = np.random.default_rng(0)
    words = [f" w{number}" for number in range(300)]
    about_cats = [["the", " cat", " sat", " on", " a", " mat", f" x{number}"] for number in range(20)]
    any_words = [["it", *random.choice(words, 7).tolist()] for _ in range(20)]
    documents = [*about_cats, *any_words, ["!"], ["?"]]
    starts = np.cumsum([0, *map(len, documents[:-1])])
    dense = np.zeros((sum(map(len, documents)), 6), np.float32)
    dense[starts[:20] + 1, 0] = random.random(20) + 1
    dense[starts[20:40] + random.integers(0, 8, 20), 1] = random.random(20) + 1
    dense[starts[[0, 25]], 2] = 1
    dense[starts[3], 3] = 1
    dense[starts[40:], 5] = 1
    return with_examples(text_sae(documents, dense, texts=["".join(document) for document in documents]))


def jaccard(one: set[str], other: set[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 1.0


def grams(text: str, size: int) -> set[str]:
    found = {text[i : i + size] for i in range(len(text) - size + 1)}
    return {gram for gram in found if not any(letter.isspace() for letter in gram)}


def test_numbers_are_those_of_plain_loops_over_the_lines(toy: SAE) -> None:
    examples, matrix = toy.table("example-embeddings"), toy.matrix("example-embeddings", "vectors")
    assert examples is not None and matrix is not None
    lines, vectors = examples.to_pylist(), matrix.read().astype(np.float64)
    for found in similarities(toy):
        mine = [index for index, line in enumerate(lines) if line["feature"] == found["feature"]]
        assert found["n_examples"] == len(mine)
        pairs = list(combinations(mine, 2))
        cosines = [
            float(vectors[i] @ vectors[j] / np.linalg.norm(vectors[i]) / np.linalg.norm(vectors[j])) for i, j in pairs
        ]
        assert found["n_pairs"] == len(pairs)
        if not pairs:
            assert {found[name] for name in (SEMANTIC | LEXICAL) - {"n_pairs"}} == {None}
            continue
        expected = [np.mean(cosines), np.std(cosines, ddof=0), np.min(cosines), np.max(cosines)]
        np.testing.assert_allclose(
            [found[f"{name}_cosine"] for name in ("mean", "std", "min", "max")], expected, atol=1e-9
        )
        texts = {index: lines[index]["text"] for index in mine}
        for size in (2, 3, 4):
            every = [jaccard(grams(texts[i], size), grams(texts[j], size)) for i, j in pairs]
            np.testing.assert_allclose(found[f"jaccard_{size}"], np.mean(every))
        tokens = np.unique([lines[index]["token"] for index in mine], return_counts=True)[1] / len(mine)
        np.testing.assert_allclose(found["token_entropy"], -(tokens * np.log2(tokens)).sum(), atol=1e-12)
        assert found["n_peak_tokens"] == tokens.size


def test_baseline_is_the_mean_over_all_pairs_of_different_features(planted: SAE) -> None:
    examples, matrix = planted.table("example-embeddings"), planted.matrix("example-embeddings", "vectors")
    assert examples is not None and matrix is not None
    feature, vectors = examples["feature"].to_pylist(), matrix.read().astype(np.float64)
    has = np.linalg.norm(vectors, axis=1) > 0
    every = [
        float(vectors[i] @ vectors[j] / np.linalg.norm(vectors[i]) / np.linalg.norm(vectors[j]))
        for i, j in combinations(np.flatnonzero(has), 2)
        if feature[i] != feature[j]
    ]
    (line,) = compute_tables(ExampleSimilarity(), planted)["baseline"].to_pylist()
    assert (line["n_pairs"], line["n_examples"]) == (len(every), int(has.sum()))
    np.testing.assert_allclose(line["mean_cosine"], np.mean(every), atol=1e-9)


def test_feature_of_one_topic_stands_out_and_one_of_none_does_not(planted: SAE) -> None:
    found = similarities(planted)
    (baseline,) = compute_tables(ExampleSimilarity(), planted)["baseline"].to_pylist()
    assert found[0]["mean_cosine"] > 0.5
    assert found[0]["jaccard_words"] > 0.7
    assert found[0]["token_entropy"] == 0
    assert found[1]["mean_cosine"] < 0.2
    assert found[1]["jaccard_words"] < 0.3
    assert found[1]["token_entropy"] > 2
    assert found[0]["mean_cosine"] > baseline["mean_cosine"] + 0.3


def test_fewer_than_two_examples_have_no_similarity(planted: SAE) -> None:
    found = similarities(planted)
    assert found[2]["n_pairs"] == 1
    assert found[2]["std_cosine"] == 0
    assert (found[3]["n_examples"], found[3]["mean_cosine"], found[3]["jaccard_words"]) == (1, None, None)
    assert found[3]["token_entropy"] == 0
    assert (found[4]["n_examples"], found[4]["token_entropy"], found[4]["n_pairs"]) == (0, None, 0)


def test_texts_without_words_are_alike_in_words(planted: SAE) -> None:
    # '!' and '?' hold no word and no n-gram of two: both sets are empty.
    line = similarities(planted)[5]
    assert (line["n_examples"], line["jaccard_words"], line["jaccard_2"]) == (2, 1, 1)
    assert line["token_entropy"] == 1


@pytest.mark.parametrize(
    ("kind", "columns", "tables"),
    [
        ("both", SEMANTIC | LEXICAL, {"data", "baseline"}),
        ("semantic", SEMANTIC, {"data", "baseline"}),
        ("lexical", LEXICAL, {"data"}),
        ("neither", set(), {"data"}),
    ],
)
def test_only_what_was_asked_for_is_there(toy: SAE, kind: Any, columns: set[str], tables: set[str]) -> None:
    found = compute_tables(ExampleSimilarity(kind=kind), toy)
    assert set(found) == tables
    assert set(found["data"].column_names) == {"feature", "n_examples", "n_peak_tokens", "token_entropy"} | columns
    whole = similarities(toy)
    assert found["data"].to_pylist() == [{name: line[name] for name in found["data"].column_names} for line in whole]


def test_portions_do_not_show(toy: SAE, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = compute_tables(ExampleSimilarity(), toy)["data"]
    monkeypatch.setattr(module, "_LINES_AT_ONCE", 1)
    assert compute_tables(ExampleSimilarity(), toy)["data"].equals(whole)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 1e-3), ("int8", 1e-2)])
def test_smaller_vectors_give_nearly_the_same(toy: SAE, dtype: str, tolerance: float) -> None:
    exact = similarities(toy, kind="semantic")
    found = similarities(with_examples(toy, dtype=dtype), kind="semantic")
    for one, other in zip(exact, found, strict=True):
        if one["mean_cosine"] is not None:
            assert abs(one["mean_cosine"] - other["mean_cosine"]) < tolerance


def test_all_rows_active_is_no_error(text_sae: TextSae) -> None:
    sae = with_examples(text_sae([["a", " b"]] * 9, np.ones((18, 2), np.float32)), per="row")
    assert [line["n_examples"] for line in similarities(sae)] == [18, 18]


def test_missing_examples_say_what_to_run() -> None:
    sae = make_atlas(MemoryStore(), n_rows=20, n_features=5, k=2, n_documents=2).sae()
    with pytest.raises(NotFound, match="example-embeddings"):
        ExampleSimilarity().compute(sae, SILENT)


def test_examples_are_made_first_and_columns_join_the_features() -> None:
    atlas = build(make_atlas(MemoryStore(), n_rows=60, n_features=6, k=2, n_documents=5), ExampleSimilarity())
    frame = atlas.sae().features.collect()
    assert frame["example-similarity.mean_cosine"].len() == 6


def test_other_examples_end_what_was_made_of_the_first(toy: SAE) -> None:
    first = build(toy.atlas, ExampleSimilarity())
    assert first.sae().table("example-similarity") is not None
    other = build(first, ExampleEmbeddings(seed=5))
    assert other.sae().table("example-similarity") is None


def test_memory_stays_within_what_was_said() -> None:
    sae = with_examples(make_atlas(MemoryStore(), n_rows=20_000, n_features=300, k=6, n_documents=400).sae())
    analysis = ExampleSimilarity()
    compute_tables(analysis, sae)
    tracemalloc.start()
    compute_tables(analysis, sae)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < analysis.peak_bytes(sae) - 250_000_000
