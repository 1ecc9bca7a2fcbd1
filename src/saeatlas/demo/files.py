"""Write the SAE and its activations the way others do: HDF5 + NPZ, a token table, and the layout of SAELens."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from saeatlas.demo.tokens import Document
from saeatlas.demo.topk import Codes, TopKSae

if TYPE_CHECKING:
    from saeatlas.progress import Progress

__all__ = ["Rows", "read_sae", "read_tokens", "write_activations", "write_metadata", "write_sae", "write_tokens"]

_ROWS = 16_384


@dataclass(frozen=True)
class Rows:
    """Which tokens of which documents the rows of the activations are."""

    documents: tuple[str, ...]
    """Ids, in order."""
    starts: npt.NDArray[np.int64]
    """First row of each document, and the number of rows last."""
    tokens: npt.NDArray[np.int64]
    """The tokenizer's id of each row's token."""

    @property
    def first_held_out_document(self) -> int:
        """The last tenth of the documents, one at least, is held out: whole documents, none on both sides."""
        return len(self.documents) - max(1, len(self.documents) // 10)

    @property
    def first_held_out_row(self) -> int:
        """Row at which the held-out documents start."""
        return int(self.starts[self.first_held_out_document])

    def texts(self) -> list[npt.NDArray[np.int64]]:
        """Return the token ids of each document."""
        return np.split(self.tokens, self.starts[1:-1])


def write_metadata(path: Path, documents: Sequence[Document]) -> None:
    """Write `metadata.npz`: one entry per document in each array, text as fixed-width unicode, no pickles."""
    sources = [document.docstring for document in documents]
    np.savez_compressed(
        path,
        review_ids=np.array([source.id for source in sources]),
        texts=np.array([document.text for document in documents]),
        module=np.array([source.module for source in sources]),
        package=np.array([source.package for source in sources]),
        kind=np.array([source.kind for source in sources]),
        name=np.array([source.name for source in sources]),
        length=np.array([len(document.text) for document in documents], dtype=np.int64),
    )


def write_tokens(path: Path, documents: Sequence[Document]) -> None:
    """Write `tokens.parquet`: one row per token, in the order of the activations.

    Columns: document (its id), position (in the document, from 0), id and string (the tokenizer's), start
    and end (characters of the document's text).
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    lengths = [len(document.ids) for document in documents]
    spans = np.array([span for document in documents for span in document.spans], dtype=np.int32)
    columns = {
        "document": pa.array(np.repeat([document.docstring.id for document in documents], lengths), pa.string()),
        "position": pa.array(np.concatenate([np.arange(length, dtype=np.int32) for length in lengths])),
        "id": pa.array([token for document in documents for token in document.ids], pa.int32()),
        "string": pa.array([string for document in documents for string in document.strings], pa.string()),
        "start": pa.array(spans[:, 0]),
        "end": pa.array(spans[:, 1]),
    }
    pq.write_table(pa.table(columns), path, compression="zstd")


def read_tokens(path: Path) -> Rows:
    """Read what `write_tokens` wrote."""
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=["document", "position", "id"])
    starts = np.flatnonzero(table["position"].to_numpy() == 0)
    documents = table["document"].take(starts).to_pylist()
    return Rows(tuple(documents), np.append(starts, len(table)), table["id"].to_numpy().astype(np.int64))


def write_activations(path: Path, rows: Rows, codes: Codes, progress: Progress) -> None:
    """Write `activations.h5`.

    `z_idx` int32 and `z_val` float32 [n_rows, k], largest value first; a value of 0 marks a feature that
    was among the k and is not active. `rev_idx`: the document's id of each row; `review_ids_unique`: each
    id once; both fixed-length bytes, UTF-8.
    """
    import h5py

    ids = np.array([document.encode() for document in rows.documents])
    of_row = np.repeat(ids, np.diff(rows.starts))
    arrays = {"z_idx": codes.ids, "z_val": codes.values, "rev_idx": of_row}
    with h5py.File(path, "w") as file, progress.task("Write activations", total=len(of_row), unit="rows") as task:
        sets = {
            name: file.create_dataset(
                name,
                array.shape,
                array.dtype,
                chunks=(min(_ROWS, len(of_row)), *array.shape[1:]),
                compression="gzip",
                compression_opts=1,
                shuffle=True,
            )
            for name, array in arrays.items()
        }
        file["review_ids_unique"] = ids
        for first in range(0, len(of_row), _ROWS):
            part = slice(first, min(first + _ROWS, len(of_row)))
            for name, array in arrays.items():
                sets[name][part] = array[part]
            task.advance(part.stop - first)


def write_sae(directory: Path, sae: TopKSae, metadata: Mapping[str, object]) -> None:
    """Write `cfg.json` and `sae_weights.safetensors` as SAELens 6 does, which opens them."""
    from safetensors.numpy import save_file

    weights = {
        "W_enc": np.ascontiguousarray(sae.encoder.T),
        "b_enc": sae.encoder_bias,
        "W_dec": sae.decoder,
        "b_dec": sae.decoder_bias,
    }
    save_file(weights, directory / "sae_weights.safetensors")
    configuration = {
        "architecture": "topk",
        "d_in": sae.decoder.shape[1],
        "d_sae": sae.n_features,
        "k": sae.k,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "rescale_acts_by_decoder_norm": False,
        "metadata": dict(metadata),
    }
    (directory / "cfg.json").write_text(json.dumps(configuration, indent=2) + "\n")


def read_sae(directory: Path) -> TopKSae:
    """Read what `write_sae` wrote."""
    from safetensors.numpy import load_file

    weights = load_file(directory / "sae_weights.safetensors")
    k = json.loads((directory / "cfg.json").read_bytes())["k"]
    encoder = np.ascontiguousarray(weights["W_enc"].T)
    return TopKSae(encoder, weights["b_enc"], weights["W_dec"], weights["b_dec"], int(k))
