"""Words of every script, of code and of symbols are found by what a person types."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saeatlas.kernels.words import MAX_WORD, Kind, fold, pieces_of, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The Cat", ["the", "cat"]),
        ("Réfund ÅNGSTRÖM łódź straße ﬁne", ["refund", "angstrom", "lodz", "strasse", "fine"]),
        ("ΣΑΣ Ёлка İstanbul", ["σασ", "елка", "istanbul"]),
        ("getUserName", ["getusername", "get", "user", "name"]),
        ("HTTPServerError", ["httpservererror", "http", "server", "error"]),
        ("user_name __init__", ["username", "user", "name", "init"]),
        ("gpt2 a2B", ["gpt2", "a2b"]),
        ("日本語", ["日本", "本語", "日", "本", "語"]),
        ("ｶﾞｷﾞ 中", ["ガギ", "ガ", "ギ", "中"]),
        ("مُدَرِّسَة שָׁלוֹם", ["مدرسة", "שלום"]),
        ("हिन्दी ไทย", ["हिन्दी", "ไท", "ทย", "ไ", "ท", "ย"]),
        ("한국어", ["한국어"]),
        ("x==(y)", ["x", "=", "=", "(", "y", ")"]),
        ("👩‍💻 ❤️ 👍🏽", ["👩", "💻", "❤", "👍"]),
        ("_ $", ["_", "$"]),
        ("a\x00b\u200e", ["a", "b"]),
        ("", []),
        (" \n\t", []),
    ],
)
def test_words_of_a_text(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_marks_of_scripts_that_need_them_stay() -> None:
    assert fold("कि") != fold("क")
    assert fold("が") != fold("か")


def test_long_words_are_cut() -> None:
    assert words_of("x" * 500) == ["x" * MAX_WORD]


def test_punctuation_can_be_left_out() -> None:
    assert words_of("a, (b) ∑ 🙂", has_punctuation=False) == ["a", "b", "∑", "🙂"]


@given(st.text(max_size=60))
def test_pieces_lie_in_the_text_and_fold_to_themselves(text: str) -> None:
    pieces = list(pieces_of(text))
    assert [piece.word for piece in pieces] == words_of(text)
    for piece in pieces:
        assert 0 <= piece.start < piece.stop <= len(text)
        assert piece.word
        assert not any(letter.isspace() for letter in piece.word)
    assert [piece.start for piece in pieces if piece.kind is Kind.WORD] == sorted(
        piece.start for piece in pieces if piece.kind is Kind.WORD
    )


@given(st.text(max_size=40))
def test_words_do_not_depend_on_case_or_composition(text: str) -> None:
    import unicodedata

    plain = [word for word in words_of(text.lower()) if word.isascii()]
    composed = [word for word in words_of(unicodedata.normalize("NFC", text.lower())) if word.isascii()]
    assert plain == composed
