"""A TopK SAE has at most k active features in a row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from saeatlas.health._check import Finding, SaeCheck
from saeatlas.health._rows import row_counts

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE
    from saeatlas.progress import Progress

__all__ = ["ActivePerRow", "plugin"]


@dataclass(frozen=True, kw_only=True)
class ActivePerRow(SaeCheck):
    """No row of a TopK SAE has more than k active features."""

    def examine(self, sae: SAE, progress: Progress) -> Iterable[Finding]:
        """Count the active features of every row."""
        if not sae.has_activations:
            yield Finding("not-applicable", "There are no activations")
            return
        k, source = _k_of(sae)
        if k is None:
            yield Finding("not-applicable", source)
            return
        counts = row_counts(sae, progress)
        above = counts.above(k)
        numbers = {"k": k, "most": counts.most, "n_rows": sae.n_rows, "n_rows_above": above}
        if not above:
            yield Finding("ok", f"No row has more than k = {k} active features ({source})", "", numbers)
            return
        row = min(int(row) for row in counts.first_row[k + 1 :] if row >= 0)
        yield Finding(
            "wrong",
            f"{above:,} of {sae.n_rows:,} rows have more than k = {k} active features ({source}); the first is row "
            f"{row}, the most are {counts.most}",
            "Correct k where it was stated, or import the activations of this SAE: these are of another one, or of "
            "several tokens in a row.",
            numbers | {"first_row": row},
        )


def _k_of(sae: SAE) -> tuple[int | None, str]:
    """Return k and who says so, or None and why there is none."""
    architectures = {sae.identity.architecture or ""}
    if sae.weights is not None:
        architectures.add(sae.weights.architecture)
    if any("batch" in name for name in architectures):
        return None, "k of a BatchTopK SAE is the mean over rows, not the most of a row"
    if sae.identity.k is not None:
        return sae.identity.k, "from its identity"
    stated = sae.weights.config.get("k") if sae.weights is not None else None
    if isinstance(stated, int) and not isinstance(stated, bool):
        return stated, "from its weights"
    return None, "Nobody states k: it is no TopK SAE, or its source does not say"


plugin = ActivePerRow
