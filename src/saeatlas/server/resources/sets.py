"""Selections of features too long for an address: kept once, named by what they hold."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from saeatlas.format.selection import SelectedFeatures, load_selection, save_selection
from saeatlas.server.live import MAX_ID, SaeNow
from saeatlas.server.respond import record
from saeatlas.server.where import asked

__all__ = ["router"]

router = APIRouter(tags=["features"])

_EXAMPLE: dict[str, Any] = {"set": "0123456789abcdef", "name": "loud", "n": 3, "features": [1, 5, 9]}


class SetNew(BaseModel):
    """A selection to keep."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"features": [1, 5, 9], "name": "loud"}]})

    features: list[Annotated[int, Field(ge=0, le=MAX_ID, strict=True)]] = Field(
        min_length=1, max_length=1_000_000, description="Ids; their order and repetitions do not matter."
    )
    name: str = Field(
        default="",
        max_length=200,
        description="What people call it, in one line.",
        # For whoever reads the schema: what is refused is refused, in a sentence, where it is written.
        json_schema_extra={"pattern": r"^[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$"},
    )


class FeatureSet(BaseModel):
    """A selection that was kept."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    set: str = Field(description="Its hash: `ids=set:HASH` asks for these features.")
    name: str = Field(description="What people call it.")
    n: int = Field(description="How many features.")
    features: list[int] = Field(description="Ids, ascending.")


@router.post("/saes/{sae}/sets", response_model=FeatureSet, status_code=201)
def keep_set(request: Request, sae: SaeNow, body: SetNew) -> Response:
    """Keep a selection; the same features under the same name are the same selection."""
    with asked():
        sae.feature(max(body.features))
    found = save_selection(sae.atlas.store, sae.name, body.name, body.features)
    return record(request, _answer(found), status=201)


@router.get("/saes/{sae}/sets/{given}", response_model=FeatureSet)
def kept_set(
    request: Request,
    sae: SaeNow,
    given: Annotated[str, Path(description="Hash of the selection.", max_length=64, examples=["0123456789abcdef"])],
) -> Response:
    """Return a selection by its hash."""
    return record(request, _answer(load_selection(sae.atlas.store, sae.name, given)))


def _answer(found: SelectedFeatures) -> FeatureSet:
    return FeatureSet(set=found.hash, name=found.name, n=len(found.features), features=list(found.features))
