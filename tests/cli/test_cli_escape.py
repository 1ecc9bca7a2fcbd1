from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saeatlas.cli.render.escape import visible


@given(st.text(st.characters()))
def test_nothing_that_is_not_visible_comes_through(text: str) -> None:
    assert not any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in visible(text))


@given(st.text(st.characters(categories=["L", "N", "P", "S", "M", "Zs"])))
def test_visible_text_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\tb\nc\r", "a\\tb\\nc\\r"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202eevil", "\\u202eevil"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("é 中 👍", "é 中 👍"),
    ],
)
def test_unsafe_characters_are_named(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_messages_keep_their_lines_but_no_other_control() -> None:
    assert visible("one\ntwo\x1b", keep_lines=True) == "one\ntwo\\x1b"
