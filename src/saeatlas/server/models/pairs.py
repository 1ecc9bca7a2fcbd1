"""Two features of one SAE side by side."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from saeatlas.server.models.activity import HistogramBins, StatsInfo
from saeatlas.server.models.examples import RowContext
from saeatlas.server.respond import Basis

__all__ = ["FeaturePair", "JointHistogram", "PairDocument", "PairExample", "PairSide", "PairToken"]


class PairSide(BaseModel):
    """One of the two features."""

    feature: int = Field(description="Feature id.")
    text: str | None = Field(description="Its label, else its first explanation; null when it has neither.")
    stats: StatsInfo = Field(description="How often and how strongly it fires.")
    histogram: HistogramBins = Field(description="Its values in bins, over all its active rows.")


class JointHistogram(BaseModel):
    """Values of both features where both fire: counts[i][j] has values of a in bin i and of b in bin j."""

    scale: Literal["linear", "log"] = Field(description="Bins of equal width from 0, or of equal ratio.")
    edges_a: list[float] = Field(description="Borders of the bins of a; empty when both never fire together.")
    edges_b: list[float] = Field(description="Borders of the bins of b.")
    counts: list[list[int]] = Field(description="Rows; they sum to n_both.")


class PairExample(RowContext):
    """A row where both features fire, in its document."""

    value_a: float = Field(description="Value of a at the row.")
    value_b: float = Field(description="Value of b at the row.")
    rank: int = Field(description="From 0, by the smaller of both values as shares of the largest of their features.")
    values_a: list[float | None] = Field(description="Listed value of a at each token; null where not listed.")
    values_b: list[float | None] = Field(description="Listed value of b at each token; null where not listed.")


class PairToken(BaseModel):
    """A token on which both features fire."""

    rank: int = Field(description="From 0, by count.")
    token: int = Field(description="Index in the vocabulary of the corpus.")
    string: str = Field(description="Its text.")
    count: int = Field(description="Rows with the token where both fire.")
    mean_a: float = Field(description="Mean value of a there.")
    mean_b: float = Field(description="Mean value of b there.")
    share: float = Field(description="Share of the rows where both fire whose token is known.")


class PairDocument(BaseModel):
    """A document in which both features fire at the same row."""

    document: int = Field(description="Index of the document.")
    id: str = Field(description="Id of the document.")
    n_rows: int = Field(description="Its rows.")
    count: int = Field(description="Rows where both fire.")
    max_a: float = Field(description="Largest value of a there.")
    max_b: float = Field(description="Largest value of b there.")


class FeaturePair(BaseModel):
    """How two features go together; exact, over the whole corpus."""

    model_config = ConfigDict(
        ser_json_bytes="base64",
        json_schema_extra={
            "examples": [
                {
                    "commit": 12,
                    "labels_position": 0,
                    "sae": "gpt2-l8",
                    "basis": {"n_rows": 1000, "exact": True, "sampled": None},
                    "n_rows": 1000,
                    "n_a": 50,
                    "n_b": 20,
                    "n_both": 10,
                    "lift": 10.0,
                    "pmi": 3.32,
                    "jaccard": 0.17,
                    "pearson": 0.4,
                    "p_b_given_a": 0.2,
                    "p_a_given_b": 0.5,
                    "decoder_cosine": 0.3,
                    "decoder_reason": "",
                    "encoder_cosine": None,
                    "encoder_reason": "The weights have no encoder",
                    "joint": {"scale": "linear", "edges_a": [0, 3.0], "edges_b": [0, 2.0], "counts": [[10]]},
                    "n_documents": 4,
                    "documents": [{"document": 17, "id": "r-17", "n_rows": 80, "count": 3, "max_a": 2, "max_b": 1}],
                    "shared_tokens": None,
                    "tokens_reason": "Corpus 'reviews' was imported without tokens",
                    "examples": [],
                }
            ]
        },
    )

    commit: int = Field(description="Commit that the answer is about.")
    labels_position: int = Field(description="Place in the log of labels that is shown.")
    sae: str = Field(description="Name of the SAE.")
    basis: Basis = Field(description="What was considered.")
    a: PairSide = Field(description="The first feature.")
    b: PairSide = Field(description="The second feature.")
    n_rows: int = Field(description="Rows of the corpus.")
    n_a: int = Field(description="Rows where a fires.")
    n_b: int = Field(description="Rows where b fires.")
    n_both: int = Field(description="Rows where both fire.")
    lift: float | None = Field(description="n_both over that of independent features; null when one never fires.")
    pmi: float | None = Field(description="log2(lift), in bits; null when they never fire together.")
    jaccard: float | None = Field(description="n_both over rows where any fires; null when neither ever does.")
    pearson: float | None = Field(description="Correlation over all rows, silent ones as 0; null when undefined.")
    p_b_given_a: float | None = Field(description="n_both / n_a.")
    p_a_given_b: float | None = Field(description="n_both / n_b.")
    decoder_cosine: float | None = Field(description="Cosine of the decoder directions.")
    decoder_reason: str = Field(description="Why there is none; empty when there is.")
    encoder_cosine: float | None = Field(description="Cosine of the encoder directions.")
    encoder_reason: str = Field(description="Why there is none; empty when there is.")
    joint: JointHistogram = Field(description="Values of both where both fire.")
    n_documents: int = Field(description="Documents in which both fire at the same row.")
    documents: list[PairDocument] = Field(description="Those with most such rows; of equal ones the first.")
    shared_tokens: list[PairToken] | None = Field(description="Tokens on which both fire most often.")
    tokens_reason: str = Field(description="Why there are none; empty when there are.")
    examples: list[PairExample] = Field(description="Rows where both fire most strongly.")
