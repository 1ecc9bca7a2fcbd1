"""The endpoints of an older activation server: the same fields, and beside them what its clients had to go without."""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from saeatlas.atlas.feature import Feature
from saeatlas.atlas.sae import SAE
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.server.compat.activations import Activations, Asked, Groups, activations_of, groups_of, words_of
from saeatlas.server.live import MAX_ID, AtlasNow
from saeatlas.server.respond import ARROW, settings_of

__all__ = ["PREFIX", "router"]

PREFIX = "/compat/activations"
"""Where these are: not under the API, and at the newest commit only."""

router = APIRouter(tags=["Compatibility"])

_FEATURE: dict[str, Any] = {
    "sae": "gpt2-l8",
    "commit": 12,
    "feature_id": 7,
    "n_rows": 1,
    "columns": ["activation", "weapon_id", "ability_input_tokens", "document", "document_id", "n_active_rows"],
    "data": [
        {
            "activation": 3.5,
            "weapon_id": 2,
            "ability_input_tokens": [11, 42],
            "document": 17,
            "document_id": "review-000017",
            "n_active_rows": 1,
        }
    ],
    "load_time_ms": 1.2,
    "n_documents": 120,
    "sampled": None,
    "group": "weapon",
    "stats": {"n_active": 140, "n_rows": 100000, "max": 3.5},
}


class CompatHealth(BaseModel):
    """Whether the server answers, and about which SAE."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "healthy",
                    "model_type": "gpt2-l8",
                    "n_features": 20111,
                    "uptime_seconds": 12.5,
                    "n_features_total": 24576,
                    "commit": 12,
                    "identity": {"model": "gpt2", "layer": 8},
                    "identity_digest": "9f2c",
                }
            ]
        }
    )

    status: str = Field(description="Always 'healthy'.")
    model_type: str = Field(description="Name of the SAE: compare it with the one that is wanted.")
    n_features: int = Field(description="Features that are active in any row.")
    uptime_seconds: float = Field(description="Time since the server started.")
    n_features_total: int = Field(description="Features of the SAE, those that never fire too.")
    commit: int = Field(description="Commit that is served.")
    identity: dict[str, Any] = Field(description="Fact → value; null where nobody stated it.")
    identity_digest: str = Field(description="SHA-256 of the facts.")


class CompatFeatures(BaseModel):
    """Which features there are to ask about."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"feature_ids": [0, 1, 3], "n_features_total": 4}]})

    feature_ids: list[int] = Field(description="Features that are active in any row, ascending.")
    n_features_total: int = Field(description="Features of the SAE; the others can be asked about, and have no lines.")


class CompatActivations(BaseModel):
    """Where one feature is active, a line for each document, the strongest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [_FEATURE]})

    feature_id: int = Field(description="The feature.")
    n_rows: int = Field(description="Lines of `data`.")
    columns: list[str] = Field(description="Members of each line.")
    data: list[dict[str, Any]] = Field(description="The lines; a document without a group has null for it.")
    load_time_ms: float = Field(description="Time that the answer took.")
    n_documents: int = Field(description="Documents in which it is active, before any draw or limit.")
    sampled: str | None = Field(description="How documents were drawn; null when all were considered.")
    group: str | None = Field(description="Metadata column that `weapon_id` numbers; null where there is none.")
    stats: dict[str, Any] = Field(description="How often and how strongly it fires, over all rows.")
    sae: str = Field(description="The SAE.")
    commit: int = Field(description="Commit that the answer is about.")


class CompatVocab(BaseModel):
    """Ids by what they stand for."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"vocab": {" cat": 11}, "weapon_vocab": {"review": 0}, "ambiguous": {}, "group": "kind"},
            ]
        }
    )

    vocab: dict[str, int] = Field(description="Token text → id; of a text that several tokens have, the lowest.")
    weapon_vocab: dict[str, int] = Field(description="Value of the group's column → id.")
    ambiguous: dict[str, list[int]] = Field(description="Texts that several tokens have → all their ids.")
    group: str | None = Field(description="Metadata column of the groups; null where there is none.")


class CompatInverseVocab(BaseModel):
    """What ids stand for."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"inv_vocab": {"11": " cat"}, "inv_weapon_vocab": {"0": "review"}, "group": "kind"}]
        }
    )

    inv_vocab: dict[str, str] = Field(description="Id, as text → token text.")
    inv_weapon_vocab: dict[str, str] = Field(description="Id, as text → value of the group's column.")
    group: str | None = Field(description="Metadata column of the groups; null where there is none.")


def _sae(
    atlas: AtlasNow,
    sae: Annotated[
        str | None, Query(description="The SAE; not needed where there is one.", min_length=1, max_length=200)
    ] = None,
) -> SAE:
    found = atlas.sae(sae)
    if not found.has_activations:
        raise NotFound(f"SAE '{found.name}' has no activations", hint="Ask about another with ?sae=NAME.")
    return found


_Sae = Annotated[SAE, Depends(_sae)]


def _groups(
    request: Request,
    sae: _Sae,
    group: Annotated[
        str | None,
        Query(
            description="Column to give as `weapon_id`; else what the server's --compat-group names.",
            min_length=1,
            max_length=200,
        ),
    ] = None,
) -> Groups:
    return groups_of(sae.corpus, group or settings_of(request).compat_group or None)


_Groups = Annotated[Groups, Depends(_groups)]


def _feature(
    sae: _Sae, feature: Annotated[int, Path(description="Id of the feature, from 0.", ge=-MAX_ID, le=MAX_ID)]
) -> Feature:
    if not 0 <= feature < sae.n_features:
        # A negative id counts from nowhere.
        raise NotFound(f"No feature {feature}: the features are 0 to {sae.n_features - 1}")
    return sae.feature(feature)


_Feature = Annotated[Feature, Depends(_feature)]


def _asked(
    request: Request,
    *,
    limit: Annotated[int | None, Query(description="Lines at most: the strongest.", ge=1, le=MAX_ID)] = None,
    sample_frac: Annotated[
        float | None, Query(description="Share of the documents to draw, before the limit.", gt=0, le=1)
    ] = None,
    include_abilities: Annotated[bool, Query(description="Whether each line lists the tokens of its document.")] = True,
    seed: Annotated[int, Query(description="Of the draw: the same gives the same.", ge=0, le=2**53 - 1)] = 0,
) -> Asked:
    most = settings_of(request).max_result_bytes
    return Asked(limit=limit, share=sample_frac, seed=seed, has_tokens=include_abilities, max_bytes=most)


_Asked = Annotated[Asked, Depends(_asked)]


@router.get("/health", response_model=CompatHealth)
def compat_health(request: Request, sae: _Sae) -> Response:
    """Tell which SAE is served: a client can see whether it is the one that it wants."""
    return _answer(
        CompatHealth(
            status="healthy",
            model_type=sae.name,
            n_features=len(_active(sae)),
            uptime_seconds=time.monotonic() - request.app.state.started_at,
            n_features_total=sae.n_features,
            commit=sae.atlas.commit.number,
            identity=sae.identity.to_json(),
            identity_digest=sae.identity.digest(),
        )
    )


@router.get("/features", response_model=CompatFeatures)
def compat_features(sae: _Sae) -> Response:
    """List the features that are active in any row."""
    return _answer(CompatFeatures(feature_ids=_active(sae), n_features_total=sae.n_features))


@router.get("/activations/{feature}", response_model=CompatActivations)
def compat_activations(request: Request, feature: _Feature, groups: _Groups, asked: _Asked) -> Response:
    """List the documents in which a feature is active, all of them unless asked otherwise, the strongest first."""
    begin = time.perf_counter()
    found = activations_of(feature, groups, asked)
    most = settings_of(request).max_json_rows
    if found.lines.num_rows > most:
        raise InvalidInput(
            f"{found.lines.num_rows:,} lines are more than an answer in JSON may have: {most:,}",
            hint=f"Ask for fewer with 'limit', or for {PREFIX}/activations/{feature.id}/arrow",
        )
    return _answer(
        CompatActivations(
            feature_id=feature.id,
            n_rows=found.lines.num_rows,
            columns=found.lines.column_names,
            data=found.lines.to_pylist(),
            load_time_ms=_milliseconds(begin),
            n_documents=found.n_documents,
            sampled=found.sampled,
            group=groups.column,
            stats=_stats(feature),
            sae=feature.sae.name,
            commit=feature.sae.atlas.commit.number,
        )
    )


@router.get(
    "/activations/{feature}/arrow",
    response_class=Response,
    responses={
        200: {
            "description": "The lines as an Arrow IPC file, under the media type that clients of this address expect.",
            "content": {ARROW: {"schema": {"type": "string", "contentMediaType": ARROW}}},
        }
    },
)
def compat_activations_arrow(feature: _Feature, groups: _Groups, asked: _Asked) -> Response:
    """Give the lines of `/activations/{feature}` as an Arrow IPC file."""
    begin = time.perf_counter()
    found = activations_of(feature, groups, asked)
    body = _arrow_file(feature, found)
    headers = {
        "x-feature-id": str(feature.id),
        "x-num-rows": str(found.lines.num_rows),
        "x-load-time-ms": f"{_milliseconds(begin):.3f}",
        "x-cache-hit": "false",
        "x-num-documents": str(found.n_documents),
        "cache-control": "no-cache",
    }
    if found.sampled is not None:
        headers["x-sampled"] = found.sampled
    return Response(body, 200, headers, media_type=ARROW)


@router.get("/context/vocab", response_model=CompatVocab)
def compat_vocab(sae: _Sae, groups: _Groups) -> Response:
    """Give the ids of tokens and groups by what they stand for."""
    vocab, _, ambiguous = words_of(sae)
    return _answer(CompatVocab(vocab=vocab, weapon_vocab=groups.names(), ambiguous=ambiguous, group=groups.column))


@router.get("/context/inv_vocab", response_model=CompatInverseVocab)
def compat_inverse_vocab(sae: _Sae, groups: _Groups) -> Response:
    """Give what the ids of tokens and groups stand for."""
    _, texts, _ = words_of(sae)
    inverse = {str(number): name for name, number in groups.names().items()}
    return _answer(CompatInverseVocab(inv_vocab=texts, inv_weapon_vocab=inverse, group=groups.column))


def _active(sae: SAE) -> list[int]:
    return [feature for feature, count in enumerate(sae.activations.active_counts.tolist()) if count]


def _stats(feature: Feature) -> dict[str, Any]:
    """Return the statistics of a feature, what is undefined as null."""
    stats = dataclasses.asdict(feature.stats())
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in stats.items()}


def _milliseconds(begin: float) -> float:
    return (time.perf_counter() - begin) * 1000


def _arrow_file(feature: Feature, found: Activations) -> bytes:
    import pyarrow as pa

    about = {"sae": feature.sae.name, "commit": str(feature.sae.atlas.commit.number)}
    about |= {"n_documents": str(found.n_documents), "sampled": found.sampled or ""}
    lines = found.lines.replace_schema_metadata(about)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, lines.schema) as writer:
        writer.write_table(lines)
    return bytes(sink.getvalue())


def _answer(model: BaseModel) -> Response:
    return Response(
        model.model_dump_json().encode(), headers={"cache-control": "no-cache"}, media_type="application/json"
    )
