"""The unembedding of a model, in one file or a folder of several, read in blocks of tokens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from saeatlas.errors import InvalidInput, SourceError
from saeatlas.format.source_file import check_file
from saeatlas.format.tensor import Tensor
from saeatlas.format.tensor_files import open_tensors

__all__ = ["Unembedding", "find_tensor", "opened_unembedding", "read_norm"]

Array = npt.NDArray[Any]

_USUAL: Final = (
    *("lm_head.weight", "unembed.W_U", "W_U", "embed_out.weight", "output.weight"),
    *("model.embed_tokens.weight", "transformer.wte.weight", "wte.weight", "gpt_neox.embed_in.weight"),
    "embeddings.word_embeddings.weight",
)
"""Names of the unembedding in files of models, and then of the embedding, which many models use for both."""
_INDEX: Final = "model.safetensors.index.json"
_SINGLE: Final = "model.safetensors"
_MOST_INDEX: Final = 50_000_000


@dataclass(frozen=True)
class Unembedding:
    """An open matrix of tokens by directions."""

    tensor: Tensor
    is_turned: bool
    """Whether the file has [d, tokens]."""

    @property
    def n_tokens(self) -> int:
        """Rows."""
        return self.tensor.shape[1 if self.is_turned else 0]

    def rows(self, start: int, stop: int) -> Array:
        """Return the rows of some tokens, [stop - start, d]."""
        return self.tensor.columns(start, stop) if self.is_turned else self.tensor.rows(start, stop)


@contextmanager
def opened_unembedding(path: Path, name: str, d: int) -> Iterator[Unembedding]:
    """Open a file that `find_tensor` found; `d` is the length of directions, and says which axis is which.

    A square matrix is taken as [tokens, d].

    Raises
    ------
    SourceError
        Kind shape-mismatch when neither axis has that length.
    """
    with open_tensors(path, "unembedding") as tensors:
        tensor = tensors[name]
        tensor.check_float()
        if len(tensor.shape) != 2 or d not in tensor.shape:
            raise SourceError(
                f"The unembedding '{name}' has shape {tensor.shape}, and the SAE writes directions of {d} numbers: "
                f"'{path}'",
                hint="Give the unembedding of the model that the SAE was trained on; an SAE of another place than "
                "the residual stream has no direct effect on the logits.",
                kind="shape-mismatch",
            )
        yield Unembedding(tensor, tensor.shape[1] != d)


def find_tensor(place: Path, name: str, what: str = "unembedding") -> tuple[Path, str]:
    """Return the file that has a tensor, and the tensor's name.

    Parameters
    ----------
    place
        A safetensors, NPZ or NPY file, or the folder of a model, whose index says which file has which tensor.
    name
        Of the tensor; empty for the only one of a file, or the first of the usual names of an unembedding.
    what
        What it is, for messages.

    Raises
    ------
    InvalidInput
        When there is no such tensor, or none is named and several would do.
    """
    index = place / _INDEX if place.is_dir() else place
    if index.name.endswith(".index.json") and (index.exists() or not place.is_dir()):
        shards = _shards(index)
        chosen = _chosen(list(shards), name, what, index)
        return index.with_name(shards[chosen]), chosen
    path = place / _SINGLE if place.is_dir() else place
    with open_tensors(path, what) as tensors:
        return path, _chosen(list(tensors), name, what, path)


def read_norm(path: Path, name: str, d: int) -> Array:
    """Return the scale of a norm, float64 [d], which must be finite."""
    with open_tensors(path, "norm") as tensors:
        tensor = tensors[name]
        if tensor.shape != (d,):
            raise SourceError(
                f"The norm '{name}' has shape {tensor.shape}, and the SAE writes directions of {d} numbers: '{path}'",
                hint="Give the scale of the last norm of the model that the SAE was trained on.",
                kind="shape-mismatch",
            )
        scale = tensor.read().astype(np.float64)
    wrong = np.flatnonzero(~np.isfinite(scale))
    if wrong.size:
        raise SourceError(
            f"The norm '{name}' holds {scale[wrong[0]]} at {wrong[0]}: '{path}'",
            hint="The file is damaged: copy it again.",
            kind="not-finite",
        )
    return scale


def _chosen(names: list[str], name: str, what: str, path: Path) -> str:
    found = name if name else next((usual for usual in _USUAL if usual in names), "")
    if not found and len(names) == 1:
        found = names[0]
    if found in names:
        return found
    shown = ", ".join(sorted(names)[:12]) + (", …" if len(names) > 12 else "")
    asked = f"There is no tensor '{name}' for the {what}" if name else f"Which tensor is the {what} is not clear"
    raise InvalidInput(f"{asked} in '{path}'", hint=f"Name one of: {shown}")


def _shards(index: Path) -> dict[str, str]:
    """Return the file of each tensor, by the index of a model in several files."""
    check_file(index, "index of the model")
    if index.stat().st_size > _MOST_INDEX:
        raise _no_index(index, f"it has {index.stat().st_size:,} bytes")
    try:
        shards = json.loads(index.read_bytes())["weight_map"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _no_index(index, str(error)[:100]) from error
    if not isinstance(shards, dict) or not all(
        isinstance(file, str) and file and Path(file).name == file for file in shards.values()
    ):
        raise _no_index(index, "it does not name files beside it")
    return shards


def _no_index(index: Path, why: str) -> SourceError:
    return SourceError(
        f"Not the index of a model: '{index}': {why}",
        hint="Give the folder of the model, or the file that holds the unembedding.",
        kind="wrong-file-type",
    )
