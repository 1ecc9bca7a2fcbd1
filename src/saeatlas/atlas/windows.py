"""Windows of tokens around rows, read together: one pass over tokens, spans and values for any number of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from saeatlas.errors import InvalidInput

if TYPE_CHECKING:
    from saeatlas.atlas.activations import Activations
    from saeatlas.atlas.corpus import Corpus, Place
    from saeatlas.atlas.sae import SAE

__all__ = ["Window", "is_visible", "listed_values", "texts_of", "why_no_tokens", "window_start_of", "windows_at"]

Rows = npt.NDArray[np.int64]
Span = tuple[int | None, int | None]

_REASONS = {
    1: "the document has no text",
    2: "the tokens of the document's text are not as many as its rows",
    3: "no tokens were given for the document",
}
_WHOLE = 1_000_000
"""Entries of a feature that are read whole rather than at each row: one read instead of one per window."""


@dataclass(frozen=True)
class Window:
    """The tokens around one row."""

    place: Place
    """Where the row stands."""
    reason: str
    """Why there are no tokens to show; empty when there are, otherwise the lists are empty."""
    first: int
    """Position in the document of the first token shown."""
    strings: list[str]
    """Text of each token."""
    values: tuple[list[float | None], ...]
    """For each feature asked for: its listed value at each token, None where it is not listed."""
    visible: list[bool | None]
    """Whether the model could see each token when it computed the row; None when that is unknown."""
    spans: list[Span] | None
    """First character of each token in the document's text and the one past its last; None without spans."""


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


def why_no_tokens(corpus: Corpus, document: int) -> str:
    """Return why the tokens of a document, given by its index, cannot be shown; empty when they can."""
    if corpus.tokens is None:
        return "the corpus was imported without tokens"
    status = corpus.tokens.status(document)
    return _REASONS.get(status, f"the document's tokens have the unknown status {status}") if status else ""


def windows_at(
    sae: SAE, features: Sequence[int], rows: npt.NDArray[np.integer[Any]], before: int, after: int
) -> list[Window]:
    """Return the tokens around rows, in the order of the rows.

    Parameters
    ----------
    sae, features
        Whose values the tokens carry.
    rows
        Rows of the corpus, each any number of times.
    before, after
        Tokens to show on each side at most; never beyond the document.

    Raises
    ------
    InvalidInput
        When `before` or `after` is negative.

    Notes
    -----
    Holds the windows, and all entries of a feature that has up to a million.
    """
    if before < 0 or after < 0:
        raise InvalidInput(f"Tokens before and after must not be negative, found: {before} and {after}")
    if not rows.size:
        return []
    corpus = sae.corpus
    places = corpus.locate(rows)
    reasons = [why_no_tokens(corpus, place.index) for place in places]
    nothing: Rows = np.zeros(0, np.int64)
    bounds = [(max(0, place.position - before), place.position + after + 1) for place in places]
    around = [
        nothing if reason else corpus.documents.rows_of(place.index)[low:high]
        for place, reason, (low, high) in zip(places, reasons, bounds, strict=True)
    ]
    shown, back = np.unique(np.concatenate(around), return_inverse=True)
    found = _read(sae, features, shown)
    windows, start = [], 0
    for place, reason, (low, _), own in zip(places, reasons, bounds, around, strict=True):
        at = back[start : start + own.size].tolist()
        start += own.size
        windows.append(_window(sae, place, reason, low, found, at))
    return windows


def listed_values(activations: Activations, rows: npt.NDArray[np.integer[Any]], feature: int) -> list[float | None]:
    """Return the listed value of a feature at each of some rows, None where it is not listed."""
    if activations.count(feature) > _WHOLE:
        return activations.values(rows, feature)
    listed, values = activations.feature(feature)
    if not listed.size:
        return [None] * rows.size
    at = np.minimum(np.searchsorted(listed, rows), listed.size - 1)
    is_listed = listed[at] == rows
    return [value if known else None for value, known in zip(values[at].tolist(), is_listed.tolist(), strict=True)]


def texts_of(window: Window, text: str | None) -> tuple[tuple[str, str, str], bool]:
    """Return the text before, of and after the row of a window that has tokens, and whether it is natural.

    It is natural when it is cut out of its document's `text`: then the spans lie in it in order. Otherwise token
    strings are joined together.
    """
    active = window.place.position - window.first
    natural = _cut(window.spans, text, active)
    if natural is not None:
        return natural, True
    strings = window.strings
    return ("".join(strings[:active]), strings[active], "".join(strings[active + 1 :])), False


def _cut(spans: list[Span] | None, text: str | None, active: int) -> tuple[str, str, str] | None:
    if text is None or spans is None:
        return None
    known = [(start, end) for start, end in spans if start is not None and end is not None]
    if len(known) != len(spans) or any(not 0 <= start <= end <= len(text) for start, end in known):
        return None
    start, end = known[active]
    first, last = known[0][0], known[-1][1]
    if not first <= start <= end <= last:
        return None
    return text[first:start], text[start:end], text[end:last]


@dataclass(frozen=True)
class _Found:
    """What was read of the distinct rows of all windows."""

    tokens: list[int]
    strings: list[str]
    values: tuple[list[float | None], ...]
    spans: list[Span] | None


def _read(sae: SAE, features: Sequence[int], rows: Rows) -> _Found:
    from saeatlas.format.tokens import NO_TOKEN

    tokens = sae.corpus.tokens
    if tokens is None or not rows.size:
        return _Found([], [], tuple([] for _ in features), None)
    ids = tokens.tokens(rows)
    known = ids != NO_TOKEN
    strings = tokens.strings(np.where(known, ids, 0)) if known.any() else [""] * ids.size
    spans: list[Span] | None = None
    if tokens.has_spans:
        spans = [
            (None if start == NO_TOKEN else start, None if end == NO_TOKEN else end)
            for start, end in tokens.spans(rows).tolist()
        ]
    values = tuple(listed_values(sae.activations, rows, feature) for feature in features)
    return _Found(np.where(known, ids.astype(np.int64), -1).tolist(), strings, values, spans)


def _window(sae: SAE, place: Place, reason: str, first: int, found: _Found, at: list[int]) -> Window:
    if not reason and any(found.tokens[i] < 0 for i in at):
        reason = "the token of a row in the context is not known"
    if reason:
        return Window(place, reason, first, [], tuple([] for _ in found.values), [], None)
    identity = sae.identity
    return Window(
        place=place,
        reason="",
        first=first,
        strings=[found.strings[i] for i in at],
        values=tuple([values[i] for i in at] for values in found.values),
        visible=[
            is_visible(first + offset, place.position, identity.context_window, identity.attention)
            for offset in range(len(at))
        ],
        spans=None if found.spans is None else [found.spans[i] for i in at],
    )
