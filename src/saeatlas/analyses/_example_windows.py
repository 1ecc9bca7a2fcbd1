"""The texts of many windows of documents: cut from the documents, or put together from the tokens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from saeatlas.atlas.corpus import Corpus
    from saeatlas.format.tokens import TokensReader
    from saeatlas.progress import Progress

__all__ = ["DocumentWindows", "WindowTexts", "window_texts"]

_TOKENS_AT_ONCE = 500_000
_DOCUMENTS_AT_ONCE = 512
_GAP = 16  # Documents that may lie between two wanted ones when both are still read at once.


@dataclass(frozen=True)
class DocumentWindows:
    """Which positions of which documents."""

    documents: npt.NDArray[np.uint32]
    """Document of each window, [n]; its tokens are known."""
    start: npt.NDArray[np.int64]
    """First position of each, [n]."""
    stop: npt.NDArray[np.int64]
    """One past the last, [n], beyond `start`."""

    def take(self, which: npt.NDArray[np.int64]) -> DocumentWindows:
        """Return some of the windows, in the order asked."""
        return DocumentWindows(self.documents[which], self.start[which], self.stop[which])


@dataclass(frozen=True)
class WindowTexts:
    """What windows read as."""

    texts: list[str]
    """One for each window."""
    is_natural: npt.NDArray[np.bool_]
    """Whether it is a part of the document's text; otherwise it is token strings put together."""


def window_texts(corpus: Corpus, tokens: TokensReader, windows: DocumentWindows, progress: Progress) -> WindowTexts:
    """Return the texts of windows.

    A text is cut from its document where that has a text and every token of the window a place in it, in order.
    Otherwise it is the tokens' strings, put together by their tokenizer's marks and nothing between them.

    Notes
    -----
    Windows are read in the order of documents, half a million tokens at a time. Holds the texts, 100 bytes for each of
    these tokens, and the texts of 512 documents.
    """
    pieces: list[bytes] | None = None
    texts = [""] * windows.documents.size
    is_natural = np.zeros(windows.documents.size, np.bool_)
    with progress.task("Reading texts", total=float(len(texts)), unit="texts") as task:
        for which in _portions(windows):
            mine = windows.take(which)
            indptr, rows = _rows_of(corpus, mine)
            wanted, place = np.unique(rows, return_inverse=True)
            cut = _cut(corpus, tokens, mine, indptr, wanted, place)
            joined = [index for index, text in enumerate(cut) if text is None]
            if joined:
                pieces = _pieces(tokens) if pieces is None else pieces
                token_ids = tokens.tokens(wanted)[place].tolist()
            for index in joined:
                cut[index] = _put_together(pieces or [], token_ids[indptr[index] : indptr[index + 1]])
            is_natural[which] = True
            is_natural[which[joined]] = False
            for index, text in zip(which.tolist(), cut, strict=True):
                texts[index] = text or ""
            task.advance(float(which.size))
    return WindowTexts(texts, is_natural)


def _portions(windows: DocumentWindows) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the windows in the order of documents, so many at a time that their tokens stay within bounds."""
    order = np.argsort(windows.documents, kind="stable")
    ends = np.cumsum((windows.stop - windows.start)[order])
    first, before = 0, 0
    while first < order.size:
        stop = max(first + 1, int(np.searchsorted(ends, before + _TOKENS_AT_ONCE, "right")))
        yield order[first:stop]
        first, before = stop, int(ends[stop - 1])


def _rows_of(corpus: Corpus, windows: DocumentWindows) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the rows of all windows end to end, and where each window starts and ends among them."""
    widths = windows.stop - windows.start
    indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(widths)])
    positions = np.arange(indptr[-1]) + np.repeat(windows.start - indptr[:-1], widths)
    return indptr, corpus.documents.rows_at(np.repeat(windows.documents, widths), positions)


def _cut(
    corpus: Corpus,
    tokens: TokensReader,
    windows: DocumentWindows,
    indptr: npt.NDArray[np.int64],
    wanted: npt.NDArray[np.int64],
    place: npt.NDArray[np.int64],
) -> list[str | None]:
    """Cut the windows from the texts of their documents; None where that cannot be done."""
    found: list[str | None] = [None] * windows.documents.size
    if not tokens.has_spans or not corpus.documents.attributes["has_text"]:
        return found
    from saeatlas.format.tokens import NO_TOKEN

    spans = tokens.spans(wanted)[place].astype(np.int64)
    start, end = spans[:, 0], spans[:, 1]
    is_placed = (start != NO_TOKEN) & (end != NO_TOKEN) & (start <= end)
    # A token begins no earlier than the one before it; the first of a window follows none.
    is_placed[1:] &= start[1:] >= start[:-1]
    is_placed[indptr[:-1]] = (start != NO_TOKEN)[indptr[:-1]] & (start <= end)[indptr[:-1]]
    is_whole = np.logical_and.reduceat(is_placed, indptr[:-1])
    first, last = start[indptr[:-1]].tolist(), np.maximum.reduceat(end, indptr[:-1]).tolist()
    whole = np.flatnonzero(is_whole)
    # Windows are in the order of documents, so each text is looked at once and let go.
    documents, of = np.unique(windows.documents[whole], return_index=True)
    borders = [*of.tolist(), whole.size]
    for number, text in enumerate(_texts(corpus, documents)):
        for index in whole[borders[number] : borders[number + 1]].tolist():
            if text is not None and last[index] <= len(text):
                found[index] = text[first[index] : last[index]]
    return found


def _texts(corpus: Corpus, documents: npt.NDArray[np.uint32]) -> Iterator[str | None]:
    """Yield the texts of ascending documents; near ones are read at once."""
    if not documents.size:
        return
    apart = np.flatnonzero(np.diff(documents.astype(np.int64)) > _GAP) + 1
    for near in np.split(documents, apart):
        for first in range(int(near[0]), int(near[-1]) + 1, _DOCUMENTS_AT_ONCE):
            stop = min(first + _DOCUMENTS_AT_ONCE, int(near[-1]) + 1)
            wanted = near[(near >= first) & (near < stop)].tolist()
            if wanted:
                texts = corpus.documents.texts(first, stop)
                yield from (texts[document - first] for document in wanted)


def _pieces(tokens: TokensReader) -> list[bytes]:
    """Return what each token of the vocabulary adds to a text."""
    from saeatlas.analyses._token_texts import natural_bytes

    return natural_bytes(tokens.vocabulary().column("string").to_pylist())


def _put_together(pieces: list[bytes], token_ids: list[int]) -> str:
    # Decoded as one, so that a character of which each token has a part is whole. What stays at an edge is the part of
    # a character whose rest is outside, or the space before the first word.
    return b"".join([pieces[token] for token in token_ids]).decode(errors="replace").strip("\ufffd").lstrip(" ")
