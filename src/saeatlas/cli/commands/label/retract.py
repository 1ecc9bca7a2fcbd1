"""`saeatlas label retract`: take labels back."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from saeatlas.cli.discovery import LABEL as GROUP
from saeatlas.cli.labels import Author, write_event
from saeatlas.cli.options import AsJson, AtlasOption
from saeatlas.cli.target import open_features

__all__ = ["GROUP", "command"]


def command(
    reference: Annotated[
        str, Parameter(name="REF", help="The feature: NAME/ID, or ID where there is one SAE; several as NAME/1,5,7-9.")
    ],
    /,
    *,
    event: Annotated[
        tuple[str, ...],
        Parameter(negative="", show_default=False, help="Event to take back, whoever made it; from 'label history'."),
    ] = (),
    by: Author = "",
    notes: Annotated[str | None, Parameter(show_default=False, help="Why.")] = None,
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """Take back your own current labels of features, or the events that are named. History stays.

    Example: saeatlas label retract gpt2-l8/16751 --notes 'fires on invoices of any kind'
    """
    from saeatlas.pipeline.labelling import retract

    sae, features = open_features(atlas, reference)
    made = retract(sae, by=by, features=features, events=event, notes=notes)
    write_event(made, as_json=as_json)
