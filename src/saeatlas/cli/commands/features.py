"""`saeatlas features`: the table of all features, filtered, sorted, shown or written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from saeatlas.cli.discovery import LOOK as GROUP
from saeatlas.cli.options import AsJson, AtlasOption, SaeOption
from saeatlas.cli.render import screen
from saeatlas.cli.render.numbers import count
from saeatlas.cli.render.tables import columns_of, write_rows
from saeatlas.cli.target import open_sae

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE

__all__ = ["GROUP", "command"]

_USUAL = ("stats.n_active", "stats.density", "stats.mean", "stats.max", "top-tokens.strings", "explanations.text")
"""What is shown where nothing is asked for."""


def command(  # noqa: PLR0913 Each is a question of its own, by name.
    *,
    where: Annotated[
        str, Parameter(help="Condition, as in SQL: stats.max > 5 and stats.density < 0.01", show_default=False)
    ] = "",
    sort: Annotated[str, Parameter(help="Column to sort by; missing values come last.", show_default=False)] = "",
    descending: Annotated[bool, Parameter(negative="", show_default=False, help="Largest first.")] = False,
    columns: Annotated[
        str,
        Parameter(
            help="Columns beside the feature, with commas: see 'saeatlas show columns'; otherwise a few, or with --out "
            "all.",
            show_default=False,
        ),
    ] = "",
    limit: Annotated[int | None, Parameter(help="Lines at most.", show_default=False)] = None,
    out: Annotated[
        Path | None, Parameter(help="File to write: .parquet, .arrow, .csv or .tsv.", show_default=False)
    ] = None,
    sae: SaeOption = "",
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """List features with columns of the analyses that are current: those that fit a condition, in the order asked for.

    Example: saeatlas features --where "stats.density > 0.001" --sort stats.max --descending --limit 20
    """
    from saeatlas.atlas.feature_table import FeatureQuery, query_features

    if out is not None:
        from saeatlas.format.export import check_target

        check_target(out)
    opened = open_sae(atlas, sae)
    asked = tuple(name.strip() for name in columns.split(",") if name.strip())
    chosen = asked or (() if out is not None or as_json else _usual(opened))
    query = FeatureQuery(where=where, sort=sort, is_descending=descending, columns=chosen, limit=limit)
    table = query_features(opened, query).to_arrow()
    if out is not None:
        from saeatlas.format.export import export_table

        export_table(table, out)
        screen.say(f"Wrote {count(table.num_rows)} features with {table.num_columns - 1} columns to '{out}'")
    elif as_json:
        screen.write_json(table.to_pylist())
    else:
        write_rows(columns_of(table), table)


def _usual(sae: SAE) -> tuple[str, ...]:
    from saeatlas.atlas.feature_table import feature_columns

    known = feature_columns(sae)
    return tuple(name for name in _USUAL if name in known) or tuple(known[:5])
