"""Whether explanations belong to the features that they are given to: do neighbours in space share words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from saeatlas.analyses._columns import check_whole, nullable
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE

__all__ = ["Coherence", "plugin"]

_NUMBERS = ("observed", "expected", "expected_low", "expected_high", "lift", "lift_low", "lift_high", "z", "p")
_OK_LIFT = 2.0
"""Maps with their own labels were seen with 2.8 and more, maps with labels of other SAEs with 1.6 and less."""
_OK_P = 0.01
_MOST_BY_CHANCE = 1.5
"""Shuffled explanations must stay below this lift for a low one to say anything."""
_BLOCK_BYTES = 64_000_000

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Coherence(Analysis):
    """Whether explanations belong to this SAE: features that lie close together should be explained alike.

    One line for each set of explanations, and in the table 'features' one for each feature that was tested.

    Examples
    --------
    saeatlas analyze coherence
    """

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.SAE
    needs: ClassVar[frozenset[str]] = frozenset({"explanations"})
    may_use: ClassVar[frozenset[str]] = frozenset({"map", "weights"})

    neighbors: int = 3
    """Nearest explained features that each explained feature is compared with."""
    permutations: int = 200
    """Times that the explanations are shuffled over the features."""
    draws: int = 10_000
    """Most random comparisons for the p-value of one feature."""
    geometry: Literal["auto", "map", "decoder"] = "auto"
    """Where features lie: positions of the imported 'map', directions in the 'decoder', or 'auto' for the first
    of them that is there."""
    explanations: str = ""
    """Set of explanations to test; empty for every set, each by itself."""
    seed: int = 0
    """Seed of the shuffles."""

    def __post_init__(self) -> None:
        check_whole(
            self, neighbors=(1, 100), permutations=(99, 1_000_000), draws=(200, 10_000_000), seed=(0, (1 << 63) - 1)
        )
        if self.geometry not in {"auto", "map", "decoder"}:
            raise InvalidInput(f"'geometry' must be auto, map or decoder, found: '{self.geometry}'")

    def requires(self) -> frozenset[str]:
        """Return 'explanations', and the geometry where one is named."""
        named = {"map": {"map"}, "decoder": {"weights"}, "auto": set()}[self.geometry]
        return type(self).needs | named

    def uses(self) -> frozenset[str]:
        """Return both geometries where none is named."""
        return type(self).may_use if self.geometry == "auto" else frozenset()

    def schema(self) -> dict[str, pa.Schema]:
        """Return the schemas; see docs/reference/analyses/coherence.md for each column."""
        import pyarrow as pa

        texts = [pa.field(name, pa.string(), nullable=False) for name in ("set", "geometry")]
        counts = [pa.field(name, pa.int64(), nullable=False) for name in ("n_explained", "n", "n_agreeing")]
        numbers = [pa.field(name, pa.float64()) for name in _NUMBERS]
        verdict = pa.field("verdict", pa.string(), nullable=False)
        feature = pa.field("feature", pa.uint32(), nullable=False)
        own = [pa.field(name, pa.float64()) for name in ("observed", "expected", "z", "p", "q")]
        drawn = pa.field("n_draws", pa.int64(), nullable=False)
        return {
            "data": pa.schema([*texts, *counts, *numbers, verdict]),
            "features": pa.schema([texts[0], feature, *own, drawn]),
        }

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table]:
        """Test each set; memory as `peak_bytes` says."""
        import pyarrow as pa

        schemas = self.schema()
        lines, tables = [], [schemas["features"].empty_table()]
        with progress.task("Comparing explanations of neighbours", total=len(self._sets(sae)), unit="sets") as task:
            for name in self._sets(sae):
                line, features = self._test(sae, name)
                lines.append(line)
                tables.append(pa.table(features, schema=schemas["features"]))
                task.advance(1)
        data = pa.Table.from_pylist(lines, schema=schemas["data"])
        return {"data": data, "features": pa.concat_tables(tables).combine_chunks()}

    def peak_bytes(self, sae: SAE) -> int:
        """Return 400 MB for the program and blocks, and for each explained feature 3,000 bytes and 3 decoder rows."""
        from saeatlas.atlas.explanations import explanation_facts

        most = max((int(explanation_facts(sae, name)["n_explanations"]) for name in self._sets(sae)), default=0)
        is_decoder = self._geometry(sae) == "decoder"
        row = sae.weights.d_out * 8 if is_decoder and sae.weights is not None else 0
        return 400_000_000 + most * (3_000 + 3 * row)

    def _sets(self, sae: SAE) -> tuple[str, ...]:
        from saeatlas.atlas.explanations import explanation_facts, explanation_sets

        if not self.explanations:
            return explanation_sets(sae)
        explanation_facts(sae, self.explanations)
        return (self.explanations,)

    def _geometry(self, sae: SAE) -> str:
        if self.geometry != "auto":
            return self.geometry
        if sae.map is not None:
            return "map"
        if sae.weights is not None:
            return "decoder"
        raise NotFound(
            f"SAE '{sae.name}' has neither a map nor weights, so no feature is close to another",
            hint="Import its weights with 'saeatlas import sae-weights', or its map with 'import feature-map'.",
        )

    def _test(self, sae: SAE, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the line of a set, and the columns of its features."""
        from saeatlas.analyses._words import word_table

        said = _words_of(sae, name)
        geometry = self._geometry(sae)
        features = np.array([feature for feature, words in said.items() if words], np.int64)
        features, places = _places(sae, geometry, features)
        line: dict[str, Any] = {"set": name, "geometry": geometry, "n_explained": len(said), "n": features.size}
        if features.size < self.neighbors + 2:
            return line | dict.fromkeys(_NUMBERS) | {"n_agreeing": 0, "verdict": "not-applicable"}, _nothing(self)
        near = _nearest(places, geometry, self.neighbors)
        indptr, words = word_table([sorted(said[feature]) for feature in features.tolist()])
        found, n_agreeing = self._features(name, features, (indptr, words, near))
        return line | self._numbers(indptr, words, near) | {"n_agreeing": n_agreeing}, found

    def _numbers(
        self, indptr: npt.NDArray[np.int64], words: npt.NDArray[np.int32], near: npt.NDArray[np.int32]
    ) -> dict[str, Any]:
        """Return the test of all features together, and what it means."""
        from saeatlas.kernels.coherence import agreement, node_jackknife, shuffles

        measured = agreement(indptr, words, near, shuffles(near.shape[0], self.permutations, self.seed))
        observed, permuted = measured.observed, measured.permuted
        expected, spread = float(permuted.mean()), float(permuted.std(ddof=1))
        low, high = np.quantile(permuted, [0.025, 0.975]).tolist()
        half = 1.959963984540054 * node_jackknife(indptr, words, near)
        lifts = [(observed + step) / expected if expected else math.nan for step in (0.0, -half, half)]
        # Sums of the same numbers in another order may differ in the last bit; they are as large.
        p = (1 + int((permuted >= observed - 1e-12).sum())) / (1 + permuted.size)
        z = (observed - expected) / spread if spread else math.nan
        numbers = (observed, expected, low, high, lifts[0], max(lifts[1], 0.0), lifts[2], z, p)
        stored = {name: None if math.isnan(number) else number for name, number in zip(_NUMBERS, numbers, strict=True)}
        return stored | {"verdict": _verdict(stored)}

    def _features(
        self,
        name: str,
        features: npt.NDArray[np.int64],
        texts: tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.int32]],
    ) -> tuple[dict[str, Any], int]:
        """Return the columns of the features, and how many agree with their neighbours at q ≤ 0.05."""
        from saeatlas.kernels.association import benjamini_hochberg
        from saeatlas.kernels.coherence import neighbourhoods

        found = neighbourhoods(*texts, self.draws, self.seed)
        spread = np.where(found.spread > 0, found.spread, np.nan)
        q = benjamini_hochberg(found.p)
        columns = {
            "set": [name] * features.size,
            "feature": features.astype(np.uint32),
            "observed": found.observed,
            "expected": found.expected,
            "z": nullable((found.observed - found.expected) / spread),
            "p": found.p,
            "q": q,
            "n_draws": found.n_draws,
        }
        return columns, int((q <= 0.05).sum())


def _words_of(sae: SAE, name: str) -> dict[int, frozenset[str]]:
    """Return the content words of every explained feature of a set, ascending: those of all its texts together."""
    import polars as pl

    from saeatlas.analyses._words import content_words, is_placeholder

    table = sae.explanations.filter(pl.col("set") == name).select("feature", "text").collect()
    said: dict[int, frozenset[str]] = {}
    for feature, text in table.iter_rows():
        words = frozenset[str]() if is_placeholder(text) else content_words(text)
        said[feature] = said.get(feature, frozenset()) | words
    return said


def _places(sae: SAE, geometry: str, features: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Return those of the features that have a place, and the places [n, dimensions]."""
    if geometry == "map":
        assert sae.map is not None
        kept = np.isin(features, sae.map.features)
        return features[kept], sae.map.positions[np.searchsorted(sae.map.features, features[kept])]
    weights = sae.weights
    assert weights is not None
    features = features[features < weights.n_features]
    step = max(1, _BLOCK_BYTES // (weights.d_out * 8))
    parts = [np.empty((0, weights.d_out), np.float32)]
    for first in range(0, weights.n_features, step):
        stop = min(weights.n_features, first + step)
        inside = features[(features >= first) & (features < stop)] - first
        if inside.size:
            parts.append(weights.decoder(first, stop)[inside])
    rows = np.concatenate(parts)
    # A row of zeros points nowhere.
    kept = np.asarray(rows.any(axis=1))
    return features[kept], rows[kept]


def _nearest(places: npt.NDArray[Any], geometry: str, k: int) -> npt.NDArray[np.int32]:
    """Return the k nearest of each place, [n, k]."""
    if geometry == "map":
        from saeatlas.kernels.coherence import nearest_in_space

        return nearest_in_space(places, k)
    from saeatlas.kernels.neighbors import nearest

    found = nearest(lambda start, stop: places[start:stop], len(places), k)
    return found.ids.reshape(len(places), k).astype(np.int32)


def _nothing(analysis: Coherence) -> dict[str, Any]:
    return {column: [] for column in analysis.schema()["features"].names}


def _verdict(numbers: dict[str, float | None]) -> str:
    """Return 'ok', 'wrong', 'suspect' where the data cannot tell, or 'not-applicable' without any shared word."""
    lift, high, p = numbers["lift"], numbers["lift_high"], numbers["p"]
    by_chance, expected = numbers["expected_high"], numbers["expected"]
    if lift is None or p is None or by_chance is None or expected is None:
        return "not-applicable"
    if lift >= _OK_LIFT and p <= _OK_P:
        return "ok"
    # With few explanations chance alone makes much agreement or none, and where all read alike nothing can differ from
    # chance: that it is low then says nothing.
    could_tell = by_chance < _MOST_BY_CHANCE * expected and numbers["z"] is not None
    return "wrong" if high is not None and high < _OK_LIFT and could_tell else "suspect"


plugin = Coherence
