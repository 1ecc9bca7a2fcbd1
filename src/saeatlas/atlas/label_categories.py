"""The user's categories of labels: what each is called, how it is coloured, and which one it is a part of."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from saeatlas.errors import FormatError
from saeatlas.format.event_log import EventLog
from saeatlas.format.labels import CATEGORIES, CategoryEvent, check_schema

if TYPE_CHECKING:
    from saeatlas.storage.store import Store

__all__ = ["Categories", "Category"]

_ACTIONS = frozenset({"category", "drop-category"})


@dataclass(frozen=True, slots=True)
class Category:
    """One category, as its newest event says."""

    name: str
    colour: str | None = None
    """Such as '#e69f00'; None when nobody chose one."""
    description: str | None = None
    parent: str | None = None
    """Name of the category that it is a part of."""
    by: str | None = None
    at: str | None = None
    is_declared: bool = True
    """Whether somebody set it up; a label may name a category that nobody did."""


class Categories:
    """The categories of an atlas; all its SAEs share them. Safe for threads."""

    def __init__(self, store: Store) -> None:
        self._log = EventLog(store, CATEGORIES)
        self._events: dict[str, CategoryEvent] = {}
        self._lock = threading.Lock()

    @property
    def position(self) -> int:
        """Place in the log: it changes with every event."""
        with self._lock:
            self._refresh()
            return self._log.position

    def events(self) -> list[CategoryEvent]:
        """Return every event, oldest first."""
        with self._lock:
            self._refresh()
            return [event for _, event in sorted(self._events.items())]

    def declared(self) -> dict[str, Category]:
        """Return name → category for those that there are now, by name."""
        found: dict[str, Category] = {}
        for event in self.events():
            found.pop(event.name, None)
            if event.action == "category":
                found[event.name] = Category(
                    event.name, event.colour, event.description, event.parent, event.by, event.at
                )
        return dict(sorted(found.items()))

    def _refresh(self) -> None:
        records = self._log.new_records()
        if records is None:
            self._events = {}
            records = self._log.new_records() or []
        try:
            for record in records:
                check_schema(record, CATEGORIES)
                if record.get("action") in _ACTIONS:
                    event = CategoryEvent.from_json(record, CATEGORIES)
                    self._events[event.id] = event
        except FormatError:
            # Read again by the next call, which must not answer without what was not understood.
            self._log.forget()
            self._events = {}
            raise
