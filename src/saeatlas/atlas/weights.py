"""The weights of one SAE: directions of its features, and how it encodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from saeatlas.errors import InvalidInput, NotFound
from saeatlas.format.weights import WeightsReader

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE

__all__ = ["Weights", "weights_of"]

Array = npt.NDArray[Any]


class Weights:
    """Decoder, encoder and vectors of one SAE. Rows are features in both matrices."""

    def __init__(self, reader: WeightsReader) -> None:
        self._reader = reader
        self.n_features = reader.n_features
        """Rows of the decoder."""
        self.d_out = reader.d_out
        """Length of a decoder row."""
        self.d_in = reader.d_in
        """Length of an encoder row; None without an encoder."""
        self.config: Mapping[str, Any] = reader.config
        """How the SAE encodes: 'architecture', and what that needs."""
        self.names = reader.names
        """The arrays that there are."""

    def __repr__(self) -> str:
        return f"Weights({self.architecture}, {self.n_features:,} features, d_in {self.d_in}, d_out {self.d_out})"

    @property
    def architecture(self) -> str:
        """Such as 'topk' or 'jumprelu'."""
        return str(self.config["architecture"])

    @property
    def has_encoder(self) -> bool:
        """Whether there is an encoder; a map or a tied dictionary may have a decoder only."""
        return "encoder" in self.names

    def decoder(self, start: int = 0, stop: int | None = None) -> Array:
        """Return decoder rows of the features `start` to `stop`, float32 or float64 [stop - start, d_out]."""
        return self._matrix("decoder", start, stop)

    def encoder(self, start: int = 0, stop: int | None = None) -> Array:
        """Return encoder rows, [stop - start, d_in]; `NotFound` when there is no encoder."""
        return self._matrix("encoder", start, stop)

    def directions(self, by: str, start: int = 0, stop: int | None = None) -> Array:
        """Return rows of the 'decoder' or the 'encoder'."""
        if by not in {"decoder", "encoder"}:
            raise InvalidInput(f"Features have directions in the decoder and the encoder, asked for: '{by}'")
        return self._matrix(by, start, stop)

    def vector(self, name: str) -> Array | None:
        """Return an array by name, such as `b_enc` [features] or `b_dec` [d_out]; None when there is none."""
        reader = self._reader.array(name)
        return None if reader is None else reader.read()

    def encode(self, x: Array) -> Array:
        """Return the activations of hidden states, [rows, features]; `x` is [rows, d_in] or, by hook_z, [rows, …].

        Exact for the architecture: see `saeatlas.kernels.encode`.
        """
        from saeatlas.kernels.encode import encode

        found: Array = encode(np.asarray(x), {name: self._whole(name) for name in self.names}, self.config)
        return found

    def _whole(self, name: str) -> Array:
        reader = self._reader.array(name)
        assert reader is not None
        return reader.read()

    def _matrix(self, name: str, start: int, stop: int | None) -> Array:
        reader = self._reader.array(name)
        if reader is None:
            raise NotFound(
                f"The weights have no {name}: they hold {', '.join(self.names)}",
                hint="Import weights that have one.",
            )
        return reader.read(start, self.n_features if stop is None else stop)


def weights_of(sae: SAE) -> Weights | None:
    """Return the weights of an SAE, or None when none were imported."""
    logical = f"sae/{sae.name}/imported/weights"
    if logical not in sae.atlas.entries:
        return None
    return Weights(
        WeightsReader(sae.atlas.store, sae.atlas.entries[logical].path, sae.atlas.manifest(logical).attributes)
    )
