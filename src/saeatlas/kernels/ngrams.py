"""Sequences of neighbouring symbols, tokens or characters, that many contexts of a feature share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from numba import njit

from saeatlas.kernels.stats import Counts, Values, float32_or_64

__all__ = ["BREAK", "Contexts", "Ngrams", "Side", "count_ngrams", "spell_out", "strongest_entries"]

BREAK = 0xFFFFFFFF
"""A symbol that no n-gram may hold: the outside of a document, a token that is not known, white space."""

Side = Literal["anywhere", "left", "right"]
"""Where an n-gram may stand: anywhere in the context, or ending right before, or beginning right after the peak."""

UInt32 = npt.NDArray[np.uint32]


@dataclass(frozen=True)
class Contexts:
    """The symbols around the peaks of neighbouring features."""

    indptr: Counts
    """Which contexts are of each feature, n_features + 1 numbers from 0."""
    bounds: Counts
    """Where each context starts and ends in `symbols`, n_contexts + 1 numbers from 0."""
    symbols: UInt32
    """Symbols of all contexts."""
    origin: Counts
    """Place of the peak in each context."""
    documents: UInt32
    """Document of each context; those of one document are neighbours within a feature."""


@dataclass(frozen=True)
class Ngrams:
    """The n-grams that most contexts of a feature hold, best first."""

    indptr: Counts
    """Where each feature starts and ends in the arrays below, n_features + 1 numbers from 0."""
    symbols: UInt32
    """[n-grams, size]."""
    count: Counts
    """Occurrences."""
    n_contexts: Counts
    """Contexts that hold the n-gram at least once."""
    n_documents: Counts
    """Documents of these contexts."""
    offset_indptr: Counts
    """Where each n-gram starts and ends in `offset` and `offset_count`."""
    offset: Counts
    """Where the n-gram begins, in symbols from the peak, ascending, each once."""
    offset_count: Counts
    """Occurrences that begin there; they add up to `count`."""


def strongest_entries(indptr: Counts, values: Values, n: int) -> tuple[Counts, Counts]:
    """Return the `n` largest active values of each feature, or all, as entries in ascending order.

    Parameters
    ----------
    indptr
        int64 [n_features + 1], from 0.
    values
        Value of each entry; those at or below 0 are not active.
    n
        Entries per feature at most; of equal values the earlier. 0 for all.

    Returns
    -------
    bounds
        Where each feature starts and ends in the answer, int64 [n_features + 1].
    entries
        Positions in `values`, ascending within a feature.
    """
    values = float32_or_64(values)
    bounds, kept = np.zeros(indptr.size, np.int64), []
    for feature, (low, high) in enumerate(zip(indptr[:-1].tolist(), indptr[1:].tolist(), strict=True)):
        active = np.flatnonzero(values[low:high] > 0)
        if n and active.size > n:
            mine = values[low:high][active]
            least = np.partition(mine, mine.size - n)[mine.size - n]
            above = mine > least
            ties = np.flatnonzero(mine == least)[: n - int(above.sum())]
            above[ties] = True
            active = active[above]
        kept.append(active + low)
        bounds[feature + 1] = bounds[feature] + active.size
    return bounds, np.concatenate([*kept, np.empty(0, np.int64)])


def spell_out(windows: UInt32, letters: UInt32, letter_indptr: Counts) -> tuple[Counts, UInt32, Counts]:
    """Write out the characters of the tokens of each context.

    Parameters
    ----------
    windows
        Token of each place of each context, `BREAK` where there is none, [n_contexts, width]; the peak is in the
        middle.
    letters, letter_indptr
        Characters of each token of the vocabulary, one after the other, with `BREAK` for white space.

    Returns
    -------
    bounds, symbols, origin
        As in `Contexts`; the origin is the place of the first character of the peak.
    """
    return _spell_out(np.ascontiguousarray(windows), letters, letter_indptr)


def count_ngrams(contexts: Contexts, size: int, side: Side, n: int, min_contexts: int) -> Ngrams:
    """Count the n-grams of one size, and keep the `n` that most contexts hold.

    Parameters
    ----------
    contexts
        What to search.
    size
        Symbols of an n-gram.
    side
        Where an n-gram may stand.
    n
        N-grams to keep per feature: by descending contexts, then occurrences, then by ascending symbols.
    min_contexts
        Contexts that must hold an n-gram for it to be kept.

    Notes
    -----
    An n-gram is found by its hash and compared symbol by symbol, so no two are ever mixed up. Holds 40 bytes for
    each place of the feature with most places where one could stand, and 16 for each occurrence of one that is kept.
    """
    mode = ("anywhere", "left", "right").index(side)
    kept, place, counts, occurrences = _count(
        (contexts.indptr, contexts.bounds, contexts.origin),
        contexts.symbols,
        contexts.documents,
        (size, mode, n, min_contexts),
    )
    which, offset = occurrences
    order = np.lexsort((offset, which))
    which, offset = which[order], offset[order]
    first = np.flatnonzero(np.append(True, (which[1:] != which[:-1]) | (offset[1:] != offset[:-1])))[: which.size]
    indptr = np.zeros(place.size + 1, np.int64)
    np.cumsum(np.bincount(which[first], minlength=place.size), out=indptr[1:])
    symbols = contexts.symbols[place[:, None] + np.arange(size)]
    offset_count = np.diff(np.append(first, which.size))
    return Ngrams(kept, symbols, *counts, indptr, offset[first], offset_count)


@njit(cache=True, nogil=True)
def _spell_out(windows: UInt32, letters: UInt32, letter_indptr: Counts) -> tuple[Counts, UInt32, Counts]:
    n, width = windows.shape
    bounds, origin = np.zeros(n + 1, np.int64), np.zeros(n, np.int64)
    for i in range(n):
        room = 0
        for j in range(width):
            if j == width // 2:
                origin[i] = room
            token = windows[i, j]
            room += 1 if token == BREAK else letter_indptr[token + 1] - letter_indptr[token]
        bounds[i + 1] = bounds[i] + room
    symbols = np.empty(bounds[n], np.uint32)
    for i in range(n):
        at = bounds[i]
        for j in range(width):
            token = windows[i, j]
            if token == BREAK:
                symbols[at] = BREAK
                at += 1
            else:
                for k in range(letter_indptr[token], letter_indptr[token + 1]):
                    symbols[at] = letters[k]
                    at += 1
    return bounds, symbols, origin


_Found = tuple[Counts, Counts, tuple[Counts, Counts, Counts], tuple[Counts, Counts]]


@njit(cache=True, nogil=True)
def _count(
    where: tuple[Counts, Counts, Counts], symbols: UInt32, documents: UInt32, wanted: tuple[int, int, int, int]
) -> _Found:
    indptr, bounds, origin = where
    size, mode, n, min_contexts = wanted
    n_features = indptr.size - 1
    most = room = 0
    for feature in range(n_features):
        places = _n_places(indptr[feature], indptr[feature + 1], bounds, mode)
        most = max(most, places)
        room += min(n, places)
    width = 2
    while width < 2 * most:
        width *= 2
    table = np.empty(width, np.int64)
    # By slot, a slot being an n-gram of the feature: its first place, and how often and where it was seen.
    first, counts = np.empty(most, np.int64), np.empty((5, most), np.int64)
    slot_of = np.empty(most, np.int64)
    out_indptr, out_first = np.zeros(n_features + 1, np.int64), np.empty(room, np.int64)
    out = np.empty((3, room), np.int64)
    # Untouched pages of these are never given memory.
    most_kept = max(symbols.size, bounds.size)
    out_which, out_offset = np.empty(most_kept, np.int64), np.empty(most_kept, np.int64)
    n_kept = 0
    for feature in range(n_features):
        low, high = indptr[feature], indptr[feature + 1]
        n_places = _n_places(low, high, bounds, mode)
        mask = 1
        while mask < 2 * n_places:
            mask *= 2
        table[:mask] = -1
        n_slots = _fill(
            (low, high), (bounds, origin), symbols, documents, (size, mode), (table[:mask], first, counts, slot_of)
        )
        start = out_indptr[feature]
        kept = _keep_best(n_slots, first, counts, symbols, (size, n, min_contexts), out_first[start:])
        rank = counts[4]
        rank[:n_slots] = -1
        for j in range(kept):
            slot = out_first[start + j]
            rank[slot] = start + j
            out_first[start + j] = first[slot]
            for k in range(3):
                out[k, start + j] = counts[k, slot]
        out_indptr[feature + 1] = start + kept
        n_kept = _offsets((low, high), (bounds, origin), (size, mode), (slot_of, rank), (out_which, out_offset), n_kept)
    total = out_indptr[n_features]
    found = (out[0, :total].copy(), out[1, :total].copy(), out[2, :total].copy())
    return out_indptr, out_first[:total].copy(), found, (out_which[:n_kept], out_offset[:n_kept])


@njit(cache=True, nogil=True)
def _n_places(low: int, high: int, bounds: Counts, mode: int) -> int:
    """Return at least as many places as n-grams of some contexts can begin at."""
    return int(bounds[high] - bounds[low]) if mode == 0 else int(high - low)


@njit(cache=True, nogil=True)
def _starts(low: int, high: int, origin: int, size: int, mode: int) -> tuple[int, int]:
    """Return the first place at which an n-gram may begin in a context, and the one after the last."""
    if mode == 0:
        return low, max(low, high - size + 1)
    begin = low + origin - size if mode == 1 else low + origin + 1
    return (begin, begin + 1) if low <= begin and begin + size <= high else (low, low)


@njit(cache=True, nogil=True)
def _fill(
    span: tuple[int, int],
    where: tuple[Counts, Counts],
    symbols: UInt32,
    documents: UInt32,
    kind: tuple[int, int],
    room: tuple[Counts, Counts, Counts, Counts],
) -> int:
    """Give every n-gram of a feature a slot and count it there; return the number of slots."""
    bounds, origin = where
    size, mode = kind
    table, first, counts, slot_of = room
    mask = np.uint64(table.size - 1)
    n_slots = n_seen = 0
    for context in range(span[0], span[1]):
        begin, end = _starts(bounds[context], bounds[context + 1], origin[context], size, mode)
        for place in range(begin, end):
            code, is_whole = np.uint64(1469598103934665603), True
            for k in range(size):
                symbol = symbols[place + k]
                is_whole = is_whole and symbol != BREAK
                code = (code ^ np.uint64(symbol)) * np.uint64(1099511628211)
                code ^= code >> np.uint64(29)
            if not is_whole:
                slot_of[n_seen] = -1
                n_seen += 1
                continue
            cell = np.int64(code & mask)
            while table[cell] >= 0 and not _is_same(symbols, first[table[cell]], place, size):
                cell = np.int64((np.uint64(cell) + np.uint64(1)) & mask)
            slot = table[cell]
            if slot < 0:
                slot = n_slots
                n_slots += 1
                table[cell], first[slot] = slot, place
                counts[0, slot], counts[1, slot], counts[2, slot] = 0, 0, 0
                counts[3, slot], counts[4, slot] = -1, -1
            counts[0, slot] += 1
            if counts[3, slot] != context:
                counts[1, slot] += 1
                counts[3, slot] = context
            if counts[4, slot] != np.int64(documents[context]):
                counts[2, slot] += 1
                counts[4, slot] = documents[context]
            slot_of[n_seen] = slot
            n_seen += 1
    return n_slots


@njit(cache=True, nogil=True)
def _is_same(symbols: UInt32, one: int, other: int, size: int) -> bool:
    k = 0
    while k < size and symbols[one + k] == symbols[other + k]:
        k += 1
    return k == size


@njit(cache=True, nogil=True)
def _is_better(one: int, other: int, first: Counts, counts: Counts, symbols: UInt32, size: int) -> bool:
    """Return whether one slot comes before another."""
    for row in (1, 0):
        if counts[row, one] != counts[row, other]:
            return bool(counts[row, one] > counts[row, other])
    for k in range(size):
        mine, its = symbols[first[one] + k], symbols[first[other] + k]
        if mine != its:
            return bool(mine < its)
    return False


@njit(cache=True, nogil=True)
def _keep_best(
    n_slots: int, first: Counts, counts: Counts, symbols: UInt32, wanted: tuple[int, int, int], out: Counts
) -> int:
    """Write the best slots in order, and return how many they are."""
    size, n, min_contexts = wanted
    kept = 0
    for slot in range(n_slots):
        if counts[1, slot] < min_contexts:
            continue
        here = kept
        while here > 0 and _is_better(slot, out[here - 1], first, counts, symbols, size):
            here -= 1
        if here == n:
            continue
        kept = min(kept + 1, n)
        for k in range(kept - 1, here, -1):
            out[k] = out[k - 1]
        out[here] = slot
    return kept


@njit(cache=True, nogil=True)
def _offsets(
    span: tuple[int, int],
    where: tuple[Counts, Counts],
    kind: tuple[int, int],
    seen: tuple[Counts, Counts],
    out: tuple[Counts, Counts],
    at: int,
) -> int:
    """Write which kept n-gram each occurrence is of, and how far from the peak it begins."""
    bounds, origin = where
    slot_of, rank = seen
    n_seen = 0
    for context in range(span[0], span[1]):
        begin, end = _starts(bounds[context], bounds[context + 1], origin[context], kind[0], kind[1])
        for place in range(begin, end):
            slot = slot_of[n_seen]
            n_seen += 1
            if slot >= 0 and rank[slot] >= 0:
                out[0][at] = rank[slot]
                out[1][at] = place - bounds[context] - origin[context]
                at += 1
    return at
