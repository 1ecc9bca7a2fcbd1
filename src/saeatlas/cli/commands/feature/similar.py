"""`saeatlas feature similar`: the features that point the same way."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from saeatlas.cli.discovery import FEATURE as GROUP
from saeatlas.cli.options import AsJson, AtlasOption, FeatureReference
from saeatlas.cli.render.screen import write_json
from saeatlas.cli.render.tables import columns_of, write_rows
from saeatlas.cli.target import open_feature

__all__ = ["GROUP", "command"]


def command(
    reference: FeatureReference,
    /,
    *,
    by: Annotated[Literal["decoder", "encoder"], Parameter(help="Which directions to compare.")] = "decoder",
    n: Annotated[int, Parameter(help="How many.")] = 10,
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """Show the features whose directions are nearest to that of a feature: their cosines, best first.

    Example: saeatlas feature similar gpt2-l8/16751 --n 20
    """
    table = open_feature(atlas, reference).similar(n, by)
    if as_json:
        write_json(table.to_pylist())
        return
    write_rows(columns_of(table), table)
