"""How alike the examples of neighbouring features are: which neighbours are duplicates, and which share one concept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import numpy.typing as npt

from saeatlas.analyses._columns import check_whole, nullable
from saeatlas.analyses._example_table import EXAMPLES, needed_examples, number_of_examples
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.analyses._example_table import ExampleTable
    from saeatlas.atlas.sae import SAE

__all__ = ["InterFeatureSimilarity", "plugin"]

Floats = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]

_NEIGHBORS = "neighbors"
_LINES_AT_ONCE = 20_000
_PAIRS_AT_ONCE = 20_000
_ROUNDING = 1e-12
_WORDS_OF_A_TEXT = 25


@dataclass(frozen=True)
class _Directions:
    """What the vectors of all examples say about single features."""

    unit: npt.NDArray[np.float32]
    """Every example's vector at length 1, [lines, width]."""
    has_direction: npt.NDArray[np.bool_]
    """Whether it is not zero, [lines]."""
    mean: Floats
    """Mean of the unit vectors of each feature, [features, width]; NaN without any."""
    own: Floats
    """Mean cosine of two examples of each feature, [features]; NaN with fewer than two."""


@dataclass(frozen=True, kw_only=True)
class InterFeatureSimilarity(Analysis):
    """How alike the examples of each feature and of its nearest features by direction are.

    One line per line of `neighbors`: similarity of the two features' examples in meaning, words and peak tokens, how
    often any two features would be as alike, and a verdict.

    Examples
    --------
    saeatlas analyze inter-feature-similarity --splitting-direction 0.4
    """

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.FEATURE_LIST
    needs: ClassVar[frozenset[str]] = frozenset({EXAMPLES, _NEIGHBORS})

    duplicate_direction: float = 0.8
    """Least cosine of the directions of duplicates."""
    duplicate_relative: float = 0.9
    """Least `relative_cosine` of duplicates: 1 when examples of both are as alike as examples of one."""
    splitting_direction: float = 0.3
    """Least cosine of the directions of features that share one concept."""
    alpha: float = 0.05
    """Largest q-value of both verdicts."""
    null_pairs: int = 1_000_000
    """Pairs of features that are no neighbours, for the p-value: all, or so many drawn where there are more."""
    seed: int = 0
    """Of that draw."""

    def __post_init__(self) -> None:
        check_whole(self, null_pairs=(1, 100_000_000), seed=(0, 2**64 - 1))
        for name, least, most in (
            ("duplicate_direction", -1, 1),
            ("duplicate_relative", 0, 10),
            ("splitting_direction", -1, 1),
            ("alpha", 0, 1),
        ):
            if not least <= getattr(self, name) <= most:
                raise InvalidInput(f"'{name}' must be from {least} to {most}, found: {getattr(self, name)!r}")

    def schema(self) -> dict[str, pa.Schema]:
        """Return the schema; see docs/reference/analyses/inter-feature-similarity.md for each column."""
        import pyarrow as pa

        similarities = ("mean_cosine", "relative_cosine", "centered_cosine", "best_match", "best_match_back")
        shared = ("jaccard_words", "token_overlap")
        return {
            "data": pa.schema(
                [
                    pa.field("feature", pa.uint32(), nullable=False),
                    pa.field("rank", pa.int32(), nullable=False),
                    pa.field("neighbor", pa.uint32(), nullable=False),
                    pa.field("direction_cosine", pa.float64(), nullable=False),
                    pa.field("n_examples", pa.int32(), nullable=False),
                    pa.field("n_examples_neighbor", pa.int32(), nullable=False),
                    *(pa.field(name, pa.float64()) for name in (*similarities, *shared)),
                    pa.field("n_null", pa.int64(), nullable=False),
                    pa.field("p_value", pa.float64()),
                    pa.field("q_value", pa.float64()),
                    pa.field("verdict", pa.string()),
                ]
            )
        }

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table]:
        """Compare all pairs; memory as `peak_bytes` says.

        Raises
        ------
        NotFound
            When the examples or the neighbours are not there.
        """
        import pyarrow as pa

        from saeatlas.kernels.association import benjamini_hochberg
        from saeatlas.kernels.pair_similarity import cross_cosines, cross_jaccard
        from saeatlas.kernels.peak_tokens import count_tokens, token_overlap
        from saeatlas.kernels.text_sets import word_sets

        examples = needed_examples(sae)
        pairs = sae.table(_NEIGHBORS)
        if pairs is None:
            raise NotFound(sae.why_no_table(_NEIGHBORS), hint=f"Run: saeatlas analyze {_NEIGHBORS}")
        first, second = (pairs.column(name).to_numpy().astype(np.int64) for name in ("feature", "neighbor"))
        direction = pairs.column("cosine").to_numpy()
        with progress.task("Comparing neighbours", total=4.0) as task:
            found = _directions(examples)
            task.advance(1)
            cosines = cross_cosines(examples.indptr, found.unit, found.has_direction, first, second)
            task.advance(1)
            words = cross_jaccard(examples.indptr, word_sets(_texts(examples)), first, second)
            task.advance(1)
            centered, null = self._centered(found.mean, first, second)
            task.advance(1)
        p = _p_values(centered, null)
        # Nothing is relative to examples of one feature that are not alike.
        own = np.sqrt(np.where(found.own > 0, found.own, np.nan))
        relative = cosines.mean / (own[first] * own[second])
        q = benjamini_hochberg(p)
        counts = np.diff(examples.indptr).astype(np.int32)
        tokens = count_tokens(examples.indptr, examples.tokens())
        return {
            "data": pa.table(
                {
                    "feature": pairs.column("feature"),
                    "rank": pairs.column("rank"),
                    "neighbor": pairs.column("neighbor"),
                    "direction_cosine": direction,
                    "n_examples": counts[first],
                    "n_examples_neighbor": counts[second],
                    "mean_cosine": nullable(cosines.mean),
                    "relative_cosine": nullable(relative),
                    "centered_cosine": nullable(centered),
                    "best_match": nullable(cosines.best),
                    "best_match_back": nullable(cosines.best_back),
                    "jaccard_words": nullable(words),
                    "token_overlap": nullable(token_overlap(tokens, first, second)),
                    "n_null": np.full(first.size, null.size),
                    "p_value": nullable(p),
                    "q_value": nullable(q),
                    "verdict": self._verdicts(direction, relative, q),
                }
            )
        }

    def peak_bytes(self, sae: SAE) -> int:
        """Return 400 MB for the program, and the vectors, words and lines of all examples and neighbours."""
        n_lines, width = number_of_examples(sae)
        neighbors = sae.table(_NEIGHBORS)
        n_pairs = 10 * sae.n_features if neighbors is None else neighbors.num_rows
        of_lines = n_lines * (4 * width + 16 * _WORDS_OF_A_TEXT + 400) + 24 * width * min(n_lines, _LINES_AT_ONCE)
        of_pairs = 300 * n_pairs + 70 * min(self.null_pairs, sae.n_features**2 // 2)
        return 400_000_000 + of_lines + 40 * width * sae.n_features + of_pairs + 32 * width * _PAIRS_AT_ONCE

    def _centered(self, mean: Floats, first: Int64, second: Int64) -> tuple[Floats, Floats]:
        """Return the centred cosines of neighbours, and those of pairs that are none, ascending.

        The centred cosine of two features is that of their mean vectors after the mean of all features' mean vectors
        is taken away: what all texts of the corpus share counts for nothing, and a feature of texts of every kind is
        near to none.
        """
        usable = np.flatnonzero(np.isfinite(mean[:, 0]))
        centered = mean - mean[usable].mean(axis=0) if usable.size else mean
        norms = np.sqrt(np.einsum("ij,ij->i", centered, centered))
        directions = centered / np.where(norms > 0, norms, np.nan)[:, None]
        one, other = self._null_pairs(usable)
        n = len(mean)
        are_neighbors = np.isin(_keys(one, other, n), _keys(first, second, n))
        null = _cosines(directions, one[~are_neighbors], other[~are_neighbors])
        return _cosines(directions, first, second), np.sort(null[~np.isnan(null)])

    def _null_pairs(self, features: Int64) -> tuple[Int64, Int64]:
        """Return all pairs of some features, or `null_pairs` of them, drawn with replacement."""
        n = features.size
        if n * (n - 1) // 2 <= self.null_pairs:
            one, other = np.triu_indices(n, 1)
        else:
            random = np.random.default_rng(self.seed)
            one = random.integers(0, n, self.null_pairs)
            other = (one + random.integers(1, n, self.null_pairs)) % n
        return features[one], features[other]

    def _verdicts(self, direction: Floats, relative: Floats, q: Floats) -> pa.Array:
        """Return 'duplicate', 'splitting' or 'distinct'; null where the examples do not suffice."""
        import pyarrow as pa

        is_alike = q <= self.alpha
        is_duplicate = is_alike & (direction >= self.duplicate_direction) & (relative >= self.duplicate_relative)
        is_splitting = is_alike & (direction >= self.splitting_direction)
        words = np.where(is_duplicate, "duplicate", np.where(is_splitting, "splitting", "distinct"))
        return pa.array(words.tolist(), pa.string(), mask=np.isnan(q) | np.isnan(relative))


def _directions(examples: ExampleTable) -> _Directions:
    """Read all vectors, portion by portion."""
    from saeatlas.kernels.pair_similarity import pair_cosines, unit_vectors

    n_lines, width = examples.reader.shape
    n_features = examples.indptr.size - 1
    unit, has_direction = np.empty((n_lines, width), np.float32), np.empty(n_lines, np.bool_)
    mean, own = np.full((n_features, width), np.nan), np.full(n_features, np.nan)
    for first, stop in examples.portions(_LINES_AT_ONCE):
        low, high = int(examples.indptr[first]), int(examples.indptr[stop])
        indptr = examples.indptr[first : stop + 1] - low
        exact, has = unit_vectors(examples.vectors(low, high))
        unit[low:high], has_direction[low:high] = exact, has
        own[first:stop] = pair_cosines(indptr, exact, has).mean
        for feature in np.flatnonzero(np.diff(indptr)).tolist():
            mine = slice(int(indptr[feature]), int(indptr[feature + 1]))
            if has[mine].any():
                mean[first + feature] = exact[mine][has[mine]].mean(axis=0)
    return _Directions(unit, has_direction, mean, own)


def _texts(examples: ExampleTable) -> Iterator[str]:
    for first, stop in examples.portions(_LINES_AT_ONCE):
        yield from examples.texts(int(examples.indptr[first]), int(examples.indptr[stop]))


def _keys(one: Int64, other: Int64, n: int) -> Int64:
    """Return a number for each pair of features below `n`, the same for both orders."""
    return np.asarray(np.minimum(one, other) * n + np.maximum(one, other), np.int64)


def _cosines(directions: Floats, one: Int64, other: Int64) -> Floats:
    """Return the products of pairs of lines."""
    out = np.empty(one.size)
    for start in range(0, one.size, _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        out[part] = np.einsum("ij,ij->i", directions[one[part]], directions[other[part]])
    return out


def _p_values(found: Floats, null: Floats) -> Floats:
    """Return (1 + null numbers at least as large) / (1 + null numbers); NaN for NaN, and without null numbers."""
    if not null.size:
        return np.full(found.size, np.nan)
    as_large = null.size - np.searchsorted(null, found - _ROUNDING)
    return np.where(np.isnan(found), np.nan, (1 + as_large) / (1 + null.size))


plugin = InterFeatureSimilarity
