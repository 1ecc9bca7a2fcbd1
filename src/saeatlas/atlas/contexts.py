"""Rows shown in their documents: the tokens around them, the text, and what the model could not see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from saeatlas.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from saeatlas.atlas.corpus import Corpus, Place
    from saeatlas.atlas.sae import SAE
    from saeatlas.format.tokens import TokensReader

__all__ = ["ContextToken", "Example", "Focus", "examples_at", "is_visible", "why_no_tokens", "window_start_of"]

_REASONS = {
    1: "the document has no text",
    2: "the tokens of the document's text are not as many as its rows",
    3: "no tokens were given for the document",
}


@dataclass(frozen=True)
class ContextToken:
    """One token of a context."""

    string: str
    """Its text, decoded; spaces are spaces."""
    position: int
    """Position in the document, from 0."""
    value: float | None
    """Listed value of the feature, or None where the row does not list it."""
    start: int | None
    """First character in the document's text, or None when unknown."""
    end: int | None
    """One past its last character, or None when unknown."""
    visible: bool | None
    """Whether the model could see it when it computed the active token; None when that is unknown."""

    @property
    def is_active(self) -> bool:
        """Whether the feature is active here: its value is above 0."""
        return self.value is not None and self.value > 0


@dataclass(frozen=True)
class Example:
    """One row of a feature, in its document."""

    feature: int
    """Feature id."""
    row: int
    """Row in the corpus."""
    document: str
    """Id of the document."""
    document_index: int
    """Index of the document in the documents table."""
    position: int
    """Position of the row in the document, from 0."""
    value: float
    """Value of the feature at the row."""
    stratum: int | None
    """Which part of the active rows it was drawn from, 0 the strongest; None when not drawn by strata."""
    rank: int
    """From 0: by strength with 'top', else in the order of drawing, within the stratum if there is one."""
    tokens: tuple[ContextToken, ...]
    """The active token and those around it; empty when the context is not available."""
    text_before: str | None
    """Text from the first token of the context up to the active one; None when not available."""
    text_active: str | None
    """Text of the active token; None when not available."""
    text_after: str | None
    """Text after the active token to the end of the context; None when not available."""
    is_natural_text: bool
    """Whether the text is cut from the document; otherwise it is token strings joined together."""
    metadata: dict[str, Any]
    """The document's metadata by column."""
    window_start: int | None
    """First position that was in the model's window with this one; None when the window is unknown."""
    context_available: bool
    """Whether there are tokens to show."""
    reason: str
    """Why there are none; empty when there are."""

    @property
    def text(self) -> str | None:
        """The whole context as one text, or None when not available."""
        if self.text_before is None or self.text_active is None or self.text_after is None:
            return None
        return self.text_before + self.text_active + self.text_after


@dataclass(frozen=True)
class Focus:
    """Rows that were picked, aligned."""

    rows: npt.NDArray[Any]
    """Global rows."""
    values: npt.NDArray[Any]
    """Values of the feature there."""
    strata: npt.NDArray[np.int64] | None = None
    """Stratum of each, or None."""
    ranks: npt.NDArray[np.int64] | None = None
    """Rank of each; None numbers them."""


def window_start_of(position: int, context_window: int | None) -> int | None:
    """Return the first position in the same window, for windows that tile the document from its start."""
    return None if not context_window else position - position % context_window


def is_visible(
    position: int, active: int, context_window: int | None, attention: Literal["causal", "bidirectional"] | None
) -> bool | None:
    """Return whether a model that computes `active` could see `position`; None when the facts do not tell.

    Windows tile the document from its start, and nothing outside a window is seen from within. With causal
    attention, nothing after `active` is seen.
    """
    if position == active:
        return True
    if attention == "causal" and position > active:
        return False
    start = window_start_of(active, context_window)
    if start is not None and context_window and not start <= position < start + context_window:
        return False
    # Both kinds of attention see what comes before; what comes after depends on the kind.
    if start is None or (position > active and attention is None):
        return None
    return True


def examples_at(sae: SAE, feature: int, focus: Focus, before: int, after: int) -> list[Example]:
    """Show rows in context.

    Parameters
    ----------
    sae, feature
        Whose values the tokens carry.
    focus
        The rows.
    before, after
        Tokens to show on each side at most; never beyond the document.

    Raises
    ------
    InvalidInput
        When `before` or `after` is negative.
    """
    if before < 0 or after < 0:
        raise InvalidInput(f"Tokens before and after must not be negative, found: {before} and {after}")
    if not focus.rows.size:
        return []
    corpus = sae.corpus
    made = []
    for index, place in enumerate(corpus.locate(focus.rows)):
        context = _context(sae, feature, place, before, after)
        made.append(
            Example(
                feature=feature,
                row=place.row,
                document=place.document,
                document_index=place.index,
                position=place.position,
                value=float(focus.values[index]),
                stratum=None if focus.strata is None else int(focus.strata[index]),
                rank=index if focus.ranks is None else int(focus.ranks[index]),
                metadata=corpus.metadata(place.index),
                window_start=window_start_of(place.position, sae.identity.context_window),
                context_available=not context.reason,
                tokens=context.tokens,
                text_before=context.texts[0],
                text_active=context.texts[1],
                text_after=context.texts[2],
                is_natural_text=context.is_natural,
                reason=context.reason,
            )
        )
    return made


@dataclass(frozen=True)
class _Context:
    tokens: tuple[ContextToken, ...] = ()
    texts: tuple[str | None, str | None, str | None] = (None, None, None)
    is_natural: bool = False
    reason: str = ""


def why_no_tokens(corpus: Corpus, document: int) -> str:
    """Return why the tokens of a document, given by its index, cannot be shown; empty when they can."""
    if corpus.tokens is None:
        return "the corpus was imported without tokens"
    status = corpus.tokens.status(document)
    return _REASONS.get(status, f"the document's tokens have the unknown status {status}") if status else ""


def _context(sae: SAE, feature: int, place: Place, before: int, after: int) -> _Context:
    document, position = place.index, place.position
    from saeatlas.format.tokens import NO_TOKEN

    corpus, identity = sae.corpus, sae.identity
    reason = why_no_tokens(corpus, document)
    if corpus.tokens is None or reason:
        return _Context(reason=reason)
    all_rows = corpus.documents.rows_of(document)
    low, high = max(0, position - before), min(all_rows.size, position + after + 1)
    rows = all_rows[low:high]
    token_ids = _token_ids(corpus.tokens, rows)
    if (token_ids == NO_TOKEN).any():
        return _Context(reason="the token of a row in the context is not known")
    strings = corpus.tokens.strings(token_ids)
    values = sae.activations.values(rows, feature)
    spans = _spans(corpus, rows)
    tokens = tuple(
        ContextToken(
            string=string,
            position=low + offset,
            value=values[offset],
            start=None if spans is None else spans[offset][0],
            end=None if spans is None else spans[offset][1],
            visible=is_visible(low + offset, position, identity.context_window, identity.attention),
        )
        for offset, string in enumerate(strings)
    )
    text = corpus.documents.text(document) if spans is not None else None
    natural = None if text is None else _cut(text, tokens, position - low)
    return _Context(tokens, natural or _join(strings, position - low), natural is not None)


def _token_ids(tokens: TokensReader, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
    """Read token ids of rows in any order; the reader wants them sorted."""
    order = np.argsort(rows, kind="stable")
    out = np.empty(rows.size, np.uint32)
    out[order] = tokens.tokens(rows[order])
    return out


def _spans(corpus: Corpus, rows: npt.NDArray[np.int64]) -> list[tuple[int | None, int | None]] | None:
    """Read the spans of rows in any order; an end that the source lacks is None."""
    from saeatlas.format.tokens import NO_TOKEN

    if corpus.tokens is None or not corpus.tokens.has_spans:
        return None
    order = np.argsort(rows, kind="stable")
    out = np.empty((rows.size, 2), np.uint32)
    out[order] = corpus.tokens.spans(rows[order])
    return [(None if start == NO_TOKEN else start, None if end == NO_TOKEN else end) for start, end in out.tolist()]


def _cut(text: str, tokens: Sequence[ContextToken], active: int) -> tuple[str, str, str] | None:
    """Cut the text before, of and after the active token; None when the spans do not lie in the text in order."""
    spans = [(token.start, token.end) for token in tokens if token.start is not None and token.end is not None]
    if len(spans) != len(tokens) or any(not 0 <= start <= end <= len(text) for start, end in spans):
        return None
    start, end = spans[active]
    first, last = spans[0][0], spans[-1][1]
    if not first <= start <= end <= last:
        return None
    return text[first:start], text[start:end], text[end:last]


def _join(strings: Sequence[str], active: int) -> tuple[str, str, str]:
    return "".join(strings[:active]), strings[active], "".join(strings[active + 1 :])
