"""A document as a reader sees it: its tokens and text, and what every feature does on each token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from saeatlas.atlas.windows import why_no_tokens
from saeatlas.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    from saeatlas.atlas.corpus import Corpus
    from saeatlas.atlas.sae import SAE

__all__ = ["DocumentView", "Entries", "checked_corpus", "entries_in", "view_document"]


@dataclass(frozen=True)
class DocumentView:
    """A span of one document."""

    document: str
    """Id."""
    index: int
    """Index in the documents table."""
    n_rows: int
    """Rows of the whole document."""
    start: int
    """First position shown."""
    stop: int
    """One past the last position shown."""
    rows: npt.NDArray[np.int64]
    """Row in the corpus of each position shown."""
    metadata: dict[str, Any]
    """By column; None where the source had nothing."""
    tokens: list[str] | None
    """Text of each token; None when they cannot be shown."""
    spans: list[tuple[int, int]] | None
    """First character of each token in the document's text and the one past its last; None when not known of all."""
    text: str | None
    """The document's text, whole or, when only a part is shown, from the first to the last character of the span."""
    text_start: int | None
    """Place of the first character of `text` in the document's text; None without `text`."""
    reason: str
    """Why there are no tokens; empty when there are."""


@dataclass(frozen=True)
class Entries:
    """Listed entries, by position and then feature; arrays of one length."""

    features: npt.NDArray[np.int64]
    """Feature ids."""
    positions: npt.NDArray[np.int64]
    """Positions in the document."""
    values: npt.NDArray[Any]
    """Values, float32 or float64."""

    def by_feature(self) -> list[tuple[int, int, float, float]]:
        """Return feature, active entries, largest value and mean of the active values; the largest first.

        Features without an active entry are left out; of equal ones the lower id comes first.
        """
        active = self.values > 0
        values = self.values[active].astype(np.float64)
        ids, which = np.unique(self.features[active], return_inverse=True)
        counts = np.bincount(which, minlength=ids.size)
        means = np.bincount(which, weights=values, minlength=ids.size) / np.maximum(counts, 1)
        largest = np.zeros(ids.size)
        np.maximum.at(largest, which, values)
        order = np.lexsort((ids, -largest))
        columns = (ids[order].tolist(), counts[order].tolist(), largest[order].tolist(), means[order].tolist())
        return list(zip(*columns, strict=True))


def view_document(
    corpus: Corpus, document: str | int, start: int | None = None, stop: int | None = None
) -> DocumentView:
    """Return a document, or a span of its positions.

    Parameters
    ----------
    corpus
        Of which corpus.
    document
        Its id or its index.
    start, stop
        Positions, as in a slice; None for the ends.

    Raises
    ------
    NotFound
        When there is no such document.
    InvalidInput
        When the span does not lie within it.
    """
    index = corpus.index_of(document)
    every = corpus.documents.rows_of(index)
    rows = corpus.rows_of(index, start, stop)
    low = 0 if start is None else start
    reason = why_no_tokens(corpus, index)
    tokens, spans = (None, None) if reason else _tokens(corpus, rows)
    if not reason and tokens is None:
        reason = "the token of a row is not known"
    text, text_start = _text(corpus, index, spans, is_whole=rows.size == every.size)
    return DocumentView(
        document=corpus.documents.ids(np.array([index])).to_pylist()[0],
        index=index,
        n_rows=int(every.size),
        start=low,
        stop=low + int(rows.size),
        rows=rows,
        metadata=corpus.metadata(index),
        tokens=tokens,
        spans=spans,
        text=text,
        text_start=text_start,
        reason=reason,
    )


def entries_in(sae: SAE, view: DocumentView, features: Sequence[int] | None = None, top: int | None = None) -> Entries:
    """Return what the rows of a view list, zeros and negatives included.

    Parameters
    ----------
    sae
        Which SAE; it must have run on the corpus of the view.
    view
        The rows.
    features
        Only these; None for all.
    top
        Of each row only so many of its active entries, the strongest first chosen, of equal ones the lower feature;
        None for all that it lists.
    """
    if top is not None and (isinstance(top, bool) or top < 1):
        raise InvalidInput(f"The entries of a row must be a whole number from 1, found: {top!r}")
    wanted = None if features is None else [sae.feature(feature).id for feature in features]
    indptr, ids, values = sae.activations.at(view.rows)
    positions = view.start + np.repeat(np.arange(view.rows.size), np.diff(indptr))
    kept = np.ones(ids.size, np.bool_) if wanted is None else np.isin(ids, wanted)
    if top is not None:
        kept &= values > 0
        chosen = np.flatnonzero(kept)
        order = chosen[np.lexsort((ids[chosen], -values[chosen], positions[chosen]))]
        ordered = positions[order]
        rank = np.arange(order.size) - np.searchsorted(ordered, ordered)
        kept = np.zeros(ids.size, np.bool_)
        kept[order[rank < top]] = True
    return Entries(ids[kept].astype(np.int64), positions[kept], values[kept])


def checked_corpus(sae: SAE, corpus: Corpus) -> SAE:
    """Return the SAE when it ran on the corpus; `Conflict` otherwise."""
    if sae.corpus.name != corpus.name:
        raise Conflict(
            f"SAE '{sae.name}' ran on corpus '{sae.corpus.name}', not on '{corpus.name}'",
            hint="Ask for a document of its own corpus.",
            kind="corpus-mismatch",
        )
    return sae


def _tokens(corpus: Corpus, rows: npt.NDArray[np.int64]) -> tuple[list[str] | None, list[tuple[int, int]] | None]:
    from saeatlas.format.tokens import NO_TOKEN

    reader = corpus.tokens
    assert reader is not None
    order = np.argsort(rows, kind="stable")
    back = np.argsort(order, kind="stable")
    ids = reader.tokens(rows[order])[back]
    if (ids == NO_TOKEN).any():
        return None, None
    spans = None
    if reader.has_spans:
        found = reader.spans(rows[order])[back]
        if not (found == NO_TOKEN).any():
            spans = [(int(start), int(end)) for start, end in found.tolist()]
    return reader.strings(ids), spans


def _text(
    corpus: Corpus, index: int, spans: list[tuple[int, int]] | None, *, is_whole: bool
) -> tuple[str | None, int | None]:
    text = corpus.text(index)
    if text is None or is_whole:
        return text, None if text is None else 0
    if not spans:
        return None, None
    start, end = spans[0][0], spans[-1][1]
    return (text[start:end], start) if start <= end <= len(text) else (None, None)
