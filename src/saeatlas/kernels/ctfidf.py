"""Class-based TF-IDF: the terms that one class of texts has more than the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["ClassTerms", "class_terms"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ClassTerms:
    """The best terms of each class, best first."""

    indptr: Ints
    """Where each class starts and ends in `term` and `score`, int64 [n_classes + 1]."""
    term: Ints
    """Term by number, int64; of equal scores the lower comes first."""
    score: Floats
    """float64, above 0."""


def class_terms(classes: Ints, terms: Ints, weights: Floats, n_classes: int, n: int) -> ClassTerms:
    """Score terms by class and keep the `n` best of each.

    The score of term t in class c is tf(t, c) log(1 + A / f(t)): tf the share of t in the weight of c, f the weight
    of t over all classes, A the mean weight of a class (M. Grootendorst, 2022, BERTopic: Neural topic modeling with a
    class-based TF-IDF procedure, arXiv 2203.05794, with counts as shares of their class, as its program has it).

    Parameters
    ----------
    classes, terms, weights
        One entry for each occurrence: class below `n_classes`, term number, and its weight above 0. All [entries].
    n_classes
        Classes in all; one without entries has no terms, and does not count in A.
    n
        Terms of each class at most.
    """
    n_terms = int(terms.max(initial=-1)) + 1
    pairs, inverse = np.unique(classes * n_terms + terms, return_inverse=True)
    weight = np.bincount(inverse, weights, pairs.size)
    of_class, of_term = pairs // max(n_terms, 1), pairs % max(n_terms, 1)
    totals = np.bincount(of_class, weight, n_classes)
    frequency = np.bincount(of_term, weight, n_terms)
    mean = totals.sum() / max(np.count_nonzero(totals), 1)
    score = weight / totals[of_class] * np.log1p(mean / frequency[of_term])
    order = np.lexsort((of_term, -score, of_class))
    sizes = np.bincount(of_class, minlength=n_classes)
    rank = np.arange(order.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    kept = order[rank < n]
    indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.minimum(sizes, n))])
    return ClassTerms(indptr, of_term[kept], score[kept])
