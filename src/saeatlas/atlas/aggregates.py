"""One feature summed up by document, token and metadata column, with the kernels that the analyses use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE
    from saeatlas.kernels.documents import DocumentSums

__all__ = ["document_sums", "documents_of"]


def document_sums(sae: SAE, feature: int) -> DocumentSums:
    """Sum the active values of one feature by document."""
    from saeatlas.kernels.documents import per_document

    rows, values = sae.activations.feature(feature)
    documents, _ = sae.corpus.documents.locate(rows)
    indptr = np.array([0, values.size], np.int64)
    return per_document(indptr, documents, values, sae.corpus.n_documents)


def documents_of(sae: SAE, feature: int) -> pa.Table:
    """Return the documents in which a feature is active; see `Feature.documents`."""
    import pyarrow as pa

    found = document_sums(sae, feature)
    n_rows = sae.corpus.documents.lengths()[found.documents]
    return pa.table(
        {
            "document": found.documents.astype(np.int64),
            "id": sae.corpus.documents.ids(found.documents).cast(pa.string()),
            "n_rows": n_rows,
            "count": found.count,
            "sum": found.sum,
            "mean": found.sum / found.count,
            "mean_all_rows": found.sum / n_rows,
            "max": found.max,
        }
    )
