"""Examples of a feature: rows in their contexts, of all strengths or of a range of values."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from saeatlas.atlas.examples import Pick, Question, pick_rows, rows_between
from saeatlas.errors import InvalidInput
from saeatlas.server.live import FeatureNow
from saeatlas.server.models.examples import ExampleList, TextReader, examples_of
from saeatlas.server.models.tables import basis_of
from saeatlas.server.respond import record, unchanged

__all__ = ["router"]

router = APIRouter(tags=["features"])

_MOST_TOKENS = 200_000


@router.get("/saes/{sae}/features/{feature}/examples", response_model=ExampleList)
def examples(  # noqa: PLR0913  # one for each parameter of the query
    request: Request,
    feature: FeatureNow,
    *,
    pick: Annotated[Pick, Query(description="The strongest, some of each part by strength, or any.")] = "top",
    n: Annotated[int, Query(ge=0, le=1000, description="How many; with 'quantiles' from each part.")] = 10,
    before: Annotated[int, Query(ge=0, le=1000, description="Tokens before the active one at most.")] = 20,
    after: Annotated[int, Query(ge=0, le=1000, description="Tokens after the active one at most.")] = 10,
    seed: Annotated[int, Query(ge=0, le=2**32 - 1, description="Of 'quantiles' and 'random'.")] = 0,
    strata: Annotated[int, Query(ge=1, le=100, description="Parts that 'quantiles' makes.")] = 4,
    low: Annotated[float | None, Query(allow_inf_nan=False, description="Only rows with at least this value.")] = None,
    high: Annotated[float | None, Query(allow_inf_nan=False, description="Only rows with less than this.")] = None,
    texts: Annotated[bool, Query(description="Also the context of each as one text, and places of tokens.")] = False,
) -> Response:
    """Show rows where a feature is active, in context; with `low` and `high` those of a range, exactly."""
    known = unchanged(request)
    if known is not None:
        return known
    n_tokens = n * (strata if pick == "quantiles" else 1) * (before + 1 + after)
    if n_tokens > _MOST_TOKENS:
        raise InvalidInput(
            f"That may be {n_tokens:,} tokens, and one answer has {_MOST_TOKENS:,} at most",
            hint="Ask for fewer examples, or for fewer tokens around each.",
        )
    sae = feature.sae
    question = Question(pick, n, seed, strata, low, high)
    focus = pick_rows(sae, feature.id, question)
    n_active = int(sae.activations.active_counts[feature.id])
    found = ExampleList.model_construct(
        commit=sae.atlas.commit.number,
        sae=sae.name,
        feature=feature.id,
        basis=basis_of(sae),
        pick=pick,
        low=low,
        high=high,
        n_matching=rows_between(sae, feature.id, low, high)[0].size if question.has_range else n_active,
        examples=examples_of(sae, feature.id, [focus], (before, after), TextReader(sae, are_shown=texts))[0],
    )
    return record(request, found)
