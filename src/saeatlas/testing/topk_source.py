"""Small top-k activations as files in the layout that `h5-topk` imports, and as the arrays that they hold."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["TopkSource", "random_topk"]


@dataclass(frozen=True)
class TopkSource:
    """Activations of documents, as arrays."""

    indices: npt.NDArray[Any]
    """Feature ids, [rows, slots], distinct in a row."""
    values: npt.NDArray[Any]
    """Activations, [rows, slots]; some are zero or negative."""
    document: npt.NDArray[np.int64]
    """Document of each row, [rows]."""
    ids: tuple[str, ...]
    """Id of each document."""

    def write_hdf5(
        self,
        path: Path,
        *,
        ids: Literal["fixed", "variable", "integer"] = "fixed",
        unique: bool = True,
        **options: Any,  # noqa: ANN401  # whatever h5py.create_dataset takes
    ) -> None:
        """Write `z_idx`, `z_val`, `rev_idx` and `review_ids_unique`; `options` go to the first two."""
        import h5py

        names: npt.NDArray[Any] = np.array([name.encode() for name in self.ids])
        kind: Any = None
        if ids == "variable":
            names, kind = np.array(self.ids, dtype=object), h5py.string_dtype()
        elif ids == "integer":
            names = np.arange(len(self.ids))
        with h5py.File(path, "w") as file:
            file.create_dataset("z_idx", data=self.indices, **options)
            file.create_dataset("z_val", data=self.values, **options)
            file.create_dataset("rev_idx", data=names[self.document], dtype=kind)
            if unique:
                file.create_dataset("review_ids_unique", data=names, dtype=kind)

    def metadata(self) -> dict[str, npt.NDArray[Any]]:
        """Return metadata arrays, [documents] each: ids, texts of as many words as rows, and further columns."""
        lengths = np.bincount(self.document, minlength=len(self.ids))
        texts = [" ".join(f"w{i % 7}" for i in range(length)) for length in lengths]
        n = np.arange(len(self.ids))
        return {
            "review_ids": np.array(self.ids),
            "texts": np.array(texts),
            "stars": n % 5 + 1,
            "score": n / 2,
            "kept": n % 2 == 0,
            "city": np.array([b"Oslo", b"Bergen"])[n % 2],
        }

    def write_npz(self, path: Path, **changed: Any) -> None:  # noqa: ANN401  # arrays
        """Write the metadata with some arrays changed, or left out where None."""
        arrays = {name: array for name, array in (self.metadata() | changed).items() if array is not None}
        np.savez(path, **arrays)

    def document_rows(self, document: int) -> list[int]:
        """Return the rows of a document."""
        return np.flatnonzero(self.document == document).tolist()


def random_topk(
    seed: int, *, k: int = 4, n_documents: int = 9, n_features: int = 50, contiguous: bool = True
) -> TopkSource:
    """Return reproducible activations of documents of 1 to 12 rows."""
    rng = np.random.default_rng(seed)
    document = np.repeat(np.arange(n_documents), rng.integers(1, 13, n_documents))
    if not contiguous:
        document = rng.permutation(document)
    indices = np.argsort(rng.random((document.size, n_features)), axis=1)[:, :k].astype(np.int32)
    values = np.round(rng.normal(0.5, 1, indices.shape), 2).astype(np.float32)
    values[rng.random(values.shape) < 0.1] = 0
    return TopkSource(indices, values, document, tuple(f"doc-{i:03d}-é" for i in range(n_documents)))
