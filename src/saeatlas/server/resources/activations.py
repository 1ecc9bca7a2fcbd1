"""Where a feature is active: all rows, and the documents that they are in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from saeatlas.atlas.feature import Feature
from saeatlas.errors import InvalidInput
from saeatlas.server.live import MAX_ID, FeatureNow
from saeatlas.server.models.paging import page_of, stretch_of
from saeatlas.server.models.tables import basis_of, feature_meta, sae_meta
from saeatlas.server.respond import Table, table, tabular, unchanged

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

__all__ = ["router"]

router = APIRouter(tags=["features"])


@router.get(
    "/saes/{sae}/features/{feature}/activations",
    response_model=Table,
    responses=tabular({"row": 812, "document": "r-17", "position": 3, "value": 2.5}),
)
def activations(  # noqa: PLR0913  # one for each parameter of the query
    request: Request,
    feature: FeatureNow,
    *,
    listed: Annotated[bool, Query(description="Also rows that list it with a value of 0 or less.")] = False,
    start: Annotated[int | None, Query(ge=0, le=MAX_ID, description="Only rows from this one on.")] = None,
    stop: Annotated[int | None, Query(ge=0, le=MAX_ID, description="Only rows before this one.")] = None,
    limit: Annotated[int | None, Query(ge=0, le=MAX_ID, description="Lines at most; 1,000 in JSON.")] = None,
    after: Annotated[int | None, Query(ge=0, le=MAX_ID, description="`next` of the page before: a row.")] = None,
) -> Response:
    """List the rows where a feature is active, in the order of the corpus: the whole corpus, nothing sampled."""
    known = unchanged(request)
    if known is not None:
        return known
    sae = feature.sae
    low, high = start or 0, sae.n_rows if stop is None else stop
    if not low <= high <= sae.n_rows:
        raise InvalidInput(f"Rows {low} to {high} do not lie within the {sae.n_rows:,} rows")
    rows, values = feature.arrays(listed=listed)
    first, last = np.searchsorted(rows, [low, high]).tolist()
    rows, values = rows[first:last], values[first:last]
    page = stretch_of(request, rows, limit, after)
    return table(
        request,
        _lines(feature, rows[page.start : page.stop], values[page.start : page.stop]),
        sae_meta(sae, total=last - first, following=page.following, basis=basis_of(sae, high - low)),
    )


@router.get(
    "/saes/{sae}/features/{feature}/documents",
    response_model=Table,
    responses=tabular(
        {
            "document": 17,
            "id": "r-17",
            "n_rows": 80,
            "count": 3,
            "sum": 4.5,
            "mean": 1.5,
            "mean_all_rows": 0.056,
            "max": 2.5,
        }
    ),
)
def feature_documents(
    request: Request,
    feature: FeatureNow,
    limit: Annotated[int | None, Query(ge=0, le=MAX_ID, description="Lines at most; 1,000 in JSON.")] = None,
    after: Annotated[int | None, Query(ge=0, le=MAX_ID, description="`next` of the page before: an index.")] = None,
) -> Response:
    """List the documents in which a feature is active, in the order of the corpus."""
    known = unchanged(request)
    if known is not None:
        return known
    page = page_of(request, feature.documents(), "document", limit, after)
    return table(request, page.lines, feature_meta(feature, total=page.total, following=page.following))


def _lines(feature: Feature, rows: npt.NDArray[Any], values: npt.NDArray[Any]) -> pa.Table:
    """Return row, document, position and value, nothing copied but what is computed.

    The names of documents are written once each: they would be most of the answer.
    """
    import pyarrow as pa

    reader = feature.sae.corpus.documents
    documents, positions = reader.locate(rows)
    which, index = _numbered(documents, reader.n_documents)
    names = reader.ids(which).cast(pa.string())
    return pa.table(
        {
            "row": pa.array(rows),
            "document": pa.DictionaryArray.from_arrays(pa.array(index), names),
            "position": pa.array(positions),
            "value": pa.array(values),
        }
    )


def _numbered(
    documents: npt.NDArray[np.uint32], n_documents: int
) -> tuple[npt.NDArray[np.integer[Any]] | None, npt.NDArray[np.int32]]:
    """Return the distinct documents and the place of each row's document among them; None for all documents."""
    if not documents.size:
        return np.empty(0, np.int64), np.empty(0, np.int32)
    is_new = np.concatenate([[True], documents[1:] != documents[:-1]])
    if 2 * int(is_new.sum()) >= n_documents:
        # Most of them are there: to name all costs less than to count off those that are.
        return None, documents.view(np.int32)
    if bool((documents[1:] >= documents[:-1]).all()):
        return documents[is_new], (np.cumsum(is_new, dtype=np.int32) - np.int32(1)).astype(np.int32, copy=False)
    which, place = np.unique(documents, return_inverse=True)
    return which, place.astype(np.int32)
