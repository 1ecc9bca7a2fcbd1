"""The tokens that tell most about what each feature fires on: many of its rows, and far more than the corpus has."""

from __future__ import annotations

import math
from itertools import islice
from typing import TYPE_CHECKING, Any

from saeatlas.atlas.tables import state_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import polars as pl

    from saeatlas.atlas.sae import SAE

__all__ = ["ANALYSIS", "MOST", "STRINGS", "characteristic", "has_token_strings", "token_lists", "token_strings"]

ANALYSIS = "top-tokens"
"""The analysis that they come from."""
STRINGS = f"{ANALYSIS}.strings"
"""The column that shows them."""
MOST = 5
"""Tokens of a feature at most."""
_RANKS = 20
"""Of its most frequent tokens, so that an analysis that kept thousands gives the same, and as quickly."""
_SEPARATOR = " \u00b7 "
_SIGNS = {"\n": "\u21b5", "\r": "", "\t": "\u21e5"}


def has_token_strings(sae: SAE) -> bool:
    """Whether the analysis is current."""
    return state_of(sae, ANALYSIS).is_current


def token_lists(sae: SAE) -> pl.LazyFrame:
    """Return `feature` and `tokens`, a line for each feature that fires on some tokens more than the corpus has them.

    Tokens are ordered by share * log(lift), of equal ones the more frequent first.
    """
    import polars as pl

    from saeatlas.format.table import scan_table

    lines = scan_table(sae.atlas.store, sae.atlas.entries[f"sae/{sae.name}/{ANALYSIS}"].path, "data")
    telling = lines.filter((pl.col("rank") < _RANKS) & (pl.col("lift") > 1)).select(
        pl.col("feature").cast(pl.Int64), "string", (pl.col("share") * pl.col("lift").log()).alias("weight")
    )
    best = pl.col("string").sort_by("weight", descending=True, maintain_order=True).head(MOST).alias("tokens")
    return telling.group_by("feature").agg(best).sort("feature")


def token_strings(sae: SAE) -> pl.LazyFrame:
    """Return `feature` and the column `STRINGS`: its tokens in one line, without the spaces around them, each once."""
    import polars as pl

    one = pl.element()
    for letter, sign in _SIGNS.items():
        one = one.str.replace_all(letter, sign, literal=True)
    one = one.str.strip_chars()
    shown = pl.when(one == "").then(pl.lit("\u2423")).otherwise(one)
    texts = pl.col("tokens").list.eval(shown).list.unique(maintain_order=True).list.join(_SEPARATOR)
    return token_lists(sae).select("feature", texts.alias(STRINGS))


def characteristic(tokens: Iterable[Mapping[str, Any]], most: int = MOST) -> list[str]:
    """Return the same for one feature, from `string`, `share` and `lift` of its tokens, most frequent first."""
    telling = [one for one in islice(tokens, _RANKS) if one["lift"] > 1]
    telling.sort(key=lambda one: -one["share"] * math.log(one["lift"]))
    return [one["string"] for one in telling[:most]]
