"""Examples, their windows and texts against what is known of each; vectors in line with the lines."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from saeatlas.analyses import _example_windows
from saeatlas.analyses.example_embeddings import ExampleEmbeddings, _stored
from saeatlas.errors import InvalidInput, NotFound, SourceError
from saeatlas.pipeline.build import build
from saeatlas.pipeline.embedder import embedder_of
from saeatlas.progress import SILENT
from saeatlas.storage import MemoryStore
from saeatlas.testing.analysis_contract import compute_all
from saeatlas.testing.make_atlas import make_atlas

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE

TextSae = Callable[..., "SAE"]


def one_feature(values: list[float]) -> np.ndarray:
    return np.array(values, np.float32)[:, None]


def lines(sae: SAE, **fields: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]], np.ndarray]:
    tables, matrices = compute_all(ExampleEmbeddings(**fields), sae)
    return tables["data"].to_pylist(), tables["population"].to_pylist(), matrices["vectors"]


@pytest.fixture(scope="module")
def forty(text_sae: TextSae) -> SAE:
    """40 documents of three tokens; in document i the values 0.5, i + 1 and 0.25."""
    values = [value for document in range(40) for value in (0.5, document + 1.0, 0.25)]
    documents = [["a", f" w{number}", " z"] for number in range(40)]
    return text_sae(documents, one_feature(values), texts=["".join(document) for document in documents])


@pytest.fixture(scope="module")
def long(text_sae: TextSae) -> SAE:
    """One document of 127 tokens for each of 127 features; feature i is active at position i."""
    return text_sae(
        [[f" {place}" for place in range(127)]],
        np.eye(127, dtype=np.float32),
        texts=["".join(f" {place}" for place in range(127))],
    )


def test_example_is_a_document_by_its_strongest_row(forty: SAE) -> None:
    data, population, _ = lines(forty)
    assert len({line["document"] for line in data}) == len(data) == 20
    assert all((line["position"], line["value"]) == (1, line["document"] + 1) for line in data)
    assert (population[0]["n_population"], population[0]["n_examples"]) == (40, 20)
    by_row, population, _ = lines(forty, per="row")
    assert (population[0]["n_population"], len(by_row)) == (120, 20)
    assert {line["position"] for line in by_row} > {1}


def test_strata_are_quarters_of_the_population(forty: SAE) -> None:
    data, _, _ = lines(forty)
    for line in data:
        assert line["stratum"] == (40 - line["value"]) // 10
    assert [line["example"] for line in data] == list(range(20))
    assert [line["stratum"] for line in data] == sorted(line["stratum"] for line in data)


def test_source_0_takes_the_top_of_each_quarter(forty: SAE) -> None:
    data, _, _ = lines(forty, pick="source-0")
    values = [line["value"] for line in data]
    assert values == [*range(10, 5, -1), *range(20, 15, -1), *range(30, 25, -1), *range(40, 35, -1)]
    assert [line["stratum"] for line in data] == [3] * 5 + [2] * 5 + [1] * 5 + [0] * 5


def test_equal_values_lose_no_example_but_with_source_0(text_sae: TextSae) -> None:
    sae = text_sae([["x"]] * 40, one_feature([2.0] * 40))
    assert len(lines(sae)[0]) == 20
    assert len(lines(sae, pick="source-0")[0]) == 5


def test_fewer_documents_than_strata_have_no_stratum_with_source_0(text_sae: TextSae) -> None:
    sae = text_sae([["x"]] * 3, one_feature([1.0, 3.0, 2.0]))
    data, _, _ = lines(sae, pick="source-0")
    assert [(line["value"], line["stratum"]) for line in data] == [(1, None), (3, None), (2, None)]


def test_boundaries_are_those_of_all_examples_and_not_of_the_chosen(forty: SAE) -> None:
    _, population, _ = lines(forty, per_stratum=1)
    assert population[0]["boundaries"] == np.quantile(np.arange(1, 41), [0.25, 0.5, 0.75]).tolist()
    chosen = [line["value"] for line in lines(forty, pick="source-0", per_stratum=1)[0]]
    assert population[0]["boundaries"] != np.quantile(chosen, [0.25, 0.5, 0.75]).tolist()


def test_feature_that_never_fires_has_no_line_and_no_boundaries(text_sae: TextSae) -> None:
    sae = text_sae([["x"]] * 5, np.array([[1.0, 0.0]] * 5))
    data, population, vectors = lines(sae)
    assert {line["feature"] for line in data} == {0}
    assert len(data) == len(vectors)
    assert population[1] == {
        "feature": 1,
        "n_population": 0,
        "n_without_tokens": 0,
        "n_examples": 0,
        "boundaries": None,
    }


@pytest.mark.parametrize(("position", "n_tokens"), [(0, 16), (120, 23), (126, 17), (60, 32)])
def test_clipped_windows_are_those_of_the_source(long: SAE, position: int, n_tokens: int) -> None:
    line = lines(long, window="clipped")[0][position]
    assert (line["feature"], line["position"], line["n_tokens"]) == (position, position, n_tokens)
    first = max(0, position - 16)
    assert line["text"] == "".join(f" {place}" for place in range(first, first + n_tokens))


def test_shifted_windows_are_whole_and_stay_in_the_document(long: SAE) -> None:
    for line in lines(long)[0]:
        start = min(max(line["position"] - 16, 0), 127 - 32)
        assert (line["start"], line["n_tokens"]) == (start, 32)
        assert line["text"] == "".join(f" {place}" for place in range(start, start + 32))


def test_window_never_leaves_its_document(text_sae: TextSae) -> None:
    documents = [["a", "b"], ["c", "d", "e"], ["f"]]
    sae = text_sae(documents, one_feature([0, 1, 1, 0, 0, 1]), texts=["ab", "cde", "f"])
    assert sorted(line["text"] for line in lines(sae)[0]) == ["ab", "cde", "f"]


@pytest.mark.parametrize("source", ["texts", "tokens"])
def test_rows_of_a_document_may_be_scattered(text_sae: TextSae, source: str) -> None:
    documents = [[f"{name}{place} " for place in range(6)] for name in "abc"]
    texts = ["".join(document) for document in documents] if source == "texts" else None
    of = np.repeat(np.arange(3), 6)
    # Row order mixes documents, and keeps the order within each.
    order = np.concatenate(
        [np.flatnonzero(of == d)[:3] for d in (2, 0, 1)] + [np.flatnonzero(of == d)[3:] for d in (1, 2, 0)]
    )
    values = one_feature([1.0 if row % 6 == 3 else 0.0 for row in range(18)])
    data, _, _ = lines(text_sae(documents, values, texts=texts, order=order), size=4)
    for line in data:
        name = "abc"[line["document"]]
        assert line["position"] == 3
        assert line["text"] == "".join(f"{name}{place} " for place in range(1, 5))


@pytest.mark.parametrize(
    ("tokens", "text"),
    [
        (["\u2581the", "\u2581ca", "ts", "\u2581sat", "."], "the cats sat."),
        (["The", "\u0120ca", "ts", "\u010a", "\u0120\u00c3\u00a9t", "\u00c3\u00a9"], "The cats\n été"),
        (["the", "cat", "##s", "sat", "."], "the cats sat ."),
        (["the", " cat", "s", " sat", "."], "the cats sat."),
    ],
)
def test_tokens_are_put_together_by_their_marks(text_sae: TextSae, tokens: list[str], text: str) -> None:
    line = lines(text_sae([tokens], one_feature([1.0] * len(tokens))))[0][0]
    assert (line["text"], line["is_natural"]) == (text, False)
    # Source 0 joins with spaces and keeps the marks.
    assert line["text"] != " ".join(tokens)


def test_character_of_two_tokens_is_whole_and_part_of_one_is_left_out(text_sae: TextSae) -> None:
    # The four bytes of an emoji, one token each, as a byte-level tokenizer writes them.
    tokens = ["\u0120a", "\u00f0", "\u0141", "\u013b", "\u0124", "\u0120b"]
    values = one_feature([1.0, 0, 0, 0, 0, 0])
    sae = text_sae([tokens], values)
    assert lines(sae, size=6, window="shifted")[0][0]["text"] == "a\U0001f642 b"
    assert lines(sae, size=4)[0][0]["text"] == "a"


def test_text_is_the_documents_own_where_spans_fit_and_put_together_where_not(text_sae: TextSae) -> None:
    documents = [["one", " two"], ["three"], ["four"]]
    # The second text is too short for its span, the third is missing.
    sae = text_sae(documents, one_feature([1.0, 0, 1.0, 1.0]), texts=["ONE TWO", "th", None])
    found = {line["document"]: (line["text"], line["is_natural"]) for line in lines(sae)[0]}
    assert found == {0: ("ONE TWO", True), 1: ("three", False), 2: ("four", False)}


def test_portions_of_windows_do_not_show(forty: SAE, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = lines(forty)[0]
    monkeypatch.setattr(_example_windows, "_TOKENS_AT_ONCE", 4)
    monkeypatch.setattr(_example_windows, "_DOCUMENTS_AT_ONCE", 2)
    assert lines(forty)[0] == whole


def test_vector_of_a_line_is_that_of_its_text(forty: SAE) -> None:
    data, _, vectors = lines(forty)
    assert np.array_equal(vectors, embedder_of("lsa").embed([line["text"] for line in data]))


def test_documents_without_known_tokens_are_counted_and_not_chosen() -> None:
    sae = _with_unknown_tokens()
    data, population, _ = lines(sae)
    known = sae.corpus.tokens.statuses() == 0  # type: ignore[union-attr]
    assert known.any() and not known.all()
    assert all(known[line["document"]] for line in data)
    dense = {feature: set() for feature in range(sae.n_features)}
    for feature, found in dense.items():
        rows, values = sae.activations.feature(feature)
        found.update(sae.corpus.documents.locate(rows[values > 0])[0].tolist())
        line = population[feature]
        assert line["n_population"] == sum(bool(known[document]) for document in found)
        assert line["n_without_tokens"] == sum(not known[document] for document in found)


def _with_unknown_tokens() -> SAE:
    from saeatlas.format.tokens import COUNT_DIFFERS

    sae = make_atlas(MemoryStore(), n_rows=120, n_features=6, k=2, n_documents=12).sae()
    tokens = sae.corpus.tokens
    assert tokens is not None
    statuses = tokens.statuses().copy()
    statuses[::3] = COUNT_DIFFERS
    tokens.__dict__["_statuses"] = statuses
    return sae


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_vectors_are_stored_in_the_type_asked_for(forty: SAE, dtype: str) -> None:
    data, _, vectors = lines(forty, dtype=dtype)
    exact = lines(forty)[2]
    assert vectors.dtype == dtype
    scale = np.array([line["scale"] for line in data], np.float64) if dtype == "int8" else np.ones(len(data))
    if dtype != "int8":
        assert all(line["scale"] is None for line in data)
    error = np.abs(vectors * scale[:, None] - exact).max(axis=1)
    assert (error <= {"float32": 0, "float16": 5e-4, "int8": np.abs(exact).max(axis=1) / 254 + 1e-7}[dtype]).all()


def test_zero_vector_stays_zero_with_int8() -> None:
    numbers, scale = _stored(np.array([[0, 0], [1, -2]], np.float32), "int8")
    assert scale is not None
    assert (numbers.tolist(), scale[0]) == ([[0, 0], [64, -127]], 0)


def test_number_too_large_for_float16_is_an_error_and_not_infinity() -> None:
    with pytest.raises(SourceError, match="beyond 65504"):
        _stored(np.array([[1e6]], np.float32), "float16")


def test_draw_depends_on_the_seed_alone(forty: SAE) -> None:
    assert lines(forty, seed=1)[0] == lines(forty, seed=1)[0]
    assert lines(forty, seed=1)[0] != lines(forty, seed=2)[0]


def test_embedder_and_its_version_are_in_the_key() -> None:
    one, other = ExampleEmbeddings(), ExampleEmbeddings(embedder="lsa:n_components=64")
    assert one.params()["embedder_fingerprint"] == embedder_of("lsa").fingerprint()
    assert one.params()["embedder_fingerprint"] != other.params()["embedder_fingerprint"]


def test_another_embedder_is_another_artifact_and_the_same_is_not_made_again() -> None:
    atlas = make_atlas(MemoryStore(), n_rows=60, n_features=6, k=2, n_documents=5)
    logical = "sae/toy/example-embeddings"
    first = build(atlas, ExampleEmbeddings())
    again = build(first, ExampleEmbeddings())
    other = build(again, ExampleEmbeddings(embedder="lsa:n_components=3"))
    assert first.entries[logical].path == again.entries[logical].path != other.entries[logical].path
    matrix = other.sae().matrix("example-embeddings", "vectors")
    assert matrix is not None and matrix.shape[1] == 3


def test_wrong_embedder_is_refused_before_anything_is_computed() -> None:
    atlas = make_atlas(MemoryStore(), n_rows=60, n_features=6, k=2, n_documents=5)
    with pytest.raises(InvalidInput, match="width=3"):
        build(atlas, ExampleEmbeddings(embedder="lsa:width=3"))
    with pytest.raises(NotFound, match="No embedder is named 'none'"):
        build(atlas, ExampleEmbeddings(embedder="none"))


@pytest.mark.parametrize("field", [{"strata": 0}, {"per_stratum": 0}, {"size": 0}, {"seed": -1}])
def test_number_out_of_range_is_refused(field: dict[str, int]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(field))):
        ExampleEmbeddings(**field)


def test_corpus_without_tokens_is_an_error() -> None:
    sae = make_atlas(MemoryStore(), n_rows=20, n_features=5, k=2, n_documents=2, tokens=False).sae()
    with pytest.raises(NotFound, match="has no tokens"):
        ExampleEmbeddings().compute(sae, SILENT)


def test_memory_stays_within_what_was_said() -> None:
    sae = make_atlas(MemoryStore(), n_rows=20_000, n_features=200, k=6, n_documents=400).sae()
    analysis = ExampleEmbeddings(embedder="lsa:n_components=16")
    compute_all(analysis, sae)  # Libraries are loaded and kernels compiled once: the 300 MB and 200 MB of the bound.
    tracemalloc.start()
    compute_all(analysis, sae)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < analysis.peak_bytes(sae) - 500_000_000
