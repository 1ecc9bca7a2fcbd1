"""Weights of an SAE on disk: matrices with one row per feature, vectors, and how the SAE encodes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from saeatlas.errors import FormatError, InternalError, SourceError
from saeatlas.format.array import ArrayReader, ArrayWriter, write_array, write_group
from saeatlas.storage import Store
from saeatlas.storage.keys import join_key

__all__ = ["Matrix", "WeightsReader", "write_weights"]

Array = npt.NDArray[Any]
_BLOCK_BYTES = 64_000_000


class Matrix(Protocol):
    """Rows that are read in blocks, so that a file of another layout is never whole in memory."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and columns."""
        ...

    @property
    def ndim(self) -> int:
        """2."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the numbers: float32 or float64."""
        ...

    def __getitem__(self, rows: slice, /) -> Array:
        """Return consecutive rows."""
        ...


def write_weights(directory: Path, arrays: Mapping[str, Array | Matrix], config: Mapping[str, Any]) -> dict[str, Any]:
    """Write the arrays of an SAE and return the attributes of the artifact.

    Parameters
    ----------
    directory
        Of the artifact.
    arrays
        Float arrays of one or two axes. `decoder` [features, d_out] must be there; `encoder` [features, d_in] has one
        row per feature too, whatever the source does. Vectors by the field's names: `b_enc`, `b_dec`, `threshold` …
        float16 and what is narrower must be widened by the caller. Matrices are read block by block.
    config
        How the SAE encodes, as JSON values; must have 'architecture'.

    Raises
    ------
    SourceError
        Kind not-finite when a number is NaN or infinite; the message names the array and the place.
    """
    if "decoder" not in arrays or arrays["decoder"].ndim != 2:
        raise InternalError(f"Weights need a decoder of two axes, found: {sorted(arrays)}")
    write_group(directory)
    for name, array in sorted(arrays.items()):
        if array.dtype not in (np.float32, np.float64):
            raise InternalError(f"Weights are float32 or float64, found '{name}': {array.dtype}")
        if array.ndim == 1:
            vector = array[:]
            _check_finite(name, vector, 0)
            write_array(directory, name, vector, "fast")
            continue
        with ArrayWriter(directory, name, dtype=array.dtype, row_shape=array.shape[1:], profile="fast") as writer:
            for first, block in _blocks(array):
                _check_finite(name, block, first)
                writer.append(block)
    decoder = arrays["decoder"]
    return {
        "n_features": int(decoder.shape[0]),
        "d_out": int(decoder.shape[1]),
        "d_in": int(arrays["encoder"].shape[1]) if "encoder" in arrays else None,
        "arrays": sorted(arrays),
        "config": dict(config),
    }


def _blocks(array: Array | Matrix) -> Iterable[tuple[int, Array]]:
    step = max(1, _BLOCK_BYTES // max(1, array.shape[1] * array.dtype.itemsize))
    for first in range(0, array.shape[0], step):
        yield first, np.ascontiguousarray(array[first : first + step])


def _check_finite(name: str, block: Array, first: int) -> None:
    finite = np.isfinite(block)
    if finite.all():
        return
    place = np.argwhere(~finite)[0]
    where = ", ".join(str(int(i) + (first if axis == 0 else 0)) for axis, i in enumerate(place))
    raise SourceError(
        f"The weights hold a number that is not finite: '{name}' at [{where}] is {block[tuple(place)]}",
        hint="The file is damaged or the training diverged: use another checkpoint.",
        kind="not-finite",
    )


class WeightsReader:
    """Reads the weights artifact at `prefix`; nothing is read before it is needed.

    Parameters
    ----------
    attributes
        Those of its seal.
    """

    def __init__(self, store: Store, prefix: str, attributes: Mapping[str, Any]) -> None:
        self._store = store
        self.prefix = prefix
        self.n_features: int = attributes["n_features"]
        self.d_out: int = attributes["d_out"]
        self.d_in: int | None = attributes["d_in"]
        self.names: tuple[str, ...] = tuple(attributes["arrays"])
        self.config: Mapping[str, Any] = attributes["config"]
        self._arrays: dict[str, ArrayReader] = {}

    def array(self, name: str) -> ArrayReader | None:
        """Return a reader of an array, or None when these weights have none of that name."""
        if name not in self.names:
            return None
        if name not in self._arrays:
            reader = ArrayReader(self._store, join_key(self.prefix, name))
            if name in {"decoder", "encoder"} and reader.shape[0] != self.n_features:
                raise FormatError(
                    f"'{reader.prefix}' has {reader.shape[0]} rows, the seal says {self.n_features} features",
                    hint="Run 'saeatlas verify --deep'.",
                    kind="corrupt-artifact",
                )
            self._arrays[name] = reader
        return self._arrays[name]
