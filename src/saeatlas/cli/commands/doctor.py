"""`saeatlas doctor`: find what is wrong with the data though every byte is whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from saeatlas.cli.discovery import CARE as GROUP
from saeatlas.cli.options import AsJson, AtlasOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from saeatlas.health import Diagnosis

__all__ = ["GROUP", "command"]

_STRICT_CODE = 1


def command(
    *,
    sae: Annotated[
        tuple[str, ...],
        Parameter(
            name="--sae", negative="", show_default=False, help="SAE to examine; otherwise all, and all corpora."
        ),
    ] = (),
    strict: Annotated[
        bool, Parameter(negative="", show_default=False, help="Exit with 1 when anything is suspect or wrong.")
    ] = False,
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> int:
    """Examine whether explanations, weights, activations, tokens and texts belong together, and name what does not.

    Every check reads the whole corpus. Where what it needs is not there, it says so.

    Example: saeatlas doctor --atlas reviews.atlas
    """
    from saeatlas.cli.render.progress import shown_progress
    from saeatlas.cli.render.screen import write_json
    from saeatlas.cli.target import open_atlas
    from saeatlas.health import diagnose

    opened = open_atlas(atlas)
    with shown_progress() as progress:
        found = diagnose(opened, tuple(dict.fromkeys(sae)), progress)
    if as_json:
        write_json({"findings": [diagnosis.to_json() for diagnosis in found]})
    else:
        _write(found)
    is_well = all(diagnosis.finding.verdict in {"ok", "not-applicable"} for diagnosis in found)
    return _STRICT_CODE if strict and not is_well else 0


def _write(found: Sequence[Diagnosis]) -> None:
    from saeatlas.cli.render.screen import say
    from saeatlas.cli.render.tables import Column, write_table

    names = ("subject", "check", "verdict", "found", "what to do")
    lines = [
        (
            diagnosis.sae or f"corpus {diagnosis.corpus}",
            diagnosis.check,
            diagnosis.finding.verdict,
            diagnosis.finding.message,
            diagnosis.finding.remedy,
        )
        for diagnosis in found
    ]
    write_table([Column(name, is_text=True) for name in names], lines)
    verdicts = [diagnosis.finding.verdict for diagnosis in found]
    counts = {word: verdicts.count(word) for word in ("wrong", "suspect", "ok", "not-applicable")}
    say(
        ", ".join(f"{count} {word.replace('-', ' ')}" for word, count in counts.items() if count)
        or "Nothing to examine"
    )
