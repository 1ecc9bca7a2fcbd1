"""Whether the server is up, and what it serves."""

from __future__ import annotations

import time
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from saeatlas._version import __version__
from saeatlas.server.live import live_of
from saeatlas.server.respond import settings_of

__all__ = ["Health", "health", "router"]

router = APIRouter(tags=["server"])


class Health(BaseModel):
    """The state of the server."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "ok",
                    "version": "0.1.0",
                    "commit": 12,
                    "atlas_id": "5ac1f00d",
                    "read_only": False,
                    "token_required": False,
                    "uptime_seconds": 4.2,
                }
            ]
        }
    )

    status: Literal["ok"] = Field(description="Always 'ok': a server that cannot read its atlas answers an error.")
    version: str = Field(description="Version of saeatlas.")
    commit: int = Field(description="Newest commit of the atlas.")
    atlas_id: str = Field(description="First digits of the atlas' id: '@<commit>-<atlas_id>' names a commit anywhere.")
    read_only: bool = Field(description="Whether labels and jobs are refused.")
    token_required: bool = Field(description="Whether requests must show a token.")
    uptime_seconds: float = Field(description="Since the server started.")


@router.get("/health", response_model=Health)
def health(request: Request) -> Response:
    """Say that the server is up and can read its atlas."""
    live = live_of(request)
    settings = settings_of(request)
    found = Health(
        status="ok",
        version=__version__,
        commit=live.atlas().commit.number,
        atlas_id=live.id[:8],
        read_only=settings.read_only,
        token_required=bool(settings.token),
        uptime_seconds=round(time.monotonic() - request.app.state.started_at, 3),
    )
    return JSONResponse(found.model_dump(), headers={"cache-control": "no-store"})
