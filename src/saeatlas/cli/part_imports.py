"""Import weights, maps and explanations one SAE after the other, and write what came of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from saeatlas.cli.render import screen
from saeatlas.cli.render.numbers import bytes_text, seconds_text
from saeatlas.cli.render.tables import Column, write_facts, write_table
from saeatlas.errors import SaeatlasError
from saeatlas.pipeline.sae_importing import PartsReport, import_parts

if TYPE_CHECKING:
    from saeatlas.atlas.atlas import Atlas
    from saeatlas.pipeline.sae_importer import SaeImporter
    from saeatlas.progress import Progress
    from saeatlas.settings import Settings

__all__ = ["Outcome", "import_each", "write_outcomes"]


@dataclass(frozen=True)
class Outcome:
    """What came of one SAE of a sweep."""

    sae: str
    report: PartsReport | None
    """What was imported; None when it failed."""
    error: SaeatlasError | None = None


def import_each(
    atlas: Atlas, importers: Sequence[SaeImporter], settings: Settings, progress: Progress, *, replace_old: bool
) -> list[Outcome]:
    """Import each; the failure of one of several is reported and the next goes on, a single failure is raised."""
    outcomes = []
    for importer in importers:
        try:
            report = import_parts(atlas, importer, settings=settings, progress=progress, replace=replace_old)
        except SaeatlasError as error:
            if len(importers) == 1:
                raise
            progress.say(f"'{importer.sae}' failed: {error.message}")
            outcomes.append(Outcome(importer.sae, None, error))
        else:
            outcomes.append(Outcome(importer.sae, report))
    return outcomes


def write_outcomes(outcomes: Sequence[Outcome], url: str, *, as_json: bool) -> int:
    """Write a line for each SAE, and return the exit code of the first failure or 0."""
    if as_json:
        screen.write_json([_record(outcome) for outcome in outcomes])
    elif len(outcomes) == 1 and outcomes[0].report is not None:
        report = outcomes[0].report
        facts = {"sae": report.sae, **report.parts, "features": report.n_features, "size": bytes_text(report.bytes)}
        write_facts({**facts, "time": seconds_text(report.seconds), "commit": report.commit, "atlas": url})
    else:
        texts = [Column(name, is_text=True) for name in ("sae", "outcome")]
        columns = [*texts, Column("features"), Column("seconds", seconds_text), Column("bytes", bytes_text)]
        write_table(columns, [_line(outcome) for outcome in outcomes])
        failed = sum(outcome.error is not None for outcome in outcomes)
        if failed:
            screen.say(f"{failed} of {len(outcomes)} failed; what was imported stays. The same command goes on.")
    return next((outcome.error.exit_code for outcome in outcomes if outcome.error), 0)


def _line(outcome: Outcome) -> tuple[object, ...]:
    if outcome.report is None:
        return outcome.sae, f"failed: {outcome.error}", None, None, None
    report = outcome.report
    parts = ", ".join(f"{name} {action}" for name, action in report.parts.items())
    return outcome.sae, parts, report.n_features, report.seconds, report.bytes


def _record(outcome: Outcome) -> dict[str, object]:
    if outcome.error is not None:
        error = outcome.error
        return {"sae": outcome.sae, "error": error.message, "kind": error.kind, "hint": error.hint}
    return {"sae": outcome.sae, **(asdict(outcome.report) if outcome.report else {})}
