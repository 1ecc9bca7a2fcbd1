"""`saeatlas feature coactive`: the features that fire together with one."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from saeatlas.cli.discovery import FEATURE as GROUP
from saeatlas.cli.options import AsJson, AtlasOption, FeatureReference
from saeatlas.cli.render.screen import write_json
from saeatlas.cli.render.tables import columns_of, write_rows
from saeatlas.cli.target import open_feature
from saeatlas.kernels.pair_measures import Measure

__all__ = ["GROUP", "command"]


def command(
    reference: FeatureReference,
    /,
    *,
    n: Annotated[int, Parameter(help="How many at most.")] = 20,
    by: Annotated[Measure, Parameter(help="What orders them.")] = "pearson",
    min_count: Annotated[int, Parameter(help="Together in fewer rows than this: after all others.")] = 5,
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """Show the features that fire together with one: count, probabilities, lift, PMI in bits, Jaccard, Pearson.

    A feature that never fires together with it is not shown. With --json a list, best first.

    Example: saeatlas feature coactive gpt2-l8/16751 --n 30 --by lift
    """
    table = open_feature(atlas, reference).coactive(n, by=by, min_count=min_count)
    if as_json:
        write_json(table.to_pylist())
        return
    write_rows(columns_of(table), table)
