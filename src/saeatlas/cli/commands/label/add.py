"""`saeatlas label add`: say what one feature, or many, are."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from saeatlas.cli.discovery import LABEL as GROUP
from saeatlas.cli.labels import Author, Category, write_event
from saeatlas.cli.options import AsJson, AtlasOption
from saeatlas.cli.target import open_features

__all__ = ["GROUP", "command"]


def command(  # noqa: PLR0913 - the members of a label
    reference: Annotated[
        str, Parameter(name="REF", help="The feature: NAME/ID, or ID where there is one SAE; several as NAME/1,5,7-9.")
    ],
    text: Annotated[str | None, Parameter(name="TEXT", help="What it is, in a few words.", show_default=False)] = None,
    /,
    *,
    by: Author = "",
    category: Category = None,
    tag: Annotated[
        tuple[str, ...],
        Parameter(name="--tag", negative="", show_default=False, help="Any word; may be said several times."),
    ] = (),
    notes: Annotated[str | None, Parameter(show_default=False, help="Whatever else is worth keeping.")] = None,
    confidence: Annotated[float | None, Parameter(show_default=False, help="From 0 to 1.")] = None,
    source: Annotated[str | None, Parameter(show_default=False, help="Where it comes from, such as a model.")] = None,
    supersedes: Annotated[
        tuple[str, ...],
        Parameter(
            negative="", show_default=False, help="Event that it replaces too, whoever made it; from 'label history'."
        ),
    ] = (),
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """Label a feature, or many in one event. What you said about them before becomes history; what others said stays.

    Example: saeatlas label add gpt2-l8/16751 'refunds and complaints' --category topic --confidence 0.8
    """
    from saeatlas.pipeline.labelling import label

    sae, features = open_features(atlas, reference)
    event = label(
        sae,
        text,
        by=by,
        features=features,
        category=category,
        tags=tag,
        notes=notes,
        confidence=confidence,
        source=source,
        supersedes=supersedes,
    )
    write_event(event, as_json=as_json)
