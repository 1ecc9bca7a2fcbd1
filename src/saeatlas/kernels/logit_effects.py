"""Which tokens each direction raises and lowers most: a product with the unembedding that is never held whole.

Products are summed in float64 and rounded to float32, which hides in what order a machine sums them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

__all__ = ["ActiveSums", "Effects", "strongest_effects"]

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

_BLOCK_NUMBERS = 2_000_000
"""Products that are held at once."""


@dataclass(frozen=True)
class Effects:
    """The strongest effects of some directions; lists are shorter than k where there are fewer tokens."""

    top: npt.NDArray[np.int64]
    """Tokens with the largest effects, largest first, of equal ones the lower token; [directions, at most k]."""
    top_effects: npt.NDArray[np.float32]
    """Their effects."""
    bottom: npt.NDArray[np.int64]
    """Tokens with the smallest effects, smallest first, of equal ones the lower token."""
    bottom_effects: npt.NDArray[np.float32]
    """Their effects."""
    mean: Floats
    """Mean over all tokens, [directions]; NaN without any."""
    std: Floats
    """Standard deviation over all tokens, of a population."""
    norm: Floats
    """Root of the sum of squares over all tokens."""


def strongest_effects(directions: Array, unembedding: Iterable[tuple[npt.NDArray[np.int64], Array]], k: int) -> Effects:
    """Return the k largest and smallest products of each direction with the rows of the unembedding.

    Parameters
    ----------
    directions
        [directions, d], any float type.
    unembedding
        Ids of tokens, ascending over all blocks, and their rows [tokens, d].
    k
        How many of each side.

    Notes
    -----
    Memory: the directions in float64, a block in float64, 8 MB of products a few times, and 24 bytes for each of
    2 k tokens of a direction.
    """
    wide = np.asarray(directions, np.float64)
    n = len(wide)
    top, bottom = _Best.none(n), _Best.none(n)
    n_tokens, mean, square = 0, np.zeros(n), np.zeros(n)
    for tokens, rows in unembedding:
        columns = np.ascontiguousarray(rows.astype(np.float64).T)
        step = max(1, _BLOCK_NUMBERS // max(1, tokens.size))
        parts_top, parts_bottom = [], []
        n_after = n_tokens + tokens.size
        for start in range(0, n, step):
            here = slice(start, start + step)
            products = (wide[here] @ columns).astype(np.float32)
            parts_top.append(top.of(here).joined(products, tokens, k))
            parts_bottom.append(bottom.of(here).joined(-products, tokens, k))
            exact = products.astype(np.float64)
            # Means and squares of two sets join as Chan, Golub and LeVeque (1979) say.
            part = exact.sum(axis=1) / max(1, tokens.size)
            away = part - mean[here]
            square[here] += np.square(exact - part[:, None]).sum(axis=1)
            square[here] += np.square(away) * (n_tokens * tokens.size / max(1, n_after))
            mean[here] += away * (tokens.size / max(1, n_after))
        top, bottom, n_tokens = _Best.stacked(parts_top, n), _Best.stacked(parts_bottom, n), n_after
    unknown = np.full(n, np.nan)
    return Effects(
        top=top.tokens,
        top_effects=top.numbers + np.float32(0),
        bottom=bottom.tokens,
        bottom_effects=-bottom.numbers + np.float32(0),  # 0, not -0
        mean=mean if n_tokens else unknown,
        std=np.sqrt(square / n_tokens) if n_tokens else unknown,
        norm=np.sqrt(square + n_tokens * np.square(mean)),
    )


@dataclass(frozen=True)
class _Best:
    """The largest numbers so far and their tokens, [directions, at most k]; of equal ones the lower token first."""

    tokens: npt.NDArray[np.int64]
    numbers: npt.NDArray[np.float32]

    @classmethod
    def none(cls, n: int) -> Self:
        return cls(np.empty((n, 0), np.int64), np.empty((n, 0), np.float32))

    @classmethod
    def stacked(cls, parts: list[_Best], n: int) -> _Best:
        if not parts:
            return cls.none(n)
        return cls(np.concatenate([one.tokens for one in parts]), np.concatenate([one.numbers for one in parts]))

    def of(self, here: slice) -> _Best:
        return _Best(self.tokens[here], self.numbers[here])

    def joined(self, numbers: npt.NDArray[np.float32], tokens: npt.NDArray[np.int64], k: int) -> _Best:
        """Return the k largest of these and of new ones, whose tokens are all higher."""
        place = _first_largest(numbers, k)
        both = np.concatenate([self.numbers, np.take_along_axis(numbers, place, axis=1)], axis=1)
        names = np.concatenate([self.tokens, tokens[place]], axis=1)
        # Stable: what comes first among equal ones has the lower token.
        order = np.argsort(-both, axis=1, kind="stable")[:, :k]
        return _Best(np.take_along_axis(names, order, axis=1), np.take_along_axis(both, order, axis=1))


def _first_largest(numbers: Array, k: int) -> npt.NDArray[np.int64]:
    """Return the places of the k largest of each row, ascending; of equal ones at the border those that come first."""
    n_rows, n_columns = numbers.shape
    if k >= n_columns:
        return np.broadcast_to(np.arange(n_columns), (n_rows, n_columns))
    found = np.argpartition(numbers, n_columns - k, axis=1)[:, n_columns - k :]
    least = np.take_along_axis(numbers, found, axis=1).min(axis=1, keepdims=True)
    crowded = np.flatnonzero(np.count_nonzero(numbers >= least, axis=1) > k)
    if crowded.size:
        over, border = numbers[crowded] > least[crowded], numbers[crowded] == least[crowded]
        lacking = k - over.sum(axis=1, keepdims=True)
        chosen = over | (border & (np.cumsum(border, axis=1) <= lacking))
        found[crowded] = np.nonzero(chosen)[1].reshape(crowded.size, k)
    return np.sort(found, axis=1)


@dataclass(frozen=True)
class ActiveSums:
    """What the active values of features sum up to, each [features]."""

    n_active: npt.NDArray[np.int64]
    sum: Floats
    square: Floats
    """Sum of the squares."""

    @classmethod
    def of(cls, indptr: npt.NDArray[np.int64], values: Array) -> Self:
        """Sum up values above 0; `indptr` says where each feature's begin."""
        n = indptr.size - 1
        active = values > 0
        which = np.repeat(np.arange(n), np.diff(indptr))[active]
        exact = values[active].astype(np.float64)
        return cls(
            np.bincount(which, minlength=n),
            np.bincount(which, exact, minlength=n).astype(np.float64),
            np.bincount(which, np.square(exact), minlength=n).astype(np.float64),
        )
