"""What is current among the events about one feature: a newer event of an author ends the older, named ones end too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from saeatlas.format.labels import LabelEvent, Said

__all__ = ["Label", "fold"]


@dataclass(frozen=True, slots=True)
class Label:
    """What one event says about one feature, and what became of it."""

    feature: int
    event: LabelEvent
    superseded_by: str | None
    """Id of the event that ended it for this feature; None while it is current."""
    is_retracted: bool
    """Whether that event took it back and put nothing in its place."""
    identity_changed: bool
    """Whether it was said about an SAE of which a known fact is different today."""

    @property
    def id(self) -> str:
        """Id of the event."""
        return self.event.id

    @property
    def by(self) -> str:
        """Who said it."""
        return self.event.by

    @property
    def at(self) -> str:
        """When, in UTC."""
        return self.event.at

    @property
    def said(self) -> Said:
        """What it says."""
        return self.event.said

    @property
    def is_current(self) -> bool:
        """Whether it is a label that nothing ended."""
        return self.superseded_by is None and self.event.action == "label"


def fold(events: Sequence[LabelEvent]) -> dict[str, LabelEvent]:
    """Return the labels that ended among the events about one feature: id → the event that ended it.

    Parameters
    ----------
    events
        Ascending by id. A label ends its author's labels before it, and those before it that it names. A retraction
        ends those that it names, or its author's where it names none. Labels of others stay.
    """
    ended: dict[str, LabelEvent] = {}
    current: list[LabelEvent] = []
    for event in events:
        named = event.supersedes
        own_too = event.action == "label" or not named
        kept = []
        for label in current:
            if (own_too and label.by == event.by) or label.id in named:
                ended[label.id] = event
            else:
                kept.append(label)
        current = [*kept, event] if event.action == "label" else kept
    return ended
