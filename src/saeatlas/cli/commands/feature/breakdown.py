"""`saeatlas feature breakdown`: in which kinds of documents a feature fires."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from saeatlas.cli.discovery import FEATURE as GROUP
from saeatlas.cli.options import AsJson, AtlasOption, FeatureReference
from saeatlas.cli.render.numbers import count, number
from saeatlas.cli.render.screen import say, write_json
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
    found = open_feature(atlas, reference).breakdown(by)
    if as_json:
        write_json({"by": by} | asdict(found))
        return
    table = found.table()
    if found.kind == "categorical":
        table = table.drop_columns(["lower", "upper"])
    write_rows(columns_of(table), table)
    name = {"cramers_v": "Cramér's V", "spearman_rho": "Spearman's rho"}[found.effect_name]
    q = f"q {number(found.q)} over all features" if found.q is not None else f"no q: {found.q_reason}"
    say(
        f"{name} {number(found.effect)}, p {number(found.p)}, {q}; {count(found.n_documents)} documents, "
        f"{count(found.n_missing)} more without '{by}'."
    )
