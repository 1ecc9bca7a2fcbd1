"""How the numbers of features are spread, for filter chips and thresholds."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from saeatlas.atlas.column_histograms import MAX_BINS, ColumnHistogram, column_histograms
from saeatlas.server.live import SaeNow
from saeatlas.server.respond import record
from saeatlas.server.where import Where, asked, labels_position, name_list, read_where

__all__ = ["router"]

router = APIRouter(tags=["features"])

_EXAMPLE: dict[str, Any] = {
    "column": "stats.max",
    "edges": [0.0, 2.5, 5.0],
    "counts": [900, 100],
    "counts_where": None,
    "n_missing": 24,
    "n_missing_where": None,
    "n_present": 1000,
    "total": 1024,
}


class HistogramOfColumn(BaseModel):
    """Counts of one column between recorded edges."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    column: str = Field(description="Which column.")
    edges: list[float] = Field(description="Bin i has edge i <= value < edge i + 1, the last its right edge too.")
    counts: list[int] = Field(description="All features by bin.")
    counts_where: list[int] | None = Field(description="Those that fulfil `where`; null without it.")
    n_missing: int = Field(description="Features without a finite value.")
    n_missing_where: int | None = Field(description="Those of them that fulfil `where`; null without it.")
    n_present: int = Field(description="Features with a finite value.")
    total: int = Field(description="All features.")


class Histograms(BaseModel):
    """Histograms in the order asked for."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"commit": 12, "sae": "gpt2-l8", "histograms": [_EXAMPLE]}]}
    )

    commit: int = Field(description="Commit that the answer is about.")
    sae: str = Field(description="Whose features.")
    labels_position: int | None = Field(default=None, description="Place in the log of labels, where it matters.")
    histograms: list[HistogramOfColumn] = Field(description="One for each column.")


@router.get("/saes/{sae}/histograms", response_model=Histograms)
def histograms(
    request: Request,
    sae: SaeNow,
    columns: Annotated[
        str,
        Query(description="Columns of numbers with commas.", min_length=1, max_length=16_000, examples=["feature"]),
    ],
    bins: Annotated[int, Query(description="Bins of each.", ge=1, le=MAX_BINS)] = 40,
    where: Where = "",
) -> Response:
    """Count the values of columns, of all features and of those that fulfil conditions."""
    names, predicates = name_list(columns), read_where(where)
    with asked():
        position = labels_position(sae, names, predicates)
        found = column_histograms(sae, names, bins, predicates)
    answer = Histograms(
        commit=sae.atlas.commit.number,
        sae=sae.name,
        labels_position=position,
        histograms=[_answer(one) for one in found],
    )
    return record(request, answer)


def _answer(one: ColumnHistogram) -> HistogramOfColumn:
    return HistogramOfColumn(
        column=one.column,
        edges=one.edges.tolist(),
        counts=one.counts.tolist(),
        counts_where=None if one.counts_where is None else one.counts_where.tolist(),
        n_missing=one.n_missing,
        n_missing_where=one.n_missing_where,
        n_present=one.n_present,
        total=one.total,
    )
