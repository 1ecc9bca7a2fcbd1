"""SAEs over documents of chosen tokens, for analyses that read texts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pytest

from saeatlas.atlas.atlas import Atlas
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.importing import import_source
from saeatlas.storage import MemoryStore
from saeatlas.testing.arrays_importer import ArraysImporter, SparseArrays

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE

TextSae = Callable[..., "SAE"]


def make_text_sae(
    documents: Sequence[Sequence[str]],
    dense: np.ndarray,
    *,
    texts: Sequence[str | None] | None = None,
    order: np.ndarray | None = None,
    vocabulary: Sequence[str] = (),
) -> SAE:
    """An SAE 'toy' over documents given as token strings.

    Parameters
    ----------
    documents
        Tokens of each document, in order.
    dense
        Value of each feature on each token, [tokens of all documents, features]; positive ones are listed.
    texts
        Text of each document, in which its tokens stand end to end; without, tokens have no spans.
    order
        Which token each row of the corpus is, when rows are not in the order of documents.
    vocabulary
        Strings that the vocabulary holds beside those used.
    """
    words = [word for document in documents for word in document]
    strings = tuple(dict.fromkeys([*words, *vocabulary]))
    of = np.repeat(np.arange(len(documents)), [len(document) for document in documents])
    spans = np.zeros((len(words), 2), np.uint32)
    for document in range(len(documents)):
        mine = np.flatnonzero(of == document)
        ends = np.cumsum([len(words[row]) for row in mine])
        spans[mine, 0], spans[mine, 1] = np.append(0, ends[:-1])[: mine.size], ends
    order = np.arange(len(words)) if order is None else order
    dense, listed = dense[order], dense[order] > 0
    data = SparseArrays(
        features=np.nonzero(listed)[1],
        values=dense[listed].astype(np.float32),
        indptr=np.concatenate([[0], np.cumsum(listed.sum(1))]),
        documents=of[order],
        ids=tuple(f"d{number}" for number in range(len(documents))),
        texts=tuple(texts or ()),
        tokens=np.array([strings.index(words[row]) for row in order]),
        spans=None if texts is None else spans[order],
        vocabulary=strings,
    )
    store = MemoryStore()
    create_atlas(store)
    facts = {"model": "toy-model", "layer": 3, "width": dense.shape[1]}
    import_source(store, ArraysImporter(sae="toy", corpus="texts", data=data, identity=facts))
    return Atlas(store, head(store)).sae()


@pytest.fixture(scope="session")
def text_sae() -> TextSae:
    """Give a test the maker of SAEs over documents of chosen tokens."""
    return make_text_sae
