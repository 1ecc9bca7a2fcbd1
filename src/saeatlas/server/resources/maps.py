"""Maps, clusters and graphs of the features of an SAE."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from saeatlas.atlas.clusterings import clustering_of, clusters_of
from saeatlas.atlas.graphs import graph_of
from saeatlas.atlas.projections import projection_of
from saeatlas.server.live import SaeNow
from saeatlas.server.models.tables import sae_meta
from saeatlas.server.respond import Table, table, tabular, unchanged

__all__ = ["router"]

router = APIRouter(tags=["maps"])

_Name = Annotated[str, Path(min_length=1, max_length=200, description="Name, as in the SAE's own answer.")]


@router.get(
    "/saes/{sae}/projections/{name}",
    response_model=Table,
    responses=tabular({"feature": 7, "x": 1.5, "y": -3.0}),
)
def projection(request: Request, sae: SaeNow, name: _Name) -> Response:
    """Give the places of features on a map: 'umap-2d', 'umap-3d' or 'imported'.

    A feature without a place has no line; `extra` says how many, and how well the map keeps neighbours.
    """
    known = unchanged(request)
    if known is not None:
        return known
    about, lines = projection_of(sae, name)
    extra = asdict(about) | {"n_features": sae.n_features, "n_without_place": sae.n_features - lines.num_rows}
    return table(request, lines, sae_meta(sae, total=lines.num_rows, extra=extra))


@router.get(
    "/saes/{sae}/clusters/{name}",
    response_model=Table,
    responses=tabular({"feature": 7, "cluster": 3}),
)
def clusters(request: Request, sae: SaeNow, name: _Name) -> Response:
    """Give the cluster of each feature, null for one that is in none; `extra.clusters` tells what each cluster is."""
    known = unchanged(request)
    if known is not None:
        return known
    lines = clustering_of(sae, name)
    inside = [asdict(one) for one in clusters_of(sae)[name]]
    extra = {"name": name, "n_without_cluster": lines["cluster"].null_count, "clusters": inside}
    return table(request, lines, sae_meta(sae, total=lines.num_rows, extra=extra))


@router.get(
    "/saes/{sae}/graphs/{name}",
    response_model=Table,
    responses=tabular({"source": 7, "target": 9, "weight": 0.41}),
)
def graph(request: Request, sae: SaeNow, name: _Name) -> Response:
    """Give the edges of a graph between features: 'neighbors' or 'imported'."""
    known = unchanged(request)
    if known is not None:
        return known
    about, lines = graph_of(sae, name)
    return table(request, lines, sae_meta(sae, total=lines.num_rows, extra=asdict(about)))
