"""A metadata column as a property of documents, and how features depend on it; for one feature or for all."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.corpus import Corpus
    from saeatlas.kernels.association import LevelSums
    from saeatlas.kernels.documents import DocumentSums

__all__ = ["Association", "Kind", "Property", "associate", "read_property"]

Kind = Literal["categorical", "numeric"]

_MOST_NUMBERS = 10
"""A number with more distinct values than this is cut into quantile bins."""
_N_BINS = 10


@dataclass(frozen=True)
class Property:
    """A column over the documents that have rows; documents without rows are never observed and left out."""

    name: str
    """Column name."""
    kind: Kind
    """'categorical': text and truth values; 'numeric': whole and real numbers."""
    reason: str
    """Why it cannot be tested, as a sentence part; empty when it can. Then there are no levels."""
    n_documents: int
    """Documents with rows and a value."""
    n_missing: int
    """Documents with rows and no value; NaN is no value."""
    levels: tuple[str, ...]
    """What a person calls each level: the text, 'false' and 'true', the number, or the bin as '[low, high)'."""
    lower: tuple[float | None, ...]
    """Least value of each level of a number; None for categories."""
    upper: tuple[float | None, ...]
    """First value beyond the level, or the last value in it where it is the last level or one number."""
    codes: npt.NDArray[np.int32]
    """Level of each document, [documents]; -1 where it has no value or no rows."""
    ranks: npt.NDArray[np.float64]
    """Average rank from 1 of each document by the number, [documents]; NaN where left out. Empty for categories."""
    level_documents: npt.NDArray[np.int64]
    """Documents of each level."""
    level_rows: npt.NDArray[np.int64]
    """Rows of the documents of each level."""


@dataclass(frozen=True)
class Association:
    """How features depend on a property; arrays [features], NaN where undefined."""

    effect_name: Literal["cramers_v", "spearman_rho"]
    """Cramér's V of fires in the document by level, or Spearman's rho of mean activation and number."""
    effect: npt.NDArray[np.float64]
    """Size of the effect."""
    corrected: npt.NDArray[np.float64]
    """Bias-corrected Cramér's V; NaN for numbers."""
    p: npt.NDArray[np.float64]
    """Chance of at least such an effect if feature and property were independent, or a bound on it."""
    min_expected: npt.NDArray[np.float64]
    """Smallest expected count of the table behind V; NaN for numbers."""
    n_documents_active: npt.NDArray[np.int64]
    """Documents with a value in which the feature is active."""
    levels: LevelSums
    """Sums per level."""


def read_property(corpus: Corpus, name: str, max_levels: int = 50) -> Property:
    """Read a metadata column as a property of the documents.

    Parameters
    ----------
    corpus
        Whose column.
    name
        Column; `NotFound` when there is none of that name.
    max_levels
        A categorical column with more levels than this is not tested.
    """
    from saeatlas.kernels.association import average_ranks

    column = corpus.table([name]).column(name).combine_chunks()
    lengths = corpus.documents.lengths()
    kind, values, known, names = _read(column)
    observed = lengths > 0
    used = np.flatnonzero(known & observed)
    n_missing = int((observed & ~known).sum())
    if values is None:
        return _untested(name, kind, f"its type is {column.type}", (0, n_missing), lengths.size)
    distinct, codes = np.unique(values[used], return_inverse=True)
    if distinct.size < 2:
        reason = "no document has a value" if not distinct.size else "all documents have the same value"
        return _untested(name, kind, reason, (used.size, n_missing), lengths.size)
    ranks = np.empty(0)
    if kind == "categorical":
        if distinct.size > max_levels:
            reason = f"it has {distinct.size:,} levels, more than {max_levels:,}"
            return _untested(name, kind, reason, (used.size, n_missing), lengths.size)
        levels = tuple(names[code] for code in distinct.tolist())
        lower: tuple[float | None, ...] = (None,) * len(levels)
        upper = lower
    else:
        ranks = np.full(lengths.size, np.nan)
        ranks[used] = average_ranks(codes)
        levels, lower, upper, codes = _number_levels(values[used], distinct, codes)
    all_codes = np.full(lengths.size, -1, np.int32)
    all_codes[used] = codes
    documents = np.bincount(codes, minlength=len(levels)).astype(np.int64)
    # Sums of whole numbers below 2**53 are exact in the float64 that bincount gives.
    rows = np.bincount(codes, lengths[used], minlength=len(levels)).astype(np.int64)
    return Property(name, kind, "", used.size, n_missing, levels, lower, upper, all_codes, ranks, documents, rows)


def associate(
    sums: DocumentSums, order: tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]], prop: Property
) -> Association:
    """Measure how features depend on a property that can be tested.

    Parameters
    ----------
    sums
        Sums by feature and document.
    order
        What `kernels.association.rank_order` gives for them.
    prop
        A property without `reason`.
    """
    from saeatlas.kernels.association import cramers_v, per_level, spearman

    levels = per_level(sums, prop.codes, len(prop.levels))
    fires = levels.n_documents_active.sum(axis=1)
    if prop.kind == "categorical":
        v = cramers_v(levels.n_documents_active, prop.level_documents)
        return Association("cramers_v", v.effect, v.corrected, v.p, v.min_expected, fires, levels)
    rho = spearman(sums, *order, prop.ranks)
    nothing = np.full(rho.rho.size, np.nan)
    return Association("spearman_rho", rho.rho, nothing, rho.p, nothing, fires, levels)


def _read(column: pa.Array) -> tuple[Kind, npt.NDArray[Any] | None, npt.NDArray[np.bool_], list[str]]:
    """Return kind, values (anything where not known), where they are known, and what the values of a category name.

    There are no values when the type is neither text, truth value nor number.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kinds = pa.types
    if kinds.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    known = column.is_valid().to_numpy(zero_copy_only=False)
    if kinds.is_boolean(column.type) or kinds.is_string(column.type) or kinds.is_large_string(column.type):
        text = column.cast(pa.string()).dictionary_encode()
        names = text.dictionary.to_pylist()
        # Sorting the few names once is far cheaper than sorting the text of every document.
        order = sorted(range(len(names)), key=names.__getitem__)
        place = np.empty(max(len(names), 1), np.int64)
        place[order] = np.arange(len(names))
        codes = pc.fill_null(text.indices, 0).to_numpy(zero_copy_only=False)
        return "categorical", place[codes], known, [names[i] for i in order]
    if kinds.is_integer(column.type) or kinds.is_floating(column.type):
        values = pc.fill_null(column, pa.scalar(0, column.type)).to_numpy(zero_copy_only=False)
        return "numeric", values, known & ~np.isnan(values), []
    return "categorical", None, known, []


def _number_levels(
    values: npt.NDArray[Any], distinct: npt.NDArray[Any], codes: npt.NDArray[np.int64]
) -> tuple[tuple[str, ...], tuple[float | None, ...], tuple[float | None, ...], npt.NDArray[np.int64]]:
    """Return names, lower and upper ends of the levels of a number, and the level of each value."""
    if distinct.size <= _MOST_NUMBERS:
        numbers = tuple(float(number) for number in distinct)
        return tuple(_names(distinct)), numbers, numbers, codes
    # Quantiles that are values of the data, so that no edge depends on how two values are interpolated. A value
    # that fills several quantiles leaves fewer bins.
    edges = np.unique(np.quantile(values, np.arange(_N_BINS + 1) / _N_BINS, method="lower"))
    place = np.clip(np.searchsorted(edges, values, "right") - 1, 0, edges.size - 2)
    ends = [float(edge) for edge in edges]
    names = [f"[{low}, {high})" for low, high in pairwise(_names(edges))]
    names[-1] = names[-1][:-1] + "]"
    return tuple(names), tuple(ends[:-1]), tuple(ends[1:]), place


def _names(numbers: npt.NDArray[Any]) -> list[str]:
    """Write different numbers so that a reader tells them apart: whole ones in full, others as short as that allows."""
    names = [_name(number, 10) for number in numbers.tolist()]
    return names if len(set(names)) == len(names) else [_name(number, 17) for number in numbers.tolist()]


def _name(number: float, digits: int) -> str:
    is_whole = isinstance(number, int) or (number.is_integer() and abs(number) < 2**53)
    return str(int(number)) if is_whole else f"{number:.{digits}g}"


def _untested(name: str, kind: Kind, reason: str, counts: tuple[int, int], n_documents: int) -> Property:
    codes = np.full(n_documents, -1, np.int32)
    nothing = np.empty(0, np.int64)
    return Property(name, kind, reason, *counts, (), (), (), codes, np.empty(0), nothing, nothing)
