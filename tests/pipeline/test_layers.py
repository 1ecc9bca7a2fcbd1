"""Lists of layers."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saeatlas.errors import InvalidInput
from saeatlas.pipeline.layers import parse_layers


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("0-2,10,15-17", (0, 1, 2, 10, 15, 16, 17)),
        ("0 - 5", (0, 1, 2, 3, 4, 5)),
        (" 3 ", (3,)),
        ("3, 4", (3, 4)),
        ("5,5,1", (1, 5)),
        ("2-2", (2,)),
        ("0-3,2-5", (0, 1, 2, 3, 4, 5)),
        ("007", (7,)),
        ("25", (25,)),
    ],
)
def test_list_is_sorted_and_names_each_layer_once(text: str, layers: tuple[int, ...]) -> None:
    assert parse_layers(text, n_layers=26) == layers


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("5-0", "The range of layers runs backwards: '5-0'", "0-5"),
        ("-1", "Not a layer or a range of layers: '-1'", "counted from 0"),
        ("1-2-3", "Not a layer or a range of layers: '1-2-3'", "0-5"),
        ("--", "Not a layer or a range of layers: '--'", "0-5"),
        ("5-", "Not a layer or a range of layers: '5-'", "0-5"),
        ("", "The list of layers is empty", "0-5,10"),
        (" \t", "The list of layers is empty", "0-5,10"),
        ("0,,5", "Part 2 of the list of layers is empty: '0,,5'", "one comma"),
        ("0-5,", "Part 2 of the list of layers is empty: '0-5,'", "none at the end"),
        (",", "Part 1 of the list of layers is empty: ','", "one comma"),
        ("a", "Not a layer or a range of layers: 'a'", "whole number"),
        ("1.5", "Not a layer or a range of layers: '1.5'", "whole number"),
        ("1;2", "Not a layer or a range of layers: '1;2'", "whole number"),
        ("1 2", "Not a layer or a range of layers: '1 2'", "whole number"),
        ("0–5", "Not a layer or a range of layers: '0–5'", "hyphen of the keyboard"),
        ("0−5", "Not a layer or a range of layers: '0−5'", "hyphen of the keyboard"),
        ("+5", "Not a layer or a range of layers: '+5'", "whole number"),
        ("1_0", "Not a layer or a range of layers: '1_0'", "whole number"),
        ("\u0663", "Not a layer or a range of layers: '\u0663'", "digits 0 to 9"),
        ("\u00b2", "Not a layer or a range of layers: '\u00b2'", "digits 0 to 9"),
        ("1\n", "Not a layer or a range of layers: '1\n'", "whole number"),
        ("26", "There is no such layer: '26' in '26'", "0 to 25"),
        ("0-30,3,40", "There is no such layer: '0-30', '40' in '0-30,3,40'", "0 to 25"),
    ],
)
def test_what_is_no_list_is_refused_with_the_part_and_the_remedy(text: str, message: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_layers(text, n_layers=26)
    assert caught.value.message == message
    assert hint in caught.value.hint


@pytest.mark.parametrize("n_layers", [26, None])
def test_huge_range_is_refused_before_it_is_spread_out(n_layers: int | None) -> None:
    tracemalloc.start()
    with pytest.raises(InvalidInput, match="no such layer: '0-999999999'"):
        parse_layers("0-999999999", n_layers=n_layers)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000


def test_number_of_many_digits_is_refused_without_being_read() -> None:
    with pytest.raises(InvalidInput, match="Not a layer"):
        parse_layers("9" * 5000)


def test_without_layers_nothing_is_allowed() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_layers("0", n_layers=0)
    assert caught.value.hint == "Layers that exist: none"


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9)), min_size=1, max_size=8))
def test_list_equals_the_union_of_its_parts(parts: list[tuple[int, int]]) -> None:
    text = ", ".join(f"{first} - {first + more}" if more else str(first) for first, more in parts)
    expected = {layer for first, more in parts for layer in range(first, first + more + 1)}
    assert parse_layers(text) == tuple(sorted(expected))
