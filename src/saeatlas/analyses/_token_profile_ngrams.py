"""N-grams around the strongest activations of all features, as batches of one table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from saeatlas.analyses._columns import blocks
from saeatlas.analyses._token_contexts import Windows, windows_of
from saeatlas.analyses._token_texts import letters_of, natural_texts

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE
    from saeatlas.format.tokens import TokensReader
    from saeatlas.kernels.ngrams import Contexts, Ngrams, Side
    from saeatlas.progress import Progress

__all__ = ["KINDS", "NgramWanted", "ngram_batches", "ngram_schema"]

KINDS: dict[str, Side] = {"anywhere": "anywhere", "left": "left", "right": "right", "characters": "anywhere"}
"""Kinds of n-grams in the order of lines, and where in a context they may stand."""


@dataclass(frozen=True)
class NgramWanted:
    """Which n-grams to count."""

    sizes: tuple[int, ...]
    """Their lengths."""
    context: int
    """Tokens on each side of the active one in which they may stand."""
    character_context: int
    """The same for n-grams of characters."""
    n: int
    """N-grams per feature, kind and size."""
    min_contexts: int
    """Contexts that must hold an n-gram."""
    top_activations: int
    """Strongest rows of a feature; 0 for all."""

    @property
    def half(self) -> int:
        """Tokens on each side that are read: those right before and after the active one are always in reach."""
        return max(self.context, self.character_context, *self.sizes, 0)


@dataclass(frozen=True)
class _Vocabulary:
    """What the tokens read as."""

    texts: list[str]
    letters: npt.NDArray[np.uint32]
    letter_indptr: npt.NDArray[np.int64]


def ngram_schema() -> pa.Schema:
    """Return the schema of the table of n-grams."""
    import pyarrow as pa

    counts, places = pa.int64(), pa.list_(pa.int64())
    kinds = {
        "feature": pa.uint32(),
        "kind": pa.string(),
        "size": pa.int32(),
        "rank": pa.int32(),
        "tokens": pa.list_(pa.uint32()),
        "text": pa.string(),
        "count": counts,
        "n_contexts": counts,
        "share": pa.float64(),
        "n_documents": counts,
        "offsets": places,
        "offset_counts": places,
    }
    return pa.schema([pa.field(name, kind, nullable=name == "tokens") for name, kind in kinds.items()])


def ngram_batches(sae: SAE, tokens: TokensReader, wanted: NgramWanted, progress: Progress) -> Iterator[pa.RecordBatch]:
    """Yield the lines of all features, by feature, then kind, then size, then rank."""
    from saeatlas.kernels.ngrams import BREAK

    texts = natural_texts(tokens.vocabulary().column("string").to_pylist())
    vocabulary = _Vocabulary(texts, *letters_of(texts, BREAK))
    for block in blocks(sae, progress):
        for windows in windows_of(block, sae.corpus, tokens, wanted.half, wanted.top_activations):
            yield _batch(windows, wanted, vocabulary)


def _batch(windows: Windows, wanted: NgramWanted, vocabulary: _Vocabulary) -> pa.RecordBatch:
    import pyarrow as pa

    from saeatlas.kernels.ngrams import count_ngrams

    pieces = []
    for kind, side in KINDS.items():
        contexts = _contexts(windows, kind, wanted, vocabulary)
        for size in wanted.sizes:
            found = count_ngrams(contexts, size, side, wanted.n, wanted.min_contexts)
            pieces.append(_lines(found, kind, size, windows, vocabulary))
    schema = ngram_schema()
    table = pa.Table.from_batches([piece.cast(schema) for piece in pieces], schema)
    # Kinds, sizes and ranks are in order already, and a stable sort leaves them so.
    order = np.argsort(table.column("feature").to_numpy(), kind="stable")
    columns = table.take(pa.array(order)).columns
    return pa.record_batch([column.combine_chunks() for column in columns], schema=schema)


def _contexts(windows: Windows, kind: str, wanted: NgramWanted, vocabulary: _Vocabulary) -> Contexts:
    from saeatlas.kernels.ngrams import Contexts, spell_out

    if kind == "characters":
        middle = windows.middle(wanted.character_context)
        bounds, symbols, origin = spell_out(middle, vocabulary.letters, vocabulary.letter_indptr)
        return Contexts(windows.indptr, bounds, symbols, origin, windows.documents)
    middle = windows.middle(wanted.context) if kind == "anywhere" else windows.tokens
    n, width = middle.shape
    bounds = np.arange(n + 1, dtype=np.int64) * width
    return Contexts(windows.indptr, bounds, middle.ravel(), np.full(n, width // 2, np.int64), windows.documents)


def _lines(found: Ngrams, kind: str, size: int, windows: Windows, vocabulary: _Vocabulary) -> pa.RecordBatch:
    import pyarrow as pa

    sizes = np.diff(found.indptr)
    n = int(found.indptr[-1])
    feature = np.repeat(np.arange(sizes.size), sizes)
    if kind == "characters":
        tokens = pa.nulls(n, pa.list_(pa.uint32()))
        texts = [row.tobytes().decode("utf-32-le") for row in found.symbols]
    else:
        edges = pa.array(np.arange(0, n * size + 1, size), pa.int32())
        tokens = pa.ListArray.from_arrays(edges, pa.array(found.symbols.ravel()))
        texts = ["".join([vocabulary.texts[token] for token in row]) for row in found.symbols.tolist()]
    places = pa.array(found.offset_indptr, pa.int32())
    return pa.record_batch(
        {
            "feature": (feature + windows.first).astype(np.uint32),
            "kind": pa.array([kind] * n, pa.string()),
            "size": np.full(n, size, np.int32),
            "rank": (np.arange(n) - found.indptr[feature]).astype(np.int32),
            "tokens": tokens,
            "text": pa.array(texts, pa.string()),
            "count": found.count,
            "n_contexts": found.n_contexts,
            "share": found.n_contexts / np.diff(windows.indptr)[feature],
            "n_documents": found.n_documents,
            "offsets": pa.ListArray.from_arrays(places, pa.array(found.offset)),
            "offset_counts": pa.ListArray.from_arrays(places, pa.array(found.offset_count)),
        }
    )
