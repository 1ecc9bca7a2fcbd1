"""The features of an SAE as one table: columns of all current analyses side by side, filtered, sorted, in pages."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from saeatlas.atlas.characteristic_tokens import has_token_strings, token_strings
from saeatlas.atlas.feature_columns import (
    EXPLANATIONS,
    LABELS,
    column_types,
    explanation_texts,
    feature_analyses,
    load_columns,
    read_labels,
)
from saeatlas.atlas.predicates import AnyOf, Predicate, columns_in, condition
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.format.canonical import digest_bytes

if TYPE_CHECKING:
    import numpy.typing as npt
    import polars as pl

    from saeatlas.atlas.sae import SAE

__all__ = [
    "FeaturePage",
    "FeatureQuery",
    "analysis_frame",
    "check_columns",
    "feature_columns",
    "feature_frame",
    "feature_page",
    "matching_features",
    "query_features",
]

_NAME = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|[A-Za-z][\w-]*\.\w+")
"""A text in quotes, a name in quotes, or `<analysis>.<column>`, which SQL would take for the column of a table."""


@dataclass(frozen=True, kw_only=True)
class FeatureQuery:
    """Which features, in which order, and what about them."""

    where: str = ""
    """A condition in SQL over the columns, such as `stats.max > 5 and stats.density < 0.01`; empty for all."""
    predicates: tuple[Predicate | AnyOf, ...] = ()
    """Conditions as data; all must hold, and `where` too."""
    ids: tuple[int, ...] | None = None
    """Only these features; None for all."""
    sort: str = ""
    """Column to sort by, missing values last, of equal ones the lower feature first; empty for the order of ids."""
    is_descending: bool = False
    columns: tuple[str, ...] = ()
    """Columns beside `feature`, in this order; empty for all."""
    limit: int | None = None
    """Lines at most."""
    after: str = ""
    """`next` of the page before, of a query that is otherwise the same; empty for the first page."""


@dataclass(frozen=True)
class FeaturePage:
    """Some lines of the table of features."""

    lines: pl.DataFrame
    """`feature` and the columns asked for."""
    total: int
    """Features that the query finds, on this page and all others."""
    next: str | None
    """What `after` takes for the next page; None on the last."""


def feature_columns(sae: SAE) -> list[str]:
    """Return the names of the columns that there are beside `feature`."""
    return list(column_types(sae))


def feature_frame(sae: SAE) -> pl.LazyFrame:
    """Return one line per feature with the columns of `analysis_frame`, and those of labels where there are any."""
    labels = read_labels(sae)
    frame = analysis_frame(sae)
    return frame if labels is None else frame.join(labels.lazy(), on="feature", how="left", maintain_order="left")


def analysis_frame(sae: SAE) -> pl.LazyFrame:
    """Return one line per feature with the columns of every current analysis whose lines are features.

    Where tokens were counted, also those that tell most about a feature; where there are explanations, how many it has,
    and the first.
    """
    import polars as pl

    from saeatlas.format.table import scan_table

    frame = pl.LazyFrame({"feature": range(sae.n_features)}, schema={"feature": pl.Int64})
    for analysis in feature_analyses(sae):
        table = scan_table(sae.atlas.store, sae.atlas.entries[f"sae/{sae.name}/{analysis}"].path, "data")
        columns = [column for column in table.collect_schema().names() if column != "feature"]
        named = table.select(
            pl.col("feature").cast(pl.Int64), *(pl.col(column).alias(f"{analysis}.{column}") for column in columns)
        )
        frame = frame.join(named, on="feature", how="left", maintain_order="left")
    if has_token_strings(sae):
        frame = frame.join(token_strings(sae), on="feature", how="left", maintain_order="left")
    has_texts = any(name.startswith(f"sae/{sae.name}/imported/explanations/") for name in sae.atlas.entries)
    if has_texts:
        frame = frame.join(explanation_texts(sae), on="feature", how="left", maintain_order="left")
    return frame


def query_features(sae: SAE, query: FeatureQuery) -> pl.DataFrame:
    """Return the lines and columns that a query asks for; `feature` comes first. Errors as in `feature_page`."""
    return feature_page(sae, query).lines


def feature_page(sae: SAE, query: FeatureQuery) -> FeaturePage:
    """Return the lines and columns that a query asks for, how many there are in all, and how to go on.

    Raises
    ------
    NotFound
        When a column or one of the ids is not there; the message says which analysis would make the column.
    InvalidInput
        When a condition cannot be understood or does not fit its column, or `after` is of another query.
    """
    if query.limit is not None and query.limit < 0:
        raise InvalidInput(f"The number of lines must be 0 or more, found: {query.limit}")
    names = query.columns or tuple(column_types(sae))
    check_columns(sae, [*names, query.sort or "feature"])
    ids = matching_features(sae, query)
    ordered, cursors = _ordered(sae, query, ids)
    n_shown = ordered.size if query.limit is None else min(query.limit, ordered.size)
    shown = ordered[:n_shown]
    more = n_shown < ordered.size and n_shown > 0
    table = load_columns(sae, names)
    is_whole = shown.size == table.height and (shown == np.arange(shown.size)).all()
    lines = table if is_whole else table[shown]
    last = _cursor(query, int(shown[-1]), cursors) if more else None
    return FeaturePage(lines, int(ids.size), last)


def matching_features(sae: SAE, query: FeatureQuery) -> npt.NDArray[np.int64]:
    """Return the ids of the features that fulfil the conditions of a query, ascending; errors as in `feature_page`."""
    import polars as pl

    asked = [*columns_in(query.predicates), *_names_in(query.where)]
    check_columns(sae, asked)
    types = {**column_types(sae), "feature": pl.Int64()}
    frame = load_columns(sae, asked)
    if query.predicates:
        frame = frame.filter(condition(query.predicates, types))
    if query.where:
        frame = _filtered(frame, query.where)
    ids = np.asarray(frame["feature"].to_numpy(), np.int64)
    return ids if query.ids is None else np.intersect1d(ids, _checked_ids(sae, query.ids))


def check_columns(sae: SAE, names: Collection[str]) -> None:
    """Raise `NotFound` when the features have no column of one of these names; `feature` is one."""
    there = column_types(sae)
    for name in names:
        if name not in there and name != "feature":
            raise _no_column(sae, name)


def _checked_ids(sae: SAE, ids: Sequence[int]) -> npt.NDArray[np.int64]:
    for one in ids:
        if not 0 <= one < sae.n_features:
            sae.feature(one)
    return np.array(sorted(set(ids)), np.int64)


def _ordered(sae: SAE, query: FeatureQuery, ids: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], pl.Series]:
    """Return the ids behind `after` in the order asked for, and the column that they are ordered by."""
    import polars as pl

    key = load_columns(sae, [query.sort])[query.sort or "feature"] if query.sort else load_columns(sae, [])["feature"]
    if key.dtype.is_nested():
        raise InvalidInput(f"Column '{query.sort}' holds a list for each feature, which has no order")
    frame = pl.DataFrame([key.gather(ids).alias("key"), pl.Series("feature", ids)])
    if query.after:
        value, feature = _read_cursor(query)
        frame = frame.filter(_behind(value, feature, key.dtype, is_descending=query.is_descending))
    if query.sort or query.is_descending:
        frame = frame.sort(["key", "feature"], descending=[query.is_descending, False], nulls_last=True)
    return np.asarray(frame["feature"].to_numpy(), np.int64), key


def _behind(value: object, feature: int, kind: pl.DataType, *, is_descending: bool) -> pl.Expr:
    """Return what comes after a line in an order with missing values last and ties by feature."""
    import polars as pl

    key, later = pl.col("key"), pl.col("feature") > feature
    if value is None:
        return key.is_null() & later
    try:
        place = pl.lit(pl.Series([value], dtype=kind, strict=True)).first()
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as error:
        raise _other_query() from error
    beyond = key < place if is_descending else key > place
    return key.is_null() | (beyond | ((key == place) & later)).fill_null(value=False)


def _cursor(query: FeatureQuery, feature: int, key: pl.Series) -> str:
    place = [_order(query), key[feature], feature]
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode("ascii").rstrip("=")


def _read_cursor(query: FeatureQuery) -> tuple[object, int]:
    padded = query.after + "=" * (-len(query.after) % 4)
    try:
        place = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, RecursionError) as error:
        raise _other_query() from error
    if not isinstance(place, list) or len(place) != 3 or place[0] != _order(query):
        raise _other_query()
    _, value, feature = place
    if isinstance(feature, bool) or not isinstance(feature, int) or not 0 <= feature < 2**62:
        raise _other_query()
    return value, feature


def _order(query: FeatureQuery) -> str:
    """Return what two queries share whose pages follow each other."""
    return digest_bytes(f"{query.sort} {query.is_descending}".encode())[:8]


def _other_query() -> InvalidInput:
    return InvalidInput(
        "'after' is not the 'next' of a page in this order", hint="Give what the last answer says, or leave it out."
    )


def _filtered(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    import polars as pl

    try:
        return frame.filter(_condition(where))
    except pl.exceptions.ColumnNotFoundError as error:
        raise InvalidInput(
            f"The condition names a column that is not there: {where!r}: {_reason(error)}",
            hint="Columns are named <analysis>.<column>, and texts stand in 'single quotes'.",
        ) from error
    except pl.exceptions.PolarsError as error:
        raise InvalidInput(
            f"The condition does not fit the columns: {where!r}: {_reason(error)}",
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
    if analysis == LABELS:
        return NotFound(f"SAE '{sae.name}' has no labels", hint="Add one with 'saeatlas label add'.")
    if analysis == EXPLANATIONS:
        return NotFound(f"SAE '{sae.name}' has no explanations", hint="Import some: see 'saeatlas import --help'.")
    why = sae.why_no_table(analysis)
    if why:
        return NotFound(f"There is no column '{name}' now: {why}", hint=f"Known: {', '.join(known) or 'none'}")
    return NotFound(
        f"Analysis '{analysis}' has no column '{column}' with one value for each feature",
        hint=f"Read its table with: sae.table('{analysis}')",
    )
