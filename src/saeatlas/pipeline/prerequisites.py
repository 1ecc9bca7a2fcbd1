"""Analyses that others read, added to a run when the atlas lacks them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from saeatlas.atlas.currency import is_of_analysis
from saeatlas.format.commit import Entry
from saeatlas.pipeline.analysis import Analysis
from saeatlas.pipeline.recipe import name_of
from saeatlas.pipeline.registries import analyses as known_analyses

__all__ = ["with_prerequisites"]


def with_prerequisites(analyses: Iterable[Analysis], entries: Mapping[str, Entry], sae: str) -> tuple[Analysis, ...]:
    """Return the analyses, and with default parameters those that they need and that `sae` does not have.

    Raises
    ------
    NotFound
        When one of them needs something that is no analysis.
    """
    registry = known_analyses()
    found = list(analyses)
    names = {name_of(type(analysis)) for analysis in found}
    for analysis in found:
        for need in sorted(filter(is_of_analysis, analysis.requires())):
            if f"sae/{sae}/{need}" not in entries and need not in names:
                names.add(need)
                found.append(registry[need]())
    return tuple(found)
