"""The columns of features, each read once per commit: feature i is line i of every one."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from saeatlas.atlas.characteristic_tokens import ANALYSIS as TOKENS
from saeatlas.atlas.characteristic_tokens import MOST, STRINGS, token_strings
from saeatlas.atlas.tables import analyses_of, state_of

if TYPE_CHECKING:
    import polars as pl

    from saeatlas.atlas.sae import SAE

__all__ = [
    "DESCRIPTIONS",
    "EXPLANATIONS",
    "LABELS",
    "column_types",
    "explanation_texts",
    "feature_analyses",
    "load_columns",
    "read_labels",
]

EXPLANATIONS = "explanations"
"""What stands before the columns that come from explanations and not from an analysis."""
LABELS = "labels"
"""What stands before the columns that come from labels, which change while a commit does not."""
DESCRIPTIONS: Mapping[str, str] = {
    STRINGS: f"Up to {MOST} of the feature's 20 most frequent tokens, by share × log(lift), where the lift is above 1; "
    "null without any.",
    f"{EXPLANATIONS}.n": "Explanations of the feature in all sets together; null without any.",
    f"{EXPLANATIONS}.text": "First explanation of the feature in the order of the sets; null without any.",
    f"{LABELS}.text": "Text of the label that is shown: of the current ones the newest that has a text, or the newest; "
    "null without one.",
    f"{LABELS}.category": "Category of the label that is shown; null without one.",
    f"{LABELS}.tags": "Tags of the label that is shown; null without a label.",
    f"{LABELS}.n": "Labels of the feature that are current; 0 without any.",
    f"{LABELS}.by": "Author of the label that is shown; null without one.",
    f"{LABELS}.at": "When the label that is shown was said, in UTC; null without one.",
    f"{LABELS}.confidence": "How sure the author of the label that is shown is, 0 to 1; null where nobody said so.",
    f"{LABELS}.identity_changed": "Whether the label that is shown was said about an SAE of which a known fact is "
    "different today; null without one.",
}
"""Column that no analysis makes → what it means, in a sentence; an analysis describes its own."""

_loading = threading.Lock()


def feature_analyses(sae: SAE) -> Iterator[str]:
    """Yield the analyses that are current and have one line for each feature."""
    for analysis in analyses_of(sae):
        axis = sae.atlas.manifest(f"sae/{sae.name}/{analysis}").attributes.get("axis")
        if axis == "feature" and state_of(sae, analysis).is_current:
            yield analysis


def column_types(sae: SAE) -> dict[str, pl.DataType]:
    """Return name → type of every column beside `feature`, in the order of the table."""
    if sae.column_types is None:
        sae.column_types = _types(sae)
    labels = read_labels(sae)
    return sae.column_types if labels is None else {**sae.column_types, **_without_feature(labels)}


def load_columns(sae: SAE, names: Iterable[str]) -> pl.DataFrame:
    """Return columns that there are, one line for each feature; missing values, and NaN, are null.

    A column of single values is kept for the next time: 8 bytes for each feature, or what its texts have. Columns of
    lists are read anew.
    """
    import polars as pl

    wanted = list(dict.fromkeys(name for name in names if name != "feature"))
    with _loading:
        # One reader at a time: a second one would read the same bytes beside the first.
        absent = [name for name in wanted if name not in sae.columns]
        fresh = {series.name: series for analysis in _owners(absent) for series in _read(sae, analysis, absent)}
        kept = {name: series for name, series in fresh.items() if _is_kept(series)}
        sae.columns.update(kept)
        found = {**fresh, **{name: sae.columns[name] for name in wanted if name in sae.columns}}
    return pl.DataFrame([pl.Series("feature", np.arange(sae.n_features)), *(found[name] for name in wanted)])


def explanation_texts(sae: SAE) -> pl.LazyFrame:
    """Return `feature`, `explanations.n` and `explanations.text`, the first in the order of the sets."""
    import polars as pl

    first = pl.col("text").first().str.strip_chars().alias(f"{EXPLANATIONS}.text")
    grouped = sae.explanations.group_by("feature", maintain_order=True)
    return grouped.agg(pl.len().cast(pl.Int64).alias(f"{EXPLANATIONS}.n"), first)


def read_labels(sae: SAE) -> pl.DataFrame | None:
    """Return what the columns of labels hold now, a line for each labelled feature; None when none was ever labelled.

    Read anew when a label has come since the last time.
    """
    from saeatlas.atlas.labels import has_labels, label_columns

    if not has_labels(sae):
        return None
    position = sae.labels.position
    if sae.label_lines is None or sae.label_lines[0] != position:
        sae.label_lines = position, label_columns(sae).collect()
    return sae.label_lines[1]


def _types(sae: SAE) -> dict[str, pl.DataType]:
    from saeatlas.atlas.feature_table import analysis_frame
    from saeatlas.format.table import scanning

    with scanning(f"sae/{sae.name}"):
        return _without_feature(analysis_frame(sae))


def _without_feature(frame: pl.DataFrame | pl.LazyFrame) -> dict[str, pl.DataType]:
    return {name: kind for name, kind in frame.collect_schema().items() if name != "feature"}


def _is_kept(series: pl.Series) -> bool:
    return not (series.dtype.is_nested() or series.name.startswith(f"{LABELS}."))


def _owners(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name.rpartition(".")[0] for name in names))


def _read(sae: SAE, analysis: str, names: Iterable[str]) -> list[pl.Series]:
    """Read those of the columns that belong to an analysis."""
    import polars as pl

    from saeatlas.format.table import scan_table, scanning

    own = [name for name in names if name.rpartition(".")[0] == analysis]
    if analysis == LABELS:
        labels = read_labels(sae)
        assert labels is not None
        table = labels.select("feature", *own)
    elif analysis == EXPLANATIONS:
        table = explanation_texts(sae).select("feature", *own).collect()
    elif analysis == TOKENS:
        table = token_strings(sae).select("feature", *own).collect()
    else:
        path = sae.atlas.entries[f"sae/{sae.name}/{analysis}"].path
        columns = (pl.col(name.rpartition(".")[2]).alias(name) for name in own)
        with scanning(f"{path}/data.parquet"):
            lines = scan_table(sae.atlas.store, path, "data")
            table = lines.select(pl.col("feature").cast(pl.Int64), *columns).collect()
    features = table["feature"].to_numpy()
    if not (features.size == sae.n_features and (features == np.arange(sae.n_features)).all()):
        every = pl.DataFrame([pl.Series("feature", np.arange(sae.n_features))])
        table = every.join(table, on="feature", how="left", maintain_order="left")
    return [_without_nan(table[name]) for name in own]


def _without_nan(series: pl.Series) -> pl.Series:
    return series.fill_nan(None).rechunk() if series.dtype.is_float() else series.rechunk()
