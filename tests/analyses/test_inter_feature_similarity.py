"""Similarity between features: plain loops over the same lines, planted duplicates and splits, and chance."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from saeatlas.analyses import inter_feature_similarity as module
from saeatlas.analyses.example_embeddings import ExampleEmbeddings
from saeatlas.analyses.inter_feature_similarity import InterFeatureSimilarity
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.kernels.association import benjamini_hochberg
from saeatlas.pipeline.build import build
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.progress import SILENT
from saeatlas.storage import MemoryStore
from saeatlas.testing.analysis_contract import compute_tables
from saeatlas.testing.make_atlas import make_atlas
from saeatlas.testing.parts_importer import PartsImporter, SaeParts

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE

TextSae = Callable[..., "SAE"]
Lines = list[dict[str, Any]]
SIMILARITIES = ("mean_cosine", "relative_cosine", "best_match", "best_match_back", "jaccard_words", "token_overlap")


def with_weights(sae: SAE, decoder: np.ndarray, embedder: str = "lsa") -> SAE:
    data = SaeParts(arrays={"decoder": decoder.astype(np.float32)})
    import_parts(sae.atlas.store, PartsImporter(sae=sae.name, data=data))
    return build(sae.atlas.store, ExampleEmbeddings(embedder=embedder), InterFeatureSimilarity()).sae(sae.name)


def pairs(sae: SAE, **fields: Any) -> Lines:
    return compute_tables(InterFeatureSimilarity(**fields), sae)["data"].to_pylist()


def of(lines: Lines, feature: int, neighbor: int) -> dict[str, Any]:
    (line,) = [line for line in lines if (line["feature"], line["neighbor"]) == (feature, neighbor)]
    return line


@pytest.fixture(scope="module")
def toy() -> SAE:
    atlas = make_atlas(MemoryStore(), n_rows=300, n_features=30, k=3, n_documents=60, parts=True)
    return build(atlas, InterFeatureSimilarity()).sae()


def documents_about(vocabularies: list[list[str]], n: int, random: np.random.Generator) -> list[list[str]]:
    """`n` documents for each vocabulary, of eight of its words each."""
    return [[f" {word}" for word in random.choice(words, 8)] for words in vocabularies for _ in range(n)]


def one_hot(documents: list[list[str]], feature_of: np.ndarray, n_features: int, random: np.random.Generator) -> Any:
    """Each document has one peak, of the feature that is given for it."""
    starts = np.cumsum([0, *map(len, documents[:-1])])
    dense = np.zeros((sum(map(len, documents)), n_features), np.float32)
    dense[starts + random.integers(0, 8, starts.size), feature_of] = random.random(starts.size) + 1
    return dense


@pytest.fixture(scope="module")
def planted(text_sae: TextSae) -> SAE:
    """Features 0 and 1 fire at random in texts of one kind, 2 and 3 in texts that share half of their words."""
    random = np.random.default_rng(1)
    n_features, n = 200, 16
    own = [[f"f{feature}w{word}" for word in range(6)] for feature in range(n_features)]
    own[1] = own[0]
    own[3] = [*own[2][:3], *own[3][3:]]
    documents = documents_about(own, n, random)
    dense = one_hot(documents, np.repeat(np.arange(n_features), n), n_features, random)
    decoder = random.normal(size=(n_features, 48))
    decoder /= np.linalg.norm(decoder, axis=1, keepdims=True)
    decoder[1] = 0.95 * decoder[0] + 0.1 * decoder[1]
    decoder[3] = 0.6 * decoder[2] + 0.8 * decoder[3]
    # A third that points as feature 4 does, and fires in texts of its own.
    decoder[5] = 0.97 * decoder[4] + 0.1 * decoder[5]
    # As many directions as words: with fewer, the few topics that share words would be the first to fall together.
    sae = text_sae(documents, dense, texts=["".join(document) for document in documents])
    return with_weights(sae, decoder, "lsa:n_components=1200,max_terms=2000")


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def jaccard(one: str, other: str) -> float:
    ours, theirs = (set("".join(c if c.isalnum() or c == "_" else " " for c in text).split()) for text in (one, other))
    return len(ours & theirs) / len(ours | theirs) if ours | theirs else 1.0


def test_numbers_are_those_of_plain_loops_over_the_lines(toy: SAE) -> None:
    examples, matrix = toy.table("example-embeddings"), toy.matrix("example-embeddings", "vectors")
    assert examples is not None and matrix is not None
    lines, vectors = examples.to_pylist(), matrix.read().astype(np.float64)
    by_feature = {feature: [i for i, line in enumerate(lines) if line["feature"] == feature] for feature in range(30)}

    def own(feature: int) -> float:
        mine = by_feature[feature]
        found = [cosine(vectors[i], vectors[j]) for i, j in product(mine, mine) if i < j]
        return float(np.mean(found)) if found else np.nan

    checked = 0
    for found in pairs(toy)[::7]:
        ours, theirs = by_feature[found["feature"]], by_feature[found["neighbor"]]
        assert (found["n_examples"], found["n_examples_neighbor"]) == (len(ours), len(theirs))
        if not ours or not theirs:
            assert {found[name] for name in SIMILARITIES} == {None}
            assert (found["p_value"], found["verdict"]) == (None, None)
            continue
        table = np.array([[cosine(vectors[i], vectors[j]) for j in theirs] for i in ours])
        expected = [table.mean(), table.max(axis=1).mean(), table.max(axis=0).mean()]
        np.testing.assert_allclose(
            [found[name] for name in ("mean_cosine", "best_match", "best_match_back")], expected, atol=1e-6
        )
        if found["relative_cosine"] is not None:
            relative = table.mean() / np.sqrt(own(found["feature"]) * own(found["neighbor"]))
            np.testing.assert_allclose(found["relative_cosine"], relative, rtol=1e-5)
        words = [jaccard(lines[i]["text"], lines[j]["text"]) for i, j in product(ours, theirs)]
        np.testing.assert_allclose(found["jaccard_words"], np.mean(words), atol=0.05)
        shares = [np.bincount([lines[i]["token"] for i in mine], minlength=20) / len(mine) for mine in (ours, theirs)]
        np.testing.assert_allclose(found["token_overlap"], np.minimum(*shares).sum())
        checked += 1
    assert checked > 10


def test_p_value_counts_the_pairs_that_are_no_neighbours_and_as_near(toy: SAE) -> None:
    examples, matrix = toy.table("example-embeddings"), toy.matrix("example-embeddings", "vectors")
    neighbors = toy.table("neighbors")
    assert examples is not None and matrix is not None and neighbors is not None
    vectors, feature = matrix.read().astype(np.float64), examples["feature"].to_numpy()
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    mean = {int(f): unit[feature == f].mean(axis=0) for f in np.unique(feature)}
    centre = np.mean(list(mean.values()), axis=0)
    near = {frozenset((line["feature"], line["neighbor"])) for line in neighbors.to_pylist()}
    null = [
        cosine(mean[one] - centre, mean[other] - centre)
        for one, other in combinations(mean, 2)
        if frozenset((one, other)) not in near
    ]
    found = pairs(toy)
    for line in found:
        one, other = line["feature"], line["neighbor"]
        assert line["n_null"] == len(null)
        if one not in mean or other not in mean:
            assert line["p_value"] is None
            continue
        exact = cosine(mean[one] - centre, mean[other] - centre)
        np.testing.assert_allclose(line["centered_cosine"], exact, atol=1e-9)
        assert line["p_value"] == (1 + sum(number >= exact - 1e-10 for number in null)) / (1 + len(null))
    p, q = (
        np.array([np.nan if line[name] is None else line[name] for line in found]) for name in ("p_value", "q_value")
    )
    np.testing.assert_array_equal(q, benjamini_hochberg(p))


def test_duplicates_and_splits_are_found_and_told_apart(planted: SAE) -> None:
    found = pairs(planted)
    for one, other in ((0, 1), (1, 0)):
        line = of(found, one, other)
        assert line["verdict"] == "duplicate"
        assert 0.9 < line["relative_cosine"] < 1.1
        assert line["q_value"] < 0.05
    for one, other in ((2, 3), (3, 2)):
        line = of(found, one, other)
        assert line["verdict"] == "splitting"
        assert line["relative_cosine"] < 0.9
        assert line["best_match"] > line["mean_cosine"]


def test_features_that_point_alike_and_fire_elsewhere_are_distinct(planted: SAE) -> None:
    line = of(pairs(planted), 4, 5)
    assert line["direction_cosine"] > 0.9
    assert line["verdict"] == "distinct"


def test_nothing_else_is_found(planted: SAE) -> None:
    others = [line for line in pairs(planted) if {line["feature"], line["neighbor"]} not in ({0, 1}, {2, 3})]
    assert len(others) > 1900
    assert {line["verdict"] for line in others} == {"distinct"}


def test_thresholds_are_parameters(planted: SAE) -> None:
    assert of(pairs(planted, duplicate_direction=0.999), 0, 1)["verdict"] == "splitting"
    assert of(pairs(planted, splitting_direction=0.9), 2, 3)["verdict"] == "distinct"
    assert of(pairs(planted, duplicate_relative=2), 0, 1)["verdict"] == "splitting"
    assert of(pairs(planted, alpha=0), 0, 1)["verdict"] == "distinct"


@pytest.fixture(scope="module")
def chance(text_sae: TextSae) -> SAE:
    """80 features that fire in texts of the same words, with random directions."""
    random = np.random.default_rng(3)
    n_features, n = 80, 12
    documents = documents_about([[f"w{word}" for word in range(60)]] * n_features, n, random)
    dense = one_hot(documents, np.repeat(np.arange(n_features), n), n_features, random)
    sae = text_sae(documents, dense, texts=["".join(document) for document in documents])
    return with_weights(sae, random.normal(size=(n_features, 32)))


def test_chance_gives_uniform_p_values_and_no_verdict_but_distinct(chance: SAE) -> None:
    found = pairs(chance, splitting_direction=-1, duplicate_direction=-1)
    p = np.array([line["p_value"] for line in found])
    assert p.size == 800
    for level in (0.05, 0.2, 0.5):
        # Lines of one feature share its examples, so their spread is wider than a binomial's.
        assert abs((p <= level).mean() - level) < 0.06
    assert {line["verdict"] for line in found} == {"distinct"}


def test_fewer_pairs_are_drawn_and_counted(chance: SAE) -> None:
    found = pairs(chance, null_pairs=500)
    assert 250 < found[0]["n_null"] <= 500
    assert found == pairs(chance, null_pairs=500)
    assert found != pairs(chance, null_pairs=500, seed=1)
    whole = pairs(chance)
    gaps = [one["p_value"] - other["p_value"] for one, other in zip(found, whole, strict=True)]
    assert np.abs(gaps).max() < 0.12


def test_portions_do_not_show(toy: SAE, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pairs(toy)
    monkeypatch.setattr(module, "_LINES_AT_ONCE", 3)
    monkeypatch.setattr(module, "_PAIRS_AT_ONCE", 4)
    assert pairs(toy) == whole


@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_smaller_vectors_give_nearly_the_same(toy: SAE, dtype: Any) -> None:
    exact = pairs(toy)
    other = build(toy.atlas, ExampleEmbeddings(dtype=dtype), InterFeatureSimilarity()).sae()
    for one, found in zip(exact, pairs(other), strict=True):
        if one["mean_cosine"] is not None:
            assert abs(one["mean_cosine"] - found["mean_cosine"]) < 0.01


def test_all_features_being_neighbours_leaves_nothing_to_compare_with() -> None:
    atlas = make_atlas(MemoryStore(), n_rows=60, n_features=6, k=2, n_documents=9, parts=True)
    found = pairs(build(atlas, InterFeatureSimilarity()).sae())
    assert found
    assert {(line["n_null"], line["p_value"], line["verdict"]) for line in found} == {(0, None, None)}


def test_missing_weights_are_an_error_that_names_them() -> None:
    atlas = make_atlas(MemoryStore(), n_rows=20, n_features=5, k=2, n_documents=2)
    with pytest.raises(NotFound, match="weights"):
        build(atlas, InterFeatureSimilarity())


def test_missing_examples_say_what_to_run() -> None:
    sae = make_atlas(MemoryStore(), n_rows=20, n_features=5, k=2, n_documents=2, parts=True).sae()
    with pytest.raises(NotFound, match="example-embeddings"):
        InterFeatureSimilarity().compute(sae, SILENT)


@pytest.mark.parametrize(
    "field", [{"duplicate_direction": 1.5}, {"splitting_direction": -2}, {"alpha": -0.1}, {"null_pairs": 0}]
)
def test_number_out_of_range_is_refused(field: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(field))):
        InterFeatureSimilarity(**field)


def test_memory_stays_within_what_was_said() -> None:
    atlas = make_atlas(MemoryStore(), n_rows=10_000, n_features=200, k=6, n_documents=300, parts=True)
    sae = build(atlas, InterFeatureSimilarity()).sae()
    analysis = InterFeatureSimilarity()
    tracemalloc.start()
    compute_tables(analysis, sae)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < analysis.peak_bytes(sae) - 250_000_000
