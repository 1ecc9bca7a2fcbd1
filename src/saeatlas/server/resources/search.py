"""Features and documents by words."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from saeatlas.atlas.search import MAX_HITS, Found, search
from saeatlas.atlas.search_query import MAX_QUERY
from saeatlas.server.live import AtlasNow
from saeatlas.server.respond import record

__all__ = ["router"]

router = APIRouter(tags=["Search"])

_HIT: dict[str, Any] = {
    "kind": "features",
    "sae": "gpt2-l8",
    "feature": 16751,
    "corpus": None,
    "document": None,
    "index": None,
    "score": 12.5,
    "where": "explanation",
    "snippet": [{"text": "customers who ask for a ", "is_match": False}, {"text": "refund", "is_match": True}],
}


class SearchSegment(BaseModel):
    """A stretch of a snippet: text as it is, and no markup."""

    text: str = Field(description="As it stands in the data.")
    is_match: bool = Field(description="Whether it is what was looked for.")


class SearchHit(BaseModel):
    """A feature or a document that was found."""

    model_config = ConfigDict(json_schema_extra={"examples": [_HIT]})

    kind: Literal["features", "documents"] = Field(description="What was found.")
    sae: str | None = Field(description="SAE of a feature.")
    feature: int | None = Field(description="Id of a feature.")
    corpus: str | None = Field(description="Corpus of a document.")
    document: str | None = Field(description="Id of a document.")
    index: int | None = Field(description="Index of a document.")
    score: float = Field(description="BM25, higher is better; features and documents do not compare.")
    where: Literal["label", "explanation", "token", "text", "metadata"] = Field(
        description="The text that says most of what was asked for."
    )
    snippet: list[SearchSegment] = Field(description="Part of that text, to be shown one after the other.")


class SearchMissing(BaseModel):
    """What could not be searched, or not all of it."""

    kind: Literal["features", "documents"] = Field(description="Of what.")
    name: str = Field(description="The SAE or the corpus.")
    reason: str = Field(description="Why, and what to run.")


class SearchResult(BaseModel):
    """What a search found: features first, then documents, each best first."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "commit": 12,
                    "labels_position": 0,
                    "query": "refnud",
                    "corrected": "refund",
                    "is_any": False,
                    "total": 1,
                    "n_features": 1,
                    "n_documents": 0,
                    "hits": [_HIT],
                    "missing": [],
                }
            ]
        }
    )

    commit: int = Field(description="Commit that the answer is about; labels are newer.")
    labels_position: int = Field(description="Places of the logs of labels that were searched, added up.")
    query: str = Field(description="As it was asked.")
    corrected: str | None = Field(
        description="As it was searched for, where words that occur nowhere were taken for misspelt ones; else null."
    )
    is_any: bool = Field(description="Whether nothing has all words, so that the hits have some of them.")
    total: int = Field(description="Features and documents that were found, of which `hits` has the best.")
    n_features: int = Field(description="Features that were found.")
    n_documents: int = Field(description="Documents that were found.")
    hits: list[SearchHit] = Field(description="Features first, then documents.")
    missing: list[SearchMissing] = Field(description="What was not searched, or not all of it.")


@router.get("/search", response_model=SearchResult)
def search_atlas(
    request: Request,
    atlas: AtlasNow,
    q: Annotated[str, Query(description='Words; a phrase in "double quotes".', min_length=1, max_length=MAX_QUERY)],
    sae: Annotated[
        str | None, Query(description="Only this SAE, and the documents of its corpus.", min_length=1, max_length=200)
    ] = None,
    kind: Annotated[Literal["features", "documents"] | None, Query(description="Only these; both without.")] = None,
    limit: Annotated[int, Query(description="Hits of each kind.", ge=1, le=MAX_HITS)] = 20,
) -> Response:
    """Find features by words in labels, explanations and top tokens, and documents by text and metadata.

    Every word must be found, as a word or as the beginning of one. A word that occurs nowhere is taken for a misspelt
    one, and when nothing has all words, what has any of them is found: the answer says both.
    """
    # Read before the search: an answer with newer labels than its tag says is asked for again, never kept.
    names = atlas.saes if sae is None else [sae]
    position = sum(atlas.sae(name).labels.position for name in names)
    found = search(atlas, q, sae=sae, kind=kind, limit=limit)
    return record(
        request,
        SearchResult(
            commit=atlas.commit.number,
            labels_position=position,
            query=found.query,
            corrected=found.corrected,
            is_any=found.is_any,
            total=found.total,
            n_features=found.n_features,
            n_documents=found.n_documents,
            hits=_hits(found),
            missing=[SearchMissing(kind=one.kind, name=one.name, reason=one.reason) for one in found.missing],
        ),
    )


def _hits(found: Found) -> list[SearchHit]:
    features = [
        SearchHit(
            kind="features",
            sae=hit.sae,
            feature=hit.feature,
            corpus=None,
            document=None,
            index=None,
            score=hit.score,
            where=hit.where,
            snippet=[SearchSegment(text=part.text, is_match=part.is_match) for part in hit.snippet],
        )
        for hit in found.features
    ]
    documents = [
        SearchHit(
            kind="documents",
            sae=None,
            feature=None,
            corpus=hit.corpus,
            document=hit.document,
            index=hit.index,
            score=hit.score,
            where=hit.where,
            snippet=[SearchSegment(text=part.text, is_match=part.is_match) for part in hit.snippet],
        )
        for hit in found.documents
    ]
    return [*features, *documents]
