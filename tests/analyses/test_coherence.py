"""Explanations that belong to their features are told from those that do not."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from scipy import stats

from saeatlas.analyses._words import content_words, word_table
from saeatlas.analyses.coherence import Coherence
from saeatlas.atlas.atlas import Atlas
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.progress import SILENT
from saeatlas.storage import MemoryStore
from saeatlas.testing.parts_importer import PartsImporter, SaeParts

WORDS = ("dogs", "harbour", "refunds", "verbs", "numbers", "cities", "prayers", "engines")
N = 240


def atlas_of(**parts: Any) -> Atlas:
    store = MemoryStore()
    create_atlas(store)
    parts.setdefault("arrays", {})
    import_parts(store, PartsImporter(sae="toy", data=SaeParts(**parts)))
    return Atlas(store, head(store))


def places(n: int = N, seed: int = 0) -> Any:
    """Eight groups far apart, in which features of one remainder by 8 lie together."""
    random = np.random.default_rng(seed)
    return 30 * random.normal(size=(8, 3))[np.arange(n) % 8] + random.normal(size=(n, 3))


def texts_by(order: Any) -> tuple[tuple[int, str], ...]:
    return tuple((feature, f"references to {WORDS[group % 8]} {feature % 5}") for feature, group in enumerate(order))


def result(atlas: Atlas, **params: Any) -> dict[str, Any]:
    (line,) = Coherence(**params).compute(atlas.sae(), SILENT)["data"].to_pylist()
    return dict(line)


def test_planted_agreement_on_a_map_is_found() -> None:
    line = result(atlas_of(texts=texts_by(range(N)), positions=places()))
    assert line["verdict"] == "ok"
    assert line["geometry"] == "map"
    assert (line["n_explained"], line["n"]) == (N, N)
    # One word each, and all neighbours have it; of all others an eighth.
    assert line["observed"] == pytest.approx(1.0)
    assert line["expected"] == pytest.approx(1 / 8, abs=0.02)
    assert line["z"] > 30
    assert line["p"] == pytest.approx(1 / 201)
    assert line["lift_low"] <= line["lift"] <= line["lift_high"]
    assert line["n_agreeing"] == N


def test_planted_agreement_in_the_decoder_is_found() -> None:
    random = np.random.default_rng(3)
    decoder = (random.normal(size=(8, 20))[np.arange(N) % 8] + 0.3 * random.normal(size=(N, 20))).astype(np.float32)
    line = result(atlas_of(texts=texts_by(range(N)), arrays={"decoder": decoder}))
    assert (line["verdict"], line["geometry"]) == ("ok", "decoder")


def test_explanations_of_another_sae_are_wrong() -> None:
    order = np.random.default_rng(1).permutation(N)
    line = result(atlas_of(texts=texts_by(order), positions=places()))
    assert line["verdict"] == "wrong"
    assert line["lift_high"] < 2
    assert line["n_agreeing"] == 0


def test_p_is_uniform_when_explanations_have_nothing_to_do_with_places() -> None:
    p = []
    for seed in range(120):
        random = np.random.default_rng(seed)
        texts = tuple((i, " ".join(random.choice(WORDS, 2, replace=False))) for i in range(40))
        atlas = atlas_of(texts=texts, positions=random.normal(size=(40, 3)))
        p.append(result(atlas, permutations=99, draws=200, seed=seed)["p"])
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_few_explanations_are_neither_right_nor_wrong() -> None:
    texts = tuple((i, WORDS[i // 2]) for i in range(12))
    positions = np.random.default_rng(5).normal(size=(12, 3))
    assert result(atlas_of(texts=texts, positions=positions))["verdict"] == "suspect"


def test_fewer_features_than_neighbours_are_not_applicable_and_have_no_numbers() -> None:
    line = result(atlas_of(texts=texts_by(range(4)), positions=places(4)))
    assert line["verdict"] == "not-applicable"
    assert [line[name] for name in ("observed", "expected", "lift", "z", "p")] == [None] * 5
    assert line["n"] == 4


def test_texts_that_never_share_a_word_are_not_applicable() -> None:
    texts = tuple((i, f"word{chr(97 + i // 26)}{chr(97 + i % 26)}") for i in range(60))
    line = result(atlas_of(texts=texts, positions=places(60)))
    assert (line["verdict"], line["lift"], line["z"]) == ("not-applicable", None, None)
    assert line["p"] == 1.0


def test_features_without_words_or_place_are_left_out() -> None:
    texts = (*texts_by(range(N - 40))[:-1], (N - 41, "the related phrases"), (N + 7, "dogs beyond the map"))
    line = result(atlas_of(texts=texts, positions=places()))
    assert (line["n_explained"], line["n"]) == (N - 39, N - 41)


def test_features_with_a_decoder_row_of_zeros_are_left_out() -> None:
    decoder = np.random.default_rng(0).normal(size=(N, 6)).astype(np.float32)
    decoder[[0, 9]] = 0
    atlas = atlas_of(texts=texts_by(range(N)), arrays={"decoder": decoder})
    assert result(atlas)["n"] == N - 2
    assert 9 not in Coherence().compute(atlas.sae(), SILENT)["features"]["feature"].to_pylist()


def test_words_of_all_texts_of_a_feature_count() -> None:
    texts = tuple((i, text) for i in range(N) for text in (WORDS[i % 8], f"also {WORDS[i % 8]}"))
    line = result(atlas_of(texts=texts, positions=places()))
    assert (line["n"], line["observed"]) == (N, pytest.approx(1.0))


def test_geometry_can_be_named_and_must_be_there() -> None:
    atlas = atlas_of(texts=texts_by(range(N)), positions=places())
    with pytest.raises(AssertionError):
        Coherence(geometry="decoder").compute(atlas.sae(), SILENT)
    assert Coherence(geometry="decoder").requires() == {"explanations", "weights"}
    assert Coherence(geometry="map").requires() == {"explanations", "map"}
    assert Coherence().uses() == {"map", "weights"}


def test_without_any_geometry_it_says_what_to_import() -> None:
    atlas = atlas_of(texts=texts_by(range(N)))
    with pytest.raises(NotFound, match="neither a map nor weights") as caught:
        Coherence().compute(atlas.sae(), SILENT)
    assert "sae-weights" in caught.value.hint


def test_a_set_that_is_not_there_is_named_with_those_that_are() -> None:
    atlas = atlas_of(texts=texts_by(range(N)), positions=places())
    with pytest.raises(NotFound, match="'human'") as caught:
        Coherence(explanations="human").compute(atlas.sae(), SILENT)
    assert "toy" in caught.value.hint


@pytest.mark.parametrize(
    "params",
    [{"neighbors": 0}, {"permutations": 98}, {"draws": 199}, {"seed": -1}, {"geometry": "umap"}, {"neighbors": 2.5}],
)
def test_parameters_out_of_range_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(params))):
        Coherence(**params)


def test_boilerplate_of_explanations_is_not_taken_for_agreement() -> None:
    """Half of published labels say 'related to': counted as words, they make every label resemble every other."""
    order = np.random.default_rng(2).permutation(N)
    texts = tuple((i, f"phrases related to {WORDS[group % 8]}") for i, group in enumerate(order))
    line = result(atlas_of(texts=texts, positions=places()))
    assert line["expected"] == pytest.approx(1 / 8, abs=0.03)


def test_answers_of_failed_explainers_are_no_texts() -> None:
    """A tenth of them, each as similar to each as can be, would raise what chance gives and halve the lift."""
    texts = texts_by(range(N))
    failed = tuple((i, "Explanation could not be parsed." if i % 10 == 3 else text) for i, text in texts)
    found = result(atlas_of(texts=failed, positions=places()))
    without = result(atlas_of(texts=tuple(text for text in texts if text[0] % 10 != 3), positions=places()))
    assert found.pop("n_explained") == N
    assert without.pop("n_explained") == found["n"] == N * 9 // 10
    assert found == without


def test_content_words_ignore_case_grammar_and_numbers() -> None:
    found = content_words(" References to the DOGS and Straße-related terms, in 1999; état_x, 日本")
    assert found == {"dogs", "strasse", "état", "日", "本"}


def test_word_table_numbers_words_by_their_order() -> None:
    indptr, words = word_table([["b", "a", "b"], [], ["c", "a"]])
    assert (indptr.tolist(), words.tolist()) == ([0, 2, 2, 4], [0, 1, 0, 2])


def test_memory_stays_within_the_bound() -> None:
    decoder = np.random.default_rng(0).normal(size=(3000, 64)).astype(np.float32)
    atlas = atlas_of(texts=texts_by(range(3000)), arrays={"decoder": decoder})
    Coherence(draws=200).compute(atlas.sae(), SILENT)
    tracemalloc.start()
    Coherence(draws=200).compute(atlas.sae(), SILENT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < Coherence().peak_bytes(atlas.sae()) - 300_000_000


def test_labels_that_all_read_alike_cannot_be_judged() -> None:
    texts = tuple((feature, "mentions of cities") for feature in range(64))
    line = result(atlas_of(texts=texts, positions=places(64)))
    assert (line["observed"], line["expected"], line["z"]) == (1.0, 1.0, None)
    assert line["verdict"] == "suspect"
