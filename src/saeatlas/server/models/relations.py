"""What a feature goes with: tokens, sequences of tokens, other features, and effects on the model's output."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "CoactiveFeature",
    "Effect",
    "Effects",
    "EffectsInfo",
    "FeatureNeighbor",
    "FeatureNgram",
    "FeatureToken",
    "effects_of",
]


class FeatureToken(BaseModel):
    """A token on which a feature fires."""

    rank: int = Field(description="From 0, by count.")
    token: int = Field(description="Index in the vocabulary of the corpus, which has the id of the tokenizer.")
    string: str = Field(description="Its text.")
    count: int = Field(description="Active rows with the token.")
    mean: float = Field(description="Mean of their values.")
    share: float = Field(description="Share of the active rows whose token is known.")
    corpus_share: float = Field(description="Share of all such rows of the corpus.")
    lift: float = Field(description="share / corpus_share.")


class FeatureNgram(BaseModel):
    """A sequence of tokens or characters around the strongest activations of a feature."""

    kind: Literal["anywhere", "left", "right", "characters"] = Field(description="Where it stands, or what it is of.")
    size: int = Field(description="Tokens or characters in it.")
    rank: int = Field(description="From 0, within kind and size.")
    text: str = Field(description="As it reads.")
    count: int = Field(description="How often it stands in the contexts.")
    n_contexts: int = Field(description="Contexts that hold it.")
    share: float | None = Field(description="Share of the contexts.")
    n_documents: int = Field(description="Documents of those contexts.")


class FeatureNeighbor(BaseModel):
    """A feature that points in a similar direction."""

    feature: int = Field(description="Feature id.")
    cosine: float = Field(description="Cosine of the directions.")
    text: str | None = Field(description="Its label, else its first explanation; null when it has neither.")
    tokens: list[str] = Field(description="Up to 3 tokens on which it fires far more often than others; may be empty.")


class CoactiveFeature(BaseModel):
    """A feature that fires at the same rows."""

    feature: int = Field(description="Feature id.")
    count: int = Field(description="Rows where both are active.")
    lift: float | None = Field(description="count over what independent features would have.")
    pmi: float | None = Field(description="log2(lift), in bits.")
    jaccard: float | None = Field(description="count over the rows where any of both is active.")
    pearson: float | None = Field(description="Correlation over all rows, silent ones as 0.")
    text: str | None = Field(description="Its label, else its first explanation; null when it has neither.")
    tokens: list[str] = Field(description="Up to 3 tokens on which it fires far more often than others; may be empty.")


class Effect(BaseModel):
    """A token that a feature makes more or less likely, by its direction alone."""

    token: int = Field(description="Id in the vocabulary of the model.")
    string: str | None = Field(description="Its text; null when the vocabulary is not known.")
    effect: float = Field(description="What one unit of the feature adds to its logit.")


class Effects(BaseModel):
    """Tokens that a feature makes more and less likely, strongest first."""

    promoted: list[Effect] = Field(description="Logits that go up most.")
    suppressed: list[Effect] = Field(description="Logits that go down most.")


class EffectsInfo(Effects):
    """The effects of one feature on the logits."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "commit": 12,
                    "sae": "gpt2-l8",
                    "feature": 7,
                    "promoted": [{"token": 262, "string": " refund", "effect": 0.8}],
                    "suppressed": [{"token": 11, "string": ",", "effect": -0.3}],
                }
            ]
        }
    )

    commit: int = Field(description="Commit that the answer is about.")
    sae: str = Field(description="Name of the SAE.")
    feature: int = Field(description="Feature id.")


def effects_of(lines: Iterable[dict[str, Any]]) -> Effects:
    """Return the effects that lines of the analysis tell of, in any order."""
    sides: dict[str, list[Effect]] = {"top": [], "bottom": []}
    for line in sorted(lines, key=lambda one: int(one["rank"])):
        effect = Effect.model_construct(token=line["token"], string=line["string"], effect=line["effect"])
        sides[line["side"]].append(effect)
    return Effects.model_construct(promoted=sides["top"], suppressed=sides["bottom"])
