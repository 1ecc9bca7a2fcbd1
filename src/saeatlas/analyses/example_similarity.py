"""How alike the examples of each feature are: in meaning, in letters and words, and in the token at the peak."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from saeatlas.analyses._columns import nullable
from saeatlas.analyses._example_table import EXAMPLES, needed_examples, number_of_examples
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.analyses._example_table import ExampleTable
    from saeatlas.atlas.sae import SAE

__all__ = ["ExampleSimilarity", "plugin"]

_LINES_AT_ONCE = 20_000
_SEMANTIC = ("mean_cosine", "std_cosine", "min_cosine", "max_cosine")
_SIZES = (2, 3, 4)
_LEXICAL = (*(f"jaccard_{size}" for size in _SIZES), "jaccard_words")


@dataclass(frozen=True, kw_only=True)
class ExampleSimilarity(Analysis):
    """How alike the examples of each feature are.

    One line per feature, about the examples that `example-embeddings` chose: cosines of their vectors, Jaccard
    similarities of their character n-grams and words, and the entropy of the tokens at their peaks. A second table,
    `baseline`, has the mean cosine of two examples of different features, to compare with.

    Examples
    --------
    saeatlas analyze example-similarity --kind lexical
    """

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.FEATURE
    needs: ClassVar[frozenset[str]] = frozenset({EXAMPLES})
    descriptions: ClassVar[Mapping[str, str]] = {
        "n_examples": "Examples of the feature that were compared.",
        "n_peak_tokens": "Different tokens at the peaks of the examples.",
        "token_entropy": "Shannon entropy of the tokens at the peaks of the examples, in bits; null without examples.",
        "n_pairs": "Pairs of examples whose vectors both have a direction.",
        "mean_cosine": "Mean cosine of the vectors of pairs of examples, −1 to 1; null without pairs.",
        "std_cosine": "Population standard deviation of the cosines of pairs of examples (divided by n_pairs); "
        "null without pairs.",
        "min_cosine": "Smallest cosine of a pair of examples, −1 to 1; null without pairs.",
        "max_cosine": "Largest cosine of a pair of examples, −1 to 1; null without pairs.",
        **{
            f"jaccard_{size}": "Mean Jaccard similarity of all pairs of texts of examples, as sets of their character "
            f"n-grams of {size}, 0 to 1; null with fewer than two examples."
            for size in _SIZES
        },
        "jaccard_words": "Mean Jaccard similarity of all pairs of texts of examples, as sets of their words, 0 to 1; "
        "null with fewer than two examples.",
    }

    kind: Literal["both", "semantic", "lexical", "neither"] = "both"
    """Which similarities to compute; 'neither' leaves counts and entropy."""

    @property
    def _is_semantic(self) -> bool:
        return self.kind in {"both", "semantic"}

    @property
    def _is_lexical(self) -> bool:
        return self.kind in {"both", "lexical"}

    def schema(self) -> dict[str, pa.Schema]:
        """Return the schemas; see docs/reference/analyses/example-similarity.md for each column."""
        import pyarrow as pa

        whole = [pa.field(name, pa.int32(), nullable=False) for name in ("n_examples", "n_peak_tokens")]
        fields = [pa.field("feature", pa.uint32(), nullable=False), *whole, pa.field("token_entropy", pa.float64())]
        tables = {}
        if self._is_semantic:
            fields += [pa.field("n_pairs", pa.int64(), nullable=False)]
            fields += [pa.field(name, pa.float64()) for name in _SEMANTIC]
            numbers = [pa.field(name, pa.int64(), nullable=False) for name in ("n_features", "n_examples", "n_pairs")]
            tables["baseline"] = pa.schema([*numbers, pa.field("mean_cosine", pa.float64())])
        if self._is_lexical:
            fields += [pa.field(name, pa.float64()) for name in _LEXICAL]
        return {"data": pa.schema(fields), **tables}

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table]:
        """Compare portion after portion of the features; memory as `peak_bytes` says.

        Raises
        ------
        NotFound
            When the examples are not there.
        """
        import pyarrow as pa

        from saeatlas.kernels.peak_tokens import count_tokens, entropy_bits

        examples = needed_examples(sae)
        counts = count_tokens(examples.indptr, examples.tokens())
        columns: dict[str, Any] = {
            "feature": np.arange(sae.n_features, dtype=np.uint32),
            "n_examples": np.diff(examples.indptr).astype(np.int32),
            "n_peak_tokens": np.diff(counts.indptr).astype(np.int32),
            "token_entropy": nullable(entropy_bits(counts)),
        }
        found: dict[str, list[npt.NDArray[Any]]] = {}
        across = _Across(examples.reader.shape[1])
        with progress.task("Comparing examples", total=float(sae.n_features), unit="features") as task:
            for first, stop in examples.portions(_LINES_AT_ONCE):
                for name, numbers in self._compare(examples, first, stop, across).items():
                    found.setdefault(name, []).append(numbers)
                task.advance(float(stop - first))
        for name, parts in found.items():
            numbers = np.concatenate(parts)
            columns[name] = numbers if name == "n_pairs" else nullable(numbers)
        schemas = self.schema()
        if not sae.n_features:
            return {name: schema.empty_table() for name, schema in schemas.items()}
        tables = {"data": pa.table(columns)}
        return tables | ({"baseline": across.table()} if self._is_semantic else {})

    def peak_bytes(self, sae: SAE) -> int:
        """Return 600 MB for the program and the texts compared at a time, 400 bytes per example, and vectors."""
        n_lines, width = number_of_examples(sae)
        return 600_000_000 + 24 * width * min(n_lines, _LINES_AT_ONCE) + 400 * n_lines + 200 * sae.n_features

    def _compare(self, examples: ExampleTable, first: int, stop: int, across: _Across) -> dict[str, npt.NDArray[Any]]:
        """Return the columns of similarity of some features."""
        from saeatlas.kernels.pair_similarity import pair_cosines, pair_jaccard, unit_vectors
        from saeatlas.kernels.text_sets import character_ngrams, letters_of, word_sets

        low, high = int(examples.indptr[first]), int(examples.indptr[stop])
        indptr = examples.indptr[first : stop + 1] - low
        columns: dict[str, npt.NDArray[Any]] = {}
        if self._is_semantic:
            unit, has_direction = unit_vectors(examples.vectors(low, high))
            across.add(indptr, unit, has_direction)
            cosines = pair_cosines(indptr, unit, has_direction)
            columns |= {"n_pairs": cosines.n_pairs}
            columns |= dict(zip(_SEMANTIC, (cosines.mean, cosines.std, cosines.min, cosines.max), strict=True))
        if self._is_lexical:
            texts = examples.texts(low, high)
            letters = letters_of(texts)
            for size in _SIZES:
                columns[f"jaccard_{size}"] = pair_jaccard(indptr, character_ngrams(letters, size))
            columns["jaccard_words"] = pair_jaccard(indptr, word_sets(texts))
        return columns


class _Across:
    """Sums of unit vectors, from which the mean cosine of examples of different features follows.

    The cosines of all pairs add up to the square of the sum of all unit vectors, so no pair need be looked at.
    """

    def __init__(self, width: int) -> None:
        self._sum = np.zeros(width)
        self._squares = 0.0
        self._counts: list[npt.NDArray[np.int64]] = []

    def add(
        self, indptr: npt.NDArray[np.int64], unit: npt.NDArray[np.float64], has_direction: npt.NDArray[np.bool_]
    ) -> None:
        """Take in the examples of some more features; those without a direction are zero, and count for nothing."""
        sums = np.add.reduceat(np.vstack([unit, np.zeros((1, unit.shape[1]))]), indptr[:-1], axis=0)
        # Where a feature is empty, reduceat gives the line that it would start at.
        sums[np.diff(indptr) == 0] = 0.0
        self._sum += sums.sum(axis=0)
        self._squares += float(np.einsum("ij,ij->", sums, sums))
        before = np.concatenate([np.zeros(1, np.int64), np.cumsum(has_direction)])
        self._counts.append(np.diff(before[indptr]))

    def table(self) -> pa.Table:
        """Return the one line of `baseline`."""
        import pyarrow as pa

        counts = np.concatenate([*self._counts, np.zeros(0, np.int64)])
        n = int(counts.sum())
        n_pairs = (n * n - int((counts**2).sum())) // 2
        total = float(self._sum @ self._sum) - self._squares
        mean = total / (2 * n_pairs) if n_pairs else None
        return pa.table(
            {
                "n_features": [int((counts > 0).sum())],
                "n_examples": [n],
                "n_pairs": [n_pairs],
                "mean_cosine": pa.array([mean], pa.float64()),
            }
        )


plugin = ExampleSimilarity
