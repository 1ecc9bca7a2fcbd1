"""`saeatlas compact`: merge segments and choose how they are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from saeatlas.cli.discovery import CARE as GROUP
from saeatlas.cli.options import AsJson, AtlasOption, Jobs, SaeOption

if TYPE_CHECKING:
    from saeatlas.atlas.atlas import Atlas

__all__ = ["GROUP", "command"]


def command(
    *,
    profile: Annotated[
        Literal["fast", "balanced", "compact"] | None,
        Parameter(show_default=False, help="Quick to read, or small; otherwise as it is."),
    ] = None,
    max_rows: Annotated[int, Parameter(help="Rows of a merged segment at most.")] = 32_000_000,
    jobs: Jobs = 0,
    sae: SaeOption = "",
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """Merge the segments of an SAE, and store them quick to read or small; every answer stays the same.

    Example: saeatlas compact --profile compact --atlas reviews.atlas
    """
    from saeatlas.cli.render.numbers import bytes_text
    from saeatlas.cli.render.progress import shown_progress
    from saeatlas.cli.render.screen import say, write_json
    from saeatlas.cli.render.tables import write_facts
    from saeatlas.cli.target import open_sae
    from saeatlas.cli.work import settings_for
    from saeatlas.pipeline.compact import compact

    settings = settings_for(jobs)
    opened = open_sae(atlas, sae)
    before = _segments(opened.atlas, opened.name)
    with shown_progress() as progress:
        commit = compact(
            opened.atlas, opened.name, profile=profile, max_rows=max_rows, settings=settings, progress=progress
        )
    after = _segments(type(opened.atlas)(opened.atlas.store, commit), opened.name)
    facts: dict[str, object] = {"sae": opened.name, "commit": commit.number}
    facts |= {"segments_before": len(before), "segments": len(after)}
    if as_json:
        write_json(facts | {"bytes_before": sum(before), "bytes": sum(after)})
        return
    write_facts(facts | {"size_before": bytes_text(sum(before)), "size": bytes_text(sum(after))})
    if after != before:
        say("The old segments stay until 'saeatlas gc' finds that no kept commit lists them.")


def _segments(atlas: Atlas, sae: str) -> list[int]:
    """Return the size of each segment."""
    names = [name for name in atlas.entries if name.startswith(f"sae/{sae}/segment/")]
    return [atlas.manifest(name).size for name in names]
