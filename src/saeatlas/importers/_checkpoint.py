"""An SAE's weights in the layout of others, described from headers, and handed over in ours block by block."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from saeatlas.errors import SourceError
from saeatlas.format.source_file import check_file
from saeatlas.format.tensor import Tensor
from saeatlas.format.weights import Matrix

__all__ = ["Checkpoint", "Folding", "LazyMatrix", "Shapes", "check_shapes", "finite", "read_json", "read_vector"]

Array = npt.NDArray[Any]

_MOST_JSON: Final = 10_000_000


@dataclass(frozen=True)
class Checkpoint:
    """What the headers and the configuration of a source say."""

    config: Mapping[str, Any]
    """How the SAE encodes; see `saeatlas.kernels.encode`."""
    facts: Mapping[str, Any]
    """Members of the SAE's identity that the source states."""
    n_features: int
    """Width."""
    files: tuple[Path, ...]
    """All that was read, the weights first."""
    arrays: Callable[[Mapping[str, Tensor]], Mapping[str, Array | Matrix]]
    """Turns the tensors of the open weights file into our arrays."""
    notes: tuple[str, ...] = ()
    """Sentences that the user should read."""


class LazyMatrix:
    """A matrix whose rows are made when they are asked for."""

    ndim = 2

    def __init__(self, shape: tuple[int, int], dtype: np.dtype[Any], read: Callable[[int, int], Array]) -> None:
        self.shape = shape
        self.dtype = dtype
        self._read = read

    def __getitem__(self, rows: slice) -> Array:
        start, stop, _ = rows.indices(self.shape[0])
        return np.ascontiguousarray(self._read(start, stop), self.dtype)


@dataclass(frozen=True)
class Folding:
    """What the directions are multiplied with, so that the SAE takes hidden states as they are."""

    encoder: Array | float = 1.0
    """One factor for a feature, or for all."""
    decoder: Array | float = 1.0
    """The same for the decoder."""
    encoder_matrix: Array | None = None
    """What every encoder row is multiplied with from the right, [d_in, d_in]."""
    decoder_matrix: Array | None = None
    """The same for decoder rows, [d_out, d_out]."""

    def encoder_rows(self, tensor: Tensor) -> LazyMatrix:
        """Return the encoder [features, d_in] of a tensor [d_in, features]."""
        d_in, n_features = tensor.shape
        return LazyMatrix(
            (n_features, d_in),
            tensor.dtype,
            lambda start, stop: _times(
                finite(tensor.columns(start, stop), tensor), self.encoder, self.encoder_matrix, start
            ),
        )

    def decoder_rows(self, tensor: Tensor) -> LazyMatrix:
        """Return the decoder [features, d_out] of a tensor of that shape."""
        n_features, d_out = tensor.shape
        return LazyMatrix(
            (n_features, d_out),
            tensor.dtype,
            lambda start, stop: _times(
                finite(tensor.rows(start, stop), tensor), self.decoder, self.decoder_matrix, start
            ),
        )


def _times(rows: Array, factor: Array | float, matrix: Array | None, start: int) -> Array:
    if isinstance(factor, np.ndarray):
        rows = rows * factor[start : start + len(rows), None]
    elif factor != 1:
        rows = rows * rows.dtype.type(factor)
    return rows if matrix is None else np.asarray(rows.astype(np.float64) @ matrix)


@dataclass(frozen=True)
class Shapes:
    """The tensors that an architecture has."""

    needed: Mapping[str, tuple[int, ...]]
    """Name and shape of those that must be there."""
    from_config: Mapping[str, int] = field(default_factory=dict)
    """Lengths that the configuration states, by its names for them, to say so in messages."""
    may: frozenset[str] = frozenset()
    """Those that may be there beside."""


def check_shapes(tensors: Mapping[str, Tensor], shapes: Shapes, path: Path) -> tuple[str, ...]:
    """Raise `SourceError` at the first tensor that is missing or does not fit; return notes on those left out."""
    stated = ", ".join(f"{name} {length}" for name, length in shapes.from_config.items())
    for name, shape in shapes.needed.items():
        if name not in tensors:
            raise SourceError(
                f"The weights lack the tensor '{name}': '{path}' has {', '.join(sorted(tensors)) or 'none'}",
                hint="The configuration and the weights are of different architectures, or the file is incomplete.",
                kind="missing-dataset",
            )
        found = tensors[name].shape
        if found != shape:
            raise SourceError(
                f"The tensor '{name}' has shape {found}, and {shape} is expected"
                f"{f' by the configuration: {stated}' if stated else ''}: '{path}'",
                hint="The configuration is of another SAE than the weights.",
                kind="shape-mismatch",
            )
        tensors[name].check_float()
    extra = sorted(tensors.keys() - shapes.needed.keys() - shapes.may)
    return (f"Tensors that the architecture does not have are left out: {', '.join(extra)}",) if extra else ()


def finite(numbers: Array, tensor: Tensor) -> Array:
    """Return numbers that were read from a tensor, or raise `SourceError` naming the first that is not finite."""
    if np.isfinite(numbers).all():
        return numbers
    place = tensor.first_not_finite()
    value = tensor.read()[()] if not place else tensor.rows(place[0], place[0] + 1)[(0, *place[1:])]
    raise SourceError(
        f"The tensor '{tensor.name}' holds {value} at {list(place or ())}: '{tensor.where}'",
        hint="The file is damaged or the training diverged: use another checkpoint.",
        kind="not-finite",
    )


def read_vector(tensor: Tensor) -> Array:
    """Return all numbers of a tensor, which must be finite."""
    return finite(tensor.read(), tensor)


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Return a JSON object, read whole; one that is huge, no object, or names a member twice is a `SourceError`."""
    check_file(path, what)
    if path.stat().st_size > _MOST_JSON:
        raise _no_json(path, what, f"it has {path.stat().st_size:,} bytes")

    def once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, value in pairs:
            if name in found:
                raise _no_json(path, what, f"it names '{name}' twice")
            found[name] = value
        return found

    try:
        record = json.loads(path.read_bytes(), object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise _no_json(path, what, str(error)[:100]) from error
    if not isinstance(record, dict):
        raise _no_json(path, what, "it is no JSON object")
    return record


def _no_json(path: Path, what: str, why: str) -> SourceError:
    return SourceError(
        f"The {what} cannot be read: '{path}': {why}",
        hint="Copy the file again, or write it as the training did.",
        kind="wrong-file-type",
    )
