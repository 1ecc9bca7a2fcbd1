"""The token profile against naive counting, and what earlier tools got wrong."""

from __future__ import annotations

import math
import tracemalloc
from collections import Counter, defaultdict
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

from saeatlas.analyses.token_profile import TokenProfile
from saeatlas.atlas.atlas import Atlas
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.importing import import_source
from saeatlas.storage import MemoryStore
from saeatlas.testing.analysis_contract import compute_tables
from saeatlas.testing.arrays_importer import ArraysImporter, SparseArrays
from saeatlas.testing.make_atlas import WORDS, Shape, make_arrays, make_atlas

Lines = list[dict[str, Any]]


def sae_of(data: SparseArrays, n_features: int) -> Any:
    store = MemoryStore()
    create_atlas(store)
    import_source(store, ArraysImporter(sae="toy", corpus="texts", data=data, n_features=n_features, shard_rows=150))
    return Atlas(store, head(store)).sae()


def arrays(texts: list[list[str]], dense: np.ndarray, vocabulary: tuple[str, ...] = ()) -> SparseArrays:
    """Documents of tokens, and values [rows, features] of which those that are not 0 are listed."""
    words = [word for text in texts for word in text]
    vocabulary = vocabulary or tuple(sorted(set(words)))
    listed = dense != 0
    return SparseArrays(
        features=np.nonzero(listed)[1],
        values=dense[listed],
        indptr=np.concatenate([[0], np.cumsum(listed.sum(1))]),
        documents=np.repeat(np.arange(len(texts)), [len(text) for text in texts]),
        ids=tuple(f"d{number}" for number in range(len(texts))),
        tokens=np.array([vocabulary.index(word) for word in words]),
        vocabulary=vocabulary,
    )


def profile(texts: list[list[str]], dense: np.ndarray, **parameters: Any) -> dict[str, Lines]:
    found = compute_tables(TokenProfile(**parameters), sae_of(arrays(texts, dense), dense.shape[1]))
    return {name: table.to_pylist() for name, table in found.items()}


def fire(texts: list[list[str]], *rows: int) -> np.ndarray:
    """One feature that fires at some rows with 1."""
    dense = np.zeros((sum(map(len, texts)), 1))
    dense[list(rows)] = 1.0
    return dense


def grams(found: dict[str, Lines], kind: str, size: int) -> dict[str, dict[str, Any]]:
    return {line["text"]: line for line in found["ngrams"] if (line["kind"], line["size"]) == (kind, size)}


SHAPE = Shape(n_rows=400, n_features=30, k=5, n_documents=12, listed_zeros=0.2, ragged=True, interleaved=True)


@cache
def shared() -> tuple[dict[str, Lines], SparseArrays, np.ndarray]:
    data = make_arrays(SHAPE)
    analysis = TokenProfile(k=4, top_activations=20, min_contexts=1, ngrams=400, context=3)
    found = compute_tables(analysis, sae_of(data, SHAPE.n_features))
    return {name: table.to_pylist() for name, table in found.items()}, data, np.nan_to_num(data.dense(SHAPE.n_features))


def test_numbers_about_tokens_equal_a_counter() -> None:
    found, data, dense = shared()
    assert [line["feature"] for line in found["data"]] == list(range(SHAPE.n_features))
    for line in found["data"]:
        counts = Counter(np.array(data.tokens)[dense[:, line["feature"]] > 0].tolist())
        n = counts.total()
        assert (line["n_active"], line["n_without_token"], line["n_tokens"]) == (n, 0, len(counts))
        if not n:
            assert [line[name] for name in ("entropy", "single_token_share", "single_token", "position_mean")] == (
                [None] * 4
            )
            continue
        entropy = -sum(c / n * math.log2(c / n) for c in counts.values())
        assert line["entropy"] == pytest.approx(entropy, abs=1e-12)
        assert line["entropy_corrected"] == pytest.approx(entropy + (len(counts) - 1) / (2 * n * math.log(2)))
        assert line["single_token_share"] == max(counts.values()) / n
        assert counts[WORDS.index(line["single_token_string"])] == max(counts.values())


def test_terms_equal_the_formula_over_the_whole_corpus() -> None:
    found, data, dense = shared()
    sets = [set(np.array(data.tokens)[data.documents == d].tolist()) for d in range(12)]
    idf = {t: math.log(13) - math.log(sum(t in s for s in sets) + 1) for t in range(len(WORDS))}
    for feature in range(SHAPE.n_features):
        active = dense[:, feature] > 0
        counts = Counter(np.array(data.tokens)[active].tolist())
        lines = [line for line in found["tokens"] if line["feature"] == feature]
        score = {t: counts[t] / counts.total() * idf[t] for t in counts}
        assert [line["tfidf"] for line in lines] == pytest.approx(sorted(score.values(), reverse=True)[:4])
        for line in lines:
            token = WORDS.index(line["string"])
            values = dense[active & (data.tokens == token), feature]
            assert line["count"] == counts[token]
            assert (line["tf"], line["idf"]) == pytest.approx((counts[token] / counts.total(), idf[token]))
            assert line["mean"] == pytest.approx(values.mean())
            if values.size > 1:
                assert line["std"] == pytest.approx(values.std(), abs=1e-9)
                assert line["cv"] == pytest.approx(values.std() / values.mean(), abs=1e-9)


def test_positions_equal_the_formula() -> None:
    found, data, dense = shared()
    lengths, seen = np.bincount(data.documents, minlength=12), Counter[int]()
    relative = np.empty(400)
    for row, document in enumerate(data.documents.tolist()):
        relative[row] = seen[document] / max(lengths[document] - 1, 1)
        seen[document] += 1
    for line in found["data"]:
        mine = relative[dense[:, line["feature"]] > 0]
        assert sum(line["position_counts"]) == mine.size
        if mine.size:
            assert (line["position_mean"], line["position_std"]) == pytest.approx((mine.mean(), mine.std()), abs=1e-12)


def naive_ngrams(data: SparseArrays, active: np.ndarray, kind: str, size: int) -> dict[str, list[tuple[int, int]]]:
    """Context and offset of every n-gram of tokens around the active rows, by text."""
    rows_of = [np.flatnonzero(data.documents == d).tolist() for d in range(12)]
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for context in active.tolist():
        rows = rows_of[data.documents[context]]
        here = rows.index(context)
        starts = {"left": [here - size], "right": [here + 1], "anywhere": range(here - 3, here + 5 - size)}[kind]
        for start in starts:
            if start >= 0 and start + size <= len(rows):
                text = "".join(WORDS[data.tokens[row]] for row in rows[start : start + size])
                found[text].append((context, start - here))
    return found


@pytest.mark.parametrize("size", [2, 3, 4])
@pytest.mark.parametrize("kind", ["anywhere", "left", "right"])
def test_ngrams_equal_naive_counting(kind: str, size: int) -> None:
    found, data, dense = shared()
    for feature in range(SHAPE.n_features):
        column = dense[:, feature]
        order = np.lexsort((np.arange(400), -column))[: min(20, int((column > 0).sum()))]
        expected = naive_ngrams(data, order, kind, size)
        lines = [
            line for line in found["ngrams"] if (line["feature"], line["kind"], line["size"]) == (feature, kind, size)
        ]
        assert {line["text"] for line in lines} == set(expected)
        for line in lines:
            places = expected[line["text"]]
            n_contexts = len({context for context, _ in places})
            assert (line["count"], line["n_contexts"]) == (len(places), n_contexts)
            assert line["share"] == n_contexts / order.size
            assert line["n_documents"] == len({int(data.documents[context]) for context, _ in places})
            offsets = Counter(offset for _, offset in places)
            assert dict(zip(line["offsets"], line["offset_counts"], strict=True)) == offsets


def test_scattered_rows_of_documents_give_the_same() -> None:
    texts = [list("abcab"), list("bca"), list("ccabab")]
    dense = np.random.default_rng(0).random((14, 3))
    together = arrays(texts, dense)
    # The same rows with those of the three documents in turns.
    order = np.argsort(np.concatenate([np.arange(len(text)) for text in texts]), kind="stable")
    listed = dense[order] != 0
    scattered = replace(
        together,
        documents=together.documents[order],
        tokens=together.tokens[order],
        features=np.nonzero(listed)[1],
        values=dense[order][listed],
    )
    one, other = (compute_tables(TokenProfile(min_contexts=1), sae_of(data, 3)) for data in (together, scattered))
    assert one["ngrams"].equals(other["ngrams"])
    assert (
        one["data"].select(["entropy", "position_counts"]).equals(other["data"].select(["entropy", "position_counts"]))
    )


def test_rare_token_is_found_where_counts_would_hide_it() -> None:
    # Counting tokens puts the most frequent word of the corpus first for every feature.
    texts = [["the"] * 4 + [f"w{n}"] for n in range(20)]
    texts[3][4] = texts[7][4] = "refund"
    rows = [row for row in range(100) if row % 5 == 0 and row < 60]
    found = profile(texts, fire(texts, *rows, 19, 39), k=1)
    assert found["data"][0]["single_token_string"] == "the"
    assert (found["tokens"][0]["string"], found["tokens"][0]["count"]) == ("refund", 2)


def test_what_comes_last_in_the_corpus_counts() -> None:
    # Earlier tools stopped after 5,000 active rows or 100,000 tokens.
    texts = [["a"] * 60] * 100 + [["needle", "eye"] * 2]
    found = profile(texts, fire(texts, *range(6000), 6000, 6002))
    assert {line["string"]: line["count"] for line in found["tokens"]}["needle"] == 2
    assert found["data"][0]["n_active"] == 6002


def test_token_seen_once_keeps_its_line_without_a_spread() -> None:
    # An earlier tool dropped it, so what was rare could not be told from what was absent.
    texts = [["a", "a", "b"]]
    (a, b) = profile(texts, fire(texts, 0, 1, 2))["tokens"]
    assert (a["count"], a["std"], a["cv"]) == (2, 0.0, 0.0)
    assert (b["count"], b["mean"], b["std"], b["cv"]) == (1, 1.0, None, None)


def test_spread_that_is_too_large_to_compute_is_missing() -> None:
    texts = [["a", "a", "b"]]
    (a, _) = profile(texts, fire(texts, 0, 1, 2) * np.array([[1e200], [3e200], [1e200]]))["tokens"]
    assert (a["count"], a["mean"], a["std"], a["cv"]) == (2, 2e200, None, None)


def test_window_reaches_as_far_right_as_left() -> None:
    # A window of 5 that was cut as [p - 2, p + 2) had 4 tokens and left out the neighbour p + 2.
    texts = [list("vwpyz"), list("vwpyz")]
    found = profile(texts, fire(texts, 2, 7), context=2)
    assert grams(found, "anywhere", 2).keys() == {"vw", "wp", "py", "yz"}
    old = "vwpyz"[max(0, 2 - 2) : 2 + 2]
    assert len(old) == 4 and "yz" not in old


def test_place_of_an_ngram_is_its_own() -> None:
    # An earlier tool stored the place of the peak for every n-gram around it.
    texts = [list("abcpqrs"), list("abcpqrs")]
    found = grams(profile(texts, fire(texts, 3, 10)), "anywhere", 2)
    assert {text: line["offsets"] for text, line in found.items()} == {
        "ab": [-3],
        "bc": [-2],
        "cp": [-1],
        "pq": [0],
        "qr": [1],
        "rs": [2],
    }


def test_share_of_contexts_is_never_above_one() -> None:
    # 100 count / contexts gave 500 % here.
    texts = [["ha"] * 7, ["ha"] * 7]
    line = grams(profile(texts, fire(texts, 3, 10), context=3), "anywhere", 2)["haha"]
    assert line["count"] / 2 > 1
    assert (line["count"], line["n_contexts"], line["share"]) == (12, 2, 1.0)


def test_ngrams_do_not_cross_documents() -> None:
    texts = [["a", "b"], ["c", "d"], ["a", "b"], ["c", "d"]]
    found = profile(texts, fire(texts, 1, 2, 5, 6))
    assert grams(found, "anywhere", 2).keys() == {"ab", "cd"}
    assert grams(found, "right", 2) == {}


def test_marks_of_tokenizers_are_no_characters() -> None:
    # An earlier tool counted U+2581 as a letter, so that '▁r' was the most frequent pair.
    spellings = {
        "sentencepiece": ["▁re", "fund", "▁now", "▁re", "fund"],
        "wordpiece": ["re", "##fund", "now", "re", "##fund"],
        "byte-level": ["Ġre", "fund", "Ġnow", "Ġre", "fund"],
        "text": [" re", "fund", " now", " re", "fund"],
    }
    found = {}
    for name, text in spellings.items():
        lines = grams(profile([text], fire([text], 0, 3), character_context=1), "characters", 2)
        found[name] = {gram: (line["offsets"], line["count"]) for gram, line in lines.items()}
    # The space is a character of the token 're' in all but in no n-gram, and 'ef' runs over the border of two tokens.
    assert found["text"] == {
        "re": ([1], 2),
        "ef": ([2], 2),
        "fu": ([3], 2),
        "un": ([4], 2),
        "nd": ([5], 2),
    }
    assert all(one == found["text"] for one in found.values())
    assert "▁r" in {"".join(spellings["sentencepiece"])[i : i + 2] for i in range(4)}


def test_characters_of_many_bytes_are_whole() -> None:
    # 'Ã©' is how byte-level tokenizers write the two bytes of 'é'.
    text = ["Ġcaf", "Ã©", "Ġcaf", "Ã©"]
    assert "é" not in "".join(text)
    assert grams(profile([text], fire([text], 1, 3)), "characters", 2).keys() == {"ca", "af", "fé"}


def test_asterisks_in_a_text_cut_nothing() -> None:
    # An earlier tool marked the active token as '**token**' and split contexts there.
    texts = [["see", "**", "UPDATE", "**", "now"]] * 2
    found = profile(texts, fire(texts, 2, 7))
    assert grams(found, "left", 2)["see**"]["count"] == 2
    assert grams(found, "right", 2)["**now"]["count"] == 2


def test_tokens_that_read_alike_together_are_not_mixed_up() -> None:
    # An earlier tool tokenised joined strings again, which made 'ab' + 'c' and 'a' + 'bc' the same.
    texts = [["ab", "c", "p"]] * 2 + [["a", "bc", "p"]] * 3
    found = profile(texts, fire(texts, 2, 5, 8, 11, 14))
    left = [line for line in found["ngrams"] if (line["kind"], line["size"]) == ("left", 2)]
    assert [(line["text"], line["count"]) for line in left] == [("abc", 3), ("abc", 2)]
    assert left[0]["tokens"] != left[1]["tokens"]


def test_strongest_rows_are_the_contexts() -> None:
    texts = [["x", "weak"], ["y", "strong"], ["y", "strong"]]
    dense = np.array([[0.0], [1.0], [0.0], [3.0], [0.0], [2.0]])
    found = profile(texts, dense, top_activations=2, ngram_sizes=(1,))
    assert grams(found, "left", 1).keys() == {"y"}
    assert found["data"][0]["n_contexts"] == 2
    assert profile(texts, dense, top_activations=0)["data"][0]["n_contexts"] == 3


def test_one_document_has_no_rare_tokens() -> None:
    texts = [["a", "b", "b"]]
    lines = profile(texts, fire(texts, 0, 1, 2))["tokens"]
    assert [(line["string"], line["idf"], line["tfidf"]) for line in lines] == [("b", 0.0, 0.0), ("a", 0.0, 0.0)]


def test_row_without_a_token_is_counted_and_in_no_ngram() -> None:
    texts = [list("abpcd")] * 2
    sae = sae_of(arrays(texts, fire(texts, 2, 7)), 1)
    tokens = sae.corpus.tokens

    class HalfBlind:
        def __getattr__(self, name: str) -> Any:
            return getattr(tokens, name)

        def read(self, start: int, stop: int) -> np.ndarray:
            return np.where(np.arange(start, stop) == 2, np.uint32(0xFFFFFFFF), tokens.read(start, stop))

        def tokens(self, rows: np.ndarray) -> np.ndarray:
            return np.where(rows == 2, np.uint32(0xFFFFFFFF), tokens.tokens(rows))

    sae.corpus.__dict__["tokens"] = HalfBlind()
    found = {name: table.to_pylist() for name, table in compute_tables(TokenProfile(min_contexts=1), sae).items()}
    data = found["data"][0]
    assert (data["n_active"], data["n_without_token"], data["single_token_share"]) == (2, 1, 1.0)
    assert sum(data["position_counts"]) == 2
    counts = {text: line["count"] for text, line in grams(found, "anywhere", 2).items()}
    assert counts == {"ab": 2, "bp": 1, "pc": 1, "cd": 2}


def test_corpus_without_tokens_says_so() -> None:
    with pytest.raises(NotFound, match="no tokens"):
        compute_tables(TokenProfile(), sae_of(make_arrays(replace(SHAPE, tokens=False)), SHAPE.n_features))


@pytest.mark.parametrize(
    "parameters",
    [{"k": 0}, {"position_bins": 0}, {"context": -1}, {"ngram_sizes": (0,)}, {"ngram_sizes": (2, 2)}],
    ids=str,
)
def test_parameter_out_of_range_is_refused(parameters: Any) -> None:
    with pytest.raises(InvalidInput, match=next(iter(parameters))):
        TokenProfile(**parameters)


@pytest.mark.parametrize("top_activations", [50, 0])
def test_memory_is_within_the_bound(top_activations: int) -> None:
    sae = make_atlas(MemoryStore(), n_rows=20_000, n_features=100, k=6, n_documents=200).sae()
    analysis = TokenProfile(top_activations=top_activations)
    compute_tables(TokenProfile(), make_atlas(MemoryStore(), n_rows=20, n_features=9, k=2).sae())
    list(sae.activations.feature_blocks())
    tracemalloc.start()
    for table in analysis.compute(sae, _silent()).values():
        for _ in table if not hasattr(table, "schema") else ():
            pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < analysis.peak_bytes(sae) - 300_000_000


def _silent() -> Any:
    from saeatlas.progress import SILENT

    return SILENT
