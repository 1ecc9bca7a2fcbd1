"""`saeatlas gc`: delete what no recent commit lists."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from saeatlas.cli.discovery import CARE as GROUP
from saeatlas.cli.options import AsJson, AtlasOption

__all__ = ["GROUP", "command"]

_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}


def command(
    *,
    dry_run: Annotated[bool, Parameter(negative="", show_default=False, help="Only say what would go.")] = False,
    keep: Annotated[int, Parameter(help="Newest commits to keep, with all that they list.")] = 10,
    min_age: Annotated[
        str, Parameter(help="Keep whatever is younger, such as 90min, 24h or 7d: a run may be about to list it.")
    ] = "24h",
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """Delete old commits, the artifacts that only they list, and what interrupted runs left behind.

    Example: saeatlas gc --dry-run --keep 3 --atlas reviews.atlas
    """
    from saeatlas.cli.render.numbers import bytes_text
    from saeatlas.cli.render.progress import shown_progress
    from saeatlas.cli.render.screen import say, write_json
    from saeatlas.cli.render.tables import Column, write_table
    from saeatlas.cli.target import open_atlas
    from saeatlas.pipeline.gc import gc

    seconds = _seconds(min_age)
    with shown_progress() as progress:
        report = gc(open_atlas(atlas), keep_commits=keep, min_age_seconds=seconds, dry_run=dry_run, progress=progress)
    if as_json:
        write_json(asdict(report))
        return
    write_table(
        [Column("what", is_text=True), Column("path", is_text=True)],
        [("commit", path) for path in report.commits] + [("artifact", path) for path in report.artifacts],
    )
    young = f"; {report.kept_young} more are younger than {min_age}" if report.kept_young else ""
    say(f"{bytes_text(report.bytes)} {'would be' if dry_run else 'were'} freed{young}.")


def _seconds(text: str) -> float:
    """Read a duration such as '90min', '24h', '7d' or '30s'."""
    from saeatlas.errors import InvalidInput

    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|min|h|d)", text.strip())
    if match is None:
        raise InvalidInput(f"'{text}' is no duration", hint="Write a number and one of s, min, h, d, such as 24h.")
    return float(match[1]) * _SECONDS[match[2]]
