"""Selections of rows and documents against boolean arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saeatlas.atlas import selection
from saeatlas.atlas.expression import And, Expression, Leaf, Not, Or
from saeatlas.errors import InvalidInput, NotFound, OverBudget

leaves = st.builds(
    Leaf, st.integers(0, 11), st.sampled_from([">", ">=", "<", "<="]), st.sampled_from([-1.5, 0.0, 0.5, 2.0])
)
trees: st.SearchStrategy[Expression] = st.recursive(
    leaves,
    lambda part: st.one_of(
        st.builds(Not, part),
        st.builds(And, st.lists(part, min_size=2, max_size=3).map(tuple)),
        st.builds(Or, st.lists(part, min_size=2, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


def dense_leaf(source: Any, leaf: Leaf) -> Any:
    values = source.dense[:, leaf.feature]
    with np.errstate(invalid="ignore"):
        return {
            ">": values > leaf.threshold,
            ">=": values >= leaf.threshold,
            "<": values < leaf.threshold,
            "<=": values <= leaf.threshold,
        }[leaf.comparison]


def oracle(source: Any, tree: Expression, unit: str) -> Any:
    if isinstance(tree, Leaf):
        rows = dense_leaf(source, tree)
        if unit == "row":
            return rows
        return np.array([rows[source.documents == d].any() for d in range(source.n_documents)])
    if isinstance(tree, Not):
        return ~oracle(source, tree.part, unit)
    parts = [oracle(source, part, unit) for part in tree.parts]
    return np.logical_and.reduce(parts) if isinstance(tree, And) else np.logical_or.reduce(parts)


@given(trees, st.sampled_from(["row", "document"]))
@settings(max_examples=80, deadline=None)
def test_selection_equals_dense_logic(source: Any, atlas: Any, tree: Expression, unit: Any) -> None:
    expected = oracle(source, tree, unit)
    n_units = 60
    if unit == "document":
        has_rows = np.bincount(source.documents, minlength=source.n_documents) > 0
        expected, n_units = expected & has_rows, int(has_rows.sum())
    got = atlas.sae().select(str(tree), unit)
    assert got.ids.tolist() == np.flatnonzero(expected).tolist()
    assert (got.count, got.n_units) == (int(expected.sum()), n_units)


def test_document_without_rows_is_never_selected(atlas: Any) -> None:
    assert 8 not in atlas.sae().select("!3", "document").ids


def test_row_table_says_where(source: Any, atlas: Any) -> None:
    table = atlas.sae().select("3").table()
    rows = np.flatnonzero(source.active(3))
    assert table["row"].to_pylist() == rows.tolist()
    assert table["document"].to_pylist() == [f"d{d}" for d in source.documents[rows]]
    assert table["position"].to_pylist() == source.positions[rows].tolist()


def test_document_table_names_documents(source: Any, atlas: Any) -> None:
    table = atlas.sae().select("11", "document").table(limit=2)
    expected = np.unique(source.documents[source.active(11)])[:2]
    assert table["document"].to_pylist() == [f"d{d}" for d in expected]
    assert table["n_rows"].to_pylist() == [source.rows_of(d).size for d in expected]


def test_ids_of_a_huge_complement_are_refused_but_its_count_is_exact(
    source: Any, atlas: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "_MOST_IDS", 10)
    got = atlas.sae().select("!0")
    assert got.count == 60 - int(source.active(0).sum())
    with pytest.raises(OverBudget, match="more than 10 can be listed"):
        _ = got.ids


def test_syntax_error_is_invalid_input(atlas: Any) -> None:
    with pytest.raises(InvalidInput, match="position 3"):
        atlas.sae().select("1 &")


def test_unknown_feature_in_an_expression_is_not_found(atlas: Any) -> None:
    with pytest.raises(NotFound, match="No feature 99"):
        atlas.sae().select("1 & 99")


def test_unknown_unit_is_refused(atlas: Any) -> None:
    with pytest.raises(InvalidInput, match="'row' or 'document'"):
        atlas.sae().select("1", "sentence")


@pytest.mark.parametrize(("expression", "unit"), [("!0", "row"), ("!(3 | 9)", "row"), ("!0", "document")])
def test_the_first_of_a_huge_complement_are_shown(
    atlas: Any, monkeypatch: pytest.MonkeyPatch, expression: str, unit: Any
) -> None:
    found = atlas.sae().select(expression, unit)
    whole = found.table().to_pylist()
    monkeypatch.setattr(selection, "_MOST_IDS", 1)
    assert found.table(3).to_pylist() == whole[:3]
    assert found.table(found.count + 5).to_pylist() == whole
