"""The selection language: precedence, words, comparisons, and faults with a caret under their place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saeatlas.atlas.expression import And, Expression, Leaf, Not, Or, parse_expression
from saeatlas.errors import InvalidInput


def test_not_binds_before_and_before_or() -> None:
    assert parse_expression("1 & !2 | 3") == Or((And((Leaf(1), Not(Leaf(2)))), Leaf(3)))


def test_parentheses_override_precedence() -> None:
    assert parse_expression("1 & (2 | 3)") == And((Leaf(1), Or((Leaf(2), Leaf(3)))))


def test_words_mean_the_same_as_signs() -> None:
    assert parse_expression("1 AND not (2 or 3)") == parse_expression("1&!(2|3)")


def test_comparison_keeps_its_threshold() -> None:
    assert parse_expression("12>=-0.5e1") == Leaf(12, ">=", -5.0)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", 0),
        ("12 & ", 5),
        ("12 13", 3),
        ("(12", 3),
        ("12)", 2),
        ("1.5", 0),
        ("-3", 0),
        ("12 & x", 5),
        ("12 > & 3", 5),
        ("12 > 1e999", 5),
        ("12 ? 3", 3),
        ("()", 1),
        ("1 & é", 4),
    ],
)
def test_fault_points_at_its_place(text: str, place: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_expression(text)
    lines = caught.value.message.split("\n")
    assert f"position {place}:" in lines[0]
    assert lines[-1] == f"  {' ' * place}^"


def test_absurd_depth_is_a_fault_and_no_crash() -> None:
    with pytest.raises(InvalidInput, match="levels deep"):
        parse_expression("(" * 5000)


leaves = st.builds(
    Leaf,
    st.integers(0, 99),
    st.sampled_from([">", ">=", "<", "<="]),
    st.floats(allow_nan=False, allow_infinity=False),
)
trees: st.SearchStrategy[Expression] = st.recursive(
    leaves,
    lambda part: st.one_of(
        st.builds(Not, part),
        st.builds(And, st.lists(part, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(part, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


def holds(tree: Expression, values: dict[int, float]) -> bool:
    if isinstance(tree, Leaf):
        value = values.get(tree.feature)
        if value is None:
            return False
        return {
            ">": value > tree.threshold,
            ">=": value >= tree.threshold,
            "<": value < tree.threshold,
            "<=": value <= tree.threshold,
        }[tree.comparison]
    if isinstance(tree, Not):
        return not holds(tree.part, values)
    return (all if isinstance(tree, And) else any)(holds(part, values) for part in tree.parts)


@given(trees, st.dictionaries(st.integers(0, 99), st.floats(-2, 2), max_size=40))
def test_written_expression_reads_back_with_the_same_meaning(tree: Expression, values: dict[int, float]) -> None:
    assert holds(parse_expression(str(tree)), values) == holds(tree, values)
