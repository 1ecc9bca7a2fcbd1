"""Rows shown in their documents: the tokens around them, the text, and what the model could not see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from saeatlas.atlas.windows import Window, texts_of, window_start_of, windows_at

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE

__all__ = ["ContextToken", "Example", "Focus", "examples_at"]


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
    windows = windows_at(sae, [feature], focus.rows, before, after)
    texts: dict[int, str | None] = {}
    made = []
    for index, window in enumerate(windows):
        place = window.place
        context = _context(sae, window, texts)
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
                metadata=sae.corpus.metadata(place.index),
                window_start=window_start_of(place.position, sae.identity.context_window),
                context_available=not window.reason,
                tokens=context.tokens,
                text_before=context.texts[0],
                text_active=context.texts[1],
                text_after=context.texts[2],
                is_natural_text=context.is_natural,
                reason=window.reason,
            )
        )
    return made


@dataclass(frozen=True)
class _Context:
    tokens: tuple[ContextToken, ...] = ()
    texts: tuple[str | None, str | None, str | None] = (None, None, None)
    is_natural: bool = False


def _context(sae: SAE, window: Window, texts: dict[int, str | None]) -> _Context:
    """Spell a window out; texts of documents that were read stay in `texts`."""
    if window.reason:
        return _Context()
    spans = window.spans or [(None, None)] * len(window.strings)
    tokens = tuple(
        ContextToken(string, window.first + offset, value, start, end, visible)
        for offset, (string, value, (start, end), visible) in enumerate(
            zip(window.strings, window.values[0], spans, window.visible, strict=True)
        )
    )
    document = window.place.index
    if document not in texts:
        texts[document] = sae.corpus.documents.text(document) if window.spans is not None else None
    return _Context(tokens, *texts_of(window, texts[document]))
