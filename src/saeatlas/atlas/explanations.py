"""The explanations of one SAE: all sets together, as they were written."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

    from saeatlas.atlas.sae import SAE

__all__ = ["explanation_sets", "explanations_of"]


def explanation_sets(sae: SAE) -> tuple[str, ...]:
    """Return the names of the sets of explanations, sorted."""
    prefix = f"sae/{sae.name}/imported/explanations/"
    return tuple(sorted(name.removeprefix(prefix) for name in sae.atlas.entries if name.startswith(prefix)))


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
        table = scan_table(sae.atlas.store, sae.atlas.entries[f"sae/{sae.name}/imported/explanations/{name}"].path)
        frames.append(
            table.select(
                pl.lit(name, pl.String).alias("set"),
                pl.col("feature").cast(pl.Int64),
                *(pl.col(column).cast(pl.String) for column in ("explainer", "method", "text")),
            )
        )
    return pl.concat(frames)
