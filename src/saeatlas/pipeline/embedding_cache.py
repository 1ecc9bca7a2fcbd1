"""Vectors of texts kept in the user's cache, so that work that takes hours goes on where it was interrupted."""

from __future__ import annotations

import io
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager, suppress

import numpy as np
import numpy.typing as npt

from saeatlas.errors import AlreadyExists, FormatError, NotFound, StorageError
from saeatlas.format.canonical import digest_bytes, read_document, take, write_document
from saeatlas.progress import Progress
from saeatlas.settings import cache_directory
from saeatlas.storage import LocalStore

__all__ = ["BATCH", "through_cache"]

Vectors = npt.NDArray[np.float32]

BATCH = 1024
"""Texts of one batch: what is lost at most when a run is killed."""


def through_cache(
    fingerprint: str,
    texts: Sequence[str],
    encode: Callable[[Sequence[str], Progress], Vectors],
    progress: Progress,
) -> Vectors:
    """Return the vectors of texts, those in the cache from there, the others made batch by batch and kept.

    A batch is two objects below `embeddings/<fingerprint>/`: `<name>.npy` with the vectors, and `<name>.json` with the
    digests of their texts and of the vectors' bytes, which is written last. A batch that is damaged is made again.

    Parameters
    ----------
    fingerprint
        Of the embedder.
    texts
        Distinct texts, at least one.
    encode
        Makes the vectors of some texts.

    Raises
    ------
    StorageError
        When the cache cannot be written.
    """
    keys = [digest_bytes(text.encode("utf-8", "surrogatepass")) for text in texts]
    place = {key: index for index, key in enumerate(keys)}
    parts: list[tuple[list[int], Vectors]] = []
    with progress.task("Embedding texts", total=float(len(texts)), unit="texts") as task:
        with _faults_named():
            cache = _Cache(LocalStore(cache_directory(), create=True), fingerprint)
            for digests, vectors in cache.load(place):
                known = [line for line, digest in enumerate(digests) if digest in place]
                if known:
                    parts.append(([place.pop(digests[line]) for line in known], vectors[known]))
                    task.advance(float(len(known)))
        missing = list(place.values())
        for start in range(0, len(missing), BATCH):
            batch = missing[start : start + BATCH]
            parts.append((batch, encode([texts[index] for index in batch], progress)))
            with _faults_named():
                cache.store([keys[index] for index in batch], parts[-1][1])
            task.advance(float(len(batch)))
    return _put_together(parts, len(texts))


def _put_together(parts: list[tuple[list[int], Vectors]], n: int) -> Vectors:
    """Return the vectors of all parts in the order of the texts, letting go of each part when it is in place."""
    out = np.empty((n, parts[0][1].shape[1]), np.float32)
    while parts:
        places, vectors = parts.pop()
        out[places] = vectors
    return out


@contextmanager
def _faults_named() -> Iterator[None]:
    """Say of a fault of the disk that it is the cache's, and how to choose another place."""
    try:
        yield
    except (StorageError, NotFound) as error:
        raise StorageError(
            f"The cache of embeddings cannot be used: {error.message}",
            hint="Set SAEATLAS_CACHE to a directory that can be written.",
            kind=error.kind if isinstance(error, StorageError) else "storage-error",
        ) from error


class _Cache:
    """The batches of one embedder."""

    def __init__(self, store: LocalStore, fingerprint: str) -> None:
        self._store = store
        self._fingerprint = fingerprint
        self._prefix = f"embeddings/{fingerprint}"

    def load(self, wanted: Container[str]) -> Iterator[tuple[list[str], Vectors]]:
        """Yield whole batches that hold some of the wanted texts: the digests of their texts, and the vectors."""
        for key in self._store.list(self._prefix):
            if not key.endswith(".json"):
                continue
            name = key.removesuffix(".json")
            try:
                yield self._batch(name, wanted)
            except (FormatError, NotFound):
                # The seal goes first: what has none is no batch, and is written again.
                self._store.delete(f"{name}.json")
                self._store.delete(f"{name}.npy")

    def _batch(self, name: str, wanted: Container[str]) -> tuple[list[str], Vectors]:
        """Return a batch, or nothing when none of it is wanted; an error when it is not what its seal says."""
        record = read_document(self._store.get(f"{name}.json"), name)
        digests = [str(digest) for digest in take(record, "texts", list, name)]
        if take(record, "fingerprint", str, name) != self._fingerprint:
            raise FormatError(f"'{name}' is of another embedder", kind="corrupt-artifact")
        if not any(digest in wanted for digest in digests):
            return [], np.empty((0, 1), np.float32)
        data = self._store.get(f"{name}.npy")
        if digest_bytes(data) != take(record, "vectors", str, name):
            raise FormatError(f"'{name}' was changed or damaged", kind="digest-mismatch")
        vectors = np.load(io.BytesIO(data), allow_pickle=False)
        if vectors.dtype != np.float32 or vectors.ndim != 2 or vectors.shape[0] != len(digests):
            raise FormatError(f"'{name}' does not hold a vector for each text", kind="corrupt-artifact")
        return digests, vectors

    def store(self, digests: list[str], vectors: Vectors) -> None:
        """Keep a batch; one that another process kept meanwhile stays."""
        name = f"{self._prefix}/{digest_bytes(' '.join(digests).encode())}"
        if self._store.exists(f"{name}.json"):
            return
        with io.BytesIO() as file:
            np.save(file, vectors, allow_pickle=False)
            data = file.getvalue()
        with suppress(AlreadyExists):
            self._put(f"{name}.npy", data)
            seal = {"fingerprint": self._fingerprint, "texts": digests, "vectors": digest_bytes(data)}
            self._store.put_new(f"{name}.json", write_document(seal))

    def _put(self, key: str, data: bytes) -> None:
        """Write an object in the place of what an interrupted run left."""
        self._store.delete(key)
        self._store.put_new(key, data)
