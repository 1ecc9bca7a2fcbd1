"""`saeatlas feature breakdown`: in which kinds of documents a feature fires."""

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
    by: Annotated[str, Parameter(help="Metadata column of the documents.")],
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """Compare how a feature fires across the levels of a metadata column.

    Example: saeatlas feature breakdown gpt2-l8/16751 --by stars
    """
    feature = open_feature(atlas, reference)
    table = feature.breakdown(by)
    if as_json:
        write_json({"sae": feature.sae.name, "feature": feature.id, "by": by, "levels": table.to_pylist()})
        return
    write_rows(columns_of(table), table)
