"""The SAEs of the atlas: what each is, what is known about it, and what is missing."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from saeatlas.atlas.sae import SAE
from saeatlas.server.live import AtlasNow, SaeNow
from saeatlas.server.respond import record

__all__ = ["router"]

router = APIRouter(tags=["SAEs"])

_SUMMARY: dict[str, Any] = {
    "name": "gpt2-l8",
    "n_features": 24576,
    "is_width_known": True,
    "has_activations": True,
    "n_rows": 100000,
    "n_documents": 500,
    "corpus": "reviews",
    "identity": {"name": "gpt2-l8", "model": "gpt2", "layer": 8, "width": 24576, "k": None},
    "identity_digest": "9f2c",
}


class SaeSummary(BaseModel):
    """One SAE in a list."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SUMMARY]})

    name: str = Field(description="What the atlas calls it.")
    n_features: int = Field(description="Width, or the largest id that its data name and one.")
    is_width_known: bool = Field(description="Whether the width is stated and not read off the data.")
    has_activations: bool = Field(description="Whether rows were imported.")
    n_rows: int | None = Field(description="Rows of the corpus that it ran on; null without activations.")
    n_documents: int | None = Field(description="Documents of that corpus; null without activations.")
    corpus: str | None = Field(description="Name of that corpus; null without activations.")
    identity: dict[str, Any] = Field(description="Fact → value; null where nobody stated it.")
    identity_digest: str = Field(description="SHA-256 of the facts: data of another digest is of another SAE.")


class SaeList(BaseModel):
    """All SAEs of the atlas."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"commit": 12, "saes": [_SUMMARY]}]})

    commit: int = Field(description="Commit that the answer is about.")
    saes: list[SaeSummary] = Field(description="By name.")


class ColumnInfo(BaseModel):
    """A column of the table of features."""

    name: str = Field(description="`<analysis>.<column>`.")
    analysis: str = Field(description="Analysis that made it.")
    column: str = Field(description="Its name in the analysis.")
    type: Literal["number", "integer", "text", "boolean", "list"] = Field(description="What its values are.")
    description: str | None = Field(default=None, description="What it means; null where its analysis does not say.")


class AnalysisState(BaseModel):
    """Whether an analysis can be served."""

    name: str = Field(description="Name of the analysis.")
    state: Literal["current", "stale", "absent"] = Field(description="Stale ones are not served.")
    reason: str = Field(description="Why it is not current; empty when it is.")
    axis: str | None = Field(description="What one of its lines is about; null when it is absent.")


class ProjectionInfo(BaseModel):
    """A map of the features."""

    name: str = Field(description="Its name in `/projections/{name}`.")
    dimensions: int = Field(description="2 or 3.")
    source: str = Field(description="Analysis or import that it comes from.")
    quality: list[dict[str, Any]] | None = Field(description="How well it keeps neighbours, for each k; null: unknown.")


class ClusteringInfo(BaseModel):
    """A partition of the features."""

    name: str = Field(description="Its name in `/clusters/{name}`.")
    source: str = Field(description="Analysis that made it.")


class GraphInfo(BaseModel):
    """Edges between features."""

    name: str = Field(description="Its name in `/graphs/{name}`.")
    n_edges: int = Field(description="How many edges.")


class SaeDetail(SaeSummary):
    """Everything about one SAE that is not about single features."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_SUMMARY,
                    "commit": 12,
                    "labels_position": 3,
                    "report_card": None,
                    "columns": [
                        {
                            "name": "stats.max",
                            "analysis": "stats",
                            "column": "max",
                            "type": "number",
                            "description": "Largest active value, in units of the source; null without any.",
                        },
                    ],
                    "analyses": [{"name": "stats", "state": "current", "reason": "", "axis": "feature"}],
                    "projections": [{"name": "umap-2d", "dimensions": 2, "source": "umap", "quality": None}],
                    "clusterings": [{"name": "ward_10", "source": "clusters"}],
                    "graphs": [{"name": "neighbors", "n_edges": 1736}],
                    "metadata_columns": ["stars"],
                    "has_tokens": True,
                    "has_weights": True,
                    "explanation_sets": [],
                    "n_explained": 0,
                    "n_labelled": 1,
                }
            ]
        }
    )

    commit: int = Field(description="Commit that the answer is about.")
    labels_position: int = Field(description="Place in the log of labels that is shown.")
    report_card: dict[str, Any] | None = Field(description="The line of the analysis 'report-card'; null without it.")
    columns: list[ColumnInfo] = Field(description="Columns of the table of features.")
    analyses: list[AnalysisState] = Field(description="Every analysis that there is, computed or not.")
    projections: list[ProjectionInfo] = Field(description="Maps that can be drawn.")
    clusterings: list[ClusteringInfo] = Field(description="Partitions that can be shown.")
    graphs: list[GraphInfo] = Field(description="Edges that can be drawn.")
    metadata_columns: list[str] = Field(description="Columns of the documents.")
    has_tokens: bool = Field(description="Whether rows have tokens.")
    has_weights: bool = Field(description="Whether weights were imported.")
    explanation_sets: list[str] = Field(description="Sets of explanations.")
    n_explained: int = Field(description="Features with an explanation.")
    n_labelled: int = Field(description="Features with a current label.")


@router.get("/saes", response_model=SaeList)
def saes(request: Request, atlas: AtlasNow) -> Response:
    """List the SAEs of the atlas."""
    found = [_summary(atlas.sae(name)) for name in atlas.saes]
    return record(request, SaeList(commit=atlas.commit.number, saes=[SaeSummary(**one) for one in found]))


@router.get("/saes/{sae}", response_model=SaeDetail)
def sae_detail(request: Request, sae: SaeNow) -> Response:
    """Tell what is known about one SAE, what can be shown of it, and what is missing."""
    from saeatlas.atlas.clusterings import clusterings_of
    from saeatlas.atlas.explanations import explanation_sets
    from saeatlas.atlas.graphs import graphs_of

    detail = SaeDetail(
        **_summary(sae),
        commit=sae.atlas.commit.number,
        labels_position=sae.labels.position,
        report_card=_report_card(sae),
        columns=_columns(sae),
        analyses=_analyses(sae),
        projections=_projections(sae),
        clusterings=[ClusteringInfo(name=name, source="clusters") for name in clusterings_of(sae)],
        graphs=[GraphInfo(name=one.name, n_edges=one.n_edges) for one in graphs_of(sae)],
        metadata_columns=list(sae.corpus.metadata_columns) if sae.has_activations else [],
        has_tokens=sae.has_activations and sae.corpus.tokens is not None,
        has_weights=f"sae/{sae.name}/imported/weights" in sae.atlas.entries,
        explanation_sets=list(explanation_sets(sae)),
        n_explained=_n_explained(sae),
        n_labelled=sae.labels.n_labelled,
    )
    return record(request, detail)


def _summary(sae: SAE) -> dict[str, Any]:
    has_rows = sae.has_activations
    return {
        "name": sae.name,
        "n_features": sae.n_features,
        "is_width_known": sae.identity.width is not None,
        "has_activations": has_rows,
        "n_rows": sae.n_rows if has_rows else None,
        "n_documents": sae.corpus.n_documents if has_rows else None,
        "corpus": sae.corpus.name if has_rows else None,
        "identity": sae.identity.to_json(),
        "identity_digest": sae.identity.digest(),
    }


def _report_card(sae: SAE) -> dict[str, Any] | None:
    card = sae.table("report-card")
    return None if card is None or not card.num_rows else card.slice(0, 1).to_pylist()[0]


def _columns(sae: SAE) -> list[ColumnInfo]:
    from saeatlas.pipeline.described_columns import described_columns

    return [ColumnInfo(**asdict(one)) for one in described_columns(sae)]


def _analyses(sae: SAE) -> list[AnalysisState]:
    from saeatlas.atlas.tables import analyses_of, state_of
    from saeatlas.pipeline.registries import analyses

    found = []
    for name in sorted({*analyses(), *analyses_of(sae)}):
        state = state_of(sae, name)
        logical = f"sae/{sae.name}/{name}"
        axis = str(sae.atlas.manifest(logical).attributes["axis"]) if logical in sae.atlas.entries else None
        found.append(AnalysisState(name=name, state=state.word, reason=state.reason, axis=axis))
    return found


def _projections(sae: SAE) -> list[ProjectionInfo]:
    from saeatlas.atlas.projections import projections_of

    return [
        ProjectionInfo(name=one.name, dimensions=one.dimensions, source=one.source, quality=one.quality)
        for one in projections_of(sae)
    ]


def _n_explained(sae: SAE) -> int:
    import polars as pl

    return int(sae.explanations.select(pl.col("feature").n_unique()).collect().item())
