"""`saeatlas export`: write files for other tools, one sub-command for each exporter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from saeatlas.cli.discovery import MAKE as GROUP
from saeatlas.cli.options import AsJson, AtlasOption
from saeatlas.cli.plugin_command import add_plugins, plugin_command
from saeatlas.pipeline.registries import exporters

if TYPE_CHECKING:
    from saeatlas.pipeline.exporter import Exporter

__all__ = ["GROUP", "command", "export_with"]

command = App(
    name="export",
    help="Write files that other tools read.\n\nExample: saeatlas export feature-map --sae gemma-l25 --to maps",
)
add_plugins(command, exporters(), __name__, "saeatlas export {name} --sae gemma-l25 --to out")


def __getattr__(name: str) -> Callable[..., object]:
    """Make the command of the exporter that is asked for; only that one is imported."""
    if name not in exporters():
        raise AttributeError(name)
    return plugin_command(exporters()[name], export_with)


def export_with(
    exporter: Exporter,
    *,
    to: Annotated[Path, Parameter(name="--to", help="Folder to write to; it is made when there is none.")],
    sae: Annotated[
        tuple[str, ...],
        Parameter(name="--sae", negative="", show_default=False, help="SAE to export; may be said several times."),
    ] = (),
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """Write the files of one or more SAEs."""
    from saeatlas.cli.render.numbers import bytes_text
    from saeatlas.cli.render.progress import shown_progress
    from saeatlas.cli.render.screen import write_json
    from saeatlas.cli.render.tables import Column, write_table
    from saeatlas.cli.target import open_atlas
    from saeatlas.pipeline.recipe import check_fields

    check_fields(exporter)
    opened = open_atlas(atlas)
    saes = [opened.sae(name) for name in dict.fromkeys(sae)] if sae else [opened.sae()]
    with shown_progress() as progress:
        paths = exporter.export(saes, to.expanduser(), progress)
    lines = [(str(path), path.stat().st_size) for path in paths]
    if as_json:
        write_json({"files": [{"path": path, "bytes": size} for path, size in lines]})
        return
    write_table([Column("file", is_text=True), Column("bytes", bytes_text)], lines)
