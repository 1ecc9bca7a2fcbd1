"""Checks of documents and tokens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from saeatlas.atlas.atlas import Atlas
from saeatlas.health.tokens import _agree

Examine = Callable[..., list[dict[str, Any]]]
Make = Callable[..., Atlas]


def only(found: list[dict[str, Any]]) -> dict[str, Any]:
    (one,) = found
    return one


def test_different_texts_are_ok(with_rows: Make, examine: Examine) -> None:
    found = only(examine(with_rows(), "duplicate-documents"))
    assert (found["verdict"], found["n_texts"], found["n_duplicate"]) == ("ok", 8, 0)


def test_copies_are_suspect_and_counted(with_rows: Make, examine: Examine) -> None:
    texts = ("a dog", "cats", "a dog", None, "", " ", "a dog", "cats")
    atlas = with_rows(lambda data: replace(data, texts=texts, spans=None))
    found = only(examine(atlas, "duplicate-documents"))
    assert found["verdict"] == "suspect"
    # Missing and blank texts are no copies of each other.
    assert (found["n_texts"], found["n_duplicate"], found["largest_group"]) == (5, 3, 3)
    assert "'doc-000', 'doc-001'" in found["message"]


def test_texts_are_read_in_batches_of_bounded_size(
    with_rows: Make, examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("saeatlas.health._texts._CHARACTERS", 10)
    texts = tuple("x" * (1 + i % 4) for i in range(8))
    found = only(examine(with_rows(lambda data: replace(data, texts=texts, spans=None)), "duplicate-documents"))
    assert found["n_duplicate"] == 4


@pytest.mark.parametrize("check", ["duplicate-documents", "tokens"])
def test_corpus_without_texts_is_not_applicable(with_rows: Make, examine: Examine, check: str) -> None:
    atlas = with_rows(lambda data: replace(data, texts=(), spans=None))
    assert examine(atlas, check)[-1]["verdict"] == "not-applicable"


def test_corpus_without_tokens_is_not_applicable(with_rows: Make, examine: Examine) -> None:
    atlas = with_rows(lambda data: replace(data, tokens=None, spans=None, vocabulary=()))
    assert only(examine(atlas, "tokens"))["message"] == "There are no tokens"


def test_tokens_of_their_texts_are_ok(with_rows: Make, examine: Examine) -> None:
    counts, spans = examine(with_rows(), "tokens")
    assert (counts["verdict"], counts["documents_ok"]) == ("ok", 8)
    assert (spans["verdict"], spans["unit"], spans["n_compared"]) == ("ok", "tokens", 90)


def test_tokens_without_spans_are_compared_as_whole_documents(with_rows: Make, examine: Examine) -> None:
    _, found = examine(with_rows(lambda data: replace(data, spans=None)), "tokens")
    assert (found["verdict"], found["unit"], found["n_compared"]) == ("ok", "documents", 8)


def test_tokens_of_another_vocabulary_are_wrong(with_rows: Make, examine: Examine) -> None:
    def shift(data: Any) -> Any:
        return replace(data, vocabulary=(*data.vocabulary[1:], data.vocabulary[0]))

    _, found = examine(with_rows(shift), "tokens")
    assert found["verdict"] == "wrong"
    assert found["n_differing"] > 80
    assert "stands for" in found["examples"][0]
    _, whole = examine(with_rows(lambda data: replace(shift(data), spans=None)), "tokens")
    assert (whole["verdict"], whole["n_differing"]) == ("wrong", 8)


def test_few_differing_tokens_are_suspect_and_fewer_are_ok(with_rows: Make, examine: Examine) -> None:
    def one_wrong(data: Any) -> Any:
        tokens = data.tokens.copy()
        tokens[5] = (tokens[5] + 1) % 5
        return replace(data, tokens=tokens)

    assert examine(with_rows(one_wrong), "tokens")[1]["verdict"] == "suspect"
    assert examine(with_rows(one_wrong), "tokens", suspect_above=0.02)[1]["verdict"] == "ok"
    assert examine(with_rows(one_wrong), "tokens", wrong_above=0.001)[1]["verdict"] == "wrong"


def test_rows_of_a_document_may_be_scattered(with_rows: Make, examine: Examine) -> None:
    def scatter(data: Any) -> Any:
        order = sorted(range(90), key=lambda row: (row * 37) % 90)
        return replace(data, documents=data.documents[order], tokens=data.tokens[order], spans=data.spans[order])

    assert examine(with_rows(scatter), "tokens")[1]["verdict"] == "ok"


def test_counts_that_differ_are_named(with_rows: Make, examine: Examine) -> None:
    atlas = with_rows()
    tokens = atlas.corpus().tokens
    assert tokens is not None
    tokens.attributes = {
        **tokens.attributes,
        "documents_ok": 7,
        "documents_count_differs": 1,
        "first_documents_count_differs": ["doc-004"],
    }
    counts, _ = examine(atlas, "tokens")
    assert counts["verdict"] == "wrong"
    assert "1 of 8 documents" in counts["message"] and "'doc-004'" in counts["message"]


@pytest.mark.parametrize(
    ("string", "text"),
    [
        ("\u0120dog", "dog"),
        ("\u0120dog", " dog"),
        ("\u2581dog", "dog"),
        ("##ging", "ging"),
        ("dog", "Dog"),
        ("cafe", "café"),
        ("Ã©", "é"),
        ("\u010a", "\n"),
        ("ﬁ", "fi"),
        ("<", "<"),
        ("[]", "[]"),
    ],
)
def test_spellings_of_tokenizers_agree_with_the_text(string: str, text: str) -> None:
    assert _agree(string, text) is True


@pytest.mark.parametrize(("string", "text"), [("dog", "cat"), ("dog", "dogs"), ("", "x"), ("é", "è!")])
def test_other_words_do_not_agree(string: str, text: str) -> None:
    assert _agree(string, text) is False


@pytest.mark.parametrize("string", ["[CLS]", "<UNK>", "<|EOT|>", "\ufffd", "\u0100\u0102"])
def test_special_tokens_and_parts_of_characters_are_not_compared(string: str) -> None:
    assert _agree(string, "x") is None
