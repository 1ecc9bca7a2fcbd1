"""`saeatlas feature combine`: where features fire together, or one without the other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from saeatlas.cli.discovery import FEATURE as GROUP
from saeatlas.cli.options import AsJson, AtlasOption, SaeOption
from saeatlas.cli.render import screen
from saeatlas.cli.render.numbers import count, percent
from saeatlas.cli.render.tables import Column, write_rows
from saeatlas.cli.target import open_sae

__all__ = ["GROUP", "command"]


def command(  # noqa: PLR0913 Each is a question of its own, all but one by name.
    expression: Annotated[str, Parameter(help="Feature ids with & | ! ( ), and thresholds such as 7 > 0.5.")],
    /,
    *,
    unit: Annotated[Literal["row", "document"], Parameter(help="What must fulfil it.")] = "row",
    out: Annotated[
        Path | None, Parameter(help="File to write: .parquet, .arrow, .csv or .tsv.", show_default=False)
    ] = None,
    count_only: Annotated[
        bool, Parameter(name="--count", negative="", show_default=False, help="Only count them.")
    ] = False,
    sae: SaeOption = "",
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """Find the rows or documents where a combination of features holds, and count them.

    Example: saeatlas feature combine '12 & !40 | (7 > 0.5)' --unit document
    """
    if out is not None:
        from saeatlas.format.export import check_target

        check_target(out)
    opened = open_sae(atlas, sae)
    found = opened.select(expression, unit)
    if out is not None:
        from saeatlas.format.export import export_table

        export_table(found.table(), out)
    facts = {
        "sae": opened.name,
        "expression": found.expression,
        "unit": found.unit,
        "count": found.count,
        f"n_{found.unit}s": found.n_units,
        "share": found.share,
    }
    if as_json:
        is_short = count_only or out is not None
        screen.write_json(facts if is_short else facts | {f"{found.unit}s": found.table().to_pylist()})
        return
    whole = f"{count(found.n_units)} {found.unit}s"
    screen.say(f"{found.expression}: {count(found.count)} of {whole} ({percent(found.share)})")
    if out is None and not count_only:
        limit = screen.ROWS_SHOWN if screen.is_terminal() else None
        table = found.table(limit)
        write_rows([Column(name, str, is_text=name == "document") for name in table.column_names], table, found.count)
