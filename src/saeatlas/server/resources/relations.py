"""What a feature goes with: tokens, n-grams, features that point the same way or fire with it, and logits."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from saeatlas.atlas.logit_effects import logit_effects_of
from saeatlas.atlas.tables import lines_of, state_of
from saeatlas.errors import NotFound
from saeatlas.kernels.pair_measures import Measure
from saeatlas.server.live import FeatureNow
from saeatlas.server.models.relations import EffectsInfo, FeatureNgram, effects_of
from saeatlas.server.models.tables import best_total, feature_meta, ngrams_basis, sae_meta
from saeatlas.server.respond import Table, record, table, tabular, unchanged

__all__ = ["router"]

router = APIRouter(tags=["features"])

_Most = Annotated[int, Query(ge=0, le=1000, description="Lines at most.")]


@router.get(
    "/saes/{sae}/features/{feature}/tokens",
    response_model=Table,
    responses=tabular(
        {
            "rank": 0,
            "token": 41,
            "string": " refund",
            "count": 30,
            "mean": 1.5,
            "share": 0.6,
            "corpus_share": 0.001,
            "lift": 600.0,
        }
    ),
)
def tokens(request: Request, feature: FeatureNow, n: _Most = 20) -> Response:
    """List the tokens on which a feature fires most often."""
    known = unchanged(request)
    if known is not None:
        return known
    found = feature.top_tokens(n)
    return table(request, found, feature_meta(feature, total=best_total(found, n)))


@router.get(
    "/saes/{sae}/features/{feature}/ngrams",
    response_model=Table,
    responses=tabular(
        {
            "kind": "anywhere",
            "size": 2,
            "rank": 0,
            "text": "my refund",
            "count": 9,
            "n_contexts": 9,
            "share": 0.2,
            "n_documents": 7,
        }
    ),
)
def ngrams(request: Request, feature: FeatureNow, n: _Most = 15) -> Response:
    """List the sequences of tokens and characters around the strongest activations, `n` of each kind and size."""
    known = unchanged(request)
    if known is not None:
        return known
    import pyarrow.compute as pc

    sae = feature.sae
    state = state_of(sae, "token-profile")
    if not state.is_current:
        raise NotFound(state.reason)
    lines = lines_of(sae, "token-profile", feature.id, "ngrams", tuple(FeatureNgram.model_fields))
    found = lines.filter(pc.less(lines["rank"], n))
    return table(request, found, sae_meta(sae, total=lines.num_rows, basis=ngrams_basis(feature, state.params)))


@router.get(
    "/saes/{sae}/features/{feature}/neighbors",
    response_model=Table,
    responses=tabular({"feature": 9, "cosine": 0.41}),
)
def neighbors(
    request: Request,
    feature: FeatureNow,
    by: Annotated[Literal["decoder", "encoder"], Query(description="Which directions to compare.")] = "decoder",
    n: Annotated[int, Query(ge=1, le=1000, description="Lines at most.")] = 10,
) -> Response:
    """List the features whose directions are nearest; compared with all features."""
    known = unchanged(request)
    if known is not None:
        return known
    found = feature.similar(n, by)
    return table(request, found, sae_meta(feature.sae, total=best_total(found, n)))


@router.get(
    "/saes/{sae}/features/{feature}/coactive",
    response_model=Table,
    responses=tabular(
        {
            "rank": 0,
            "feature": 9,
            "count": 40,
            "p_other_given_this": 0.8,
            "p_this_given_other": 0.4,
            "lift": 8.0,
            "pmi": 3.0,
            "jaccard": 0.36,
            "pearson": 0.5,
        }
    ),
)
def coactive(
    request: Request,
    feature: FeatureNow,
    by: Annotated[Measure, Query(description="What orders them.")] = "pearson",
    n: _Most = 20,
    min_count: Annotated[int, Query(ge=1, le=10**9, description="Rows below which a pair comes last.")] = 5,
) -> Response:
    """List the features that fire together with one, best first; exact, over the whole corpus."""
    known = unchanged(request)
    if known is not None:
        return known
    found = feature.coactive(n, by=by, min_count=min_count)
    return table(request, found, feature_meta(feature, total=best_total(found, n)))


@router.get("/saes/{sae}/features/{feature}/effects", response_model=EffectsInfo)
def effects(
    request: Request, feature: FeatureNow, n: Annotated[int, Query(ge=1, le=10_000, description="Of each side.")] = 10
) -> Response:
    """List the tokens that a feature makes more and less likely, by its direction alone."""
    known = unchanged(request)
    if known is not None:
        return known
    sides = effects_of(logit_effects_of(feature, n).to_pylist())
    found = EffectsInfo(
        commit=feature.sae.atlas.commit.number,
        sae=feature.sae.name,
        feature=feature.id,
        promoted=sides.promoted,
        suppressed=sides.suppressed,
    )
    return record(request, found)
