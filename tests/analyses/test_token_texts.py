"""What tokens read as, and which tokens documents hold, however they are spelled and read."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from saeatlas.analyses import _token_contexts, _token_sets
from saeatlas.analyses._token_sets import document_frequency, token_sets
from saeatlas.analyses._token_texts import letters_of, natural_bytes, natural_texts
from saeatlas.analyses.token_profile import TokenProfile
from saeatlas.storage import MemoryStore
from saeatlas.testing.analysis_contract import compute_tables
from saeatlas.testing.make_atlas import make_atlas

GAP = 7


@pytest.mark.parametrize(
    ("strings", "texts"),
    [
        (["▁the", "re", "<0x0A>", "▁"], [" the", "re", "\n", " "]),
        (["Ġthe", "Ċ", "Ã©", "Ġé"], [" the", "\n", "é", " \ufffd"]),
        (["the", "##re", ".", "#"], [" the", "re", " .", " #"]),
        ([" the", "##re", "Ġx", "##"], [" the", "##re", "Ġx", "##"]),
        (["<0xZZ>", "a<0x0A>"], ["<0xZZ>", "a<0x0A>"]),
        ([], []),
    ],
    ids=["sentencepiece", "byte-level", "wordpiece", "text", "no bytes", "nothing"],
)
def test_marks_are_read_as_what_they_stand_for(strings: list[str], texts: list[str]) -> None:
    assert natural_texts(strings) == texts


def test_halves_of_a_character_are_whole_together() -> None:
    halves = natural_bytes(["Ġ", "Ã", "©"])
    assert b"".join(halves).decode() == " é"
    assert natural_texts(["Ġ", "Ã", "©"]) == [" ", "\ufffd", "\ufffd"]


def test_letters_are_code_points_with_gaps_for_space_and_halves() -> None:
    letters, indptr = letters_of([" a", "", "🙂\n", "\ufffd"], GAP)
    assert letters.tolist() == [GAP, ord("a"), ord("🙂"), GAP, GAP]
    assert indptr.tolist() == [0, 2, 2, 4, 5]


@pytest.fixture(params=[False, True], ids=["together", "scattered"])
def sae(request: pytest.FixtureRequest) -> Any:
    return make_atlas(
        MemoryStore(), n_rows=300, n_features=24, k=5, n_documents=15, interleaved=request.param, ragged=True
    ).sae()


@pytest.mark.parametrize("rows_at_once", [1, 7, 1000])
def test_sets_of_documents_do_not_depend_on_how_rows_are_read(
    sae: Any, rows_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_token_sets, "_ROWS_AT_ONCE", rows_at_once)
    tokens, corpus = sae.corpus.tokens, sae.corpus
    documents, ids = corpus.documents.row_documents(0, 300), tokens.read(0, 300)
    expected = [sorted(set(ids[documents == document].tolist())) for document in range(15)]
    sets = token_sets(corpus, tokens)
    assert [sets.tokens[low:high].tolist() for low, high in pairwise(sets.indptr)] == (expected)
    frequency, n_documents = document_frequency(corpus, tokens)
    assert frequency.tolist() == [sum(token in one for one in expected) for token in range(tokens.n_tokens)]
    assert n_documents == sum(map(bool, expected))


def test_contexts_do_not_depend_on_how_many_are_read_at_once(sae: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = compute_tables(TokenProfile(), sae)
    monkeypatch.setattr(_token_contexts, "CONTEXTS_AT_ONCE", 30)
    assert compute_tables(TokenProfile(), sae)["ngrams"].equals(whole["ngrams"])
    assert np.unique(whole["ngrams"]["feature"]).size > 10
