"""The features nearest to one: from the analysis when it holds them, otherwise by comparing one with all."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from saeatlas.atlas.tables import served_rows
from saeatlas.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE

__all__ = ["neighbors_of", "similar_to"]


def similar_to(sae: SAE, feature: int, n: int, by: str) -> pa.Table:
    """Return the features nearest to one, best first; see `Feature.similar`.

    The analysis 'neighbors' answers when it is current, compared the same directions and kept `n`; otherwise the
    feature is compared with all others. Both give the same numbers.
    """
    import pyarrow as pa

    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise InvalidInput(f"'n' must be a whole number from 1, found: {n!r}")
    served = served_rows(sae, "neighbors", feature, {"by": by}, at_least={"k": n})
    if served is not None:
        best = served.slice(0, n)
        return pa.table({"feature": best["neighbor"].cast(pa.int64()), "cosine": best["cosine"]})
    return neighbors_of(sae, [feature], n, by).select(["neighbor", "cosine"]).rename_columns(["feature", "cosine"])


def neighbors_of(sae: SAE, features: Iterable[int], n: int, by: str = "decoder") -> pa.Table:
    """Compare some features with all, and nothing else, and return their nearest.

    Parameters
    ----------
    sae
        Whose features.
    features
        Their ids.
    n
        Neighbours of each; fewer where fewer features have a direction.
    by
        'decoder' or 'encoder'.

    Returns
    -------
    pa.Table
        `feature` int64, `rank` int32 from 0, `neighbor` int64, `cosine` float64; features in the order given, of equal
        cosines the lower neighbour first. A feature whose direction is zero has no line.

    Notes
    -----
    Exact. Peak memory: 100 MB; one pass over the directions for each feature.
    """
    import pyarrow as pa

    from saeatlas.kernels.directions import nearest_to_one

    weights = sae.weights
    if weights is None:
        raise NotFound(
            f"SAE '{sae.name}' has no weights, so its features have no directions",
            hint="Import them: see 'saeatlas import sae-weights --help'.",
        )
    read = partial(weights.directions, by)
    read(0, 0)
    wanted = list(features)
    found = [nearest_to_one(read, weights.n_features, feature, n) for feature in wanted]
    sizes = [ids.size for ids, _ in found]
    return pa.table(
        {
            "feature": pa.array(np.repeat(np.array(wanted, np.int64), sizes)),
            "rank": pa.array(np.concatenate([np.arange(0), *map(np.arange, sizes)]).astype(np.int32)),
            "neighbor": pa.array(np.concatenate([np.empty(0, np.int64), *(ids for ids, _ in found)])),
            "cosine": pa.array(np.concatenate([np.empty(0), *(cosines for _, cosines in found)])),
        }
    )
