"""Synthetic activations with the shape of real ones, of any size, from a seed.

Feature frequencies follow a Zipf-like law with a dozen features that fire on a tenth to a third of all tokens;
documents draw a quarter of their features from a topic of their own, so that features cluster in documents; values
are lognormal with full mantissas, the worst case for compression. Written in the HDF5 + NPZ layout that
`saeatlas import h5-topk` reads.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numba
import numpy as np
import numpy.typing as npt

N_FEATURES = 24_576
K = 32
TOPIC = 48
DENSE = np.array([0.30, 0.28, 0.25, 0.25, 0.22, 0.20, 0.18, 0.15, 0.15, 0.12, 0.12, 0.10])
BATCH = 262_144


def frequencies(n_features: int, k: int, seed: int = 0) -> npt.NDArray[np.float64]:
    """Expected firings a token of each feature, float64 [n_features]; they sum to about k."""
    rng = np.random.default_rng(seed)
    tail = np.arange(1, n_features + 1) ** -1.05 * np.exp(rng.normal(0, 0.7, n_features))
    tail[: DENSE.size] = 0
    for _ in range(60):
        tail = np.minimum(tail * (k - DENSE.sum()) / tail.sum(), 0.09)
    tail[: DENSE.size] = DENSE
    return tail


def document_lengths(n_rows: int, seed: int) -> npt.NDArray[np.int64]:
    """Lognormal lengths of 8 to 4,000 tokens that add up to n_rows."""
    rng = np.random.default_rng(seed)
    lengths = np.clip(rng.lognormal(4.6, 0.7, n_rows // 60 + 10), 8, 4000).astype(np.int64)
    ends = np.cumsum(lengths)
    n = int(np.searchsorted(ends, n_rows)) + 1
    lengths = lengths[:n]
    lengths[-1] -= ends[n - 1] - n_rows
    return lengths


@numba.njit(cache=True, nogil=True)
def _draw(cumulative: npt.NDArray[np.float64]) -> int:
    return int(np.searchsorted(cumulative, np.random.random()))  # noqa: NPY002 (numba has no Generator here)


@numba.njit(cache=True, nogil=True)
def fill(documents, cumulative, loudness, k, seed):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """Draw k distinct features and their values for each token: uint16 [n, k] and float32 [n, k]."""
    np.random.seed(seed)  # noqa: NPY002
    n = documents.size
    features = np.empty((n, k), np.uint16)
    values = np.empty((n, k), np.float32)
    topic = np.zeros(TOPIC, np.int64)
    seen = np.full(cumulative.size, -1, np.int64)
    current = -1
    chosen = np.empty(k, np.int64)
    for token in range(n):
        if documents[token] != current:
            current = documents[token]
            for j in range(TOPIC):
                topic[j] = _draw(cumulative)
        count = 0
        while count < k:
            feature = topic[np.random.randint(TOPIC)] if np.random.random() < 0.25 else _draw(cumulative)  # noqa: NPY002
            if seen[feature] != token:
                seen[feature] = token
                chosen[count] = feature
                count += 1
        for j in range(k):
            features[token, j] = chosen[j]
            values[token, j] = np.exp(loudness[chosen[j]] + 0.6 * np.random.normal())  # noqa: NPY002
    return features, values


def write_source(
    folder: Path, n_rows: int, *, k: int = K, n_features: int = N_FEATURES, seed: int = 0
) -> tuple[Path, Path]:
    """Write activations.h5 and metadata.npz unless they are there; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    activations, metadata = folder / f"activations-{n_rows}x{k}.h5", folder / f"metadata-{n_rows}.npz"
    lengths = document_lengths(n_rows, seed)
    ids = np.array([f"document-{i:010d}".encode() for i in range(lengths.size)])
    documents = np.repeat(np.arange(lengths.size), lengths)
    if not metadata.exists():
        stars = np.random.default_rng(seed).integers(1, 6, lengths.size)
        np.savez(metadata, review_ids=ids.astype(str), stars=stars, length=lengths)
    if activations.exists():
        return activations, metadata
    p = frequencies(n_features, k, seed)
    cumulative = np.cumsum(p / p.sum())
    cumulative[-1] = 1.0
    loudness = np.random.default_rng(9).normal(0, 0.8, n_features)
    partial = activations.with_suffix(".partial")
    with h5py.File(partial, "w") as file:
        index = file.create_dataset("z_idx", (n_rows, k), "int32")
        value = file.create_dataset("z_val", (n_rows, k), "float32")
        file.create_dataset("rev_idx", data=ids[documents])
        file.create_dataset("review_ids_unique", data=ids)
        for start in range(0, n_rows, BATCH):
            stop = min(start + BATCH, n_rows)
            index[start:stop], value[start:stop] = fill(documents[start:stop], cumulative, loudness, k, seed + start)
    partial.rename(activations)
    return activations, metadata
