"""One feature summed up by document, token and metadata column, with the kernels that the analyses use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from saeatlas.atlas.tables import served_rows
from saeatlas.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE
    from saeatlas.format.tokens import TokensReader
    from saeatlas.kernels.documents import DocumentSums

__all__ = ["document_sums", "documents_of", "live_top_tokens", "needed_tokens", "top_tokens_of"]


def document_sums(sae: SAE, feature: int) -> DocumentSums:
    """Sum the active values of one feature by document."""
    from saeatlas.kernels.documents import per_document, per_run

    rows, values = sae.activations.feature(feature)
    documents = sae.corpus.documents
    if documents.attributes["contiguous"]:
        return per_run(documents.runs.first_row, documents.runs.document, rows, values)
    indptr = np.array([0, values.size], np.int64)
    return per_document(indptr, documents.locate(rows)[0], values, documents.n_documents)


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


def top_tokens_of(sae: SAE, feature: int, n: int) -> pa.Table:
    """Return the tokens a feature fires on, from the analysis 'top-tokens' when it is current and holds enough.

    Raises
    ------
    NotFound
        When the corpus has no tokens.
    InvalidInput
        When `n` is not a whole number from 0.
    """
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise InvalidInput(f"The number of tokens must be a whole number from 0, found: {n!r}")
    needed_tokens(sae)
    table = served_rows(sae, "top-tokens", feature, {}, at_least={"k": n})
    return live_top_tokens(sae, feature, n) if table is None else table.drop_columns(["feature"]).slice(0, n)


def needed_tokens(sae: SAE) -> TokensReader:
    """Return the tokens of the corpus; `NotFound` when it was imported without."""
    tokens = sae.corpus.tokens
    if tokens is None:
        raise NotFound(
            f"Corpus '{sae.corpus.name}' was imported without tokens",
            hint="Import it with a tokenizer or a table of tokens.",
        )
    return tokens


def live_top_tokens(sae: SAE, feature: int, n: int) -> pa.Table:
    """Count the tokens of a feature's active rows; see `Feature.top_tokens`."""
    import pyarrow as pa

    from saeatlas.kernels.tokens import top_tokens

    tokens = needed_tokens(sae)
    rows, values = sae.activations.feature(feature)
    indptr = np.array([0, values.size], np.int64)
    found = top_tokens(indptr, tokens.tokens(rows), values, tokens.n_tokens, min(n, tokens.n_tokens))
    share = found.count / max(int(found.n_with_token[0]), 1)
    corpus_share = sae.corpus.token_shares[found.token]
    return pa.table(
        {
            "rank": np.arange(found.token.size, dtype=np.int32),
            "token": found.token,
            "string": pa.array(tokens.strings(found.token), pa.string()),
            "count": found.count,
            "mean": found.sum / found.count,
            "share": share,
            "corpus_share": corpus_share,
            "lift": share / corpus_share,
        }
    )
