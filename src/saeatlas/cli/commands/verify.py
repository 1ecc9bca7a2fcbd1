"""`saeatlas verify`: check an atlas against its digests."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from saeatlas.cli.discovery import CARE as GROUP
from saeatlas.cli.options import AsJson, AtlasOption, Jobs

__all__ = ["GROUP", "command"]


def command(
    *,
    deep: Annotated[
        bool, Parameter(negative="", show_default=False, help="Read every byte, and compare every digest.")
    ] = False,
    jobs: Jobs = 0,
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """Check that everything the atlas lists is there and whole; name what is not.

    Example: saeatlas verify --deep --atlas reviews.atlas
    """
    from saeatlas.cli.render.numbers import bytes_text, count
    from saeatlas.cli.render.progress import shown_progress
    from saeatlas.cli.render.screen import say, write_json
    from saeatlas.cli.render.tables import Column, write_table
    from saeatlas.cli.target import atlas_place
    from saeatlas.cli.work import settings_for
    from saeatlas.errors import FormatError
    from saeatlas.pipeline.verify import verify
    from saeatlas.storage import open_store

    settings = settings_for(jobs)
    store = open_store(atlas_place(atlas))
    with shown_progress() as progress:
        report = verify(store, deep=deep, jobs=settings.jobs, progress=progress)
    if as_json:
        write_json(asdict(report) | {"ok": report.ok})
    elif report.findings:
        columns = [Column("path", is_text=True), Column("kind", is_text=True), Column("message", is_text=True)]
        write_table(columns, [(finding.path, finding.kind, finding.message) for finding in report.findings])
    for note in () if as_json else report.notes:
        say(f"Note: {note.message}.")
    newer = [finding for finding in report.findings if finding.kind in {"unsupported-format", "newer-format"}]
    if newer:
        raise FormatError(newer[0].message, hint="Upgrade: pip install --upgrade saeatlas", kind="unsupported-format")
    if report.findings:
        raise FormatError(
            f"'{store.url}' is damaged: {len(report.findings)} findings, the first: {report.findings[0].message}",
            hint="Restore the named files from a copy. Or delete the directories of their artifacts, and import with "
            "--replace, or analyze, again: what is there is never made a second time.",
            kind="corrupt-artifact",
        )
    what = "every digest holds" if deep else "every file is there with its size"
    say(
        f"{count(report.artifacts)} artifacts of {count(report.commits)} commits, {count(report.files)} files, "
        f"{bytes_text(report.bytes)}: {what}."
    )
