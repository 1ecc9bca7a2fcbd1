"""The analyses that can be started, with the schema of their fields, from which pages build forms."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.responses import JSONResponse, Response

from saeatlas.errors import SaeatlasError
from saeatlas.pipeline.registries import registries

__all__ = ["router"]

router = APIRouter(tags=["jobs"])

Kind = Literal["importers", "analyses", "embedders", "exporters", "plots"]

_EXAMPLE: dict[str, Any] = {
    "kind": "analyses",
    "name": "stats",
    "doc": "How often and how strongly each feature fires, over every row.",
    "schema": {"type": "object", "properties": {"floor": {"type": "number", "default": 0.0}}},
    "reason": "",
}
_making = threading.Lock()


class PluginInfo(BaseModel):
    """One plug-in."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]}, populate_by_name=True)

    kind: Kind = Field(description="What it is.")
    name: str = Field(description="Its name.")
    doc: str = Field(description="What it does.")
    fields: dict[str, Any] | None = Field(
        alias="schema", description="JSON Schema of its parameters; null where it cannot be loaded."
    )
    reason: str = Field(description="Why it cannot be loaded; empty when it can.")


class Plugins(BaseModel):
    """The plug-ins of one kind, or of all."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"plugins": [_EXAMPLE]}]})

    plugins: list[PluginInfo] = Field(description="By kind and name.")


@router.get("/plugins", response_model=Plugins)
def plugins(kind: Annotated[Kind | None, Query(description="Only these.")] = None) -> Response:
    """List plug-ins with the schema of their parameters."""
    found = [_info(one, name) for one in ([kind] if kind else list(registries())) for name in registries()[one]]
    body = Plugins(plugins=found).model_dump(by_alias=True)
    return JSONResponse(body, headers={"cache-control": "no-cache"})


@lru_cache(maxsize=512)
def _info(kind: Kind, name: str) -> PluginInfo:
    """Describe a plug-in; the same for as long as the program runs."""
    # Reading the source of a class for its schema fails in two threads at once in Python 3.11.
    with _making:
        try:
            plugin = registries()[kind][name]
        except (SaeatlasError, ImportError) as error:
            return PluginInfo(kind=kind, name=name, doc="", schema=None, reason=str(error))
        schema = TypeAdapter(plugin).json_schema()
    doc = " ".join((plugin.__doc__ or "").split("Examples\n")[0].split("Parameters\n")[0].split())
    return PluginInfo(kind=kind, name=name, doc=doc, schema=schema, reason="")
