"""The few numbers about a feature that a first answer needs, from its activations with NumPy alone: no other import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from saeatlas.atlas.feature import Feature

__all__ = ["FeatureSummary", "summary_of"]


@dataclass(frozen=True)
class FeatureSummary:
    """How often and how strongly one feature fires, over every row. A number that is not defined is None."""

    sae: str
    """Name of the SAE."""
    feature: int
    """Feature id."""
    n_rows: int
    """Rows of the corpus."""
    n_listed: int
    """Rows that list the feature, zeros and negatives included."""
    n_active: int
    """Rows where its value is above 0."""
    density: float | None
    """n_active / n_rows."""
    max: float | None
    """Largest active value."""
    mean: float | None
    """Mean of the active values, summed in float64."""


def summary_of(feature: Feature) -> FeatureSummary:
    """Summarise a feature; as `Feature.stats`, without the quantiles and moments that need compiled code."""
    sae = feature.sae
    _, values = feature.arrays(listed=True)
    active = values[values > 0]
    return FeatureSummary(
        sae=sae.name,
        feature=feature.id,
        n_rows=sae.n_rows,
        n_listed=int(values.size),
        n_active=int(active.size),
        density=active.size / sae.n_rows if sae.n_rows else None,
        max=float(active.max()) if active.size else None,
        mean=float(active.mean(dtype=np.float64)) if active.size else None,
    )
