"""The table of features: chosen columns, conditions, order, pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from saeatlas.atlas.feature_columns import column_types
from saeatlas.atlas.feature_table import FeatureQuery, feature_page
from saeatlas.atlas.sae import SAE
from saeatlas.format.selection import load_selection
from saeatlas.server.live import MAX_ID, SaeNow
from saeatlas.server.respond import Meta, Table, as_arrow, table, tabular, unchanged
from saeatlas.server.where import Where, asked, id_list, labels_position, name_list, read_where

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = ["router"]

router = APIRouter(tags=["features"])

_JSON_LINES = 100
_SET = "set:"
_LINE = {"feature": 16751, "stats.max": 7.25, "stats.n_active": 412, "explanations.text": None}


class FeatureParams(BaseModel):
    """What is asked of the table of features."""

    model_config = ConfigDict(extra="ignore")

    columns: str = Field(default="", max_length=16_000, description="Columns with commas; all but lists otherwise.")
    where: Where = ""
    sort: str = Field(
        default="", max_length=300, description="Column to sort by; missing values last, ties by feature."
    )
    descending: bool = Field(default=False, description="Largest first.")
    limit: int | None = Field(
        default=None, ge=0, le=MAX_ID, description="Lines at most; by default 100 as JSON and all as Arrow."
    )
    after: str = Field(default="", max_length=16_000, description="`next` of the page before.")
    ids: str = Field(default="", max_length=16_000, description="Only these features: ids with commas, or `set:HASH`.")


@router.get("/saes/{sae}/features", response_model=Table, responses=tabular(_LINE))
def features(request: Request, sae: SaeNow, params: Annotated[FeatureParams, Query()]) -> Response:
    """List features with columns of the current analyses: those that fit, in the order asked for."""
    default = None if as_arrow(request) else _JSON_LINES
    named = name_list(params.columns)
    with asked():
        query = FeatureQuery(
            predicates=read_where(params.where),
            ids=_ids(sae, params.ids),
            sort=params.sort,
            is_descending=params.descending,
            columns=named or _single_values(sae),
            limit=default if params.limit is None else params.limit,
            after=params.after,
        )
        # Without names, the first label brings columns.
        position = labels_position(sae, [*named, query.sort], query.predicates) if named else sae.labels.position
        if (done := unchanged(request, position)) is not None:
            return done
        page = feature_page(sae, query)
    commit = sae.atlas.commit.number
    meta = Meta(commit=commit, sae=sae.name, total=page.total, next=page.next, labels_position=position)
    return table(request, _arrow(page.lines), meta)


def _ids(sae: SAE, text: str) -> tuple[int, ...] | None:
    if not text:
        return None
    if text.startswith(_SET):
        return load_selection(sae.atlas.store, sae.name, text.removeprefix(_SET)).features
    return id_list(text)


def _single_values(sae: SAE) -> tuple[str, ...]:
    names = tuple(name for name, kind in column_types(sae).items() if not kind.is_nested())
    return names or ("feature",)


def _arrow(lines: pl.DataFrame) -> pa.Table:
    from polars import CompatLevel

    # Readers in browsers know the older layout of texts.
    return lines.to_arrow(compat_level=CompatLevel.oldest())
