"""Latent semantic analysis: words weighted by TF-IDF, reduced by a truncated SVD. Offline and deterministic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from saeatlas.errors import InvalidInput
from saeatlas.extras import require
from saeatlas.pipeline.embedder import Embedder, Vectors
from saeatlas.progress import Progress

__all__ = ["TERM", "Lsa", "plugin"]

TERM = r"(?u)[\u2e80-\u9fff\uf900-\ufaff]|[^\W\u2e80-\u9fff\uf900-\ufaff]+|[^\w\s]"
"""A term: a run of letters, digits and underscores, one ideograph or kana, or one other character that is no space."""

Floats = npt.NDArray[np.float64]

_SMALL = 300
_AT_ONCE = 20_000
_LEAST_NORM = 1e-6
"""Projections shorter than this, of texts of length 1, are rounding: they have no direction."""
_LEAST_SQUARE = 1e-12
"""Squares of singular values below this share of the largest are rounding."""


@dataclass(frozen=True, kw_only=True)
class Lsa(Embedder):
    """Words weighted by TF-IDF and reduced to their strongest common directions (Deerwester et al. 1990).

    Needs no model and no network. The directions are those of the texts given, so vectors of two calls cannot be
    compared; within one call, texts that share words, or words that occur in the same texts, are near each other.
    """

    version: ClassVar[int] = 1
    is_fitted: ClassVar[bool] = True

    n_components: int = 128
    """Width of the vectors; where the texts have fewer directions, the last numbers are 0."""
    min_texts: int = 1
    """Texts in which a term must occur to count."""
    max_terms: int = 50_000
    """The most frequent terms that count."""
    max_fit: int = 100_000
    """Texts from which terms and directions are taken, at most; of more, so many are drawn."""
    seed: int = 0
    """Of the draw."""

    def __post_init__(self) -> None:
        for name, most in (("n_components", 4096), ("min_texts", 2**31), ("max_terms", 2**31), ("max_fit", 2**31)):
            value = getattr(self, name)
            if not 1 <= value <= most:
                raise InvalidInput(f"'{name}' of lsa must be from 1 to {most:,}, found: {value!r}")
        if not 0 <= self.seed < 2**32:
            raise InvalidInput(f"'seed' of lsa must be from 0 to {2**32 - 1}, found: {self.seed!r}")

    def facts(self) -> Mapping[str, Any]:
        """Return the versions of the libraries that do the work."""
        try:
            return {name: version(name) for name in ("numpy", "scikit-learn", "scipy")}
        except PackageNotFoundError:
            require("sklearn", extra="analyses", to="embed texts")
            raise

    def encode(self, texts: Sequence[str], progress: Progress) -> Vectors:
        """Return unit vectors [texts, n_components]; one without any known term is all zeros.

        Term frequency counts as 1 + ln(count), inverse document frequency as ln((1 + n) / (1 + n_with_term)) + 1; the
        product is scaled to length 1 and projected on the right singular vectors of the matrix of all texts, whose
        signs make their largest entry positive. The projection is scaled to length 1 again.
        """
        text_of_terms = require("sklearn.feature_extraction.text", extra="analyses", to="embed texts")
        vectorizer = text_of_terms.TfidfVectorizer(
            token_pattern=TERM,
            lowercase=True,
            sublinear_tf=True,
            min_df=self.min_texts,
            max_features=self.max_terms,
        )
        out = np.zeros((len(texts), self.n_components), np.float32)
        with progress.task("Fitting the directions of the texts"):
            try:
                weights = vectorizer.fit_transform(self._drawn(texts))
            except ValueError:
                # Its way to say that no text has a term, or that none is in enough texts: then all are alike.
                return out
            directions = self._directions(weights)
        with progress.task("Embedding texts", total=float(len(texts)), unit="texts") as task:
            for start in range(0, len(texts), _AT_ONCE):
                part = texts[start : start + _AT_ONCE]
                projected = np.asarray(vectorizer.transform(part) @ directions.T)
                out[start : start + len(part), : directions.shape[0]] = _unit(projected)
                task.advance(float(len(part)))
        return out

    def peak_bytes(self, n_texts: int, n_characters: int) -> int:
        """Return 200 MB for libraries, 12 bytes per character fitted, and what the decomposition and vectors hold."""
        fitted = min(n_texts, self.max_fit)
        of_fit = 12 * n_characters * fitted // max(n_texts, 1)
        terms = min(self.max_terms, n_characters)
        decomposition = 8 * (2 * self.n_components + 1) * (min(fitted, terms) + terms)
        projected = 24 * self.n_components * min(n_texts, _AT_ONCE)
        return 200_000_000 + of_fit + decomposition + projected + n_texts * (100 + 4 * self.n_components)

    def _drawn(self, texts: Sequence[str]) -> list[str]:
        """Return all texts, or `max_fit` of them, drawn without replacement and in their order."""
        if len(texts) <= self.max_fit:
            return list(texts)
        chosen = np.random.default_rng(self.seed).choice(len(texts), self.max_fit, replace=False)
        return [texts[index] for index in np.sort(chosen).tolist()]

    def _directions(self, weights: Any) -> Floats:  # noqa: ANN401  # a SciPy sparse matrix
        """Return the right singular vectors of the largest singular values, [components, terms].

        Exact to rounding, not a randomised approximation: two machines agree, and no start shows in the vectors.
        """
        # One thread: the steps are too small for more to help, and their number would show in the last digits.
        with require("threadpoolctl", extra="analyses").threadpool_limits(1):
            if min(weights.shape) > max(_SMALL, 2 * self.n_components):
                svds = require("scipy.sparse.linalg", extra="analyses", to="embed texts").svds
                start = np.random.default_rng(0).uniform(-1, 1, min(weights.shape))
                right = svds(weights, self.n_components, v0=start, return_singular_vectors="vh")[2][::-1]
            else:
                right = _all_directions(weights)[: self.n_components]
        # Of entries that are equally large but for rounding the first decides, so that rounding turns no direction.
        size = np.abs(right)
        largest = np.argmax(size >= size.max(axis=1, keepdims=True) * (1 - 1e-6), axis=1)
        signs = np.where(right[np.arange(len(right)), largest] < 0, -1.0, 1.0)
        return np.asarray(right * signs[:, None], np.float64)


def _all_directions(weights: Any) -> Floats:  # noqa: ANN401  # a SciPy sparse matrix
    """Return all right singular vectors of a matrix with a small side, [rank, terms], through the Gram matrix."""
    is_wide = weights.shape[0] < weights.shape[1]
    gram = (weights @ weights.T if is_wide else weights.T @ weights).toarray()
    squares, vectors = np.linalg.eigh(gram)
    kept = np.flatnonzero(squares > _LEAST_SQUARE * squares[-1])[::-1]
    if not is_wide:
        return np.asarray(vectors[:, kept].T, np.float64)
    return np.asarray(weights.T @ vectors[:, kept] / np.sqrt(squares[kept]), np.float64).T


def _unit(vectors: Floats) -> Floats:
    """Scale vectors to length 1; those that are rounding only become 0."""
    norm = np.linalg.norm(vectors, axis=1, keepdims=True)
    has_direction = norm > _LEAST_NORM
    return np.where(has_direction, vectors / np.where(has_direction, norm, 1.0), 0.0)


plugin = Lsa
