"""Corpora, and documents with what features do on their tokens."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from saeatlas.server.respond import Basis

__all__ = ["CorpusInfo", "CorpusList", "DocumentEntries", "DocumentFeature", "DocumentView"]

_CORPUS: dict[str, Any] = {
    "commit": 12,
    "name": "reviews",
    "n_documents": 500,
    "n_rows": 100000,
    "n_without_rows": 0,
    "metadata_columns": ["stars"],
    "has_text": True,
    "has_tokens": True,
    "has_spans": True,
    "saes": ["gpt2-l8"],
}


class CorpusInfo(BaseModel):
    """The documents and rows that SAEs ran on."""

    model_config = ConfigDict(json_schema_extra={"examples": [_CORPUS]})

    commit: int = Field(description="Commit that the answer is about.")
    name: str = Field(description="What the atlas calls it.")
    n_documents: int = Field(description="Documents, those without rows included.")
    n_rows: int = Field(description="Rows, which are token positions.")
    n_without_rows: int = Field(description="Documents without rows.")
    metadata_columns: list[str] = Field(description="Columns that came with the documents.")
    has_text: bool = Field(description="Whether documents have texts.")
    has_tokens: bool = Field(description="Whether rows have tokens.")
    has_spans: bool = Field(description="Whether tokens have places in the texts.")
    saes: list[str] = Field(description="SAEs that ran on it.")


class CorpusList(BaseModel):
    """All corpora of the atlas."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"commit": 12, "corpora": [_CORPUS]}]})

    commit: int = Field(description="Commit that the answer is about.")
    corpora: list[CorpusInfo] = Field(description="By name.")


class DocumentEntries(BaseModel):
    """Listed entries as three lists of one length, by position and then feature."""

    feature: list[int] = Field(description="Feature ids.")
    position: list[int] = Field(description="Positions in the document.")
    value: list[float] = Field(description="Values; 0 and less are listed, but not active.")


class DocumentFeature(BaseModel):
    """A feature that is active in the rows shown."""

    feature: int = Field(description="Feature id.")
    count: int = Field(description="Active rows.")
    max: float = Field(description="Largest value.")
    mean: float = Field(description="Mean over the active rows.")
    text: str | None = Field(description="Its label, else its first explanation; null when it has neither.")


class DocumentView(BaseModel):
    """A span of one document: its tokens and text, and what features do on each token."""

    model_config = ConfigDict(
        ser_json_bytes="base64",
        json_schema_extra={
            "examples": [
                {
                    "commit": 12,
                    "corpus": "reviews",
                    "document": "r-17",
                    "index": 17,
                    "n_rows": 80,
                    "start": 0,
                    "stop": 2,
                    "text": "My refund",
                    "text_start": 0,
                    "metadata": {"stars": 1},
                    "tokens": ["My", " refund"],
                    "spans": [[0, 2], [2, 9]],
                    "rows": [800, 801],
                    "reason": "",
                    "window_size": None,
                    "sae": "gpt2-l8",
                    "labels_position": 0,
                    "basis": {"n_rows": 2, "exact": True, "sampled": None},
                    "activations": {"feature": [7], "position": [1], "value": [2.5]},
                    "features": [{"feature": 7, "count": 1, "max": 2.5, "mean": 2.5, "text": "refunds"}],
                    "n_features": 1,
                }
            ]
        },
    )

    commit: int = Field(description="Commit that the answer is about.")
    corpus: str = Field(description="Name of the corpus.")
    document: str = Field(description="Id of the document.")
    index: int = Field(description="Index of the document.")
    n_rows: int = Field(description="Rows of the whole document.")
    start: int = Field(description="First position shown.")
    stop: int = Field(description="One past the last position shown; below n_rows where more can be asked for.")
    text: str | None = Field(description="Text of what is shown; null without texts, or without places of tokens.")
    text_start: int | None = Field(description="Place of its first character in the document's text.")
    metadata: dict[str, Any] = Field(description="The document's metadata.")
    tokens: list[str] | None = Field(description="Text of each token; null when they cannot be shown.")
    spans: list[tuple[int, int]] | None = Field(description="First character of each token, and one past its last.")
    rows: list[int] = Field(description="Row in the corpus of each position.")
    reason: str = Field(description="Why there are no tokens; empty when there are.")
    window_size: int | None = Field(description="Tokens that the model saw at once; windows tile the document.")
    sae: str | None = Field(description="SAE whose activations are shown; null when none was asked for.")
    labels_position: int | None = Field(description="Place in its log of labels; null without an SAE.")
    basis: Basis | None = Field(description="Rows that activations were read from; null without an SAE.")
    activations: DocumentEntries | None = Field(description="What the rows list; null without an SAE.")
    features: list[DocumentFeature] | None = Field(description="Active features of the rows, the strongest first.")
    n_features: int | None = Field(description="Features that are active in the rows, those not in the list too.")
