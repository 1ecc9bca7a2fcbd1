"""`saeatlas feature top-tokens`: the tokens a feature fires on."""

from __future__ import annotations

from typing import Annotated

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
    n: Annotated[int, Parameter(help="How many.")] = 20,
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """Show the tokens that a feature fires on: count, mean, share, and lift over the corpus.

    Example: saeatlas feature top-tokens gpt2-l8/16751 --n 30
    """
    feature = open_feature(atlas, reference)
    table = feature.top_tokens(n)
    if as_json:
        write_json({"sae": feature.sae.name, "feature": feature.id, "tokens": table.to_pylist()})
        return
    write_rows(columns_of(table), table)
