"""A pair of features: how often both fire, how alike they are, and where both do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from saeatlas.atlas.feature import Feature
from saeatlas.atlas.statistics import Scale, histogram_of, stats_of
from saeatlas.errors import NotFound
from saeatlas.server.live import MAX_ID, SaeNow
from saeatlas.server.models.activity import HistogramBins, StatsInfo
from saeatlas.server.models.examples import TextReader, window_facts
from saeatlas.server.models.names import FeatureNames
from saeatlas.server.models.pairs import FeaturePair, JointHistogram, PairDocument, PairExample, PairSide, PairToken
from saeatlas.server.models.tables import basis_of
from saeatlas.server.respond import record, unchanged

if TYPE_CHECKING:
    from saeatlas.atlas.pairs import Pair

__all__ = ["router"]

router = APIRouter(tags=["features"])

_BINS = 40
_DOCUMENTS, _TOKENS = 20, 20
_MEASURES = ("n_rows", "n_a", "n_b", "n_both", "lift", "pmi", "jaccard", "pearson", "p_b_given_a", "p_a_given_b")
_Id = Annotated[int, Path(description="Id of a feature, from 0.", ge=0, le=MAX_ID)]


@router.get("/saes/{sae}/pairs/{a}/{b}", response_model=FeaturePair)
def pair(  # noqa: PLR0913  # one for each parameter of the query
    request: Request,
    sae: SaeNow,
    a: _Id,
    b: _Id,
    *,
    n: Annotated[int, Query(ge=0, le=200, description="Examples at most.")] = 10,
    before: Annotated[int, Query(ge=0, le=200, description="Tokens before the active one at most.")] = 20,
    after: Annotated[int, Query(ge=0, le=200, description="Tokens after the active one at most.")] = 10,
    bins: Annotated[int, Query(ge=1, le=100, description="Bins of each side of the joint histogram.")] = 20,
    scale: Annotated[Scale, Query(description="Bins of equal width from 0, or of equal ratio.")] = "linear",
) -> Response:
    """Put two different features of an SAE side by side."""
    known = unchanged(request, sae.labels.position)
    if known is not None:
        return known
    names = FeatureNames(sae)
    found = sae.pair(a, b)
    decoder, encoder = found.cosine("decoder"), found.cosine("encoder")
    joint = found.joint(bins, scale)
    documents = found.documents().sort_by([("count", "descending"), ("document", "ascending")])
    shared, reason = _tokens(found)
    made = FeaturePair.model_construct(
        commit=sae.atlas.commit.number,
        labels_position=names.position,
        sae=sae.name,
        basis=basis_of(sae),
        a=_side(found.a, names),
        b=_side(found.b, names),
        **{name: getattr(found, name) for name in _MEASURES},
        decoder_cosine=decoder.value,
        decoder_reason=decoder.reason,
        encoder_cosine=encoder.value,
        encoder_reason=encoder.reason,
        joint=JointHistogram.model_construct(
            scale=scale,
            edges_a=list(joint.edges_a),
            edges_b=list(joint.edges_b),
            counts=[list(line) for line in joint.counts],
        ),
        n_documents=documents.num_rows,
        documents=[PairDocument(**line) for line in documents.slice(0, _DOCUMENTS).to_pylist()],
        shared_tokens=shared,
        tokens_reason=reason,
        examples=_examples(found, n, (before, after)),
    )
    return record(request, made)


def _side(feature: Feature, names: FeatureNames) -> PairSide:
    sae = feature.sae
    return PairSide.model_construct(
        feature=feature.id,
        text=names.text(feature.id),
        stats=StatsInfo.of(stats_of(sae, feature.id)),
        histogram=HistogramBins.of(histogram_of(sae, feature.id, _BINS, "linear")),
    )


def _tokens(found: Pair) -> tuple[list[PairToken] | None, str]:
    try:
        lines = found.tokens(_TOKENS).to_pylist()
    except NotFound as none:
        return None, none.message
    return [PairToken(**line) for line in lines], ""


def _examples(found: Pair, n: int, span: tuple[int, int]) -> list[PairExample]:
    places = found.strongest(n)
    texts = TextReader(found.sae)
    return [
        PairExample.model_construct(
            **window_facts(found.sae, window, texts),
            value_a=float(found.values_a[place]),
            value_b=float(found.values_b[place]),
            rank=rank,
            values_a=window.values[0],
            values_b=window.values[1],
        )
        for rank, (place, window) in enumerate(zip(places, found.windows(places, *span), strict=True))
    ]
