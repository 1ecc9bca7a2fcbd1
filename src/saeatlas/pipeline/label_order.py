"""Where imported statements stand among what was said: at the time that they state, so that old files undo nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter, itemgetter

from saeatlas.atlas.label_fold import fold
from saeatlas.errors import InvalidInput, SourceError
from saeatlas.format.event_id import new_event_ids
from saeatlas.format.labels import LabelEvent, time_now
from saeatlas.pipeline.label_statement import Statement

__all__ = ["Accepted", "events_of", "n_behind"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """A statement that becomes an event."""

    statement: Statement
    by: str
    at: str | None
    """When it was said, as the file states it; None where it is said now."""
    origin: str

    def event(self, id: str, at: str, sae: str, identity: str) -> LabelEvent:  # noqa: A002 - the field's own word
        """Return the event; what cannot be kept is an error of the file."""
        one = self.statement
        try:
            return LabelEvent(
                id=id,
                at=at,
                action="label",
                by=self.by,
                sae=sae,
                identity=one.identity or identity,
                features=one.features,
                said=one.said,
                origin=self.origin,
            )
        except InvalidInput as error:
            raise SourceError(f"{one.place}: {error.message}", hint=error.hint) from error


def events_of(
    accepted: Sequence[Accepted], known: Iterable[LabelEvent], *, sae: str, identity: str
) -> tuple[list[LabelEvent], int]:
    """Make events of statements, and count those whose time has not come.

    The order of events is that of their ids, which hold a time. A statement that states one gets an id of that time:
    after what its author had said about the features by then, before what was said later. A statement without a time
    is said now, after everything that is known; so is one whose time has not come, which cannot be when it was said.

    Parameters
    ----------
    accepted
        In the order of the file, which decides between equal times.
    sae, identity
        What they are about; the identity only where a statement does not say its own.
    known
        The events of the log, and those that the file has with their ids.
    """
    now = time_now()
    today: list[Accepted] = []
    earlier: list[tuple[int, str, Accepted]] = []
    for one in accepted:
        if one.at is None or (moment := _milliseconds(one.at)) > _milliseconds(now):
            today.append(one)
        else:
            earlier.append((moment, one.at, one))
    said = _Said(known)
    events = []
    for moment, at, one in sorted(earlier, key=itemgetter(0)):
        events.append(one.event(said.id_at(moment, one), at, sae, identity))
        said.add(events[-1])
    for one in today:
        (said.last,) = new_event_ids(1, after=said.last)
        events.append(one.event(said.last, now, sae, identity))
    return events, sum(1 for one in today if one.at is not None)


def n_behind(known: Mapping[str, LabelEvent], new: Mapping[str, LabelEvent]) -> int:
    """Count the new labels that an event which is known ends for at least one feature: they are history at once."""
    about = _by_feature(known.values())
    behind: set[str] = set()
    for feature, added in _by_feature(new.values()).items():
        if feature in about:
            ended = fold(sorted([*about[feature], *added], key=attrgetter("id")))
            behind |= {event.id for event in added if event.id in ended and ended[event.id].id in known}
    return len(behind)


class _Said:
    """What each author said about each feature, and when."""

    def __init__(self, known: Iterable[LabelEvent]) -> None:
        self.last = ""
        self._own: dict[tuple[str, int], list[tuple[int, str]]] = {}
        self._of_moment: dict[int, str] = {}
        for event in known:
            self.add(event)

    def add(self, event: LabelEvent) -> None:
        """Remember an event."""
        self.last = max(self.last, event.id)
        entry = (_milliseconds(event.at), event.id)
        for feature in event.features:
            self._own.setdefault((event.by, feature), []).append(entry)

    def id_at(self, moment: int, one: Accepted) -> str:
        """Return an id of this moment; a later one where the author's earlier words about the features have that."""
        # Ids hold no time before 1970: what states one stands at their beginning.
        milliseconds = max(0, moment)
        (found,) = new_event_ids(1, after=self._of_moment.get(milliseconds, ""), milliseconds=milliseconds)
        self._of_moment[milliseconds] = found
        # An id is no older than those that its writer saw, and so may be far from the time that its event states.
        own = (self._own.get((one.by, feature), []) for feature in one.statement.features)
        before = max((said for entries in own for at, said in entries if at <= moment), default="")
        return found if found > before else new_event_ids(1, after=before, milliseconds=milliseconds)[0]


def _by_feature(events: Iterable[LabelEvent]) -> dict[int, list[LabelEvent]]:
    found: dict[int, list[LabelEvent]] = {}
    for event in events:
        for feature in event.features:
            found.setdefault(feature, []).append(event)
    return found


def _milliseconds(at: str) -> int:
    """Return a time as ids hold it: since 1970, and negative before."""
    return (datetime.fromisoformat(at) - _EPOCH) // timedelta(milliseconds=1)
