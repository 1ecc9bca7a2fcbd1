"""What pictures are drawn from: tables that are current, and words for features."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from saeatlas.atlas.explanations import first_texts
from saeatlas.errors import NotFound

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE

__all__ = ["densities", "needed_table", "reference_of", "text_of", "words_for"]


def needed_table(sae: SAE, analysis: str, name: str = "data") -> pa.Table:
    """Return a table of a current analysis.

    Raises
    ------
    NotFound
        When it is absent or stale; the hint is the command that makes it.
    """
    table = sae.table(analysis, name)
    if table is None:
        from saeatlas.atlas.tables import state_of

        state = {"absent": "has not been computed", "stale": "was made from other data"}[state_of(sae, analysis).word]
        raise NotFound(
            f"The picture shows analysis '{analysis}', which {state} for SAE '{sae.name}'",
            hint=f"Run: saeatlas analyze {analysis} --sae {sae.name}",
        )
    return table


def reference_of(sae: SAE, feature: int) -> str:
    """Return what names a feature on the command line."""
    return f"{sae.name}/{feature}"


def densities(sae: SAE) -> npt.NDArray[np.float64]:
    """Return the share of rows at which each feature is active, over the whole corpus, float64 [n_features].

    Raises
    ------
    NotFound
        When the SAE has no activations, or no rows.
    """
    if not sae.has_activations:
        raise NotFound(f"SAE '{sae.name}' has no activations, so no densities", hint="Import activations first.")
    if not sae.n_rows:
        raise NotFound(f"The corpus of SAE '{sae.name}' has no rows, so features have no densities")
    out = np.zeros(sae.n_features)
    counts = sae.activations.active_counts
    out[: counts.size] = counts / sae.n_rows
    return out


def text_of(sae: SAE, feature: int) -> str:
    """Return the first explanation of a feature, or '' when it has none."""
    import polars as pl

    return first_texts(sae.explanations.filter(pl.col("feature") == feature)).get(feature, "").strip()


def words_for(sae: SAE, features: Iterable[int], n_tokens: int = 3) -> dict[int, str]:
    """Return a few words for some features: the first explanation, else the most frequent tokens, else nothing."""
    import polars as pl

    wanted = sorted(set(features))
    said = first_texts(sae.explanations.filter(pl.col("feature").is_in(wanted)))
    found = {feature: text.strip() for feature, text in said.items()}
    table = sae.table("top-tokens")
    if table is not None:
        found = _tokens(table, wanted, n_tokens) | found
    return {feature: found.get(feature, "") for feature in wanted}


def _tokens(table: pa.Table, wanted: list[int], n_tokens: int) -> dict[int, str]:
    features: Any = table["feature"].to_numpy()
    lines = np.flatnonzero(np.isin(features, wanted) & (table["rank"].to_numpy() < n_tokens))
    tokens: dict[int, list[str]] = {}
    for line in lines.tolist():
        token = (table["string"][line].as_py() or "").strip()
        if token:
            tokens.setdefault(int(features[line]), []).append(token)
    return {feature: " \u00b7 ".join(own) for feature, own in tokens.items()}
