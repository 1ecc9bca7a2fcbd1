"""The analyses that are there fit the data, and those that could be there are named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from saeatlas.atlas.currency import inputs_of, is_of_analysis
from saeatlas.atlas.tables import analyses_of, state_of
from saeatlas.errors import NotFound, SaeatlasError
from saeatlas.health._check import Finding, SaeCheck
from saeatlas.pipeline.registries import analyses

if TYPE_CHECKING:
    from saeatlas.atlas.sae import SAE
    from saeatlas.progress import Progress

__all__ = ["Analyses", "plugin"]


@dataclass(frozen=True, kw_only=True)
class Analyses(SaeCheck):
    """Analyses were made from the data that the atlas holds now."""

    def examine(self, sae: SAE, progress: Progress) -> Iterable[Finding]:
        """Compare what each analysis was made from with what is there."""
        del progress
        states = {name: state_of(sae, name) for name in analyses_of(sae)}
        stale = [name for name, state in states.items() if not state.is_current]
        absent = _possible(sae, set(states))
        numbers = {"current": [name for name in states if name not in stale], "stale": stale, "absent": absent}
        if stale:
            yield Finding(
                "suspect",
                states[stale[0]].reason if len(stale) == 1 else f"Out of date: {', '.join(stale)}",
                f"Run 'saeatlas analyze {' '.join(stale)}'; until then they are not served.",
                numbers,
            )
        elif not states and not absent:
            yield Finding("not-applicable", "There is nothing to analyse", "", numbers)
        else:
            more = f"; not computed: {', '.join(absent)}" if absent else ""
            hint = f"For more run 'saeatlas analyze {' '.join(absent)}'." if absent else ""
            yield Finding("ok", f"{len(states)} analyses are current{more}", hint, numbers)


def _possible(sae: SAE, there: set[str]) -> list[str]:
    """Return the analyses that are not there and could be computed with their defaults."""
    return [name for name in analyses() if name not in there and _can_run(sae, name, there)]


def _can_run(sae: SAE, name: str, there: set[str]) -> bool:
    """Whether all that an analysis needs is there, or can be computed in turn."""
    try:
        analysis = analyses()[name]()
        # An analysis that reads a file of the user cannot say what it would be made from, unless it is named.
        analysis.params()
        needs = analysis.requires()
    except (SaeatlasError, ImportError, TypeError):
        # A plug-in of others that cannot be loaded or has no defaults is no matter of this SAE.
        return False
    others = set(filter(is_of_analysis, needs))
    try:
        inputs_of(sae.atlas.store, sae.atlas.entries, sae.name, needs - others)
    except NotFound:
        return False
    return all(need in there or _can_run(sae, need, there) for need in others)


plugin = Analyses
