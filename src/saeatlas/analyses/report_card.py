"""One SAE in one line: how many features fire, how densely, how directions relate, how much is explained."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from saeatlas.analyses._columns import check_whole
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE
    from saeatlas.atlas.weights import Weights

__all__ = ["ReportCard", "plugin"]

_BLOCK = 8_000_000
"""Listed entries of a block of rows, and numbers of a block of directions."""
_L0 = {"l0_min": 0.0, "l0_q05": 0.05, "l0_q25": 0.25, "l0_median": 0.5, "l0_q75": 0.75, "l0_q95": 0.95, "l0_max": 1.0}
_SHARES = ("dead", "ultra_rare", "ultra_dense")
_OF_DIRECTIONS = ("decoder_norm", "encoder_norm", "encoder_decoder_cosine")
_SUMMARY = ("mean", "std", "min", "q25", "median", "q75", "max")


@dataclass(frozen=True, kw_only=True)
class ReportCard(Analysis):
    """L0, densities, dead and dense features, norms, encoder-decoder cosine, explained features: one line.

    What the atlas does not hold is null. Other tables: `l0`, rows by active features, and `density`, features by
    density.

    Examples
    --------
    saeatlas analyze report-card --dense 0.2
    """

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.SAE
    needs: ClassVar[frozenset[str]] = frozenset()
    may_use: ClassVar[frozenset[str]] = frozenset({"activations", "weights", "explanations"})

    dense: float = 0.1
    """A feature is ultra-dense when it is active in a larger share of the rows."""
    rare: float = 1e-05
    """A feature that fires is ultra-rare when it is active in a smaller share of the rows."""
    bins: int = 4
    """Bins of `density` for each factor of ten."""

    def __post_init__(self) -> None:
        check_whole(self, bins=(1, 100))
        if not 0 < self.rare < self.dense < 1:
            raise InvalidInput(
                f"'rare' and 'dense' must be shares, 'rare' the smaller one, found: {self.rare} and {self.dense}"
            )

    def schema(self) -> dict[str, pa.Schema]:
        """Return the schemas; see docs/reference/analyses/report-card.md for each column."""
        import pyarrow as pa

        counts = ["n_rows", "n_features", "n_silent_rows", *(f"n_{name}" for name in _SHARES)]
        counts += ["n_zero_decoder", "n_explanation_sets", "n_explanations", "n_explained"]
        floats = ["l0_mean", "l0_std", *_L0, "listed_mean", "listed_max"]
        floats += [f"silent_rows_{end}" for end in ("share", "low", "high")]
        floats += [f"{name}_{end}" for name in _SHARES for end in ("share", "low", "high")]
        floats += ["ultra_dense_activity", "density_median"]
        floats += [f"{name}_{what}" for name in _OF_DIRECTIONS for what in _SUMMARY]
        floats += ["explained_share", "fvu"]
        number = pa.field("n_features", pa.int64(), nullable=False)
        return {
            "data": pa.schema(
                [
                    *(number if name == "n_features" else pa.field(name, pa.int64()) for name in counts),
                    pa.field("is_width_known", pa.bool_(), nullable=False),
                    *(pa.field(name, pa.float64()) for name in floats),
                ]
            ),
            "l0": pa.schema([pa.field(name, pa.int64(), nullable=False) for name in ("l0", "n_rows")]),
            "density": pa.schema(
                [
                    pa.field("lower", pa.float64()),
                    pa.field("upper", pa.float64()),
                    pa.field("n_features", pa.int64(), nullable=False),
                ]
            ),
        }

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table | Iterator[pa.RecordBatch]]:
        """Read all rows and all directions once; memory as `peak_bytes` says.

        Raises
        ------
        NotFound
            When the SAE has neither activations nor weights nor explanations.
        """
        import pyarrow as pa

        rows = _rows_of(sae, progress) if sae.has_activations else None
        facts = [
            {} if rows is None else self._of_rows(rows),
            {} if sae.weights is None else _of_weights(sae.weights, progress),
            _of_explanations(sae),
        ]
        if not any(facts):
            raise NotFound(
                f"There is nothing to report on SAE '{sae.name}': it has no activations, weights or explanations",
                hint="Import some: see 'saeatlas import --help'.",
            )
        line: dict[str, Any] = {"n_features": sae.n_features, "is_width_known": sae.identity.width is not None}
        for found in facts:
            line |= {name: None if math.isnan(number) else number for name, number in found.items()}
        schemas = self.schema()
        return {
            "data": pa.Table.from_pylist([line], schemas["data"]),
            "l0": pa.table(_l0_lines(rows), schemas["l0"]),
            "density": pa.table(_density_lines(rows, self.bins), schemas["density"]),
        }

    def peak_bytes(self, sae: SAE) -> int:
        """Return 300 MB for the program, 30 bytes per entry of a block, six arrays of directions, 100 per feature."""
        listed = min(_BLOCK, sae.n_listed) if sae.has_activations else 0
        return 300_000_000 + 30 * listed + 6 * 8 * min(_BLOCK, 10_000 * sae.n_features) + 100 * sae.n_features

    def _of_rows(self, rows: _Rows) -> dict[str, float]:
        from saeatlas.kernels.counted import mean_and_std, quantile

        n_rows, n_features = int(rows.l0.sum()), rows.n_active.size
        mean, std = mean_and_std(rows.l0)
        density = rows.n_active / n_rows if n_rows else np.full(n_features, np.nan)
        is_dense = density > self.dense
        n_rare = float(((density > 0) & (density < self.rare)).sum())
        # Where one firing is more than `rare`, that no feature is rarer says nothing.
        found = {"n_ultra_rare": n_rare if n_rows * self.rare > 1 else math.nan}
        found |= {"n_dead": float((rows.n_active == 0).sum()), "n_ultra_dense": float(is_dense.sum())}
        n_active = int(rows.n_active.sum())
        shares = {name: (found[f"n_{name}"], n_features) for name in _SHARES}
        shares["silent_rows"] = float(rows.l0[:1].sum()), n_rows
        return {
            **found,
            **{name: end for label, share in shares.items() for name, end in _share(label, *share).items()},
            "n_rows": n_rows,
            "n_silent_rows": shares["silent_rows"][0],
            "l0_mean": mean,
            "l0_std": std,
            **{name: quantile(rows.l0, q) for name, q in _L0.items()},
            "listed_mean": mean_and_std(rows.listed)[0],
            "listed_max": quantile(rows.listed, 1.0),
            "ultra_dense_activity": int(rows.n_active[is_dense].sum()) / n_active if n_active else math.nan,
            "density_median": float(np.median(density)) if n_features else math.nan,
        }


@dataclass(frozen=True)
class _Rows:
    """What was counted in all rows."""

    l0: npt.NDArray[np.int64]
    """Rows with each number of active features."""
    listed: npt.NDArray[np.int64]
    """Rows with each number of listed features."""
    n_active: npt.NDArray[np.int64]
    """Active rows of each feature."""


def _rows_of(sae: SAE, progress: Progress) -> _Rows:
    from saeatlas.kernels.counted import active_per_row

    l0 = listed = np.zeros(1, np.int64)
    for block in sae.activations.row_blocks(_BLOCK, progress):
        l0 = _added(l0, np.bincount(active_per_row(block.indptr, block.values)))
        listed = _added(listed, np.bincount(np.diff(block.indptr)))
    n_active = np.zeros(sae.n_features, np.int64)
    n_active[: sae.activations.n_features] = sae.activations.active_counts
    return _Rows(l0, listed, n_active)


def _added(one: npt.NDArray[np.int64], two: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    total = np.zeros(max(one.size, two.size), np.int64)
    total[: one.size] += one
    total[: two.size] += two
    return total


def _share(label: str, count: float, n: int) -> dict[str, float]:
    from saeatlas.kernels.moments import wilson

    low, high = (float(end) for end in wilson(count, n))
    return {f"{label}_share": count / n if n else math.nan, f"{label}_low": low, f"{label}_high": high}


def _of_weights(weights: Weights, progress: Progress) -> dict[str, float]:
    from saeatlas.kernels.weight_facts import cosines, norms

    n = weights.n_features
    d_in = weights.d_in if weights.has_encoder else None
    step = max(1, _BLOCK // max(1, weights.d_out, d_in or 0))
    parts: dict[str, list[npt.NDArray[np.float64]]] = {name: [] for name in _OF_DIRECTIONS}
    with progress.task("Reading directions", total=n, unit="features") as task:
        for start in range(0, n, step):
            stop = min(n, start + step)
            decoder = weights.decoder(start, stop)
            parts["decoder_norm"].append(norms(decoder))
            if d_in is not None:
                encoder = weights.encoder(start, stop)
                parts["encoder_norm"].append(norms(encoder))
                if d_in == weights.d_out:
                    parts["encoder_decoder_cosine"].append(cosines(encoder, decoder))
            task.advance(stop - start)
    found = {name: np.concatenate(part) for name, part in parts.items() if part}
    return {
        "n_zero_decoder": float((found["decoder_norm"] == 0).sum()),
        **{f"{name}_{what}": number for name, numbers in found.items() for what, number in _summary(numbers).items()},
    }


def _summary(numbers: npt.NDArray[np.float64]) -> dict[str, float]:
    """Return mean, population standard deviation and quartiles of the numbers that are defined."""
    defined = numbers[~np.isnan(numbers)]
    if not defined.size:
        return dict.fromkeys(_SUMMARY, math.nan)
    quantiles = np.quantile(defined, [0, 0.25, 0.5, 0.75, 1]).tolist()
    return dict(zip(_SUMMARY, [float(defined.mean()), float(defined.std()), *quantiles], strict=True))


def _of_explanations(sae: SAE) -> dict[str, float]:
    import polars as pl

    from saeatlas.atlas.explanations import explanation_sets

    sets = explanation_sets(sae)
    if not sets:
        return {}
    lines, features = sae.explanations.select(pl.len(), pl.col("feature").n_unique().alias("features")).collect().row(0)
    return {
        "n_explanation_sets": len(sets),
        "n_explanations": lines,
        "n_explained": features,
        "explained_share": features / sae.n_features,
    }


def _l0_lines(rows: _Rows | None) -> dict[str, npt.NDArray[np.int64]]:
    """Return how many rows have each number of active features; numbers that no row has are left out."""
    counts = np.zeros(0, np.int64) if rows is None else rows.l0
    occurring = np.flatnonzero(counts)
    return {"l0": occurring, "n_rows": counts[occurring]}


def _density_lines(rows: _Rows | None, bins: int) -> dict[str, Any]:
    """Return how many features have a density in each bin of equal ratio; those that never fire have their own line."""
    n_rows = 0 if rows is None else int(rows.l0.sum())
    if rows is None or not n_rows:
        return {"lower": [], "upper": [], "n_features": []}
    density = rows.n_active / n_rows
    first = -math.ceil(bins * math.log10(n_rows))
    edges = 10.0 ** (np.arange(min(first, -1), 1) / bins)
    # Rounding must not leave out the features of a single row.
    edges[0] = min(edges[0], 1 / n_rows)
    counts, _ = np.histogram(density[density > 0], edges)
    return {
        "lower": [None, *edges[:-1].tolist()],
        "upper": [None, *edges[1:].tolist()],
        "n_features": [int((density == 0).sum()), *counts.tolist()],
    }


plugin = ReportCard
