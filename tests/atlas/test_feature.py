"""Questions about one feature as tables: activations, documents, tokens, levels; against dense arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from saeatlas.errors import InvalidInput, NotFound


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_activations_say_row_document_position_and_value(make: Any, seed: int, listed: Any) -> None:
    source, atlas = make(seed)
    for feature in range(atlas.sae().n_features):
        table = atlas.sae().feature(feature).activations(listed=listed)
        rows = np.flatnonzero(source.listed(feature) if listed else source.active(feature))
        assert table["row"].to_pylist() == rows.tolist()
        assert table["document"].to_pylist() == [f"d{d}" for d in source.documents[rows]]
        assert table["position"].to_pylist() == source.positions[rows].tolist()
        assert table["value"].to_pylist() == source.dense[rows, feature].tolist()


def test_activations_have_declared_types(atlas: Any) -> None:
    schema = pa.schema(
        [("row", pa.int64()), ("document", pa.string()), ("position", pa.int64()), ("value", pa.float32())]
    )
    assert atlas.sae().feature(9).activations().schema == schema
    assert atlas.sae().feature(5).activations().schema == schema


def test_values_stored_as_float64_stay_float64(source: Any, remake: Any) -> None:
    changed, atlas = remake(source, dense=source.dense * 0.1)
    table = atlas.sae().feature(9).activations()
    assert table.schema.field("value").type == pa.float64()
    assert table["value"].to_pylist() == changed.dense[changed.active(9), 9].tolist()


@pytest.mark.parametrize(("start", "stop"), [(0, 20), (19, 22), (30, 30), (41, None), (None, 5)])
def test_activations_of_a_row_range(source: Any, atlas: Any, start: int | None, stop: int | None) -> None:
    table = atlas.sae().feature(9).activations(start=start, stop=stop, with_documents=False)
    rows = np.flatnonzero(source.active(9))
    kept = rows[(rows >= (start or 0)) & (rows < (60 if stop is None else stop))]
    assert table.column_names == ["row", "value"]
    assert table["row"].to_pylist() == kept.tolist()


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (5, 4), (0, 61)])
def test_activations_outside_the_rows_are_refused(atlas: Any, start: int, stop: int) -> None:
    with pytest.raises(InvalidInput, match="do not lie within"):
        atlas.sae().feature(9).activations(start=start, stop=stop)


@pytest.mark.parametrize("seed", range(3))
def test_documents_sum_the_active_values(make: Any, seed: int) -> None:
    source, atlas = make(seed)
    for feature in range(atlas.sae().n_features):
        expected = []
        for document in range(source.n_documents):
            rows = source.rows_of(document)
            values = source.dense[rows, feature][source.active(feature)[rows]]
            if values.size:
                total = values.sum()
                expected.append(
                    {
                        "document": document,
                        "id": f"d{document}",
                        "n_rows": rows.size,
                        "count": values.size,
                        "sum": total,
                        "mean": total / values.size,
                        "mean_all_rows": total / rows.size,
                        "max": values.max(),
                    }
                )
        assert atlas.sae().feature(feature).documents().to_pylist() == expected


@pytest.mark.parametrize("seed", range(2))
def test_top_tokens_equal_counting_by_hand(make: Any, seed: int) -> None:
    source, atlas = make(seed)
    words = ["red ", "green ", "blue ", "déjà ", "of "]
    for feature in range(atlas.sae().n_features):
        active = source.active(feature)
        tokens, values = source.tokens[active], source.dense[active, feature]
        counts = np.bincount(tokens, minlength=5)
        order = [t for t in np.lexsort((np.arange(5), -counts)).tolist() if counts[t]][:3]
        lines = atlas.sae().feature(feature).top_tokens(3).to_pylist()
        assert [(line["rank"], line["string"], line["count"]) for line in lines] == [
            (rank, words[t], counts[t]) for rank, t in enumerate(order)
        ]
        for line, token in zip(lines, order, strict=True):
            share, whole = counts[token] / active.sum(), (source.tokens == token).mean()
            assert line["mean"] == pytest.approx(values[tokens == token].mean())
            assert (line["share"], line["corpus_share"]) == pytest.approx((share, whole))
            assert line["lift"] == pytest.approx(share / whole)


def test_top_tokens_leave_out_rows_whose_token_is_unknown(source: Any, remake: Any) -> None:
    document = int(source.documents[np.flatnonzero(source.active(9))[0]])
    changed, atlas = remake(source, status={document: 2})
    known = changed.active(9) & (changed.documents != document)
    table = atlas.sae().feature(9).top_tokens(100)
    assert sum(table["count"].to_pylist()) == known.sum()
    assert sum(table["share"].to_pylist()) == pytest.approx(1.0)


def test_top_tokens_without_tokens_are_not_found(source: Any, remake: Any) -> None:
    _, atlas = remake(source, has_tokens=False)
    with pytest.raises(NotFound, match="without tokens"):
        atlas.sae().feature(9).top_tokens()


@pytest.mark.parametrize("column", ["stars", "kind"])
@pytest.mark.parametrize("feature", [3, 5, 9])
def test_levels_of_a_breakdown_cover_every_row_missing_included(
    source: Any, atlas: Any, column: str, feature: int
) -> None:
    got = atlas.sae().feature(feature).breakdown(column)
    names = [None if i == 1 else str(i % 3) for i in range(9)] if column == "stars" else [f"k{i % 2}" for i in range(9)]
    of_row = np.array([str(names[d]) for d in source.documents])
    for level in got.levels:
        rows = of_row == str(level.level)
        active = rows & source.active(feature)
        assert (level.n_rows, level.n_active, level.rate) == (rows.sum(), active.sum(), active.sum() / rows.sum())
        assert level.n_documents == np.unique(source.documents[rows]).size
        assert level.n_documents_active == np.unique(source.documents[active]).size
        assert level.mean == (pytest.approx(source.dense[active, feature].mean()) if active.any() else None)
    assert sum(level.n_rows for level in got.levels) == 60
    assert sum(level.n_active for level in got.levels) == source.active(feature).sum()
    assert (got.levels[-1].level is None) == (column == "stars")


def test_breakdown_of_a_silent_feature_has_no_effect(atlas: Any) -> None:
    got = atlas.sae().feature(5).breakdown("kind")
    assert (got.effect, got.p, got.q) == (None, None, None)
    assert "has not been computed" in got.q_reason


def test_breakdown_by_an_unknown_column_names_the_columns(atlas: Any) -> None:
    with pytest.raises(NotFound) as caught:
        atlas.sae().feature(3).breakdown("mood")
    assert "stars" in caught.value.hint


def test_breakdown_by_a_constant_column_is_refused(source: Any, remake: Any) -> None:
    _, atlas = remake(source, documents=np.zeros(60, np.int64))
    with pytest.raises(InvalidInput, match="same value"):
        atlas.sae().feature(3).breakdown("kind")


def test_feature_has_a_useful_representation(source: Any, atlas: Any) -> None:
    assert repr(atlas.sae().feature(9)) == f"Feature(s/9, listed at {int(source.listed(9).sum())} rows)"
