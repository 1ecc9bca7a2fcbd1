"""Explanations belong to the features that they are given to: features close together are explained alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from saeatlas.health._check import Finding, SaeCheck, Verdict

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE
    from saeatlas.progress import Progress

__all__ = ["CoherenceCheck", "plugin"]

_REMEDY = {
    "wrong": "They are probably of another SAE, such as one of another L0 at the same layer. Compare where both come "
    "from, and import the explanations of this one.",
    "suspect": "Import more explanations: these are too few to tell.",
}


@dataclass(frozen=True, kw_only=True)
class CoherenceCheck(SaeCheck):
    """Explanations agree with the places of features; see the analysis 'coherence'."""

    def examine(self, sae: SAE, progress: Progress) -> Iterable[Finding]:
        """Take the analysis where it is current with its defaults, and compute it otherwise."""
        from saeatlas.atlas.explanations import explanation_sets

        if not explanation_sets(sae):
            yield _not_applicable("There are no explanations")
        elif sae.map is None and sae.weights is None:
            yield _not_applicable("There is neither a map nor weights, so no feature is close to another")
        else:
            for line in _lines(sae, progress):
                yield _finding(line)


def _not_applicable(reason: str) -> Finding:
    return Finding("not-applicable", reason, "", {"z": None, "lift": None})


def _lines(sae: SAE, progress: Progress) -> list[dict[str, Any]]:
    from saeatlas.analyses.coherence import Coherence
    from saeatlas.atlas.tables import state_of

    analysis = Coherence()
    state = state_of(sae, "coherence")
    table = sae.table("coherence") if dict(state.params) == analysis.params() else None
    if table is None:
        table = analysis.compute(sae, progress)["data"]
    return cast("list[dict[str, Any]]", table.to_pylist())


def _finding(line: Mapping[str, Any]) -> Finding:
    verdict = cast("Verdict", line["verdict"])
    numbers = {name: value for name, value in line.items() if name != "verdict"}
    what = f"Explanations '{line['set']}' of {line['n']:,} features"
    if line["lift"] is None:
        return Finding("not-applicable", f"{what} are too few, or share no words, to compare", "", numbers)
    measured = (
        f"{line['lift']:.2f} times as alike as by chance (95 % {line['lift_low']:.2f} to {line['lift_high']:.2f}, "
        f"z {_shown(line['z'])}, p {line['p']:.2g})"
    )
    where = "on the map" if line["geometry"] == "map" else "in the decoder"
    return Finding(verdict, f"{what}: neighbours {where} are {measured}", _REMEDY.get(verdict, ""), numbers)


def _shown(z: float | None) -> str:
    return "undefined" if z is None else f"{z:.1f}"


plugin = CoherenceCheck
