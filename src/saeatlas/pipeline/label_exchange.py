"""Bring labels into an atlas from a file: all of it or nothing, and nothing twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from saeatlas.atlas.label_categories import Categories
from saeatlas.errors import Conflict, InvalidInput, NotFound, SourceError
from saeatlas.format.canonical import Record
from saeatlas.format.event_id import new_event_ids
from saeatlas.format.event_log import put_records
from saeatlas.format.labels import CATEGORIES, SCHEMA, LabelEvent, labels_prefix
from saeatlas.pipeline.label_files import SHAPES, read_label_file
from saeatlas.pipeline.label_order import Accepted, events_of, n_behind
from saeatlas.pipeline.label_statement import LabelFile, Statement
from saeatlas.pipeline.label_words import neat_name
from saeatlas.pipeline.labelling import identity_record, login_name

if TYPE_CHECKING:
    from saeatlas.atlas.atlas import Atlas
    from saeatlas.atlas.sae import SAE

__all__ = ["ImportReport", "import_labels"]

_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """What was in a file, and what became of it."""

    shape: str
    n_lines: int
    n_new: int
    """Events that were written."""
    n_known: int
    """Statements that the atlas had already."""
    n_duplicates: int
    """Statements that stand in the file more than once, counted from the second on."""
    n_repeated: int
    """Features about which one author says several things in the file; the newest counts, the others are history."""
    n_behind: int
    """New events that are history at once: what the atlas had already from the same author is newer."""
    n_future: int
    """New events whose time has not come: they count as said now."""
    n_without_label: int
    """Lines that name a feature and say nothing."""
    n_headings: int
    """Lines of column names among the data."""
    n_categories: int
    """Events about categories that were written."""
    saes: Mapping[str, int]
    """SAE → events that were written."""
    left_out: Mapping[str, int]
    """What the file calls SAEs that were not asked for → lines."""


class _Part:
    """What goes into the log of one SAE, and what the log knows already."""

    def __init__(self, sae: SAE) -> None:
        self.sae = sae
        self.identity = sae.identity.digest()
        self.known = {event.id: event for event in sae.labels.events()}
        self.origins = frozenset(sae.labels.origins())
        self.events: dict[str, LabelEvent] = {}
        self.accepted: list[Accepted] = []
        self.digests: set[str] = set()
        self.n_future = 0
        self.n_known = 0
        self.n_duplicates = 0


def import_labels(
    atlas: Atlas,
    path: Path,
    *,
    shape: str = "",
    saes: Mapping[str, str] | str = "",
    by: str = "",
    other_identity: bool = False,
) -> ImportReport:
    """Import a file of labels.

    Everything is read and checked before anything is written, and the labels of one SAE are written as one object. What
    the atlas knows already is left out, so that the same file can be imported again after an interruption, or when it
    has grown. What states an earlier time than what its author has said since joins the history and undoes nothing.

    Parameters
    ----------
    path, shape
        The file, and one of `saeatlas.pipeline.label_files.SHAPES` where it is not to be found by itself.
    saes
        The SAE that the labels are about; or what the file calls SAEs → their names here, and others are left out.
    by
        Author of labels for which the file names none; the login name, or the name of the format, where it is empty.
    other_identity
        Take labels of an SAE of which a known fact is different here; they are shown as such.

    Raises
    ------
    SourceError
        When anything in the file is wrong, or about a feature that the SAE does not have.
    NotFound
        When the file names an SAE that is not here.
    Conflict
        When the labels are about another SAE.
    """
    by = by and neat_name(by, "by")
    found = read_label_file(path, shape)
    wanted = _wanted(atlas, found, saes)
    _check_features(path, found, wanted)
    if not other_identity:
        _check_identities(path, found, wanted)
    by_sae = {sae.name: _Part(sae) for sae in wanted.values() if sae is not None}
    parts = {name: by_sae[sae.name] for name, sae in wanted.items() if sae is not None}
    for place, event in found.events:
        if event.sae in parts:
            _take_event(parts[event.sae], event, place)
    for statement in found.statements:
        name = _name_in_file(statement)
        if name in parts:
            _take_statement(parts[name], statement, by)
    for part in by_sae.values():
        _make_events(part)
    n_categories = _write_categories(atlas, found)
    for part in by_sae.values():
        _write(part, found)
    left_out = Counter(name for name in _names(found) if wanted[name] is None)
    return _report(found, list(by_sae.values()), n_categories, dict(sorted(left_out.items())))


def _report(found: LabelFile, parts: list[_Part], n_categories: int, left_out: Mapping[str, int]) -> ImportReport:
    return ImportReport(
        shape=found.shape,
        n_lines=found.n_lines,
        n_new=sum(len(part.events) for part in parts),
        n_known=sum(part.n_known for part in parts),
        n_duplicates=sum(part.n_duplicates for part in parts),
        n_repeated=sum(_n_repeated(part.events) for part in parts),
        n_behind=sum(n_behind(part.known, part.events) for part in parts),
        n_future=sum(part.n_future for part in parts),
        n_without_label=found.n_without_label,
        n_headings=found.n_headings,
        n_categories=n_categories,
        saes={part.sae.name: len(part.events) for part in parts},
        left_out=left_out,
    )


def _name_in_file(statement: Statement) -> str:
    return statement.sae or ""


def _names(found: LabelFile) -> list[str]:
    """Return what the file calls the SAE of each of its statements; '' where it says nothing."""
    return [_name_in_file(one) for one in found.statements] + [event.sae for _, event in found.events]


def _wanted(atlas: Atlas, found: LabelFile, saes: Mapping[str, str] | str) -> dict[str, SAE | None]:
    """Map what the file calls an SAE to the SAE, or to None where it is not asked for."""
    counts = Counter(_names(found))
    named = sorted(counts)
    shown = ", ".join(f"{name or '(none)'}: {counts[name]}" for name in named)
    if isinstance(saes, Mapping):
        unknown = sorted(set(saes) - set(named))
        if unknown:
            raise NotFound(f"The file says nothing about '{unknown[0]}'", hint=f"It is about: {shown}")
        return {name: atlas.sae(saes[name]) if name in saes else None for name in named}
    if saes or named == [""]:
        if len(named) > 1:
            raise InvalidInput(
                f"The file is about {len(named)} SAEs, and one is named: '{saes}'",
                hint=f"Say which is which, such as --sae {named[-1]}={saes}. It has: {shown}",
            )
        return {name: atlas.sae(saes or None) for name in named}
    missing = [name for name in named if name and name not in atlas.saes]
    if missing:
        raise NotFound(
            f"The atlas has no SAE named '{missing[0]}', which the file is about",
            hint=f"Say which SAE it is, with --sae NAME or --sae {missing[0]}=NAME. The file has: {shown}",
        )
    return {name: atlas.sae(name or None) for name in named}


def _check_features(path: Path, found: LabelFile, wanted: Mapping[str, SAE | None]) -> None:
    about = [(one.place, _name_in_file(one), one.features) for one in found.statements]
    about += [(place, event.sae, event.features) for place, event in found.events]
    beyond = [
        f"{place} (feature {features[-1]})"
        for place, name, features in about
        if (sae := wanted[name]) is not None and features[-1] >= sae.n_features
    ]
    if beyond:
        more = f" and {len(beyond) - _SHOWN} more" if len(beyond) > _SHOWN else ""
        raise SourceError(
            f"'{path}' was not imported: it is about features that the SAE does not have, at "
            f"{', '.join(beyond[:_SHOWN])}{more}",
            hint="These are labels of another SAE, or ids are counted from 1.",
            kind="index-out-of-range",
        )


def _check_identities(path: Path, found: LabelFile, wanted: Mapping[str, SAE | None]) -> None:
    """Refuse what is about an SAE of which a known fact differs, unless the log here knows that SAE already."""
    about = [(one.place, _name_in_file(one), one.identity) for one in found.statements if one.identity is not None]
    about += [(place, event.sae, event.identity) for place, event in found.events]
    fitting = {name: _identities_of(sae) for name, sae in wanted.items() if sae is not None}
    for place, name_there, digest in about:
        sae = wanted[name_there]
        if sae is None or digest in fitting[name_there]:
            continue
        now, then = sae.identity.to_json(), found.identities.get(digest)
        differing = [
            f"{name} ({then[name]} there, {now[name]} here)"
            for name in (then or {})
            if then and name != "name" and None not in (then[name], now.get(name)) and then[name] != now[name]
        ]
        if then is None or differing:
            what = ", ".join(differing) if then else "the file does not say what it was"
            raise Conflict(
                f"'{path}' was not imported: {place} is about another SAE than '{sae.name}': {what}",
                hint="Name the right SAE, or say --other-identity to keep the labels marked as of another SAE.",
                kind="identity-mismatch",
            )
        fitting[name_there].add(digest)


def _identities_of(sae: SAE) -> set[str]:
    """Return the digests of today's facts, and of those that the log has labels about."""
    return {sae.identity.digest(), *sae.labels.identities()}


def _take_event(part: _Part, event: LabelEvent, place: str) -> None:
    mine = replace(event, sae=part.sae.name)
    known = part.known.get(event.id, part.events.get(event.id))
    if known is not None and known != mine:
        raise Conflict(f"{place} is another event than the one with the same id '{event.id}'")
    if event.id in part.known:
        part.n_known += 1
    elif event.id in part.events:
        part.n_duplicates += 1
    else:
        part.events[event.id] = mine


def _take_statement(part: _Part, statement: Statement, by: str) -> None:
    is_of_format = statement.by == statement.said.source and statement.by in SHAPES
    author = (by if is_of_format else "") or statement.by or by or login_name()
    written = part.known.get(statement.id or "")
    if written is not None and _is_same(written, statement):
        part.n_known += 1
        return
    # A line that was changed after it was exported is said now, by whoever stands there.
    at = None if written is not None else statement.at
    digest = replace(statement, by=author, sae=None, at=at).digest()
    if digest in part.digests:
        part.n_duplicates += 1
        return
    part.digests.add(digest)
    if digest in part.origins:
        part.n_known += 1
        return
    part.accepted.append(Accepted(statement=statement, by=author, at=at, origin=digest))


def _make_events(part: _Part) -> None:
    """Make events of what was accepted, each at its place among what the log and the file have."""
    known = {**part.known, **part.events}.values()
    events, part.n_future = events_of(part.accepted, known, sae=part.sae.name, identity=part.identity)
    part.events |= {event.id: event for event in events}


def _is_same(event: LabelEvent, statement: Statement) -> bool:
    """Whether a line that was exported from an event still says what the event says."""
    is_about = set(statement.features) <= set(event.features)
    # An event of an earlier version may have space around names, which the statement has no more.
    said = replace(event.said, category=event.said.category and event.said.category.strip())
    return is_about and said == statement.said and event.by.strip() == (statement.by or event.by.strip())


def _n_repeated(events: Mapping[str, LabelEvent]) -> int:
    counts = Counter((event.by, feature) for event in events.values() if event.origin for feature in event.features)
    return sum(1 for count in counts.values() if count > 1)


def _write(part: _Part, found: LabelFile) -> None:
    if not part.events:
        return
    about = identity_record(part.sae)
    records: list[Record] = [] if about is None else [about]
    named = {event.identity for event in part.events.values()} - {part.identity} - set(part.sae.labels.identities())
    for digest in sorted(named & set(found.identities)):
        facts = dict(found.identities[digest])
        records.append({"schema": SCHEMA, "action": "identity", "identity": digest, "facts": facts})
    records += [event.to_json() for event in part.events.values()]
    (name,) = new_event_ids(1, after=max(part.events))
    put_records(part.sae.atlas.store, labels_prefix(part.sae.name), records, name)


def _write_categories(atlas: Atlas, found: LabelFile) -> int:
    known = {event.id for event in Categories(atlas.store).events()}
    new = {event.id: event for event in found.categories if event.id not in known}
    if new:
        (name,) = new_event_ids(1, after=max(known, default=""))
        put_records(atlas.store, CATEGORIES, [event.to_json() for event in new.values()], name)
    return len(new)
