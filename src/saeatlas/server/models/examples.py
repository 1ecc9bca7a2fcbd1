"""Rows of a feature in their contexts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from saeatlas.atlas.contexts import Focus
from saeatlas.atlas.sae import SAE
from saeatlas.atlas.windows import Window, texts_of, window_start_of, windows_at
from saeatlas.server.respond import Basis

__all__ = ["ContextExample", "ExampleList", "ExampleText", "RowContext", "TextReader", "examples_of", "window_facts"]


class ExampleText(BaseModel):
    """A context as one text, cut out of the document where `is_natural_text`, otherwise token strings joined."""

    before: str = Field(description="From the first token up to the active one.")
    active: str = Field(description="The active token.")
    after: str = Field(description="After the active token.")
    spans: list[tuple[int | None, int | None]] | None = Field(
        description="First character of each token in the document's text and the one past its last; null without."
    )


class RowContext(BaseModel):
    """A row in its document, and the tokens around it."""

    row: int = Field(description="Row in the corpus.")
    document: str = Field(description="Id of the document.")
    document_index: int = Field(description="Index of the document.")
    position: int = Field(description="Position of the row in the document, from 0.")
    first_position: int = Field(description="Position in the document of the first token.")
    tokens: list[str] = Field(description="Text of each token; empty when they are not available.")
    visible: list[bool | None] = Field(description="Whether the model saw each token at the row; null when unknown.")
    metadata: dict[str, Any] = Field(description="The document's metadata.")
    window_start: int | None = Field(description="First position in the model's window; null when it is unknown.")
    context_available: bool = Field(description="Whether there are tokens.")
    reason: str = Field(description="Why there are none; empty when there are.")
    is_natural_text: bool = Field(description="Whether the tokens lie in the document's text, one after the other.")


class ContextExample(RowContext):
    """One row of a feature, in its document."""

    value: float = Field(description="Value of the feature at the row.")
    stratum: int | None = Field(description="Part of the rows it was drawn from, 0 the strongest; null without parts.")
    rank: int = Field(description="From 0: by strength with 'top', else in the order of drawing within the stratum.")
    values: list[float | None] = Field(description="Listed value at each token; null where it is not listed.")
    text: ExampleText | None = Field(
        default=None, description="The context as text, where `texts` asks for it and there are tokens."
    )


class ExampleList(BaseModel):
    """Examples of a feature."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "commit": 12,
                    "sae": "gpt2-l8",
                    "feature": 7,
                    "basis": {"n_rows": 1000, "exact": True, "sampled": None},
                    "pick": "top",
                    "low": None,
                    "high": None,
                    "n_matching": 50,
                    "examples": [
                        {
                            "row": 812,
                            "document": "r-17",
                            "document_index": 17,
                            "position": 3,
                            "value": 2.5,
                            "stratum": None,
                            "rank": 0,
                            "first_position": 2,
                            "tokens": [" my", " refund", "!"],
                            "values": [None, 2.5, 0.1],
                            "visible": [True, True, False],
                            "metadata": {"stars": 1},
                            "window_start": 0,
                            "context_available": True,
                            "reason": "",
                            "is_natural_text": True,
                        }
                    ],
                }
            ]
        }
    )

    commit: int = Field(description="Commit that the answer is about.")
    sae: str = Field(description="Name of the SAE.")
    feature: int = Field(description="Feature id.")
    basis: Basis = Field(description="Rows from which examples were chosen: all of them.")
    pick: Literal["top", "quantiles", "random"] = Field(description="How they were chosen.")
    low: float | None = Field(description="Only rows with at least this value; null for all.")
    high: float | None = Field(description="Only rows with less than this value; null for all.")
    n_matching: int = Field(description="Active rows in the range: those that were chosen from.")
    examples: list[ContextExample] = Field(description="In the order of choice; with 'quantiles' by stratum.")


class TextReader:
    """Texts of documents, each read once."""

    def __init__(self, sae: SAE, *, are_shown: bool = False) -> None:
        self.are_shown = are_shown
        """Whether examples show their texts; they are most of what an example says, a second time."""
        self._corpus = sae.corpus
        self._texts: dict[int, str | None] = {}

    def text(self, document: int) -> str | None:
        """Return the text of a document, given by its index."""
        if document not in self._texts:
            self._texts[document] = self._corpus.documents.text(document)
        return self._texts[document]


def examples_of(
    sae: SAE, feature: int, focuses: Sequence[Focus], span: tuple[int, int], texts: TextReader
) -> list[list[ContextExample]]:
    """Show rows in their contexts of `span` tokens before and after; whatever is asked for at once is read together."""
    rows = np.concatenate([np.empty(0, np.int64), *(focus.rows.astype(np.int64) for focus in focuses)])
    windows = iter(windows_at(sae, [feature], rows, *span))
    return [
        [
            ContextExample.model_construct(
                **window_facts(sae, window, texts),
                value=float(focus.values[index]),
                stratum=None if focus.strata is None else int(focus.strata[index]),
                rank=index if focus.ranks is None else int(focus.ranks[index]),
                values=window.values[0],
            )
            for index, window in enumerate(islice(windows, focus.rows.size))
        ]
        for focus in focuses
    ]


def window_facts(sae: SAE, window: Window, texts: TextReader) -> dict[str, Any]:
    """Return what a window tells about its row, but the values: the fields of `RowContext`, and `text`."""
    place = window.place
    text, is_natural = ("", "", ""), False
    if not window.reason:
        text, is_natural = texts_of(window, texts.text(place.index) if window.spans is not None else None)
    return {
        "row": place.row,
        "document": place.document,
        "document_index": place.index,
        "position": place.position,
        "first_position": window.first,
        "tokens": window.strings,
        "visible": window.visible,
        "metadata": sae.corpus.metadata(place.index),
        "window_start": window_start_of(place.position, sae.identity.context_window),
        "context_available": not window.reason,
        "reason": window.reason,
        "is_natural_text": is_natural,
        "text": _text(window, text) if texts.are_shown and not window.reason else None,
    }


def _text(window: Window, text: tuple[str, str, str]) -> ExampleText:
    before, active, after = text
    return ExampleText.model_construct(before=before, active=active, after=after, spans=window.spans)
