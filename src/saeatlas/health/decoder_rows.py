"""Every feature writes something, and no two write the same: no decoder row is zero or occurs twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from saeatlas.health._check import Finding, SaeCheck

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE
    from saeatlas.atlas.weights import Weights
    from saeatlas.progress import Progress

__all__ = ["DecoderRows", "plugin"]

_BLOCK_BYTES = 64_000_000
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class DecoderRows(SaeCheck):
    """No decoder row is zero, and none equals another, number for number."""

    def examine(self, sae: SAE, progress: Progress) -> Iterable[Finding]:
        """Read the decoder once: 64 MB at a time, and 16 bytes for each feature."""
        weights = sae.weights
        if weights is None:
            yield Finding("not-applicable", "There are no weights")
            return
        digests, is_zero = _digests(weights, progress)
        zeros = np.flatnonzero(is_zero)
        copies, originals = _copies(digests, is_zero)
        numbers = {
            "n_features": weights.n_features,
            "n_zero": int(zeros.size),
            "n_duplicate": int(copies.size),
            "first_zero": zeros[:_SHOWN].tolist(),
            "first_duplicates": list(zip(copies[:_SHOWN].tolist(), originals[:_SHOWN].tolist(), strict=True)),
        }
        if zeros.size == weights.n_features:
            yield Finding("wrong", "Every decoder row is zero", "Import the weights again: these are empty.", numbers)
            return
        if zeros.size:
            named = ", ".join(map(str, zeros[:_SHOWN].tolist()))
            yield Finding(
                "suspect",
                f"{zeros.size:,} of {weights.n_features:,} decoder rows are zero, such as of the features {named}",
                "These features write nothing: they were pruned or padded. Leave them out of maps and neighbours.",
                numbers,
            )
        if copies.size:
            yield Finding(
                "suspect",
                f"{copies.size:,} decoder rows equal that of a feature before them; feature {copies[0]} that of "
                f"feature {originals[0]}",
                "Look for a bug where the weights were made: training does not give equal rows.",
                numbers,
            )
        if not zeros.size and not copies.size:
            yield Finding(
                "ok", f"The {weights.n_features:,} decoder rows are all different, and none is zero", "", numbers
            )


def _digests(weights: Weights, progress: Progress) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
    """Return 128 bits of each row, uint64 [features, 2], and whether it is zero."""
    n_features = weights.n_features
    digests, is_zero = np.zeros((n_features, 2), np.uint64), np.zeros(n_features, np.bool_)
    step = max(1, _BLOCK_BYTES // (weights.d_out * 8))
    with progress.task("Reading the decoder", total=n_features, unit="features") as task:
        for first in range(0, n_features, step):
            stop = min(n_features, first + step)
            # Adding 0 makes -0 the number that it equals.
            block = np.ascontiguousarray(weights.decoder(first, stop) + 0.0)
            is_zero[first:stop] = ~block.any(axis=1)
            for i, row in enumerate(block):
                digest = hashlib.blake2b(row.data, digest_size=16).digest()
                digests[first + i] = np.frombuffer(digest, np.uint64)
            task.advance(stop - first)
    return digests, is_zero


def _copies(
    digests: npt.NDArray[np.uint64], is_zero: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the features whose row was there before, ascending, and the first feature with each such row."""
    features = np.flatnonzero(~is_zero)
    order = features[np.lexsort((features, digests[features, 1], digests[features, 0]))]
    same = np.zeros(order.size, np.bool_)
    same[1:] = (digests[order[1:]] == digests[order[:-1]]).all(axis=1)
    starts = np.maximum.accumulate(np.where(same, 0, np.arange(order.size)))
    copies, originals = order[same], order[starts[same]]
    ascending = np.argsort(copies, kind="stable")
    return copies[ascending], originals[ascending]


plugin = DecoderRows
