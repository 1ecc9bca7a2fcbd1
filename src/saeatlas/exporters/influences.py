"""Exports logit effects as one wide table: a line per feature, a pair of columns per rank, for tools that want that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from saeatlas.errors import InvalidInput, NotFound, StorageError
from saeatlas.exporters._map_sources import labels_of
from saeatlas.pipeline.exporter import Exporter
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE

__all__ = ["InfluencesExporter", "plugin"]

_ANALYSIS = "logit-effects"
_SIGNS = {"top": "+", "bottom": "-"}


@dataclass(frozen=True, kw_only=True)
class InfluencesExporter(Exporter):
    """Logit effects in wide form: `influences-NAME.parquet`, a line per feature.

    The columns are feature_id, feature_label, then +1_tok, +1_val, +2_tok … for the tokens with the largest effects,
    and -1_tok, -1_val … for those with the smallest, which keep their sign. It needs the analysis 'logit-effects'.

    Examples
    --------
    saeatlas export influences --sae gpt2-l8 --to tables --k 15
    """

    k: int = 0
    """Ranks of each side; 0 for all that the analysis kept."""
    labels: str = ""
    """Set of explanations that gives the labels; empty for the only one, '-' for no labels."""
    form: Literal["parquet", "csv", "tsv"] = "parquet"
    """How the table is written."""

    def __post_init__(self) -> None:
        if isinstance(self.k, bool) or not isinstance(self.k, int) or not 0 <= self.k <= 10_000:
            raise InvalidInput(f"'k' must be a whole number from 0 to 10,000, found: {self.k!r}")

    def export(self, saes: Sequence[SAE], directory: Path, progress: Progress) -> tuple[Path, ...]:
        """Write a table for each SAE; memory is that of the table."""
        from saeatlas.format.export import export_table

        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"Cannot make '{directory}': {error.strerror or error}") from error
        paths = []
        with progress.task("Writing influences", total=len(saes), unit="tables") as task:
            for sae in saes:
                path = directory / f"influences-{sae.name}.{self.form}"
                export_table(self._table(sae), path)
                paths.append(path)
                task.advance(1)
        return tuple(paths)

    def lacks(self, sae: SAE) -> str:
        """Return why there are no logit effects."""
        return sae.why_no_table(_ANALYSIS)

    def _table(self, sae: SAE) -> pa.Table:
        import pyarrow as pa

        effects = sae.table(_ANALYSIS, "effects")
        if effects is None:
            raise NotFound(sae.why_no_table(_ANALYSIS), hint=f"See 'saeatlas analyze {_ANALYSIS} --help'.")
        _, labels = labels_of(sae, self.labels)
        n = sae.n_features
        columns: dict[str, pa.Array] = {
            "feature_id": pa.array(np.arange(n, dtype=np.int64)),
            "feature_label": pa.array([labels.get(feature) for feature in range(n)], pa.string()),
        }
        feature, rank = (effects[name].to_numpy() for name in ("feature", "rank"))
        is_top = np.asarray(effects["side"].to_numpy(zero_copy_only=False) == "top")
        has_strings = effects["string"].null_count == 0
        names = effects["string"] if has_strings else effects["token"].cast(pa.string())
        kept = int(rank.max()) + 1 if rank.size else 0
        for side, sign in _SIGNS.items():
            for place in range(min(kept, self.k) if self.k else kept):
                lines = np.flatnonzero((rank == place) & (is_top == (side == "top")))
                where = np.full(n, -1, np.int64)
                where[feature[lines]] = lines
                taken = pa.array(where, mask=where < 0)
                columns[f"{sign}{place + 1}_tok"] = names.take(taken).combine_chunks()
                columns[f"{sign}{place + 1}_val"] = effects["effect"].take(taken).combine_chunks()
        return pa.table(columns)


plugin = InfluencesExporter
