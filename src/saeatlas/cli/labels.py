"""What the commands about labels share: their options, and how an event is shown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from saeatlas.cli.render import screen
from saeatlas.errors import InvalidInput

if TYPE_CHECKING:
    from saeatlas.format.labels import LabelEvent

__all__ = ["Author", "Category", "Mapped", "event_facts", "mapped_saes", "shown_tags", "write_event"]

Author = Annotated[str, Parameter(name="--by", show_default=False, help="Who says so; otherwise your login name.")]
Category = Annotated[str | None, Parameter(name="--category", show_default=False, help="One of your categories.")]
Mapped = Annotated[
    tuple[str, ...],
    Parameter(
        name="--sae",
        negative="",
        show_default=False,
        help="The SAE; or FILE=NAME, what the file calls an SAE and its name here, which may be said several times.",
    ),
]


def event_facts(event: LabelEvent) -> dict[str, object]:
    """Return what an event says, by name."""
    said = event.said
    return {
        "id": event.id,
        "at": event.at,
        "action": event.action,
        "by": event.by,
        "source": said.source,
        "sae": event.sae,
        "features": list(event.features),
        "text": said.text,
        "category": said.category,
        "tags": list(said.tags),
        "notes": said.notes,
        "confidence": said.confidence,
        "supersedes": list(event.supersedes),
    }


def shown_tags(tags: Sequence[str]) -> str | None:
    """Return tags in one cell; one that has a comma or a quote stands in quotes, so that it is not taken for two."""
    return ", ".join(json.dumps(tag, ensure_ascii=False) if {",", '"'} & set(tag) else tag for tag in tags) or None


def write_event(event: LabelEvent, *, as_json: bool) -> None:
    """Write the id of an event, and say what it did."""
    if as_json:
        screen.write_json(event_facts(event))
        return
    screen.write(event.id)
    n = len(event.features)
    about = f"{event.sae}/{event.features[0]}" if n == 1 else f"{n:,} features of '{event.sae}'"
    screen.say(f"{'Labelled' if event.action == 'label' else 'Retracted the labels of'} {about} as {event.by}")


def mapped_saes(given: tuple[str, ...]) -> Mapping[str, str] | str:
    """Return the one SAE that is named, or what a file calls each of several SAEs and their names."""
    pairs = [one.rpartition("=") for one in given]
    if all(not separator for _, separator, _ in pairs):
        if len(pairs) > 1:
            raise InvalidInput(
                f"Several SAEs are named: {', '.join(given)}", hint="Say which is which: --sae FILE=NAME."
            )
        return given[0] if given else ""
    if not all(theirs and ours for theirs, _, ours in pairs) or len({theirs for theirs, _, _ in pairs}) < len(pairs):
        raise InvalidInput(f"Not a list of SAEs: {', '.join(given)}", hint="Write each as FILE=NAME, each once.")
    return {theirs: ours for theirs, _, ours in pairs}
