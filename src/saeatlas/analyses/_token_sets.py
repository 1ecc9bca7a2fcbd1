"""Which tokens each document has, as a set: what document frequencies, families and graphs of tokens are made from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from saeatlas.errors import NotFound

if TYPE_CHECKING:
    from saeatlas.atlas.corpus import Corpus
    from saeatlas.atlas.sae import SAE
    from saeatlas.format.tokens import TokensReader
    from saeatlas.kernels.documents import DocumentSums

__all__ = [
    "TokenSets",
    "document_frequency",
    "document_frequency_bytes",
    "needed_tokens",
    "token_sets",
    "token_sets_bytes",
]

Pool = Literal["max", "mean", "sum"]
"""How the rows of a document become one number: 'mean' is over all its rows, silent ones included."""

_ROWS_AT_ONCE = 4_000_000
_SHIFT = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True)
class TokenSets:
    """The different tokens of every document; a document without known tokens has none."""

    indptr: npt.NDArray[np.int64]
    """Where each document starts and ends in `tokens`, n_documents + 1 numbers from 0."""
    tokens: npt.NDArray[np.uint32]
    """Vocabulary indices, ascending within a document."""

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Different tokens of each document."""
        return np.diff(self.indptr)

    @property
    def n_known(self) -> int:
        """Documents with at least one known token."""
        return int((self.sizes > 0).sum())

    def document_frequency(self, n_tokens: int) -> npt.NDArray[np.int64]:
        """Return how many documents hold each token of the vocabulary, int64 [n_tokens]."""
        return np.bincount(self.tokens, minlength=n_tokens).astype(np.int64)


def needed_tokens(sae: SAE) -> TokensReader:
    """Return the tokens of an SAE's corpus; `NotFound` when it was imported without them."""
    tokens = sae.corpus.tokens
    if tokens is None:
        raise NotFound(f"Corpus '{sae.corpus.name}' has no tokens", hint="Import the tokens of the corpus first.")
    return tokens


def token_sets(corpus: Corpus, tokens: TokensReader) -> TokenSets:
    """Read the different tokens of every document.

    Notes
    -----
    Reads 4 million rows at a time. Holds 16 bytes for each different token of each document, 24 where the rows of
    documents are scattered, and 40 bytes for each row that is read at a time.
    """
    found = [np.empty(0, np.uint64)]
    found += [np.unique(pairs) for pairs, _ in _pairs(corpus, tokens)]
    pairs = np.concatenate(found)
    found.clear()
    if (pairs[1:] <= pairs[:-1]).any():
        pairs = np.unique(pairs)
    indptr = np.searchsorted(pairs, np.arange(corpus.n_documents + 1, dtype=np.uint64) << _SHIFT)
    return TokenSets(indptr.astype(np.int64), (pairs & _LOW).astype(np.uint32))


def token_sets_bytes(corpus: Corpus) -> int:
    """Return a bound of the memory that `token_sets` takes: no document has more different tokens than rows."""
    return 24 * corpus.n_rows + 40 * min(corpus.n_rows, _ROWS_AT_ONCE) + 24 * corpus.n_documents


def document_frequency(corpus: Corpus, tokens: TokensReader) -> tuple[npt.NDArray[np.int64], int]:
    """Return how many documents hold each token, int64 [tokens], and how many hold any.

    Notes
    -----
    Where the rows of every document are neighbours, memory is 40 bytes for each row that is read at a time; the sets
    of all documents are held otherwise.
    """
    if not corpus.documents.attributes["contiguous"]:
        sets = token_sets(corpus, tokens)
        return sets.document_frequency(tokens.n_tokens), sets.n_known
    counts, n_documents = np.zeros(tokens.n_tokens, np.int64), 0
    carried = np.empty(0, np.uint64)
    for pairs, last in _pairs(corpus, tokens):
        # The last document may go on in the next piece, so it waits.
        found = np.unique(np.concatenate([carried, pairs]))
        is_open = found >> _SHIFT == last
        carried, whole = found[is_open], found[~is_open]
        counts += np.bincount((whole & _LOW).astype(np.int64), minlength=counts.size)
        n_documents += np.unique(whole >> _SHIFT).size
    counts += np.bincount((carried & _LOW).astype(np.int64), minlength=counts.size)
    return counts, n_documents + (carried.size > 0)


def document_frequency_bytes(corpus: Corpus) -> int:
    """Return a bound of the memory that `document_frequency` takes."""
    if not corpus.documents.attributes["contiguous"]:
        return token_sets_bytes(corpus)
    return 40 * min(corpus.n_rows, _ROWS_AT_ONCE)


def _pairs(corpus: Corpus, tokens: TokensReader) -> Iterator[tuple[npt.NDArray[np.uint64], np.uint64]]:
    """Yield document and token of rows as one number, document first, and the document of the last row read."""
    from saeatlas.format.tokens import NO_TOKEN

    for start in range(0, corpus.n_rows, _ROWS_AT_ONCE):
        stop = min(corpus.n_rows, start + _ROWS_AT_ONCE)
        documents, ids = corpus.documents.row_documents(start, stop), tokens.read(start, stop)
        known = ids != NO_TOKEN
        yield documents[known].astype(np.uint64) << _SHIFT | ids[known], np.uint64(documents[-1])


def pooled(sums: DocumentSums, lengths: npt.NDArray[np.int64], pool: Pool) -> npt.NDArray[np.float64]:
    """Return a feature's activation in each of its documents: largest value, mean over all rows, or sum."""
    if pool == "max":
        return sums.max
    return sums.sum if pool == "sum" else np.asarray(sums.sum / lengths[sums.documents], np.float64)
