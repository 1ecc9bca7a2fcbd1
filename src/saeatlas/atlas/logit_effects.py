"""The tokens that one feature raises and lowers most, from the analysis 'logit-effects'."""

from __future__ import annotations

from typing import TYPE_CHECKING

from saeatlas.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from saeatlas.atlas.feature import Feature
    from saeatlas.atlas.sae import SAE

__all__ = ["importance_of", "logit_effects_of"]

_ANALYSIS = "logit-effects"


def logit_effects_of(feature: Feature, n: int = 10) -> pa.Table:
    """Return the strongest effects of a feature on the logits, `n` of each side.

    Returns
    -------
    pa.Table
        `side` ('top', then 'bottom'), `rank` from 0, `token`, `string`, `effect` and `contribution`. Empty when the
        feature has no direction.

    Raises
    ------
    NotFound
        When there is no current analysis.
    InvalidInput
        When the analysis kept fewer tokens.
    """
    import polars as pl

    lines = _scanned(feature.sae, "effects").filter(pl.col("feature") == feature.id)
    kept = int(feature.sae.states[_ANALYSIS].params["k"])
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= kept:
        raise InvalidInput(
            f"'n' must be a whole number from 1 to the {kept} tokens of each side that the analysis kept, found: {n!r}",
            hint=f"Run 'saeatlas analyze {_ANALYSIS}' with a larger --k.",
        )
    chosen = lines.filter(pl.col("rank") < n).sort(pl.col("side") == "bottom", "rank")
    return chosen.select("side", "rank", "token", "string", "effect", "contribution").collect().to_arrow()


def importance_of(feature: Feature) -> dict[str, float | None]:
    """Return how large the effects of a feature are: the numbers of its line in `data`, by name."""
    import polars as pl

    names = ("n_tokens", "effect_norm", "effect_mean", "effect_std", "mean_active", "rms", "importance")
    line = _scanned(feature.sae, "data").filter(pl.col("feature") == feature.id)
    return line.select(*names, "importance_active").collect().row(0, named=True)


def _scanned(sae: SAE, table: str) -> pl.LazyFrame:
    from saeatlas.atlas.tables import state_of
    from saeatlas.format.table import scan_table

    state = state_of(sae, _ANALYSIS)
    if not state.is_current:
        raise NotFound(
            state.reason, hint=f"It needs the unembedding of the model: see 'saeatlas analyze {_ANALYSIS} --help'."
        )
    return scan_table(sae.atlas.store, sae.atlas.entries[f"sae/{sae.name}/{_ANALYSIS}"].path, table)
