"""What every analysis of all features needs: blocks of a size that fits, and missing numbers as null."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from saeatlas.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    import pyarrow as pa

    from saeatlas.atlas.activations import FeatureBlock
    from saeatlas.atlas.sae import SAE
    from saeatlas.progress import Progress

__all__ = ["MAX_LISTED", "block_entries", "blocks", "check_whole", "nullable"]

MAX_LISTED = 4_000_000
"""Listed entries of a block; larger blocks were not faster."""


def blocks(sae: SAE, progress: Progress) -> Iterator[FeatureBlock]:
    """Yield all features in blocks of `MAX_LISTED` entries, or of one feature that has more."""
    return sae.activations.feature_blocks(MAX_LISTED, progress)


def block_entries(sae: SAE) -> int:
    """Return the listed entries of the largest block."""
    counts = sae.activations.counts
    return max(min(MAX_LISTED, sae.n_listed), int(counts.max()) if counts.size else 0)


def nullable(numbers: npt.NDArray[np.float64]) -> pa.Array:
    """Return numbers as an Arrow array in which NaN, an undefined number, and what was too large to compute is null."""
    import pyarrow as pa

    return pa.array(numbers, pa.float64(), mask=~np.isfinite(numbers))


def check_whole(plugin: Any, **least_and_most: tuple[int, int]) -> None:  # noqa: ANN401  # any dataclass
    """Raise `InvalidInput` when a field of a plug-in is not a whole number from the least to the most."""
    for name, (least, most) in least_and_most.items():
        value = getattr(plugin, name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise InvalidInput(f"'{name}' must be a whole number from {least} to {most:,}, found: {value!r}")
