"""The commits of the atlas that are kept."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from saeatlas.errors import NotFound
from saeatlas.format.commit import list_commits, load_commit
from saeatlas.server.live import live_of

__all__ = ["router"]

router = APIRouter(tags=["server"])

_EXAMPLE: dict[str, Any] = {
    "number": 12,
    "written_at": "2026-01-12T04:20:41+00:00",
    "writer": "saeatlas 0.1.0",
    "message": "Analyze gpt2-l8",
    "n_artifacts": 21,
}


class CommitInfo(BaseModel):
    """One state of the atlas."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    number: int = Field(description="Its number: `/api/v1/@NUMBER/…` answers from it.")
    written_at: str = Field(description="Time in UTC.")
    writer: str = Field(description="Program that wrote it.")
    message: str = Field(description="What it changed, in a sentence.")
    n_artifacts: int = Field(description="Artifacts that are current in it.")


class Commits(BaseModel):
    """The commits that are kept, newest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"commits": [_EXAMPLE]}]})

    commits: list[CommitInfo] = Field(description="Newest first.")


@router.get("/commits", response_model=Commits)
def commits(request: Request) -> Response:
    """List the commits that are kept."""
    store = live_of(request).store
    found = []
    for number in reversed(list_commits(store)):
        try:
            commit = load_commit(store, number)
        except NotFound:
            # Removed by 'saeatlas gc' since they were listed.
            continue
        found.append(
            CommitInfo(
                number=number,
                written_at=commit.written_at,
                writer=commit.writer,
                message=commit.message,
                n_artifacts=len(commit.entries),
            )
        )
    return JSONResponse(Commits(commits=found).model_dump(), headers={"cache-control": "no-cache"})
