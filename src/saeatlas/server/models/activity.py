"""How a feature fires: numbers, histograms and breakdowns by metadata."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from saeatlas.atlas.breakdown import Breakdown
from saeatlas.atlas.statistics import FeatureStats, Histogram
from saeatlas.server.respond import Basis

__all__ = ["BreakdownInfo", "BreakdownList", "HistogramBins", "HistogramInfo", "LevelInfo", "StatsInfo"]


class StatsInfo(BaseModel):
    """How often and how strongly a feature fires, over every row; a number that is not defined is null."""

    n_rows: int = Field(description="Rows of the corpus.")
    n_listed: int = Field(description="Rows that list the feature, zeros and negatives included.")
    n_active: int = Field(description="Rows where its value is above 0.")
    density: float | None = Field(description="n_active / n_rows.")
    density_low: float | None = Field(description="Lower end of the 95 % Wilson interval of the density.")
    density_high: float | None = Field(description="Upper end of that interval.")
    sum: float = Field(description="Sum of the active values.")
    mean: float | None = Field(description="Mean of the active values.")
    std: float | None = Field(description="Population standard deviation of the active values.")
    min: float | None = Field(description="Smallest active value.")
    q25: float | None = Field(description="First quartile of the active values.")
    median: float | None = Field(description="Median of the active values.")
    q75: float | None = Field(description="Third quartile of the active values.")
    max: float | None = Field(description="Largest active value.")
    skewness: float | None = Field(description="Third standardised moment.")
    kurtosis: float | None = Field(description="Fourth standardised moment less 3.")

    @classmethod
    def of(cls, stats: FeatureStats) -> StatsInfo:
        """Take over the numbers."""
        return cls.model_construct(**{name: getattr(stats, name) for name in cls.model_fields})


class HistogramBins(BaseModel):
    """Active values in bins: bin i holds edges[i] <= value < edges[i + 1], the last one both ends."""

    scale: Literal["linear", "log"] = Field(description="Bins of equal width from 0, or of equal ratio.")
    edges: list[float] = Field(description="Borders of the bins, one more than bins; empty when it never fires.")
    counts: list[int] = Field(description="Active rows in each bin; they sum to n_active.")
    n_active: int = Field(description="Rows where the value is above 0.")
    n_inactive: int = Field(description="All other rows.")

    @classmethod
    def of(cls, found: Histogram) -> HistogramBins:
        """Take over a histogram."""
        return cls.model_construct(
            scale=found.scale,
            edges=list(found.edges),
            counts=list(found.counts),
            n_active=found.n_active,
            n_inactive=found.n_inactive,
        )


class HistogramInfo(HistogramBins):
    """The histogram of one feature."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "commit": 12,
                    "sae": "gpt2-l8",
                    "feature": 7,
                    "basis": {"n_rows": 1000, "exact": True, "sampled": None},
                    "scale": "linear",
                    "edges": [0.0, 1.5, 3.0],
                    "counts": [40, 10],
                    "n_active": 50,
                    "n_inactive": 950,
                }
            ]
        }
    )

    commit: int = Field(description="Commit that the answer is about.")
    sae: str = Field(description="Name of the SAE.")
    feature: int = Field(description="Feature id.")
    basis: Basis = Field(description="What was considered.")


class LevelInfo(BaseModel):
    """One value or bin of a metadata column, or the documents without a value."""

    level: str | None = Field(description="What a person calls it; null for documents without a value.")
    lower: float | None = Field(description="Least number of the level; null for categories.")
    upper: float | None = Field(description="First number beyond it, or its last one in the last bin.")
    n_documents: int = Field(description="Documents of the level that have rows.")
    n_documents_active: int = Field(description="Those in which the feature is active.")
    n_rows: int = Field(description="Their rows.")
    n_active: int = Field(description="Active rows.")
    rate: float | None = Field(description="n_active / n_rows.")
    mean: float | None = Field(description="Mean of the active values.")


class BreakdownInfo(BaseModel):
    """How a feature fires across the levels of one metadata column. The unit of the test is the document."""

    column: str = Field(description="The metadata column.")
    kind: Literal["categorical", "numeric"] = Field(description="What the column holds.")
    effect_name: Literal["cramers_v", "spearman_rho"] = Field(description="Which effect size.")
    effect: float | None = Field(description="Size of the effect; null where undefined.")
    effect_corrected: float | None = Field(description="Bias-corrected Cramér's V; null for numbers.")
    p: float | None = Field(description="Chance of at least such an effect if both were independent.")
    q: float | None = Field(description="False discovery rate across all features; null until it was computed.")
    q_reason: str = Field(description="Why there is no q; empty when there is.")
    min_expected: float | None = Field(description="Smallest expected count behind V; null for numbers.")
    n_documents: int = Field(description="Documents with rows and a value.")
    n_missing: int = Field(description="Documents with rows and no value: a level of their own.")
    levels: list[LevelInfo] = Field(description="By name or number; documents without a value last.")

    @classmethod
    def of(cls, found: Breakdown) -> BreakdownInfo:
        """Take over a breakdown."""
        record: dict[str, Any] = {name: getattr(found, name) for name in cls.model_fields if name != "levels"}
        levels = [LevelInfo.model_construct(**vars(level)) for level in found.levels]
        return cls.model_construct(**record, levels=levels)


class ColumnMissing(BaseModel):
    """A metadata column by which a feature is not broken down."""

    column: str = Field(description="The metadata column.")
    reason: str = Field(description="Why not.")


class BreakdownList(BaseModel):
    """How a feature fires across the levels of metadata columns."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "commit": 12,
                    "sae": "gpt2-l8",
                    "feature": 7,
                    "basis": {"n_rows": 1000, "exact": True, "sampled": None},
                    "breakdowns": [],
                    "missing": [{"column": "title", "reason": "it has 500 different values, more than 50"}],
                }
            ]
        }
    )

    commit: int = Field(description="Commit that the answer is about.")
    sae: str = Field(description="Name of the SAE.")
    feature: int = Field(description="Feature id.")
    basis: Basis = Field(description="What was considered.")
    breakdowns: list[BreakdownInfo] = Field(description="In the order of the columns.")
    missing: list[ColumnMissing] = Field(description="Columns that cannot be tested, and why.")
