"""Do texts agree with the places they are put: shared words of neighbours against shuffled texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from saeatlas.kernels.pair_similarity import jaccard
from saeatlas.kernels.splitmix import GAMMA, scrambled

__all__ = [
    "LEAST_DRAWS",
    "Agreement",
    "Neighbourhoods",
    "agreement",
    "nearest_in_space",
    "neighbourhoods",
    "node_jackknife",
    "shuffles",
]

Ids = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

LEAST_DRAWS = 200
"""Random draws for every text, however little it resembles its neighbours."""
_ENOUGH = 20
"""As many draws as large as observed tell p well enough."""


@dataclass(frozen=True)
class Agreement:
    """How similar the texts of neighbours are, all places together."""

    observed: float
    """Mean Jaccard similarity of a text and those of its neighbours."""
    permuted: Floats
    """The same after each shuffling of the texts over the places, [permutations]."""


@dataclass(frozen=True)
class Neighbourhoods:
    """The same place by place, each [n]."""

    observed: Floats
    """Mean Jaccard similarity of the place's text and those of its neighbours."""
    expected: Floats
    """Mean over the draws."""
    spread: Floats
    """Standard deviation over the draws (n - 1); 0 where all draws gave the same."""
    p: Floats
    """Chance of a draw at least as large as observed, above 0."""
    n_draws: npt.NDArray[np.int64]
    """Draws made, from 200."""


def nearest_in_space(positions: Floats, k: int) -> Ids:
    """Return the nearest other points of each point by Euclidean distance, exactly.

    Parameters
    ----------
    positions
        Coordinates, float64 [n, d] with small d; n above k.
    k
        How many.

    Returns
    -------
    Ids
        int32 [n, k], nearest first, of equal distances the lower index. A point is never its own neighbour, but
        another point at the same place is.
    """
    return np.asarray(_nearest_in_space(np.ascontiguousarray(positions, np.float64), k), np.int32)


def agreement(indptr: npt.NDArray[np.int64], words: Ids, near: Ids, permutations: Iterable[Ids]) -> Agreement:
    """Compare the texts of neighbours with texts that were shuffled over all places.

    Parameters
    ----------
    indptr, words
        Words of text i: `words[indptr[i]:indptr[i + 1]]`, ascending and each once, at least one.
    near
        Neighbours of each place, int32 [n, k].
    permutations
        Shuffled numbers 0 to n - 1, int32 [n] each.

    Notes
    -----
    The neighbours stay, and texts are dealt anew: whatever the shape of the cloud, and however common a word, texts
    that have nothing to do with their places give numbers that cannot be told from `permuted`.
    """
    own = np.arange(near.shape[0], dtype=np.int32)
    return Agreement(
        float(_mean_similarity(indptr, words, near, own)),
        np.array([_mean_similarity(indptr, words, near, order) for order in permutations], np.float64),
    )


def shuffles(n: int, n_permutations: int, seed: int) -> Iterator[Ids]:
    """Yield shuffled numbers 0 to n - 1, int32 [n], the same from the same seed everywhere."""
    # Raw bits of a generator stay what they are from one NumPy to the next; what its methods make of them may not.
    raw = np.random.PCG64(seed)
    for _ in range(n_permutations):
        yield np.argsort(raw.random_raw(n), kind="stable").astype(np.int32)


def neighbourhoods(indptr: npt.NDArray[np.int64], words: Ids, near: Ids, n_draws: int, seed: int) -> Neighbourhoods:
    """Compare each text with those of its neighbours, and with as many texts drawn at random from all others.

    Parameters
    ----------
    indptr, words, near
        As in `agreement`; more than k texts.
    n_draws
        Draws for each text at most, from 200; within a draw no text occurs twice.
    seed
        Of the draws.

    Notes
    -----
    The text itself stays, so one of common words is compared with what such a text must expect.

    After 200 draws, a text's draws end with the 20th that is at least as large as observed: most texts need few, and
    those with a small p get all. p is then 20 / draws, which is as valid as a fixed number of draws (Besag, J. &
    Clifford, P. (1991), Sequential Monte Carlo p-values, Biometrika 78(2), 301-304); otherwise (1 + n) / (1 + draws).
    """
    return Neighbourhoods(*_neighbourhoods(indptr, words, near, max(n_draws, LEAST_DRAWS), np.uint64(seed)))


def node_jackknife(indptr: npt.NDArray[np.int64], words: Ids, near: Ids) -> float:
    """Return the standard error of the mean similarity of neighbours by leaving out one text at a time.

    With a text go all pairs that it is in, so pairs that share a text are not taken for independent:
    variance = (n - 1) / n · Σ (m₍ᵢ₎ - mean)², m₍ᵢ₎ being the mean over the pairs without text i
    (Efron, B. & Stein, C. (1981), The jackknife estimate of variance, Ann. Statist. 9(3), 586-596).
    NaN when fewer than two texts leave any pairs.
    """
    total, count = _sums_by_text(indptr, words, near)
    all_total, all_count = total.sum() / 2.0, near.size
    left = all_count - count
    if near.shape[0] < 2 or not (left > 0).all():
        return float("nan")
    means = (all_total - total) / left
    n = means.size
    return float(np.sqrt((n - 1) / n * np.square(means - means.mean()).sum()))


@njit(cache=True, nogil=True)
def _nearest_in_space(positions: Floats, k: int) -> Ids:
    n, d = positions.shape
    found = np.full((n, k), -1, np.int32)
    best = np.empty(k, np.float64)
    for i in range(n):
        filled = 0
        for j in range(n):
            if j == i:
                continue
            distance = 0.0
            for axis in range(d):
                difference = positions[i, axis] - positions[j, axis]
                distance += difference * difference
            if filled == k and distance >= best[k - 1]:
                continue
            at = filled if filled < k else k - 1
            filled = min(filled + 1, k)
            while at > 0 and best[at - 1] > distance:
                best[at], found[i, at] = best[at - 1], found[i, at - 1]
                at -= 1
            best[at], found[i, at] = distance, j
    return found


@njit(cache=True, nogil=True)
def _mean_similarity(indptr: npt.NDArray[np.int64], words: Ids, near: Ids, order: Ids) -> float:
    """Return the mean similarity of neighbours when place i holds text order[i]."""
    n, k = near.shape
    total = 0.0
    for i in range(n):
        for j in range(k):
            total += jaccard(indptr, words, order[i], order[near[i, j]])
    return float(total / (n * k))


@njit(cache=True, nogil=True)
def _sums_by_text(indptr: npt.NDArray[np.int64], words: Ids, near: Ids) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return, for each text, the summed similarity and the number of the pairs that it is in, at either end."""
    n, k = near.shape
    total, count = np.zeros(n, np.float64), np.zeros(n, np.int64)
    for i in range(n):
        for j in range(k):
            other = near[i, j]
            found = jaccard(indptr, words, i, other)
            total[i] += found
            total[other] += found
            count[i] += 1
            count[other] += 1
    return total, count


@njit(cache=True, nogil=True)
def _neighbourhoods(
    indptr: npt.NDArray[np.int64], words: Ids, near: Ids, n_draws: int, seed: np.uint64
) -> tuple[Floats, Floats, Floats, Floats, npt.NDArray[np.int64]]:
    n, k = near.shape
    observed, expected, spread, p = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    drawn = np.zeros(n, np.int64)
    chosen = np.empty(k, np.int64)
    for i in range(n):
        state = scrambled(scrambled(seed) + np.uint64(i))
        own = 0.0
        for j in range(k):
            own += jaccard(indptr, words, i, near[i, j])
        mean, squares, as_large, draws = 0.0, 0.0, 0, 0
        while draws < n_draws and (draws < LEAST_DRAWS or as_large < _ENOUGH):
            total = 0.0
            for j in range(k):
                state += GAMMA
                chosen[j] = _another(scrambled(state), n, i, chosen, j)
                total += jaccard(indptr, words, i, chosen[j])
            draws += 1
            # Sums of the same fractions in another order may differ in the last bit; they are one number.
            as_large += total >= own - 1e-12
            difference = total / k - mean
            mean += difference / draws
            squares += difference * (total / k - mean)
        observed[i], expected[i], drawn[i] = own / k, mean, draws
        spread[i] = np.sqrt(squares / (draws - 1))
        at_the_end = draws > LEAST_DRAWS and as_large == _ENOUGH
        p[i] = as_large / draws if at_the_end else (1 + as_large) / (1 + draws)
    return observed, expected, spread, p, drawn


@njit(cache=True, nogil=True)
def _another(random: np.uint64, n: int, own: int, chosen: npt.NDArray[np.int64], n_chosen: int) -> int:
    """Return a text that is neither `own` nor among the first of `chosen`, each as likely as the others.

    The number drawn is one of the texts that are left; it moves up by one past each text that is taken, lowest first.
    """
    left = n - 1 - n_chosen
    at = int(random % np.uint64(left))
    below = -1
    for _ in range(n_chosen + 1):
        lowest = n
        if own > below:
            lowest = own
        for j in range(n_chosen):
            if below < chosen[j] < lowest:
                lowest = chosen[j]
        if at < lowest:
            break
        at += 1
        below = lowest
    return int(at)
