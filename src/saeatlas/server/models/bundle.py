"""Everything that the page of one feature shows at once."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from saeatlas.server.models.activity import BreakdownInfo, HistogramBins, StatsInfo
from saeatlas.server.models.examples import ContextExample
from saeatlas.server.models.labels import Label
from saeatlas.server.models.relations import (
    CoactiveFeature,
    Effects,
    FeatureNeighbor,
    FeatureNgram,
    FeatureToken,
)
from saeatlas.server.respond import Basis

__all__ = [
    "BundleExamples",
    "BundleHistograms",
    "BundleLabels",
    "FeatureBundle",
    "FeatureCluster",
    "FeatureExplanation",
    "MissingPart",
]

_EXAMPLE: dict[str, Any] = {
    "commit": 12,
    "labels_position": 0,
    "sae": "gpt2-l8",
    "feature": 7,
    "n_features": 24576,
    "identity": {"name": "gpt2-l8", "model": "gpt2", "layer": 8},
    "identity_digest": "9f2c",
    "basis": {"n_rows": 1000, "exact": True, "sampled": None},
    "stats": None,
    "columns": {"stats.max": 3.0},
    "histograms": None,
    "examples": None,
    "headline": [],
    "tokens": None,
    "ngrams": None,
    "ngrams_basis": None,
    "breakdowns": [],
    "neighbors": [{"feature": 9, "cosine": 0.4, "text": "refunds", "tokens": [" refund"]}],
    "coactive": None,
    "effects": None,
    "clusters": [{"name": "ward_10", "cluster": 3, "path": None, "terms": ["refund"], "size": 120}],
    "explanations": [{"set": "auto", "explainer": "gpt-4", "method": None, "text": "refunds"}],
    "labels": {"current": [], "n_history": 0},
    "is_dead": False,
    "missing": [
        {
            "part": "coactive",
            "analysis": "coactivation",
            "state": "absent",
            "reason": "Analysis 'coactivation' has not been computed",
        }
    ],
}


class BundleHistograms(BaseModel):
    """The histogram of a feature in both scales."""

    linear: HistogramBins = Field(description="Bins of equal width.")
    log: HistogramBins = Field(description="Bins of equal ratio.")


class BundleExamples(BaseModel):
    """Examples of a feature, chosen in three ways; a way that is not quick now is null and in `missing`."""

    top: list[ContextExample] = Field(description="The strongest rows.")
    quantiles: list[ContextExample] | None = Field(description="Some of each part of the active rows by strength.")
    random: list[ContextExample] | None = Field(description="Drawn from all active rows.")


class FeatureCluster(BaseModel):
    """A cluster that a feature is in."""

    name: str = Field(description="Name of the clustering.")
    cluster: int = Field(description="Number of the cluster.")
    path: str | None = Field(description="Where it is among nested clusters; null when they are not nested.")
    terms: list[str] = Field(description="Words that name it.")
    size: int = Field(description="Features in it.")


class FeatureExplanation(BaseModel):
    """What somebody or something said a feature is about."""

    set: str = Field(description="Set of explanations.")
    explainer: str | None = Field(description="Who; null when unknown.")
    method: str | None = Field(description="How; null when unknown.")
    text: str = Field(description="As it was written.")


class BundleLabels(BaseModel):
    """Labels of a feature."""

    current: list[Label] = Field(description="Those that hold, newest first.")
    n_history: int = Field(description="Events about the feature, those that were superseded too.")


class MissingPart(BaseModel):
    """A part that is null, and why."""

    part: str = Field(description="Name of the part, such as 'coactive' or 'examples.random'.")
    analysis: str | None = Field(description="Analysis that would give it; null when none would.")
    state: Literal["absent", "stale", "current"] | None = Field(description="State of that analysis.")
    reason: str = Field(description="A sentence for a person.")


class FeatureBundle(BaseModel):
    """Everything that a page about one feature shows; a part that is null has its reason in `missing`."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]}, ser_json_bytes="base64")

    commit: int = Field(description="Commit that the answer is about.")
    labels_position: int = Field(description="Place in the log of labels that is shown.")
    sae: str = Field(description="Name of the SAE.")
    feature: int = Field(description="Feature id.")
    n_features: int = Field(description="Features of the SAE.")
    identity: dict[str, Any] = Field(description="Facts about the SAE; null where nobody stated them.")
    identity_digest: str = Field(description="SHA-256 of the facts.")
    basis: Basis | None = Field(description="What was considered; null without activations.")
    stats: StatsInfo | None = Field(description="How often and how strongly it fires.")
    columns: dict[str, str | float | int | bool | None] = Field(description="`<analysis>.<column>` of this feature.")
    histograms: BundleHistograms | None = Field(description="Its values in bins.")
    examples: BundleExamples | None = Field(description="Rows where it fires, in context.")
    headline: list[str] = Field(description="Up to 5 tokens that tell most about it; empty when they are not known.")
    tokens: list[FeatureToken] | None = Field(description="Tokens on which it fires most often.")
    ngrams: list[FeatureNgram] | None = Field(description="Sequences around its strongest activations.")
    ngrams_basis: Basis | None = Field(description="In the contexts of which rows they were counted; null without.")
    breakdowns: list[BreakdownInfo] = Field(description="By metadata column; columns left out are in `missing`.")
    neighbors: list[FeatureNeighbor] | None = Field(description="Features that point the same way.")
    coactive: list[CoactiveFeature] | None = Field(description="Features that fire with it.")
    effects: Effects | None = Field(description="Tokens that it makes more and less likely.")
    clusters: list[FeatureCluster] = Field(description="One for each clustering in which it is in a cluster.")
    explanations: list[FeatureExplanation] = Field(description="By set.")
    labels: BundleLabels = Field(description="What people and models said about it.")
    is_dead: bool | None = Field(description="Whether it never fires in the whole corpus; null without activations.")
    missing: list[MissingPart] = Field(description="What is null above, and why.")
