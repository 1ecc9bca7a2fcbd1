"""An importer of weights, explanations and a map from memory: what tests import, and what authors can read first."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from saeatlas.format.canonical import canonical_json
from saeatlas.format.identity import SaeIdentity
from saeatlas.pipeline.sae_importer import SaeImporter, SaePart, SaeSurvey
from saeatlas.progress import Progress

__all__ = ["PartsImporter", "SaeParts", "make_parts"]

Array = npt.NDArray[Any]
_SUBJECTS = ("dogs", "refunds", "ports", "verbs of motion", "numbers", "names of cities")


@dataclass(frozen=True, eq=False, kw_only=True)
class SaeParts:
    """What is known about an SAE beside its activations."""

    arrays: Mapping[str, Array]
    """Weights: `decoder` [features, d_out], and others as `format.weights.write_weights` takes them; may be empty."""
    config: Mapping[str, Any] = field(default_factory=lambda: {"architecture": "standard"})
    """How the SAE encodes."""
    texts: tuple[tuple[int, str], ...] = ()
    """Explanations: feature and text."""
    positions: Array | None = None
    """A map of all features, [features, 3]."""

    @property
    def n_features(self) -> int:
        """Features in all."""
        if "decoder" in self.arrays:
            return int(self.arrays["decoder"].shape[0])
        named = [feature for feature, _ in self.texts]
        return max([len(self.positions) if self.positions is not None else 0, *(feature + 1 for feature in named)])

    def digest(self) -> str:
        """Return a digest of everything."""
        digest = hashlib.sha256(canonical_json([dict(self.config), [list(pair) for pair in self.texts]]))
        for name, array in sorted(self.arrays.items()):
            digest.update(f"{name} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        if self.positions is not None:
            digest.update(np.ascontiguousarray(self.positions).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class PartsImporter(SaeImporter):
    """Imports `SaeParts`."""

    version: ClassVar[int] = 1

    source: str = field(kw_only=False, default="parts in memory")
    data: SaeParts

    def survey(self, progress: Progress) -> SaeSurvey:
        """Name the parts that there are."""
        del progress
        parts = self.data
        digest = parts.digest()
        found = []
        if parts.arrays:
            found.append(SaePart("weights", "weights", digest, 100_000_000))
        if parts.texts:
            found.append(SaePart("explanations/toy", "explanations", digest, 100_000_000))
        if parts.positions is not None:
            found.append(SaePart("map", "feature-map", digest, 100_000_000))
        width = parts.n_features if parts.arrays else None
        return SaeSurvey(SaeIdentity(name=self.sae, width=width), tuple(found), width)

    def write(self, part: SaePart, directory: Path, progress: Progress) -> dict[str, Any]:
        """Write one part."""
        del progress
        if part.encoding == "weights":
            from saeatlas.format.weights import write_weights

            return write_weights(directory, self.data.arrays, self.data.config)
        if part.encoding == "explanations":
            from saeatlas.format.explanations import write_explanations

            features, texts = zip(*self.data.texts, strict=True)
            return write_explanations(directory, features, texts, ["toy"] * len(texts), [None] * len(texts))
        return self._write_map(directory)

    def _write_map(self, directory: Path) -> dict[str, Any]:
        import pyarrow as pa

        from saeatlas.format.feature_map import edges_schema, nodes_schema, write_feature_map

        positions = np.asarray(self.data.positions, np.float64)
        n_features = len(positions)
        axes = {name: positions[:, axis] for axis, name in enumerate("xyz")}
        nodes = pa.table(
            {"feature": np.arange(n_features, dtype=np.uint32), **axes, "category": pa.nulls(n_features, pa.string())},
            schema=nodes_schema(),
        )
        chain = np.arange(n_features - 1, dtype=np.uint32)
        edges = pa.table(
            {
                "source": chain,
                "target": chain + np.uint32(1),
                "weight": np.full(chain.size, 0.5),
                "claimed": ["similarity"] * chain.size,
            },
            schema=edges_schema(),
        )
        return write_feature_map(directory, nodes, edges, {"metadata": {}, "edge_metric": "toy"})


def make_parts(n_features: int, d: int = 12, seed: int = 0, *, n_groups: int = 4) -> SaeParts:
    """Return weights, explanations and a map that agree: features of a group point alike and are said to be alike.

    The last feature has a decoder row of zeros, and the one before it the row of feature 0; every fifth feature has no
    explanation.
    """
    random = np.random.default_rng(seed)
    group = np.arange(n_features) % n_groups
    decoder = random.normal(size=(n_groups, d))[group] + 0.5 * random.normal(size=(n_features, d))
    decoder /= np.linalg.norm(decoder, axis=1, keepdims=True)
    if n_features > 2:
        decoder[-2] = decoder[0]
    decoder[-1] = 0.0
    encoder = decoder + 0.1 * random.normal(size=decoder.shape)
    arrays = {
        "decoder": decoder.astype(np.float32),
        "encoder": encoder.astype(np.float32),
        "b_enc": random.normal(size=n_features).astype(np.float32) * np.float32(0.1),
        "b_dec": random.normal(size=d).astype(np.float32) * np.float32(0.1),
    }
    texts = tuple(
        (feature, f"mentions of {_SUBJECTS[group[feature] % len(_SUBJECTS)]}, kind {feature % 3}")
        for feature in range(n_features)
        if feature % 5 != 4
    )
    positions = 20.0 * random.normal(size=(n_groups, 3))[group] + random.normal(size=(n_features, 3))
    config = {"architecture": "standard", "apply_b_dec_to_input": True, "normalize_activations": "none"}
    return SaeParts(arrays=arrays, config=config, texts=texts, positions=positions)
