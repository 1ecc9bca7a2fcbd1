"""Show where a text has what was looked for: a few words around it, in segments and never as markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from saeatlas.format.search_index import Term
from saeatlas.kernels.words import pieces_of

__all__ = ["Marked", "Matcher", "Segment", "joined_tokens"]

_WIDTH = 160
_BEFORE = 40
_SLACK = 12
_TOKENS_SHOWN = 8
_MOST_SPANS = 500


@dataclass(frozen=True)
class Segment:
    """A stretch of a text."""

    text: str
    is_match: bool
    """Whether it is what was looked for."""


@dataclass(frozen=True)
class Marked:
    """A text with what was found in it."""

    segments: tuple[Segment, ...]
    """Put together they are the part of the text that is shown, with '…' where it was cut."""
    n_terms: int
    """How many different terms were found in the whole text."""


class Matcher:
    """Finds the words of some terms in a text."""

    def __init__(self, terms: Iterable[Term]) -> None:
        self._exact: dict[str, int] = {}
        self._prefixes: list[tuple[str, int]] = []
        self._n_terms = 0
        for number, term in enumerate(terms):
            self._n_terms = number + 1
            for word in (*term.words, *filter(None, [term.whole])):
                self._exact.setdefault(word, number)
            if term.is_prefix:
                self._prefixes.append((term.words[-1], number))

    def mark(self, text: str) -> Marked | None:
        """Return the part of a text with the most different terms, or None when it has none."""
        spans: list[tuple[int, int]] = []
        numbers: list[int] = []
        enough = len(text)
        for piece in pieces_of(text):
            number = self._number(piece.word)
            if piece.start > enough or len(spans) >= _MOST_SPANS:
                break
            if number is None:
                continue
            spans.append((piece.start, piece.stop))
            if number not in numbers and len({*numbers, number}) == self._n_terms:
                # All is found: what stands far behind would not be shown, and a text may be a book.
                enough = piece.stop + _WIDTH
            numbers.append(number)
        if not spans:
            return None
        return Marked(_segments(text, *_window(text, spans, numbers), _merged(spans)), len(set(numbers)))

    def _number(self, word: str) -> int | None:
        if word in self._exact:
            return self._exact[word]
        return next((number for prefix, number in self._prefixes if word.startswith(prefix)), None)


def joined_tokens(tokens: Sequence[tuple[str, Marked | None]]) -> Marked | None:
    """Return the tokens in which something was found, the first ones, with a space between."""
    found = [(string, marked) for string, marked in tokens if marked is not None]
    if not found:
        return None
    segments: list[Segment] = []
    for string, _ in found[:_TOKENS_SHOWN]:
        segments += [Segment("  ", is_match=False)] if segments else []
        segments.append(Segment(string, is_match=True))
    return Marked(tuple(segments), max(marked.n_terms for _, marked in found))


def _window(text: str, spans: list[tuple[int, int]], numbers: list[int]) -> tuple[int, int]:
    """Return start and stop of the part with the most different terms, the first of those."""
    best, most = spans[0][0], 0
    last = 0
    for place, (start, _) in enumerate(spans):
        last = max(last, place)
        while last < len(spans) and spans[last][1] <= start + _WIDTH - _BEFORE:
            last += 1
        different = len(set(numbers[place : max(last, place + 1)][:200]))
        if different > most:
            best, most = start, different
    if len(text) <= _WIDTH:
        return 0, len(text)
    start = max(0, min(best - _BEFORE, len(text) - _WIDTH))
    return _to_space(text, start, 1 if start else 0), _to_space(text, min(len(text), start + _WIDTH), -1)


def _to_space(text: str, place: int, step: int) -> int:
    """Return the end of a word near a place, so that none is cut where that costs little."""
    if not step or place >= len(text):
        return place
    for near in range(place, place + step * _SLACK, step):
        if text[near].isspace():
            return near + 1 if step > 0 else near
    return place


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(stop, merged[-1][1])
        else:
            merged.append((start, stop))
    return merged


def _segments(text: str, start: int, stop: int, spans: list[tuple[int, int]]) -> tuple[Segment, ...]:
    found = [Segment("…", is_match=False)] if start else []
    at = start
    for first, last in spans:
        low, high = max(first, start), min(last, stop)
        if low >= high:
            continue
        if low > at:
            found.append(Segment(text[at:low], is_match=False))
        found.append(Segment(text[low:high], is_match=True))
        at = high
    if at < stop:
        found.append(Segment(text[at:stop], is_match=False))
    return (*found, *([Segment("…", is_match=False)] if stop < len(text) else []))
