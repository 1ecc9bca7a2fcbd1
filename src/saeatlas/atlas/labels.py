"""The labels of one SAE: a log beside the commits, read on as it grows."""

from __future__ import annotations

import json
import threading
from bisect import insort
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from saeatlas.atlas.label_categories import Categories, Category
from saeatlas.atlas.label_fold import Label, fold
from saeatlas.errors import FormatError, NotFound
from saeatlas.format.event_log import EventLog
from saeatlas.format.identity import SaeIdentity
from saeatlas.format.labels import LabelEvent, check_schema, labels_prefix

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

    from saeatlas.atlas.atlas import Atlas
    from saeatlas.atlas.sae import SAE
    from saeatlas.format.canonical import Record

__all__ = ["FeatureLabels", "Labels", "hand_over", "has_labels", "label_columns"]

_by_id = attrgetter("id")
_ARRIVALS = 1000
"""Readings that are remembered, so that one can say what came after a position."""


class FeatureLabels(NamedTuple):
    """What was said about one feature."""

    current: tuple[Label, ...]
    """Newest first; several where authors see it differently."""
    history: tuple[Label, ...]
    """Everything, retractions too, newest first."""


class Labels:
    """What people and models say about the features of an SAE. Safe for threads.

    Unlike everything else about an atlas that is held, labels are not those of its commit: the log stands beside the
    commits, and every question is answered with all that was said until now.
    """

    def __init__(self, sae: SAE) -> None:
        self._sae = sae
        self._log = EventLog(sae.atlas.store, labels_prefix(sae.name))
        self._categories = Categories(sae.atlas.store)
        self._lock = threading.RLock()
        self.writing = threading.Lock()
        """Held by one who looks at the labels and then writes, so that no other thread does in between."""
        self._table: pa.Table | None = None
        self._forget()

    def __repr__(self) -> str:
        with self._lock:
            self._refresh()
            return f"Labels(of {self._sae.name!r}, {len(self._events):,} events, {len(self._of):,} features)"

    @property
    def position(self) -> int:
        """Place in the log: bytes of all events so far. It changes with every event."""
        with self._lock:
            self._refresh()
            return self._log.position

    @property
    def current(self) -> pa.Table:
        """What holds now, a line for each label of each feature, by feature, the newest first.

        Returns
        -------
        pa.Table
            `feature` int64, `id`, `at`, `by`, `source`, `text`, `category` string, `tags` list of string, `notes`
            string, `confidence` float64, `identity_changed` bool, `extra` string (JSON of foreign members).
        """
        with self._lock:
            self._refresh()
            if self._table is None:
                self._table = _current_table(self._current_labels())
            return self._table

    @property
    def history(self) -> pa.Table:
        """Every event, the oldest first: the columns of `current`, and what the event did.

        Returns
        -------
        pa.Table
            `id`, `at`, `action` ('label' or 'retract'), `by`, `source` string, `features` list of int64, `text`,
            `category` string, `tags` list of string, `notes` string, `confidence` float64, `supersedes` list of
            string, `n_current` int64 (features for which it holds now), `identity_changed` bool, `extra` string.
        """
        with self._lock:
            self._refresh()
            n_current = Counter(label.id for label in self._current_labels())
            return _history_table([(e, n_current[e.id], self.is_changed(e.identity)) for e in self.events()])

    @property
    def categories(self) -> tuple[Category, ...]:
        """The categories of the atlas by name, and after them those that only labels of this SAE name."""
        declared = self._categories.declared()
        with self._lock:
            self._refresh()
            named = {label.said.category for label in self._current_labels()} - {None, *declared}
        return (*declared.values(), *(Category(name, is_declared=False) for name in sorted(filter(None, named))))

    @property
    def n_labelled(self) -> int:
        """Features that have a label now."""
        with self._lock:
            self._refresh()
            return sum(1 for feature in self._of if self._current_of(feature))

    def find(self, *, by: str | None = None, category: str | None = None, tag: str | None = None) -> pa.Table:
        """Return the lines of `current` that fit: exactly this author, this category, and with this tag."""
        from saeatlas.atlas.label_choice import chosen_labels

        return chosen_labels(self.current, by=by, category=category, tag=tag)

    def of(self, feature: int) -> FeatureLabels:
        """Return what was said about a feature; empty where nothing was. Errors as of `sae.feature`."""
        id = self._sae.feature(feature).id  # noqa: A001 - the field's own word
        with self._lock:
            self._refresh()
            return FeatureLabels(self._current_of(id), self._history_of(id))

    def held(self, features: Iterable[int]) -> tuple[Label, ...]:
        """Return the current labels of features, as `of` gives them one by one; ids are taken as they are."""
        with self._lock:
            self._refresh()
            return tuple(label for feature in features for label in self._current_of(feature))

    def event(self, id: str) -> LabelEvent:  # noqa: A002 - the field's own word
        """Return one event; `NotFound` when there is none of this id."""
        with self._lock:
            self._refresh()
            if id not in self._events:
                raise NotFound(f"SAE '{self._sae.name}' has no event '{id}' in its labels")
            return self._events[id]

    def events(self) -> tuple[LabelEvent, ...]:
        """Return every event, the oldest first."""
        with self._lock:
            self._refresh()
            return tuple(sorted(self._events.values(), key=_by_id))

    @property
    def last_id(self) -> str:
        """Id of the newest event, '' without any; a new event has a greater one."""
        with self._lock:
            self._refresh()
            return self._last

    def origins(self) -> set[str]:
        """Return the digests of everything that was imported from files without ids."""
        with self._lock:
            self._refresh()
            return self._origins

    def identities(self) -> Mapping[str, Mapping[str, object]]:
        """Return digest → facts of every identity of the SAE that something was said about."""
        with self._lock:
            self._refresh()
            return dict(self._facts)

    def is_changed(self, digest: str) -> bool:
        """Whether labels about this identity are about another SAE, as far as is known: a fact that both know differs.

        Facts that were learned since change nothing.
        """
        if digest not in self._changed:
            now, then = self._identity.to_json(), self._facts.get(digest)
            self._changed[digest] = digest != self._digest and (
                then is None
                or any(
                    name != "name" and None not in (value, now.get(name)) and value != now.get(name)
                    for name, value in then.items()
                    if name in now
                )
            )
        return self._changed[digest]

    def changed_since(self, position: int, features: tuple[int, ...]) -> bool:
        """Whether an event about one of the features was read after the log stood at `position`, or that is unknown."""
        with self._lock:
            self._refresh()
            if position == self._log.position:
                return False
            known = [end for end, _ in self._arrivals]
            if position not in known:
                return True
            wanted = set(features)
            later = self._arrivals[known.index(position) + 1 :]
            return any(not wanted.isdisjoint(event.features) for _, events in later for event in events)

    def _forget(self) -> None:
        self._events: dict[str, LabelEvent] = {}
        self._last = ""
        self._origins: set[str] = set()
        self._of: dict[int, list[LabelEvent]] = {}
        self._facts: dict[str, Mapping[str, object]] = {}
        self._current: dict[int, tuple[Label, ...]] = {}
        self._changed: dict[str, bool] = {}
        self._arrivals: list[tuple[int, list[LabelEvent]]] = [(0, [])]
        self._table = None

    def go_on_from(self, other: Labels) -> None:
        """Take what other labels of the same log have read, so that it is not read again."""
        with other._lock, self._lock:
            self._log.go_on_from(other._log)
            self._events, self._last, self._origins = dict(other._events), other._last, set(other._origins)
            self._of = {feature: list(events) for feature, events in other._of.items()}
            self._facts, self._arrivals = dict(other._facts), list(other._arrivals)
            self._current, self._changed, self._table = {}, {}, None
            if self._digest == other._digest:
                self._current, self._changed, self._table = dict(other._current), dict(other._changed), other._table

    def _refresh(self) -> None:
        records = self._log.new_records()
        if records is None:
            self._forget()
            records = self._log.new_records() or []
        if not records:
            return
        self._table = None
        try:
            added = [event for event in map(self._admit, records) if event is not None]
        except FormatError:
            # Read again by the next call, which must not answer without what was not understood.
            self._log.forget()
            self._forget()
            raise
        self._arrivals = [*self._arrivals[-_ARRIVALS:], (self._log.position, added)]
        for event in added:
            for feature in event.features:
                insort(self._of.setdefault(feature, []), event, key=_by_id)
                self._current.pop(feature, None)

    def _admit(self, record: Record) -> LabelEvent | None:
        """Take in one line; None where it is no event about features, or is known already."""
        what = f"{labels_prefix(self._sae.name)}, event {record.get('id')!r:.60}"
        action = record.get("action")
        if action == "identity":
            check_schema(record, what)
            digest, facts = record.get("identity"), record.get("facts")
            if isinstance(digest, str) and isinstance(facts, dict):
                self._facts[digest] = facts
                self._changed = {}
            return None
        if action not in {"label", "retract"}:
            # A later version may say more; it may not change what was said.
            check_schema(record, what)
            return None
        event = LabelEvent.from_json(record, what)
        known = self._events.get(event.id)
        if known is not None and known != event:
            raise FormatError(f"Two different events have the id '{event.id}'", kind="corrupt-artifact")
        self._events[event.id] = event
        self._last = max(self._last, event.id)
        if event.origin is not None:
            self._origins.add(event.origin)
        return event if known is None else None

    def _history_of(self, feature: int) -> tuple[Label, ...]:
        events = self._of.get(feature, [])
        ended = fold(events)
        return tuple(self._label(feature, event, ended.get(event.id)) for event in reversed(events))

    def _current_of(self, feature: int) -> tuple[Label, ...]:
        if feature not in self._current:
            events = self._of.get(feature, ())
            if len(events) == 1 and events[0].action == "label":
                # Most features that are labelled at all are labelled once.
                self._current[feature] = (self._label(feature, events[0], None),)
            else:
                self._current[feature] = tuple(label for label in self._history_of(feature) if label.is_current)
        return self._current[feature]

    def _current_labels(self) -> Iterator[Label]:
        for feature in sorted(self._of):
            yield from self._current_of(feature)

    def _label(self, feature: int, event: LabelEvent, ended_by: LabelEvent | None) -> Label:
        by = None if ended_by is None else ended_by.id
        is_retracted = ended_by is not None and ended_by.action == "retract"
        return Label(feature, event, by, is_retracted, self.is_changed(event.identity))

    @cached_property
    def _identity(self) -> SaeIdentity:
        return self._sae.identity

    @cached_property
    def _digest(self) -> str:
        return self._identity.digest()


def hand_over(earlier: Atlas, later: Atlas) -> None:
    """Let a later commit of the same atlas go on with the labels that an earlier one has read."""
    for name in later.saes:
        if name in earlier.saes and (read := vars(earlier.sae(name)).get("labels")) is not None:
            later.sae(name).labels.go_on_from(read)


def has_labels(sae: SAE) -> bool:
    """Whether anything was ever said about the SAE."""
    return bool(sae.atlas.store.children(labels_prefix(sae.name)))


def label_columns(sae: SAE) -> pl.LazyFrame:
    """Return one line for each feature of the SAE: what the columns `labels.…` of the table of features hold.

    Where several labels of a feature are current, all columns are of one of them: the newest that has a text, or the
    newest; `labels.n` says how many there are, and is 0 where nobody said anything.
    """
    import polars as pl

    current = pl.DataFrame(sae.labels.current)
    # The newest comes first within a feature, so that a stable sort puts the one to show there.
    ordered = current.with_row_index("place").sort(["feature", pl.col("text").is_null(), "place"])
    one = ordered.group_by("feature", maintain_order=True).agg(pl.all().first(), pl.len().cast(pl.Int64).alias("n"))
    shown = ("text", "category", "tags", "n", "by", "at", "confidence", "identity_changed")
    named = one.select("feature", *(pl.col(name).alias(f"labels.{name}") for name in shown)).lazy()
    every = pl.LazyFrame({"feature": range(sae.n_features)}, schema={"feature": pl.Int64})
    joined = every.join(named, on="feature", how="left", maintain_order="left")
    return joined.with_columns(pl.col("labels.n").fill_null(0))


def _extra(event: LabelEvent) -> str | None:
    return json.dumps(dict(event.said.extra), sort_keys=True) if event.said.extra else None


def _current_table(labels: Iterator[Label]) -> pa.Table:
    import pyarrow as pa

    schema = pa.schema(
        [
            ("feature", pa.int64()),
            *((name, pa.string()) for name in ("id", "at", "by", "source", "text", "category")),
            ("tags", pa.list_(pa.string())),
            ("notes", pa.string()),
            ("confidence", pa.float64()),
            ("identity_changed", pa.bool_()),
            ("extra", pa.string()),
        ]
    )
    columns: list[list[object]] = [[] for _ in schema]
    for label in labels:
        event, said = label.event, label.said
        line = (
            *(label.feature, event.id, event.at, event.by, said.source, said.text, said.category, list(said.tags)),
            *(said.notes, said.confidence, label.identity_changed, _extra(event)),
        )
        for column, value in zip(columns, line, strict=True):
            column.append(value)
    return pa.table([pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema)


def _history_table(events: list[tuple[LabelEvent, int, bool]]) -> pa.Table:
    import pyarrow as pa

    texts, strings = pa.string(), pa.list_(pa.string())
    columns = {
        "id": pa.array([event.id for event, _, _ in events], texts),
        "at": pa.array([event.at for event, _, _ in events], texts),
        "action": pa.array([event.action for event, _, _ in events], texts),
        "by": pa.array([event.by for event, _, _ in events], texts),
        "source": pa.array([event.said.source for event, _, _ in events], texts),
        "features": pa.array([event.features for event, _, _ in events], pa.list_(pa.int64())),
        "text": pa.array([event.said.text for event, _, _ in events], texts),
        "category": pa.array([event.said.category for event, _, _ in events], texts),
        "tags": pa.array([event.said.tags for event, _, _ in events], strings),
        "notes": pa.array([event.said.notes for event, _, _ in events], texts),
        "confidence": pa.array([event.said.confidence for event, _, _ in events], pa.float64()),
        "supersedes": pa.array([event.supersedes for event, _, _ in events], strings),
        "n_current": pa.array([n for _, n, _ in events], pa.int64()),
        "identity_changed": pa.array([is_changed for _, _, is_changed in events], pa.bool_()),
        "extra": pa.array([_extra(event) for event, _, _ in events], texts),
    }
    return pa.table(columns)
