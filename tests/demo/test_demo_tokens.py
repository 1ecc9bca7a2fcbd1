from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest

from saeatlas.demo.corpus import Docstring
from saeatlas.demo.tokens import Document, load_tokenizer, sample, sample_digest
from saeatlas.demo.weights import find_weights
from saeatlas.errors import SourceError
from saeatlas.progress import SILENT, Event, Progress


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(find_weights().tokenizer)


def docstring(text: str, name: str = "m") -> Docstring:
    return Docstring(name, text, name, "module", name)


def documents(tokenizer: Any, *texts: str, n_tokens: int = 10**6) -> list[Document]:
    return sample([docstring(text, f"m{n}") for n, text in enumerate(texts)], tokenizer, n_tokens, SILENT)


def plain(text: str) -> str:
    return "".join(one for one in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(one) != "Mn")


@pytest.mark.parametrize(
    "text", ["Return the ValueError's café — naïvely.", "tokenization of\n\n  __init__(x) 😀 日本"]
)
def test_spans_give_the_characters_of_each_token(tokenizer: Any, text: str) -> None:
    document = documents(tokenizer, text, "another")[0]
    for string, (start, end) in zip(document.strings, document.spans, strict=True):
        assert string == "[UNK]" or plain(document.text[start:end]) == string.removeprefix("##")


def test_a_long_docstring_is_cut_after_whole_words(tokenizer: Any) -> None:
    text = " ".join(f"unbelievableness{n}" for n in range(200))
    document = documents(tokenizer, text, "another")[0]
    assert document.is_cut
    assert 240 < len(document.ids) <= 254
    assert text[len(document.text)] == " "


def test_a_cut_text_gives_the_same_tokens_again(tokenizer: Any) -> None:
    document = documents(tokenizer, " ".join(f"unbelievableness{n}" for n in range(200)), "another")[0]
    assert tuple(tokenizer.encode(document.text, add_special_tokens=False).ids) == document.ids


def test_documents_of_the_same_tokens_are_taken_once(tokenizer: Any) -> None:
    assert [one.text for one in documents(tokenizer, "Same words.", "other", "same  WORDS.")] == [
        "Same words.",
        "other",
    ]


def test_the_sample_ends_with_the_document_that_fills_it(tokenizer: Any) -> None:
    taken = documents(tokenizer, "one two three", "four five six", "seven", n_tokens=4)
    assert [one.docstring.id for one in taken] == ["m0", "m1"]


def test_too_few_docstrings_are_said(tokenizer: Any) -> None:
    events: list[Event] = []
    sample([docstring("one", "a"), docstring("two", "b")], tokenizer, 100, Progress(events.append))
    assert [event.text for event in events if event.what == "message"] == [
        "This Python's docstrings hold 2 tokens, fewer than the 100 asked for"
    ]


def test_one_document_is_not_enough(tokenizer: Any) -> None:
    with pytest.raises(SourceError) as caught:
        documents(tokenizer, "only one", "", n_tokens=100)
    assert caught.value.kind == "empty-source"


def test_progress_of_tokenising_reaches_its_total(tokenizer: Any) -> None:
    events: list[Event] = []
    sample([docstring("one two three", "a"), docstring("four five", "b")], tokenizer, 4, Progress(events.append))
    assert sum(event.amount for event in events) == events[0].total == 4


def test_digest_tells_samples_apart(tokenizer: Any) -> None:
    assert sample_digest(documents(tokenizer, "a", "b")) != sample_digest(documents(tokenizer, "a", "c"))


def test_a_missing_tokenizer_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"tokenizer\.json"):
        load_tokenizer(tmp_path / "tokenizer.json")
