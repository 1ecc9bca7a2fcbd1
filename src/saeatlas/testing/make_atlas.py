"""Small atlases with everything in them, made from a seed, for tests and for trying things out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from saeatlas.errors import FormatError, InvalidInput
from saeatlas.storage import open_store
from saeatlas.storage.store import Store
from saeatlas.testing.arrays_importer import ArraysImporter, SparseArrays

if TYPE_CHECKING:
    from saeatlas.atlas.atlas import Atlas
    from saeatlas.format.codecs import Profile

__all__ = ["Shape", "make_arrays", "make_atlas", "make_importer"]

WORDS = ("the", " cat", " sat", " on", " mat", " réfund", " 日本", " a", " dog", ".", "\n", " very", " good", " 🙂")


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What synthetic activations look like."""

    n_rows: int = 200
    n_features: int = 64
    k: int = 4
    """Slots in every row."""
    n_documents: int = 10
    seed: int = 0
    tokens: bool = True
    """Whether rows have tokens with spans, and documents have texts."""
    interleaved: bool = False
    """Whether the rows of a document are scattered."""
    listed_zeros: float = 0.0
    """Share of slots with the value 0, listed but not active; half as many are negative."""
    ragged: bool = False
    """Whether rows have 0 to k slots."""


def make_arrays(shape: Shape) -> SparseArrays:
    """Return the same arrays for the same shape.

    Features fire with very different frequency, and the last one never. Documents have metadata: `stars`
    (1 to 5), `length` (a float, sometimes missing) and `kind` (text, sometimes missing).
    """
    if not 0 < shape.k < shape.n_features:
        raise InvalidInput(f"k must be from 1 to {shape.n_features - 1}, found: {shape.k}")
    random = np.random.default_rng(shape.seed)
    # The k largest of weighted exponential races are a weighted draw without replacement.
    weights = 1.0 / np.arange(1, shape.n_features)
    race = random.exponential(size=(shape.n_rows, shape.n_features - 1)) / weights
    features = np.argpartition(race, shape.k - 1, axis=1)[:, : shape.k]
    values = random.lognormal(0.0, 0.75, features.shape).astype(np.float32)
    odd = random.random(features.shape)
    values[odd < shape.listed_zeros] = 0.0
    values[odd < shape.listed_zeros / 2] = -1.5
    lengths = random.integers(0, shape.k + 1, shape.n_rows) if shape.ragged else np.full(shape.n_rows, shape.k)
    listed = np.arange(shape.k) < lengths[:, None]
    documents = np.sort(random.integers(0, shape.n_documents, shape.n_rows))
    if shape.interleaved:
        random.shuffle(documents)
    stars = random.integers(1, 6, shape.n_documents).tolist()
    words = random.integers(0, len(WORDS), shape.n_rows)
    texts, spans = _texts(words, documents, shape.n_documents)
    return SparseArrays(
        features=features[listed],
        values=values[listed],
        indptr=np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)]),
        documents=documents,
        ids=tuple(f"doc-{number:03d}" for number in range(shape.n_documents)),
        texts=texts if shape.tokens else (),
        columns={
            "stars": stars,
            "length": [None if number % 5 == 3 else number / 3 for number in range(shape.n_documents)],
            "kind": [("review", "note", None)[number % 3] for number in range(shape.n_documents)],
        },
        tokens=words if shape.tokens else None,
        spans=spans if shape.tokens else None,
        vocabulary=WORDS if shape.tokens else (),
    )


def make_importer(shape: Shape, *, sae: str = "toy", shard_rows: int = 0, profile: Profile = "fast") -> ArraysImporter:
    """Return an importer of the arrays of a shape."""
    facts = {"model": "toy-model", "layer": 3, "architecture": "topk", "width": shape.n_features}
    return ArraysImporter(
        sae=sae,
        corpus="reviews",
        data=make_arrays(shape),
        n_features=shape.n_features,
        identity=facts,
        shard_rows=shard_rows,
        profile=profile,
    )


def make_atlas(  # noqa: PLR0913 - the fields of a shape, so that a test says what matters to it in one line
    where: Store | Path | str,
    n_rows: int = 200,
    n_features: int = 64,
    k: int = 4,
    n_documents: int = 10,
    seed: int = 0,
    *,
    tokens: bool = True,
    interleaved: bool = False,
    listed_zeros: float = 0.0,
    ragged: bool = False,
    sae: str = "toy",
    shard_rows: int = 0,
    profile: Profile = "fast",
    parts: bool = False,
) -> Atlas:
    """Import a synthetic SAE over the corpus 'reviews' and return the atlas; see `Shape` for the fields.

    Parameters
    ----------
    where
        A store, or the path of a directory; it becomes an atlas if it is none. `MemoryStore()` is the fastest.
    sae
        Name of the SAE.
    shard_rows
        Rows of a segment; 0 for one segment.
    parts
        Whether the SAE has weights, explanations and a map; see `saeatlas.testing.parts_importer.make_parts`.
    """
    from saeatlas.atlas.atlas import Atlas
    from saeatlas.format.commit import head
    from saeatlas.format.version import create_atlas, read_atlas
    from saeatlas.pipeline.importing import import_source

    shape = Shape(
        n_rows=n_rows,
        n_features=n_features,
        k=k,
        n_documents=n_documents,
        seed=seed,
        tokens=tokens,
        interleaved=interleaved,
        listed_zeros=listed_zeros,
        ragged=ragged,
    )
    store = open_store(where, create=True) if isinstance(where, Path | str) else where
    try:
        read_atlas(store)
    except FormatError as error:
        if error.kind != "not-an-atlas":
            raise
        create_atlas(store)
    import_source(store, make_importer(shape, sae=sae, shard_rows=shard_rows, profile=profile))
    if parts:
        from saeatlas.pipeline.sae_importing import import_parts
        from saeatlas.testing.parts_importer import PartsImporter, make_parts

        import_parts(store, PartsImporter(sae=sae, data=make_parts(n_features, seed=seed)))
    return Atlas(store, head(store))


def _texts(
    words: npt.NDArray[np.int64], documents: npt.NDArray[np.int64], n_documents: int
) -> tuple[tuple[str, ...], npt.NDArray[np.uint32]]:
    """Return the text of each document, its rows' words in row order, and where in it each word stands."""
    texts = [""] * n_documents
    spans = np.zeros((words.size, 2), np.uint32)
    for row, (word, document) in enumerate(zip(words.tolist(), documents.tolist(), strict=True)):
        start = len(texts[document])
        texts[document] += WORDS[word]
        spans[row] = start, len(texts[document])
    return tuple(texts), spans
