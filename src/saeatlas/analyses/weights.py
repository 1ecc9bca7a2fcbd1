"""What the weights of each feature are like: lengths, biases, thresholds, and which directions are the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from saeatlas.analyses._columns import nullable
from saeatlas.errors import NotFound
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE
    from saeatlas.atlas.weights import Weights as StoredWeights
    from saeatlas.kernels.weight_facts import Duplicates

__all__ = ["Weights", "plugin"]

_BLOCK_NUMBERS = 4_000_000
"""Numbers of a block of rows; larger blocks were not faster."""
_VECTORS = {
    "encoder_bias": "b_enc",
    "gate_bias": "b_gate",
    "magnitude_bias": "b_mag",
    "threshold": "threshold",
    "firing_frequency": "firing_frequency",
}
"""Column and the stored vector that it is."""
_NUMBERS = (
    *("decoder_norm", "decoder_max", "decoder_participation", "decoder_bias_cosine"),
    *("encoder_norm", "encoder_decoder_cosine", "magnitude_scale", *_VECTORS),
)


@dataclass(frozen=True, kw_only=True)
class Weights(Analysis):
    """Lengths of the directions, encoder-decoder cosine, biases, thresholds, zero and duplicate rows.

    One line per feature. What an architecture does not have is null.

    Examples
    --------
    saeatlas analyze weights
    """

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.FEATURE
    needs: ClassVar[frozenset[str]] = frozenset({"weights"})
    descriptions: ClassVar[Mapping[str, str]] = {
        "decoder_norm": "Euclidean length of the decoder row.",
        "decoder_max": "Largest absolute number of the decoder row.",
        "decoder_participation": "Over how many axes the decoder row spreads, (Σ x²)² / Σ x⁴, from 1 to d_out; "
        "null for a row of zeros.",
        "decoder_bias_cosine": "Cosine of the decoder row with the decoder's bias, −1 to 1; "
        "null without a bias, or where one of the two is zero.",
        "encoder_norm": "Euclidean length of the encoder row; null for tied SAEs, which have no encoder of their own.",
        "encoder_decoder_cosine": "Cosine of encoder and decoder row, −1 to 1; "
        "null without an encoder, where one of the two is zero, or where their lengths differ.",
        "magnitude_scale": "Scale of the magnitude of a gated SAE, exp(r_mag); null for other architectures.",
        "encoder_bias": "Bias of the encoder, b_enc; null where the architecture has none.",
        "gate_bias": "Bias of the gate of a gated SAE, b_gate; null for other architectures.",
        "magnitude_bias": "Bias of the magnitude of a gated SAE, b_mag; null for other architectures.",
        "threshold": "Pre-activation that must be exceeded, of a JumpReLU; null for other architectures.",
        "firing_frequency": "Share of the training tokens on which the feature fired, as the source states it; "
        "null where it does not.",
        "decoder_max_axis": "Axis of the largest absolute number of the decoder row, from 0, the first of equal ones; "
        "null for a row of zeros.",
        "is_zero_decoder": "Whether the decoder row is all zeros: the feature can do nothing.",
        "is_zero_encoder": "Whether the encoder row is all zeros; null without an encoder.",
        "duplicate_of": "Lowest feature with the same decoder row, number for number; "
        "null for the first of them, and for rows of zeros.",
    }

    def schema(self) -> dict[str, pa.Schema]:
        """Return the schema; see docs/reference/analyses/weights.md for each column."""
        import pyarrow as pa

        return {
            "data": pa.schema(
                [
                    pa.field("feature", pa.uint32(), nullable=False),
                    *(pa.field(name, pa.float64()) for name in _NUMBERS),
                    pa.field("decoder_max_axis", pa.int32()),
                    pa.field("is_zero_decoder", pa.bool_(), nullable=False),
                    pa.field("is_zero_encoder", pa.bool_()),
                    pa.field("duplicate_of", pa.uint32()),
                ]
            )
        }

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table | Iterator[pa.RecordBatch]]:
        """Describe block after block; memory as `peak_bytes` says.

        Raises
        ------
        NotFound
            When the SAE has no weights.
        """
        weights = sae.weights
        if weights is None:
            raise NotFound(f"SAE '{sae.name}' has no weights", hint="Import them: see 'saeatlas import sae-weights'.")
        return {"data": _batches(weights, progress)}

    def peak_bytes(self, sae: SAE) -> int:
        """Return 300 MB for the program, six arrays of a block in float64, and 400 bytes per feature."""
        return 300_000_000 + 6 * 8 * _BLOCK_NUMBERS + 400 * sae.n_features


def _batches(weights: StoredWeights, progress: Progress) -> Iterator[pa.RecordBatch]:
    from saeatlas.kernels.weight_facts import Duplicates

    n = weights.n_features
    step = max(1, _BLOCK_NUMBERS // max(weights.d_out, weights.d_in or 1))
    duplicates = Duplicates(lambda feature: weights.decoder(feature, feature + 1)[0])
    vectors = {name: weights.vector(name) for name in ("b_dec", "r_mag", *_VECTORS.values())}
    with progress.task("describe weights", total=n, unit="features") as task:
        for start in range(0, n, step):
            stop = min(n, start + step)
            yield _batch(weights, vectors, duplicates, range(start, stop))
            task.advance(stop - start)


def _batch(
    weights: StoredWeights,
    vectors: dict[str, npt.NDArray[Any] | None],
    duplicates: Duplicates,
    features: range,
) -> pa.RecordBatch:
    import pyarrow as pa

    from saeatlas.kernels.weight_facts import cosines, norms, participation

    decoder = weights.decoder(features.start, features.stop)
    encoder = weights.encoder(features.start, features.stop) if weights.has_encoder else None
    bias, scale = vectors["b_dec"], vectors["r_mag"]
    absolute = np.abs(decoder)
    is_zero = ~decoder.any(axis=1)
    first = duplicates.of(decoder, features.start)
    unknown = np.full(len(features), np.nan)
    has_both = encoder is not None and encoder.shape[1] == decoder.shape[1]
    numbers = {
        "decoder_norm": norms(decoder),
        "decoder_max": absolute.max(axis=1).astype(np.float64),
        "decoder_participation": participation(decoder),
        "decoder_bias_cosine": unknown if bias is None else cosines(decoder, bias),
        "encoder_norm": unknown if encoder is None else norms(encoder),
        "encoder_decoder_cosine": cosines(encoder, decoder) if encoder is not None and has_both else unknown,
        "magnitude_scale": unknown if scale is None else np.exp(_part(scale, features)),
        **{name: unknown if vectors[of] is None else _part(vectors[of], features) for name, of in _VECTORS.items()},
    }
    return pa.record_batch(
        {
            "feature": np.arange(features.start, features.stop, dtype=np.uint32),
            **{name: nullable(numbers[name]) for name in _NUMBERS},
            "decoder_max_axis": pa.array(absolute.argmax(axis=1).astype(np.int32), mask=is_zero),
            "is_zero_decoder": is_zero,
            "is_zero_encoder": pa.nulls(len(features), pa.bool_()) if encoder is None else ~encoder.any(axis=1),
            "duplicate_of": pa.array(first, pa.uint32(), mask=first < 0, safe=False),
        }
    )


def _part(vector: npt.NDArray[Any] | None, features: range) -> npt.NDArray[np.float64]:
    assert vector is not None
    return vector[features.start : features.stop].astype(np.float64)


plugin = Weights
