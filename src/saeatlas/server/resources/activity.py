"""How a feature fires: the histogram of its values, and breakdowns by metadata."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from saeatlas.atlas.breakdown import breakdown_of, served_breakdowns
from saeatlas.atlas.feature import Feature
from saeatlas.atlas.properties import read_property
from saeatlas.atlas.statistics import Scale
from saeatlas.server.live import FeatureNow
from saeatlas.server.models.activity import BreakdownInfo, BreakdownList, ColumnMissing, HistogramBins, HistogramInfo
from saeatlas.server.models.tables import basis_of
from saeatlas.server.respond import record, unchanged

__all__ = ["router"]

router = APIRouter(tags=["features"])


@router.get("/saes/{sae}/features/{feature}/histogram", response_model=HistogramInfo)
def histogram(
    request: Request,
    feature: FeatureNow,
    bins: Annotated[int, Query(ge=1, le=10_000, description="How many bins.")] = 40,
    scale: Annotated[Scale, Query(description="Bins of equal width from 0, or of equal ratio.")] = "linear",
) -> Response:
    """Count the active values of a feature in bins, and the inactive rows beside them."""
    known = unchanged(request)
    if known is not None:
        return known
    found = HistogramBins.of(feature.histogram(bins, scale))
    sae = feature.sae
    made = HistogramInfo.model_construct(
        commit=sae.atlas.commit.number, sae=sae.name, feature=feature.id, basis=basis_of(sae), **found.model_dump()
    )
    return record(request, made)


@router.get("/saes/{sae}/features/{feature}/breakdown", response_model=BreakdownList)
def breakdown(
    request: Request,
    feature: FeatureNow,
    by: Annotated[str | None, Query(max_length=1000, description="A metadata column; all where absent.")] = None,
) -> Response:
    """Compare how a feature fires across the levels of metadata columns, with effect sizes."""
    known = unchanged(request)
    if known is not None:
        return known
    sae = feature.sae
    made, missing = _every(feature) if by is None else ([BreakdownInfo.of(breakdown_of(sae, feature.id, by))], {})
    found = BreakdownList.model_construct(
        commit=sae.atlas.commit.number,
        sae=sae.name,
        feature=feature.id,
        basis=basis_of(sae),
        breakdowns=made,
        missing=[ColumnMissing(column=column, reason=reason) for column, reason in missing.items()],
    )
    return record(request, found)


def _every(feature: Feature) -> tuple[list[BreakdownInfo], dict[str, str]]:
    """Break down by every column: from the analysis, and live by those that it left out."""
    sae = feature.sae
    served, _ = served_breakdowns(sae, feature.id) or ([], {})
    known = {one.column: one for one in served}
    made, missing = [], {}
    for column in sae.corpus.metadata_columns:
        if column in known:
            made.append(BreakdownInfo.of(known[column]))
        elif reason := read_property(sae.corpus, column).reason:
            missing[column] = reason
        else:
            made.append(BreakdownInfo.of(breakdown_of(sae, feature.id, column)))
    return made, missing
