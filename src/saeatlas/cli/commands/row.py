"""`saeatlas row`: the features of one row."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from saeatlas.cli.discovery import LOOK as GROUP
from saeatlas.cli.options import AsJson, AtlasOption, SaeOption
from saeatlas.cli.render.screen import write_json
from saeatlas.cli.render.tables import Column, write_table
from saeatlas.cli.target import open_sae

__all__ = ["GROUP", "command"]


def command(
    row: Annotated[int, Parameter(help="Row in the source's order, from 0.")],
    /,
    *,
    sae: SaeOption = "",
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """Show which features a row lists, the strongest first, zeros and negatives included.

    Example: saeatlas row 4711 --atlas reviews.atlas
    """
    opened = open_sae(atlas, sae)
    found = opened.features_at(row).to_pylist()
    if as_json:
        write_json({"sae": opened.name, "row": row, "features": found})
        return
    write_table([Column("feature", str), Column("value")], [(line["feature"], line["value"]) for line in found])
