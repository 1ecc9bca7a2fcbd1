"""`saeatlas label list`: the labels that hold now."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from saeatlas.cli.discovery import LABEL as GROUP
from saeatlas.cli.labels import Category, shown_tags
from saeatlas.cli.options import AsJson, AtlasOption, SaeOption
from saeatlas.cli.render import screen
from saeatlas.cli.render.numbers import count
from saeatlas.cli.render.tables import columns_of, write_rows
from saeatlas.cli.target import open_sae

__all__ = ["GROUP", "command"]

_SHOWN = ("feature", "text", "category", "tags", "by", "at", "confidence", "identity_changed")


def command(  # noqa: PLR0913 - what chooses among labels, and where they go
    *,
    by: Annotated[str, Parameter(show_default=False, help="Only what this author says.")] = "",
    category: Category = None,
    tag: Annotated[str, Parameter(show_default=False, help="Only what has exactly this tag.")] = "",
    out: Annotated[
        Path | None, Parameter(help="File to write: .parquet, .arrow, .csv or .tsv.", show_default=False)
    ] = None,
    sae: SaeOption = "",
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """List the labels that hold now, by feature, the newest first; several where authors differ.

    Example: saeatlas label list --category topic --sae gpt2-l8
    """
    if out is not None:
        from saeatlas.format.export import check_target

        check_target(out)
    table = open_sae(atlas, sae).labels.find(by=by or None, category=category or None, tag=tag or None)
    if out is not None:
        from saeatlas.format.export import export_table

        export_table(table, out)
        screen.say(f"Wrote {count(table.num_rows)} labels to '{out}'")
    elif as_json:
        screen.write_json(table.to_pylist())
    else:
        import pyarrow as pa

        tags = pa.array([shown_tags(one or ()) for one in table.column("tags").to_pylist()], pa.string())
        shown = table.set_column(table.schema.get_field_index("tags"), "tags", tags).select(_SHOWN)
        write_rows(columns_of(shown), shown)
