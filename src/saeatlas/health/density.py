"""The densities of all features add up to L0: both count the same active entries."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from saeatlas.health._check import Finding, SaeCheck
from saeatlas.health._rows import row_counts

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE
    from saeatlas.progress import Progress

__all__ = ["Density", "plugin"]

_PER_ADDITION = 1e-15
"""Relative error of one float64 addition, and a little."""


@dataclass(frozen=True, kw_only=True)
class Density(SaeCheck):
    """The densities of all features add up to the mean number of active features in a row, and that is as stated."""

    tolerance: float = 1.5
    """Factor by which the measured L0 may differ from the stated one, which was measured on other texts."""

    def examine(self, sae: SAE, progress: Progress) -> Iterable[Finding]:
        """Add up by feature and by row, and compare with `stats` and with the stated L0."""
        if not sae.has_activations or not sae.n_rows:
            yield Finding("not-applicable", "There are no activations")
            return
        by_row = row_counts(sae, progress).n_active
        by_feature = int(sae.activations.active_counts.sum())
        l0 = by_row / sae.n_rows
        numbers: dict[str, Any] = {"l0": l0, "density_sum": by_feature / sae.n_rows, "stated_l0": sae.identity.l0}
        table = sae.table("stats")
        if table is not None:
            stored = math.fsum(value or 0.0 for value in table["density"].to_pylist())
            numbers["stats_density_sum"] = stored
            floor = float(sae.states["stats"].params.get("floor", 0.0))
            if floor == 0 and abs(stored - l0) > _PER_ADDITION * max(l0, 1.0) * sae.n_features:
                yield Finding(
                    "wrong",
                    f"The densities in 'stats' add up to {stored:.6g}, and rows have {l0:.6g} active features",
                    "Run 'saeatlas verify --deep', and report this if nothing is damaged.",
                    numbers,
                )
                return
        yield self._compared(sae, by_row, by_feature, numbers)

    def _compared(self, sae: SAE, by_row: int, by_feature: int, numbers: dict[str, Any]) -> Finding:
        if by_row != by_feature:
            return Finding(
                "wrong",
                f"By row there are {by_row:,} active entries, by feature {by_feature:,}",
                "Run 'saeatlas verify --deep': the two sides of the activations must hold the same entries.",
                numbers,
            )
        l0, stated = numbers["l0"], sae.identity.l0
        if stated and not stated / self.tolerance <= l0 <= stated * self.tolerance:
            return Finding(
                "suspect",
                f"Rows have {l0:.4g} active features in the mean, and the SAE is said to have L0 {stated:.4g}",
                "Check that these are activations of this SAE, with the normalisation of its inputs.",
                numbers,
            )
        return Finding("ok", f"Densities add up to the mean number of active features in a row, {l0:.4g}", "", numbers)


plugin = Density
