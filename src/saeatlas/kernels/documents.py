"""Sums of a feature's active values by document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from saeatlas.kernels.locate import range_of
from saeatlas.kernels.stats import Counts, Floats, Values, float32_or_64

__all__ = ["DocumentSums", "per_document", "per_run"]


@dataclass(frozen=True)
class DocumentSums:
    """The documents in which each of some neighbouring features is active, by ascending document."""

    indptr: Counts
    """Where each feature starts and ends in the other arrays, n_features + 1 numbers from 0."""
    documents: npt.NDArray[np.uint32]
    """Document indices, ascending within a feature."""
    count: Counts
    """Active rows in the document."""
    sum: Floats
    """Sum of the active values, added in the order of the rows."""
    max: Floats
    """Largest active value."""


def per_document(
    indptr: Counts, documents: npt.NDArray[Any], values: Values, n_documents: int, floor: float = 0.0
) -> DocumentSums:
    """Sum the values above `floor` by feature and document.

    Parameters
    ----------
    indptr
        int64 [n_features + 1], from 0.
    documents
        Document index of each entry, below `n_documents`.
    values
        Value of each entry.
    n_documents
        Documents of the corpus.
    floor
        Values at or below it are not active.

    Notes
    -----
    Holds 8 bytes per document, and 28 bytes per pair of feature and document found.
    """
    is_sorted, found_indptr, found = _sum_by_document(
        np.ascontiguousarray(indptr, np.int64),
        np.ascontiguousarray(documents, np.uint32),
        float32_or_64(values),
        n_documents,
        float(floor),
    )
    for feature in np.flatnonzero(~is_sorted).tolist():
        # Sorted here: a sort inside numba takes longer to compile than all the rest.
        part = slice(int(found_indptr[feature]), int(found_indptr[feature + 1]))
        order = np.argsort(found[0][part])
        for array in found:
            array[part] = array[part][order]
    return DocumentSums(found_indptr, *found)


def per_run(first_row: Counts, run_document: npt.NDArray[np.uint32], rows: Counts, values: Values) -> DocumentSums:
    """Sum the active values of one feature by document, where the rows of each document are neighbours.

    The same answer as `per_document` on located rows, in one merge.

    Parameters
    ----------
    first_row
        First row of each run of one document's rows, and behind it the number of rows: int64 [n_runs + 1].
    run_document
        Document of each run, no document twice.
    rows
        Ascending rows, below `first_row[-1]`.
    values
        Value of each row; those at or below 0 are not active.
    """
    ids = rows if rows.dtype == np.uint32 else rows.astype(np.int64, copy=False)
    documents, count, total, largest = _sum_by_run(
        first_row, run_document, np.ascontiguousarray(ids), float32_or_64(values)
    )
    indptr = np.array([0, documents.size], np.int64)
    if np.all(documents[1:] > documents[:-1]):
        return DocumentSums(indptr, documents, count, total, largest)
    order = np.argsort(documents)
    return DocumentSums(indptr, documents[order], count[order], total[order], largest[order])


@njit(cache=True, nogil=True)
def _sum_by_run(
    first_row: Counts, run_document: npt.NDArray[np.uint32], rows: npt.NDArray[Any], values: Values
) -> tuple[npt.NDArray[np.uint32], Counts, Floats, Floats]:
    most = min(rows.size, run_document.size)
    out_document = np.empty(most, np.uint32)
    out_count = np.empty(most, np.int64)
    out_sum = np.empty(most, np.float64)
    out_max = np.empty(most, np.float64)
    run, end, current, slot = 0, np.int64(0), -1, -1
    for i in range(rows.size):
        value = np.float64(values[i])
        if not value > 0:
            continue
        row = np.int64(rows[i])
        if row >= end:
            run = range_of(first_row, run, row)
            end = first_row[run + 1]
        if run != current:
            current = run
            slot += 1
            out_document[slot] = run_document[run]
            out_count[slot] = 0
            out_sum[slot] = 0.0
            out_max[slot] = value
        out_count[slot] += 1
        out_sum[slot] += value
        out_max[slot] = max(out_max[slot], value)
    n = slot + 1
    return out_document[:n], out_count[:n], out_sum[:n], out_max[:n]


@njit(cache=True, nogil=True)
def _sum_by_document(
    indptr: Counts, documents: npt.NDArray[np.uint32], values: Values, n_documents: int, floor: float
) -> tuple[npt.NDArray[np.bool_], Counts, tuple[npt.NDArray[np.uint32], Counts, Floats, Floats]]:
    n_features = indptr.size - 1
    out_indptr = np.zeros(n_features + 1, np.int64)
    # Untouched pages of these are never given memory, so the size of the answer counts, not the bound.
    out_document = np.empty(values.size, np.uint32)
    out_count = np.empty(values.size, np.int64)
    out_sum = np.empty(values.size, np.float64)
    out_max = np.empty(values.size, np.float64)
    place = np.full(n_documents, -1, np.int64)
    is_sorted = np.ones(n_features, np.bool_)
    at = 0
    for feature in range(n_features):
        start = at
        is_ascending = True
        for i in range(indptr[feature], indptr[feature + 1]):
            value = np.float64(values[i])
            if not value > floor:
                continue
            document = documents[i]
            slot = place[document]
            if slot < start:
                # A slot of an earlier feature counts as none, which saves clearing the table.
                slot = at
                place[document] = slot
                out_document[slot] = document
                out_count[slot] = 0
                out_sum[slot] = 0.0
                out_max[slot] = value
                if slot > start and out_document[slot - 1] > document:
                    is_ascending = False
                at += 1
            out_count[slot] += 1
            out_sum[slot] += value
            out_max[slot] = max(out_max[slot], value)
        is_sorted[feature] = is_ascending
        out_indptr[feature + 1] = at
    return is_sorted, out_indptr, (out_document[:at], out_count[:at], out_sum[:at], out_max[:at])
