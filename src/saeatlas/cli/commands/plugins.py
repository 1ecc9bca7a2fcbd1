"""`saeatlas plugins`: what can be imported, computed, embedded with, exported and drawn."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from saeatlas.cli.discovery import CARE as GROUP
from saeatlas.cli.options import AsJson
from saeatlas.cli.plugin_docs import plugin_help
from saeatlas.cli.render.screen import write_json
from saeatlas.cli.render.tables import Column, write_table
from saeatlas.pipeline.registries import registries

__all__ = ["GROUP", "command"]

Kind = Literal["importers", "analyses", "embedders", "exporters", "plots"]


def command(
    kind: Annotated[Kind | None, Parameter(help="Only this kind.")] = None, /, *, as_json: AsJson = False
) -> None:
    """List the importers, analyses, embedders, exporters and plots that are installed.

    Example: saeatlas plugins analyses
    """
    found = [
        (group, name, registry.place(name), plugin_help(registry.place(name)).partition("\n")[0])
        for group, registry in registries().items()
        if kind in {None, group}
        for name in registry
    ]
    if as_json:
        write_json([dict(zip(("kind", "name", "place", "help"), line, strict=True)) for line in found])
        return
    write_table(
        [Column("kind", is_text=True), Column("name", is_text=True), Column("about", is_text=True)],
        [(group, name, about or place) for group, name, place, about in found],
    )
