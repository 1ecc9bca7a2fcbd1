"""Texts from data are shown whole, or say what is missing."""

from __future__ import annotations

import pytest

from saeatlas.plots._text import FAMILY, clipped, families, shown


def test_nothing_is_hidden() -> None:
    assert shown("a\nb\tc") == "a\u23ceb\u21e5c"
    assert shown("\x1b[31m") == "\\x1b[31m"
    assert shown("\u202eevil\u200b") == "\\u202eevil\\u200b"
    assert shown("naïve $x^2$ \u00ad") == "naïve $x^2$ \\xad"


def test_characters_without_a_font_are_written_as_their_code() -> None:
    assert families()[0] == FAMILY
    # An unassigned character, which no font has.
    assert shown("a\u0378b") == "a\\u0378b"
    # A musical symbol, which only special fonts have.
    assert shown("\U0001d12b") in {"\U0001d12b", "\\U0001d12b"}


@pytest.mark.parametrize(
    ("width", "expected"), [(20, "refunds and ports"), (17, "refunds and ports"), (9, "refunds…"), (1, "…")]
)
def test_long_text_is_cut_with_an_ellipsis(width: int, expected: str) -> None:
    assert clipped("refunds and ports", width, len) == expected
