"""A document as a reader sees it: tokens, text and all entries equal the dense arrays it was made from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from saeatlas.atlas.document_view import checked_corpus, entries_in, view_document
from saeatlas.errors import Conflict, InvalidInput, NotFound
from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import make_atlas

WORDS = ["red ", "green ", "blue ", "déjà ", "of "]


def expected(source: Any, rows: Any, first: int) -> list[tuple[int, int, float]]:
    return [
        (int(feature), first + offset, float(source.dense[row, feature]))
        for offset, row in enumerate(rows)
        for feature in np.flatnonzero(~np.isnan(source.dense[row]))
    ]


def entries(found: Any) -> list[tuple[int, int, float]]:
    return list(zip(found.features.tolist(), found.positions.tolist(), found.values.tolist(), strict=True))


@pytest.mark.parametrize("span", [(None, None), (1, 3), (0, 0), (2, None)])
def test_every_listed_entry_of_every_document_is_there(source: Any, atlas: Any, span: Any) -> None:
    sae = atlas.sae()
    for document in range(source.n_documents):
        every = source.rows_of(document)
        if every.size < 3:
            continue
        view = view_document(sae.corpus, document, *span)
        rows = every[slice(*span)]
        assert (view.n_rows, view.rows.tolist()) == (every.size, rows.tolist())
        assert view.tokens == [WORDS[token] for token in source.tokens[rows]]
        assert entries(entries_in(sae, view)) == expected(source, rows, view.start)


def test_a_document_by_its_id_is_the_one_by_its_index(source: Any, atlas: Any) -> None:
    one, other = view_document(atlas.corpus(), "d3"), view_document(atlas.corpus(), 3)
    assert (one.index, one.document, one.rows.tolist()) == (3, "d3", other.rows.tolist())
    assert one.metadata == atlas.corpus().metadata(3)


def test_text_of_a_span_is_what_its_tokens_cover(source: Any, atlas: Any) -> None:
    whole = view_document(atlas.corpus(), 3)
    assert (whole.text, whole.text_start) == (source.text(3), 0)
    part = view_document(atlas.corpus(), 3, 1, 3)
    assert part.spans is not None
    assert part.text == source.text(3)[part.spans[0][0] : part.spans[-1][1]]
    assert part.text_start == part.spans[0][0]


def test_only_some_features_and_only_the_strongest(source: Any, atlas: Any) -> None:
    sae = atlas.sae()
    view = view_document(sae.corpus, 3)
    every = expected(source, view.rows, 0)
    assert entries(entries_in(sae, view, [9, 2])) == [one for one in every if one[0] in {9, 2}]
    strongest = []
    for position in range(view.n_rows):
        active = sorted((-value, feature) for feature, at, value in every if at == position and value > 0)
        strongest += [(feature, position, -value) for value, feature in sorted(active[:2], key=lambda one: one[1])]
    assert entries(entries_in(sae, view, top=2)) == strongest


def test_features_of_a_view_are_those_of_the_sae(atlas: Any) -> None:
    sae = atlas.sae()
    found = entries_in(sae, view_document(sae.corpus, 3)).by_feature()
    expected = sae.features_in(3).to_pylist()
    assert [line[0] for line in found] == [line["feature"] for line in expected]
    for (_, count, largest, mean), line in zip(found, expected, strict=True):
        assert (count, largest, mean) == (line["count"], line["max"], pytest.approx(line["mean"]))


def test_what_cannot_be_shown_says_why(make: Any) -> None:
    _, bare = make(3, has_tokens=False)
    view = view_document(bare.corpus(), 3)
    assert (view.tokens, view.spans) == (None, None)
    assert "without tokens" in view.reason
    assert view_document(bare.corpus(), 3, 1, 2).text is None
    _, without_spans = make(4, has_spans=False)
    part = view_document(without_spans.corpus(), 3, 1, 2)
    assert (part.text, part.text_start, part.spans) == (None, None, None)
    assert part.tokens is not None


def test_what_is_no_view_is_refused(atlas: Any) -> None:
    sae = atlas.sae()
    for error, wrong in (
        (NotFound, ("nope",)),
        (NotFound, (99,)),
        (InvalidInput, (3, 2, 1)),
        (InvalidInput, (3, 0, 999)),
    ):
        with pytest.raises(error):
            view_document(sae.corpus, *wrong)
    view = view_document(sae.corpus, 3)
    with pytest.raises(NotFound):
        entries_in(sae, view, [99])
    with pytest.raises(InvalidInput):
        entries_in(sae, view, top=0)
    other = make_atlas(MemoryStore()).corpus()
    with pytest.raises(Conflict, match="ran on corpus"):
        checked_corpus(sae, other)
