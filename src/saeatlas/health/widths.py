"""Activations, weights, map and explanations of one SAE speak of the same features."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from saeatlas.health._check import Finding, SaeCheck

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE
    from saeatlas.progress import Progress

__all__ = ["Widths", "plugin"]


@dataclass(frozen=True, kw_only=True)
class Widths(SaeCheck):
    """No part of an SAE names a feature that another part lacks, and activations reach over the whole width."""

    chance: float = 1e-6
    """Smallest probability of silent last features that is still put down to chance."""

    def examine(self, sae: SAE, progress: Progress) -> Iterable[Finding]:
        """Compare what each part has."""
        del progress
        named = _named(sae)
        exact = {"identity": sae.identity.width, "weights": sae.weights.n_features if sae.weights is not None else None}
        widths = {part: width for part, width in exact.items() if width is not None}
        numbers = {"widths": widths, "named": named}
        if len(widths) + len(named) < 2:
            yield Finding("not-applicable", "There is only one part, and nothing to compare it with", "", numbers)
            return
        if len(set(widths.values())) > 1:
            pairs = ", ".join(f"{part} {width}" for part, width in widths.items())
            yield Finding("wrong", f"The widths differ: {pairs}", "They are of different SAEs: part them.", numbers)
            return
        width = next(iter(widths.values()), None)
        beyond = {part: count for part, count in named.items() if width is not None and count > width}
        if beyond:
            part, count = next(iter(beyond.items()))
            yield Finding(
                "wrong",
                f"The {part} name feature {count - 1}, and the SAE has {width} features",
                f"The {part} are of another SAE: import those of this one.",
                numbers,
            )
            return
        silent = self._silent_end(sae, width)
        yield silent or Finding("ok", f"All ids are within {width or max(named.values())} features", "", numbers)

    def _silent_end(self, sae: SAE, width: int | None) -> Finding | None:
        """Return a finding when the last features are never listed, and there are too many of them for chance.

        If it does not depend on the id whether a feature fires, the m features that fire are all among the first n of w
        with a probability of at most (n / w)^m.
        """
        if width is None or not sae.has_activations:
            return None
        listed = np.flatnonzero(sae.activations.counts)
        if not listed.size:
            return None
        reach = int(listed[-1]) + 1
        log_p = listed.size * math.log(reach / width)
        if log_p >= math.log(self.chance):
            return None
        return Finding(
            "suspect",
            f"No feature from {reach} on is ever listed, of {width}: {listed.size:,} others are",
            "Check that activations and weights are of the same SAE, and that no feature was cut off.",
            {"largest_listed": reach - 1, "width": width, "n_listed_features": int(listed.size)},
        )


def _named(sae: SAE) -> dict[str, int]:
    """Return the largest id that each part names and one."""
    from saeatlas.atlas.explanations import explanation_facts, explanation_sets

    named = {}
    if sae.has_activations:
        listed = np.flatnonzero(sae.activations.counts)
        named["activations"] = int(listed[-1]) + 1 if listed.size else 0
    if sae.map is not None:
        named["map"] = int(sae.map.attributes["n_features"])
    for name in explanation_sets(sae):
        named[f"explanations '{name}'"] = int(explanation_facts(sae, name)["n_features"])
    return named


plugin = Widths
