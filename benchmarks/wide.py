"""A wide atlas for the pages: 131,072 features with the gaps that real ones have, and several layers of 16,384.

    python benchmarks/wide.py wide.atlas

What is missing is missing as in published maps: some features never fire, so they have no mean and no maximum; 6% have
an explanation; a third of the documents lack a column; the layers beside the wide SAE have a map and labels and no
activations at all. Tokens draw features of their own and documents add features of their kind, so that top tokens,
breakdowns and co-activation have something to show. Everything comes from a seed, through importers and analyses.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

import saeatlas
from saeatlas.analyses.clusters import Clusters
from saeatlas.analyses.coactivation import Coactivation
from saeatlas.analyses.histogram import Histogram
from saeatlas.analyses.metadata_association import MetadataAssociation
from saeatlas.analyses.neighbors import Neighbors
from saeatlas.analyses.stats import Stats
from saeatlas.analyses.token_profile import TokenProfile
from saeatlas.analyses.top_tokens import TopTokens
from saeatlas.analyses.umap import Umap
from saeatlas.analyses.weights import Weights
from saeatlas.settings import Settings
from saeatlas.testing.arrays_importer import ArraysImporter, SparseArrays
from saeatlas.testing.parts_importer import PartsImporter, SaeParts

__all__ = ["N_FEATURES", "SAE", "write_wide"]

N_FEATURES, SAE = 131_072, "wide"
LAYERS, LAYER_WIDTH = (8, 9, 10, 11), 16_384
ROWS_PER_DOCUMENT, SLOTS = 150, 32
_DEAD, _LABELLED, _OF_TOKEN, _OF_KIND = 0.03, 0.06, 0.4, 0.2
_KINDS = ("review", "news", "code", "dialogue", "law", None)
_ONSETS, _NUCLEI, _CODAS = (
    ("b", "br", "d", "f", "k", "l", "m", "p", "s", "st", "t", "v"),
    "aeiou",
    ("", "n", "r", "s", "t"),
)
_SUBJECTS = (
    "verbs of motion", "names of cities", "refunds and complaints", "closing brackets", "numbers above a thousand",
    "الكلمات العربية", "日本語の助詞", "the start of a sentence", "code comments", "dates", "negation", "kinship",
    "medical terms, their plurals, and the adjectives that are made of them", "legal references", "colours",
)  # fmt: skip
Array = npt.NDArray[np.int64]


def write_wide(
    path: Path, n_features: int = N_FEATURES, n_rows: int = 400_000, seed: int = 0, *, maps: bool = True
) -> None:
    """Make the atlas at a path that is free; up to 4 GB of memory and some minutes at the full size.

    Parameters
    ----------
    path
        Directory to make.
    n_features
        Width of the SAE 'wide'; the layers beside it have an eighth of it.
    n_rows
        Tokens of its corpus.
    seed
        Of everything.
    maps
        Whether the maps and clusters are computed too, which takes most of the time; there is always an imported map.
    """
    random = np.random.default_rng(seed)
    atlas = saeatlas.create(path)
    identity = {"model": "synthetic-2b", "layer": 12, "architecture": "topk", "width": n_features}
    activations = ArraysImporter(
        sae=SAE,
        corpus="texts",
        data=corpus(random, n_features, n_rows),
        n_features=n_features,
        identity=identity,
        batch_rows=8192,
    )
    layers = [PartsImporter(sae=f"layer-{layer}", data=parts(random, n_features // 8, 0)) for layer in LAYERS]
    atlas = saeatlas.build(atlas, activations, *layers)
    atlas = saeatlas.build(atlas, PartsImporter(sae=SAE, data=parts(random, n_features, 32)))
    quick = (Stats(), Histogram(), TopTokens(), MetadataAssociation(), TokenProfile(), Weights())
    settings = Settings(memory_budget=4_000_000_000)
    atlas = saeatlas.build(atlas, *quick, Coactivation(k=10), Neighbors(), saes=(SAE,), settings=settings)
    if maps:
        saeatlas.build(atlas, Umap(), Clusters(resamples=2), saes=(SAE,), settings=settings)


def corpus(random: np.random.Generator, n_features: int, n_rows: int) -> SparseArrays:
    """Return activations of documents of equal length, with tokens, texts and metadata."""
    n_documents = max(1, n_rows // ROWS_PER_DOCUMENT)
    documents = np.minimum(np.arange(n_rows) // ROWS_PER_DOCUMENT, n_documents - 1)
    vocabulary = _words(random, 6000)
    share = 1.0 / np.arange(1, len(vocabulary) + 1) ** 0.9
    tokens = random.choice(len(vocabulary), n_rows, p=share / share.sum())
    kinds = random.integers(0, len(_KINDS), n_documents)
    features = _fire(random, n_features, tokens, kinds[documents])
    first = np.column_stack([np.ones(n_rows, bool), np.diff(features, axis=1) > 0])
    listed = features[first]
    loudness = random.normal(1.0, 0.5, n_features)
    texts, spans = _texts(tokens, documents, vocabulary, n_documents)
    return SparseArrays(
        features=listed,
        values=np.exp(loudness[listed] + 0.6 * random.normal(size=listed.size)).astype(np.float32),
        indptr=np.concatenate([np.zeros(1, np.int64), np.cumsum(first.sum(1))]),
        documents=documents,
        ids=tuple(f"text-{number:05d}" for number in range(n_documents)),
        texts=texts,
        columns={
            "kind": [_KINDS[kind] for kind in kinds],
            "stars": [None if number % 3 == 0 else int(number % 5) + 1 for number in range(n_documents)],
            "year": random.integers(1990, 2026, n_documents).tolist(),
        },
        tokens=tokens,
        spans=spans,
        vocabulary=vocabulary,
    )


def _fire(random: np.random.Generator, n_features: int, tokens: Array, kinds: Array) -> Array:
    """Return the features of each row, int64 [rows, SLOTS], ascending and with repetitions; some never occur."""
    alive = random.permutation(n_features)[int(_DEAD * n_features) :]
    weight = 1.0 / np.arange(1, alive.size + 1) ** 0.7
    bounds = np.cumsum(weight / weight.sum())
    drawn = np.minimum(np.searchsorted(bounds, random.random((tokens.size, SLOTS))), alive.size - 1)
    source = random.random((tokens.size, SLOTS))
    # A token and a kind of document point to some features each, wherever they occur.
    of_token = (tokens[:, None] * 7919 + random.integers(0, 24, drawn.shape)) % alive.size
    of_kind = (kinds[:, None] * 104_729 + random.integers(0, 400, drawn.shape)) % alive.size
    drawn = np.where(source < _OF_TOKEN, of_token, np.where(source < _OF_TOKEN + _OF_KIND, of_kind, drawn))
    return np.sort(alive[drawn], axis=1)


def _words(random: np.random.Generator, n: int) -> tuple[str, ...]:
    words: dict[str, None] = dict.fromkeys((" the", " a", ".", ",", "\n", " 日本", " café", " שלום", " مرحبا", "🙂"))
    while len(words) < n:
        parts = [random.choice(_ONSETS) + random.choice(list(_NUCLEI)) + random.choice(_CODAS) for _ in range(3)]
        words[" " + "".join(parts[: random.integers(1, 4)])] = None
    return tuple(words)


def _texts(tokens: Array, documents: Array, vocabulary: tuple[str, ...], n: int) -> tuple[tuple[str, ...], Array]:
    """Return the text of each document and where in it each row's token stands."""
    length = np.array([len(word) for word in vocabulary])[tokens]
    ends = np.cumsum(length)
    starts = ends - length
    begin = starts[np.searchsorted(documents, np.arange(n))]
    words = [vocabulary[token] for token in tokens.tolist()]
    bounds = np.searchsorted(documents, np.arange(n + 1)).tolist()
    texts = tuple("".join(words[bounds[i] : bounds[i + 1]]) for i in range(n))
    return texts, np.column_stack([starts, ends]) - begin[documents][:, None]


def parts(random: np.random.Generator, n_features: int, d: int) -> SaeParts:
    """Return a map of islands, labels of a few features, and weights of `d` dimensions, or none where d is 0."""
    n_groups = max(4, n_features // 400)
    group = random.integers(0, n_groups, n_features)
    centres = random.normal(size=(n_groups, 3)) * 60
    spread = random.lognormal(1.0, 0.5, n_groups)[group][:, None]
    labelled = np.sort(random.choice(n_features, int(_LABELLED * n_features), replace=False))
    arrays = {}
    if d:
        decoder = random.normal(size=(n_groups, d))[group] + 0.7 * random.normal(size=(n_features, d))
        decoder /= np.linalg.norm(decoder, axis=1, keepdims=True)
        arrays = {
            "decoder": decoder.astype(np.float32),
            "encoder": (decoder + 0.1 * random.normal(size=decoder.shape)).astype(np.float32),
            "b_enc": (0.1 * random.normal(size=n_features)).astype(np.float32),
            "b_dec": (0.1 * random.normal(size=d)).astype(np.float32),
        }
    return SaeParts(
        arrays=arrays,
        texts=tuple((int(f), f"{_SUBJECTS[group[f] % len(_SUBJECTS)]}, sense {int(f) % 7}") for f in labelled),
        positions=centres[group] + spread * random.normal(size=(n_features, 3)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--features", type=int, default=N_FEATURES)
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-maps", action="store_true", help="leave out UMAP and clusters, which take longest")
    options = parser.parse_args()
    write_wide(options.path, options.features, options.rows, options.seed, maps=not options.no_maps)
    sys.stdout.write(f"{options.path}\n")


if __name__ == "__main__":
    main()
