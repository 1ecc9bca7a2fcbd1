"""The explanations of one SAE: all sets together, as they were written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from saeatlas.errors import NotFound

if TYPE_CHECKING:
    import polars as pl

    from saeatlas.atlas.sae import SAE

__all__ = ["explanation_facts", "explanation_sets", "explanations_of", "first_texts"]


def explanation_sets(sae: SAE) -> tuple[str, ...]:
    """Return the names of the sets of explanations, sorted."""
    prefix = _logical(sae, "")
    return tuple(sorted(name.removeprefix(prefix) for name in sae.atlas.entries if name.startswith(prefix)))


def explanation_facts(sae: SAE, name: str) -> Mapping[str, Any]:
    """Return what is known about a set: `n_explanations`, `n_explained` (features), `explainers`, `methods` and more.

    Raises
    ------
    NotFound
        When there is no such set; the hint lists those that there are.
    """
    if _logical(sae, name) not in sae.atlas.entries:
        raise NotFound(
            f"SAE '{sae.name}' has no explanations '{name}'",
            hint=f"Known: {', '.join(explanation_sets(sae)) or 'none'}",
        )
    return sae.atlas.manifest(_logical(sae, name)).attributes


def explanations_of(sae: SAE) -> pl.LazyFrame:
    """Return every explanation of an SAE; nothing is read before it is collected.

    Returns
    -------
    pl.LazyFrame
        `set` (string), `feature` (int64), `explainer`, `method` (string, null where unknown), `text` (string, as
        written). Ordered by set, then feature; a feature may have several lines, or none. Without any set it is empty.
    """
    import polars as pl

    from saeatlas.format.table import scan_table

    schema = {"set": pl.String, "feature": pl.Int64, "explainer": pl.String, "method": pl.String, "text": pl.String}
    frames = [pl.LazyFrame(schema=schema)]
    for name in explanation_sets(sae):
        table = scan_table(sae.atlas.store, sae.atlas.entries[_logical(sae, name)].path)
        frames.append(
            table.select(
                pl.lit(name, pl.String).alias("set"),
                pl.col("feature").cast(pl.Int64),
                *(pl.col(column).cast(pl.String) for column in ("explainer", "method", "text")),
            )
        )
    return pl.concat(frames)


def first_texts(explanations: pl.LazyFrame) -> dict[int, str]:
    """Return the first text of each feature that some lines of `explanations_of` explain."""
    found: dict[int, str] = {}
    for feature, text in explanations.select("feature", "text").collect().iter_rows():
        found.setdefault(feature, text)
    return found


def _logical(sae: SAE, name: str) -> str:
    return f"sae/{sae.name}/imported/explanations/{name}"
