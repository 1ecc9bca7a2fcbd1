"""`saeatlas feature documents`: how strongly a feature fires in each document."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from saeatlas.cli.discovery import FEATURE as GROUP
from saeatlas.cli.options import AsJson, AtlasOption, FeatureReference
from saeatlas.cli.render import screen
from saeatlas.cli.render.numbers import count
from saeatlas.cli.render.tables import Column, write_rows
from saeatlas.cli.target import open_feature

__all__ = ["GROUP", "command"]


def command(
    reference: FeatureReference,
    /,
    *,
    out: Annotated[
        Path | None, Parameter(help="File to write: .parquet, .arrow, .csv or .tsv.", show_default=False)
    ] = None,
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """List the documents where a feature is active: active rows, and the sum, mean and maximum of their values.

    Example: saeatlas feature documents gpt2-l8/16751 --out documents.csv
    """
    if out is not None:
        from saeatlas.format.export import check_target

        check_target(out)
    feature = open_feature(atlas, reference)
    table = feature.documents()
    if out is not None:
        from saeatlas.format.export import export_table

        export_table(table, out)
        screen.say(f"Wrote {count(table.num_rows)} documents to '{out}'")
    elif as_json:
        screen.write_json({"sae": feature.sae.name, "feature": feature.id, "documents": table.to_pylist()})
    else:
        write_rows([Column(name, is_text=name == "id") for name in table.column_names], table)
