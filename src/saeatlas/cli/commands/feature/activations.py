"""`saeatlas feature activations`: every row where a feature fires."""

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


def command(  # noqa: PLR0913 Each is a question of its own, all but one by name.
    reference: FeatureReference,
    /,
    *,
    out: Annotated[
        Path | None, Parameter(help="File to write: .parquet, .arrow, .csv or .tsv.", show_default=False)
    ] = None,
    listed: Annotated[
        bool,
        Parameter(
            negative="", show_default=False, help="Also rows that the source lists with zero or a negative value."
        ),
    ] = False,
    start: Annotated[int | None, Parameter(help="First row of the source; otherwise 0.", show_default=False)] = None,
    stop: Annotated[int | None, Parameter(help="One past the last row; otherwise the end.", show_default=False)] = None,
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """List every row where a feature is active: row, document, position in the document, value.

    Example: saeatlas feature activations gpt2-l8/16751 --out 16751.parquet
    """
    if out is not None:
        from saeatlas.format.export import check_target

        check_target(out)
    feature = open_feature(atlas, reference)
    table = feature.activations(listed=listed, start=start, stop=stop)
    if out is not None:
        from saeatlas.format.export import export_table

        export_table(table, out)
        screen.say(f"Wrote {count(table.num_rows)} rows to '{out}'")
    elif as_json:
        lines = table.to_pylist()
        screen.write_json({"sae": feature.sae.name, "feature": feature.id, "listed": listed, "activations": lines})
    else:
        columns = [Column("row", str), Column("document", is_text=True), Column("position", str), Column("value")]
        write_rows(columns, table)
