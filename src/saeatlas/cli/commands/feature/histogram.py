"""`saeatlas feature histogram`: how the active values of a feature are distributed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from saeatlas.atlas.statistics import Scale
from saeatlas.cli.discovery import FEATURE as GROUP
from saeatlas.cli.options import AsJson, AtlasOption, FeatureReference
from saeatlas.cli.render.bars import write_histogram
from saeatlas.cli.render.numbers import count
from saeatlas.cli.render.screen import say, write_json
from saeatlas.cli.target import open_feature

__all__ = ["GROUP", "command"]


def command(
    reference: FeatureReference,
    /,
    *,
    bins: Annotated[int, Parameter(help="Number of bins.")] = 40,
    scale: Annotated[Scale, Parameter(help="Bins of equal width, or of equal ratio.")] = "linear",
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """Count the active values of a feature in bins, and the inactive rows beside them.

    Example: saeatlas feature histogram gpt2-l8/16751 --bins 20 --scale log
    """
    found = open_feature(atlas, reference).histogram(bins, scale)
    if as_json:
        write_json(asdict(found))
        return
    write_histogram(found.edges, found.counts)
    say(f"{count(found.n_active)} of {count(found.n_rows)} rows are active; {count(found.n_inactive)} are not.")
