"""Write labels: each call is one event in the log of the SAE, durable when the call returns."""

from __future__ import annotations

import getpass
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from saeatlas.atlas.label_categories import Categories
from saeatlas.errors import InvalidInput, NotFound
from saeatlas.format.canonical import Record
from saeatlas.format.event_id import check_event_id, new_event_ids
from saeatlas.format.event_log import append_records
from saeatlas.format.labels import (
    CATEGORIES,
    SCHEMA,
    CategoryEvent,
    LabelEvent,
    Said,
    labels_prefix,
    time_now,
)
from saeatlas.pipeline.label_words import neat_name, neat_said

if TYPE_CHECKING:
    from saeatlas.atlas.atlas import Atlas
    from saeatlas.atlas.feature import Feature
    from saeatlas.atlas.sae import SAE
    from saeatlas.storage.store import Store

__all__ = ["drop_category", "identity_record", "label", "login_name", "retract", "set_category"]


def label(  # noqa: PLR0913 - the members of a label, each by its name
    what: Feature | SAE,
    text: str | None = None,
    *,
    by: str = "",
    features: Iterable[int] | None = None,
    category: str | None = None,
    tags: Sequence[str] = (),
    notes: str | None = None,
    confidence: float | None = None,
    source: str | None = None,
    supersedes: Sequence[str] = (),
    extra: Mapping[str, object] | None = None,
) -> LabelEvent:
    """Label one feature, or with `features` many features of an SAE in one event.

    It takes the place of what the same author said about these features before; what others said stays beside it.

    Parameters
    ----------
    what
        A feature; or an SAE, and then `features` says which.
    text
        What the feature is, in a few words.
    by
        Who says it; the login name where it is empty.
    category, tags
        The user's own order of labels; a category need not be set up before.
    notes
        Whatever else is worth keeping, such as evidence.
    confidence
        From 0 to 1.
    source
        Where it comes from, such as 'manual' or the name of a model.
    supersedes
        Ids of older events whose labels of these features it replaces too, whoever made them.
    extra
        Members of other programs, kept as they are.

    Raises
    ------
    InvalidInput
        When nothing is said, or what is said cannot be kept.
    NotFound
        When the SAE has no such feature, or its labels no such event.
    """
    sae, ids = _features_of(what, features)
    said = Said(
        text=text,
        category=category,
        tags=(tags,) if isinstance(tags, str) else tuple(tags),
        notes=notes,
        # A truth value and a text are no numbers, and are refused as they are.
        confidence=confidence if confidence is None or isinstance(confidence, bool | str) else float(confidence),
        source=source,
        extra=extra or {},
    )
    _check_named(sae, supersedes, ids)
    return _write(sae, _event(sae, "label", _author(by), ids, neat_said(said), supersedes))


def retract(
    what: Feature | SAE,
    *,
    by: str = "",
    features: Iterable[int] | None = None,
    events: Sequence[str] = (),
    notes: str | None = None,
) -> LabelEvent:
    """Take back the author's own current labels of features, or the events that are named, whoever made them.

    History stays: the labels are shown as retracted.

    Raises
    ------
    NotFound
        When there is nothing to take back.
    """
    sae, ids = _features_of(what, features)
    author = _author(by)
    _check_named(sae, events, ids)
    held = sae.labels.held(ids)
    if not any(one.id in events if events else one.by == author for one in held):
        others = sorted({one.by for one in held})
        raise NotFound(
            f"There is no label by '{author}' to retract" if not events else "The events named are not current here",
            hint=f"Labelled by: {', '.join(others)}" if others else "Nothing is said about it now.",
        )
    return _write(sae, _event(sae, "retract", author, ids, neat_said(Said(notes=notes)), events))


def set_category(
    atlas: Atlas,
    name: str,
    *,
    by: str = "",
    colour: str | None = None,
    description: str | None = None,
    parent: str | None = None,
) -> CategoryEvent:
    """Set up a category, or say anew what it is. All SAEs of the atlas share it.

    Of a category that is there, what is None stays as it was, and an empty text takes it away.

    Raises
    ------
    NotFound
        When the parent is no category.
    InvalidInput
        When the category would be a part of itself.
    """
    declared = Categories(atlas.store).declared()
    name, parent = neat_name(name, "category"), parent and neat_name(parent, "category")
    above = parent or None
    while above is not None:
        if above == name:
            raise InvalidInput(f"The category '{name}' would be a part of itself, through '{parent}'")
        if above not in declared:
            raise NotFound(f"There is no category '{above}'", hint=f"Known: {', '.join(declared) or 'none'}")
        above = declared[above].parent
    new = {"colour": colour and colour.lower(), "description": description, "parent": parent}
    before = declared.get(name)
    said = {fact: (getattr(before, fact, None) if value is None else value) or None for fact, value in new.items()}
    return _write_category(atlas.store, "category", name, by, said)


def drop_category(atlas: Atlas, name: str, *, by: str = "") -> CategoryEvent:
    """Remove a category from the user's list; labels that name it keep it. `NotFound` when there is none."""
    declared = Categories(atlas.store).declared()
    # One of an earlier version may have space around its name.
    name = name if name in declared else neat_name(name, "category")
    if name not in declared:
        raise NotFound(f"There is no category '{name}'", hint=f"Known: {', '.join(declared) or 'none'}")
    parts = [other.name for other in declared.values() if other.parent == name]
    if parts:
        raise InvalidInput(f"The category '{name}' has parts: {', '.join(parts)}", hint="Move or remove them first.")
    return _write_category(atlas.store, "drop-category", name, by, {})


def login_name() -> str:
    """Return the name that the user is logged in with; `InvalidInput` where there is none."""
    try:
        name = getpass.getuser().strip()
    except (OSError, KeyError, ImportError):
        name = ""
    if not name:
        raise InvalidInput("Nobody is named as the author of the label", hint="Say who labels, such as: by='ana'")
    return name


def identity_record(sae: SAE) -> Record | None:
    """Return the line that says what the SAE is, which labels name by its digest; None where the log has it."""
    digest = sae.identity.digest()
    if digest in sae.labels.identities():
        return None
    return {"schema": SCHEMA, "action": "identity", "identity": digest, "facts": sae.identity.to_json()}


def _features_of(what: Feature | SAE, features: Iterable[int] | None) -> tuple[SAE, tuple[int, ...]]:
    """Return the SAE, and the ids in ascending order, each once and each a feature of it."""
    from saeatlas.atlas.feature import Feature
    from saeatlas.atlas.sae import SAE

    if isinstance(what, Feature):
        if features is not None:
            raise InvalidInput("A feature is named twice", hint="Give the SAE together with 'features'.")
        return what.sae, (what.id,)
    if not isinstance(what, SAE):
        raise InvalidInput(
            f"Not a feature or an SAE of an atlas that is opened here: {type(what).__name__}",
            hint="Behind a server it is sae.label(features, text, by=…).",
        )
    if features is None:
        raise InvalidInput("No feature is named", hint="Give a feature, or an SAE and 'features'.")
    given = list(features)
    if not given:
        raise InvalidInput("No feature is named: the list of features is empty")
    for feature in given:
        if isinstance(feature, bool) or not hasattr(feature, "__index__"):
            raise InvalidInput(f"A feature id is a whole number from 0, found: {feature!r:.100}")
    ids = sorted({int(feature) for feature in given})
    return what, (what.feature(ids[0]).id, *ids[1:-1], *({what.feature(ids[-1]).id} - {ids[0]}))


def _check_named(sae: SAE, events: Sequence[str], ids: tuple[int, ...]) -> None:
    if isinstance(events, str):
        raise InvalidInput(f"The events to supersede are a list of ids, found one text: {events!r:.100}")
    for named in events:
        if set(ids).isdisjoint(sae.labels.event(check_event_id(named)).features):
            raise InvalidInput(f"The event '{named}' is not about any of these features")


def _event(sae: SAE, action: str, by: str, ids: tuple[int, ...], said: Said, supersedes: Sequence[str]) -> LabelEvent:
    (id,) = new_event_ids(1, after=sae.labels.last_id)  # noqa: A001 - the field's own word
    return LabelEvent(
        id=id,
        at=time_now(),
        action=action,  # type: ignore[arg-type]  # __post_init__ checks it
        by=by,
        sae=sae.name,
        identity=sae.identity.digest(),
        features=ids,
        said=said,
        supersedes=tuple(dict.fromkeys(supersedes)),
    )


def _author(by: str) -> str:
    return neat_name(by, "by") if by else login_name()


def _write(sae: SAE, event: LabelEvent) -> LabelEvent:
    about = identity_record(sae)
    records = [event.to_json()] if about is None else [about, event.to_json()]
    append_records(sae.atlas.store, labels_prefix(sae.name), records, event.id)
    return event


def _write_category(store: Store, action: str, name: str, by: str, said: dict[str, Any]) -> CategoryEvent:
    known = Categories(store).events()
    (id,) = new_event_ids(1, after=known[-1].id if known else "")  # noqa: A001 - the field's own word
    event = CategoryEvent(
        id=id,
        at=time_now(),
        action=action,  # type: ignore[arg-type]  # __post_init__ checks it
        by=_author(by),
        name=name,
        **said,
    )
    append_records(store, CATEGORIES, [event.to_json()], event.id)
    return event
