"""Sums by document against a dictionary."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from saeatlas.kernels.documents import per_document, per_run

ENTRY = st.tuples(st.integers(0, 7), st.sampled_from([-1.0, 0.0, 0.5, 1.0, 2.0]))


@settings(deadline=None, max_examples=120)
@given(st.lists(st.lists(ENTRY, max_size=25), max_size=5))
def test_sums_equal_a_dictionary_of_lists(features: list[list[tuple[int, float]]]) -> None:
    indptr = np.concatenate([[0], np.cumsum([len(entries) for entries in features])]).astype(np.int64)
    flat = [entry for entries in features for entry in entries]
    documents = np.array([document for document, _ in flat], np.uint32)
    found = per_document(indptr, documents, np.array([value for _, value in flat], np.float32), 8)
    for feature, entries in enumerate(features):
        expected: dict[int, list[float]] = {}
        for document, value in entries:
            if value > 0:
                expected.setdefault(document, []).append(value)
        part = slice(found.indptr[feature], found.indptr[feature + 1])
        assert found.documents[part].tolist() == sorted(expected)
        assert found.count[part].tolist() == [len(expected[d]) for d in sorted(expected)]
        assert found.sum[part].tolist() == [sum(expected[d]) for d in sorted(expected)]
        assert found.max[part].tolist() == [max(expected[d]) for d in sorted(expected)]


@settings(deadline=None, max_examples=120)
@given(data=st.data(), lengths=st.lists(st.integers(1, 40), min_size=1, max_size=12))
def test_sums_of_neighbouring_rows_equal_those_of_located_rows(data: st.DataObject, lengths: list[int]) -> None:
    first_row = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    documents = np.array(data.draw(st.permutations(range(len(lengths)))), np.uint32)
    rows = np.array(sorted(data.draw(st.sets(st.integers(0, int(first_row[-1]) - 1)))), np.uint32)
    value = st.sampled_from([-1.0, 0.0, 0.5, 1.25])
    values = np.array(data.draw(st.lists(value, min_size=rows.size, max_size=rows.size)), np.float32)
    found = per_run(first_row, documents, rows, values)
    located = np.repeat(documents, lengths)[rows]
    expected = per_document(np.array([0, rows.size]), located, values, len(lengths))
    for name in ("indptr", "documents", "count", "sum", "max"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
