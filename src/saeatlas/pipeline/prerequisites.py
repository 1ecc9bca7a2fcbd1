"""Analyses that others read, added to a run when the atlas lacks them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from saeatlas.atlas.currency import NEEDS
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
        for need in sorted(analysis.requires()):
            is_given = need in NEEDS or need.startswith("sae/") or f"sae/{sae}/{need}" in entries
            if not is_given and need not in names:
                names.add(need)
                found.append(registry[need]())
    return tuple(found)
