"""The features of an SAE as one table: columns of all current analyses side by side, filtered and sorted."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from saeatlas.atlas.labels import has_labels, label_columns
from saeatlas.atlas.tables import analyses_of, state_of
from saeatlas.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    import polars as pl

    from saeatlas.atlas.sae import SAE

__all__ = ["FeatureQuery", "feature_columns", "feature_frame", "query_features"]

_NAME = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|[A-Za-z][\w-]*\.\w+")
"""A text in quotes, a name in quotes, or `<analysis>.<column>`, which SQL would take for the column of a table."""
_EXPLANATIONS = "explanations"
_LABELS = "labels"


@dataclass(frozen=True, kw_only=True)
class FeatureQuery:
    """Which features, in which order, and what about them."""

    where: str = ""
    """A condition in SQL over the columns, such as `stats.max > 5 and stats.density < 0.01`; empty for all."""
    sort: str = ""
    """Column to sort by, missing values last, of equal ones the lower feature first; empty for the order of ids."""
    is_descending: bool = False
    columns: tuple[str, ...] = ()
    """Columns beside `feature`, in this order; empty for all."""
    limit: int | None = None
    """Lines at most."""


def feature_columns(sae: SAE) -> list[str]:
    """Return the names of the columns that there are beside `feature`."""
    return [name for name in feature_frame(sae).collect_schema().names() if name != "feature"]


def feature_frame(sae: SAE, analyses: Collection[str] | None = None) -> pl.LazyFrame:
    """Return one line per feature with the columns of every current analysis whose lines are features.

    Parameters
    ----------
    analyses
        Only these, and 'explanations' and 'labels'; None for all.
    """
    import polars as pl

    from saeatlas.format.table import scan_table

    frame = pl.LazyFrame({"feature": range(sae.n_features)}, schema={"feature": pl.Int64})
    for analysis in analyses_of(sae):
        if analyses is not None and analysis not in analyses:
            continue
        logical = f"sae/{sae.name}/{analysis}"
        is_of_features = sae.atlas.manifest(logical).attributes.get("axis") == "feature"
        if not (is_of_features and state_of(sae, analysis).is_current):
            continue
        table = scan_table(sae.atlas.store, sae.atlas.entries[logical].path, "data")
        columns = [column for column in table.collect_schema().names() if column != "feature"]
        named = table.select(
            pl.col("feature").cast(pl.Int64), *(pl.col(column).alias(f"{analysis}.{column}") for column in columns)
        )
        frame = frame.join(named, on="feature", how="left", maintain_order="left")
    has_texts = any(name.startswith(f"sae/{sae.name}/imported/explanations/") for name in sae.atlas.entries)
    if has_texts and (analyses is None or _EXPLANATIONS in analyses):
        frame = frame.join(_texts(sae), on="feature", how="left", maintain_order="left")
    if (analyses is None or _LABELS in analyses) and has_labels(sae):
        # That nobody said anything is known, so that a number of labels is 0 and not missing.
        frame = frame.join(label_columns(sae), on="feature", how="left", maintain_order="left").with_columns(
            pl.col("labels.n").fill_null(0)
        )
    return frame


def _texts(sae: SAE) -> pl.LazyFrame:
    import polars as pl

    first = pl.col("text").first().str.strip_chars().alias("explanations.text")
    grouped = sae.explanations.group_by("feature", maintain_order=True)
    return grouped.agg(pl.len().cast(pl.Int64).alias("explanations.n"), first)


def query_features(sae: SAE, query: FeatureQuery) -> pl.DataFrame:
    """Return the lines and columns that a query asks for; `feature` comes first.

    Raises
    ------
    NotFound
        When a column is not there; the message says which analysis would make it.
    InvalidInput
        When the condition cannot be understood.
    """
    import polars as pl

    wanted = [*query.columns, *([query.sort] if query.sort else []), *_names_in(query.where)]
    named = {name.rpartition(".")[0] for name in wanted}
    frame = feature_frame(sae, named if query.columns else None)
    there = frame.collect_schema().names()
    for name in wanted:
        if name not in there:
            raise _no_column(sae, name)
    if query.limit is not None and query.limit < 0:
        raise InvalidInput(f"The number of lines must be 0 or more, found: {query.limit}")
    if query.where:
        frame = frame.filter(_condition(query.where))
    if query.sort:
        frame = frame.sort([query.sort, "feature"], descending=[query.is_descending, False], nulls_last=True)
    chosen = frame.select(list(dict.fromkeys(("feature", *query.columns)))) if query.columns else frame
    try:
        return (chosen if query.limit is None else chosen.head(min(query.limit, sae.n_features))).collect()
    except pl.exceptions.ColumnNotFoundError as error:
        raise InvalidInput(
            f"The condition names a column that is not there: {query.where!r}: {_reason(error)}",
            hint="Columns are named <analysis>.<column>, and texts stand in 'single quotes'.",
        ) from error
    except pl.exceptions.PolarsError as error:
        raise InvalidInput(
            f"The condition does not fit the columns: {query.where!r}: {_reason(error)}",
            hint="Compare numbers with numbers and texts with texts in 'single quotes'.",
        ) from error


def _reason(error: Exception) -> str:
    """Return what went wrong, without the plan and the list of all columns that follow it."""
    first = str(error).split("\n\n", 1)[0].partition("; valid columns:")[0]
    return " ".join(first.split())


def _names_in(where: str) -> list[str]:
    return [name for name in _NAME.findall(where) if name[0] not in "'\""]


def _condition(where: str) -> pl.Expr:
    import polars as pl

    quoted = _NAME.sub(lambda found: found[0] if found[0][0] in "'\"" else f'"{found[0]}"', where)
    try:
        return pl.sql_expr(quoted)
    except pl.exceptions.PolarsError as error:
        raise InvalidInput(
            f"The condition is not understood: {where!r}: {error}",
            hint="Write it as in SQL, such as: stats.max > 5 and explanations.text like '%HTML%'",
        ) from error


def _no_column(sae: SAE, name: str) -> NotFound:
    analysis, _, column = name.rpartition(".")
    known: Sequence[str] = feature_columns(sae)
    of_analysis = [other for other in known if other.startswith(f"{analysis}.")]
    if of_analysis or not analysis:
        hint = f"Known: {', '.join(of_analysis or known) or 'none yet: run an analysis'}"
        return NotFound(f"The features of SAE '{sae.name}' have no column '{name}'", hint=hint)
    if analysis == _LABELS:
        return NotFound(f"Nobody has labelled SAE '{sae.name}'", hint="See 'saeatlas label --help'.")
    if analysis == _EXPLANATIONS:
        return NotFound(f"SAE '{sae.name}' has no explanations", hint="Import some: see 'saeatlas import --help'.")
    why = sae.why_no_table(analysis)
    if why:
        return NotFound(f"There is no column '{name}' now: {why}", hint=f"Known: {', '.join(known) or 'none'}")
    return NotFound(
        f"Analysis '{analysis}' has no column '{column}' with one value for each feature",
        hint=f"Read its table with: sae.table('{analysis}')",
    )
