"""Labels: what was said about features, with all that came before it, and saying something new."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from saeatlas.errors import Conflict, InvalidInput
from saeatlas.format.labels import LIMITS, MAX_TAGS
from saeatlas.format.selection import load_selection
from saeatlas.server.live import MAX_ID, AtlasNow, FeatureNow, SaeNow
from saeatlas.server.respond import Meta, Table, record, table, tabular
from saeatlas.server.where import asked

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas import label_categories, label_fold
    from saeatlas.atlas.feature import Feature
    from saeatlas.atlas.sae import SAE
    from saeatlas.format.labels import LabelEvent

__all__ = ["Label", "router", "shown_label"]

router = APIRouter(tags=["labels"])

_SHOWN_FEATURES = 200
"""Ids of an event about many features that an answer lists."""
_MAX_FEATURES = 1_000_000
_TAG = re.compile(r'(?:W/)?"[0-9]+-([0-9]{1,18})-[0-9a-f]{8}"')
_CURSOR = re.compile(r"([0-9]{1,18})\.([0-9a-f-]{36})")
_NO_CONTROL = r"[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*"
_NO_CONTROL_BUT_LINES = r"[^\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]*"
# For whoever reads the schema: what is refused is refused, in a sentence, where labels are written.
_OneLine = Annotated[str, Field(json_schema_extra={"pattern": rf"^({_NO_CONTROL}[^\s]{_NO_CONTROL})?$"})]
_Lines = Annotated[str, Field(json_schema_extra={"pattern": rf"^{_NO_CONTROL_BUT_LINES}[^\s]{_NO_CONTROL_BUT_LINES}$"})]
_Colour = Annotated[str, Field(json_schema_extra={"pattern": "^#[0-9a-fA-F]{6}$"})]
_EventId = Annotated[str, Field(max_length=36, json_schema_extra={"format": "uuid"})]
_LABEL: dict[str, Any] = {
    "id": "01939b5e-8a3c-7cc3-98c5-0f5e0a6b7d11",
    "at": "2025-01-31T12:00:00.000Z",
    "action": "label",
    "by": "ana",
    "source": None,
    "feature": 7,
    "features": [7],
    "n_features": 1,
    "text": "refunds and complaints",
    "category": "topic",
    "tags": ["billing"],
    "notes": None,
    "confidence": 0.8,
    "supersedes": [],
    "superseded_by": None,
    "is_retracted": False,
    "identity_changed": False,
}
_LINE = {
    name: _LABEL[name]
    for name in ("feature", "id", "at", "by", "source", "text", "category", "tags", "notes", "confidence")
} | {"identity_changed": False, "extra": None}


class Label(BaseModel):
    """What one event says, about one feature or about many."""

    model_config = ConfigDict(json_schema_extra={"examples": [_LABEL]})

    id: str = Field(description="Id of the event; later events have greater ids.")
    at: str = Field(description="When it was said, in UTC.")
    action: Literal["label", "retract"] = Field(description="Whether something was said or taken back.")
    by: str = Field(description="Who said it.")
    source: str | None = Field(description="Where it comes from.")
    feature: int | None = Field(description="The feature, where the answer is about one.")
    features: list[int] = Field(description="Features that the event is about; the first 200 of many.")
    n_features: int = Field(description="How many features the event is about.")
    text: str | None = Field(description="What the feature is, in a few words.")
    category: str | None = Field(description="The user's category.")
    tags: list[str] = Field(description="The user's tags.")
    notes: str | None = Field(description="Whatever else was worth keeping.")
    confidence: float | None = Field(description="From 0 to 1.")
    supersedes: list[str] = Field(description="Older events that it names as replaced.")
    superseded_by: str | None = Field(description="Event that ended it for this feature; null while it holds.")
    is_retracted: bool = Field(description="Whether that event took it back.")
    identity_changed: bool = Field(description="Whether the SAE was another one, as far as is known, at that time.")


class LabelHistory(BaseModel):
    """Everything that was said about one feature."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"commit": 12, "labels_position": 480, "current": [_LABEL], "history": [_LABEL]}]
        }
    )

    commit: int = Field(description="Commit that the answer is about.")
    labels_position: int = Field(description="Place in the log of labels that is shown.")
    current: list[Label] = Field(description="What holds, the newest first; several where authors differ.")
    history: list[Label] = Field(description="Every event, the newest first.")


_NEW: dict[str, Any] = {
    "text": "refunds and complaints",
    "by": "ana",
    "category": "topic",
    "tags": ["billing"],
    "confidence": 0.8,
}


class LabelNew(BaseModel):
    """What is to be said, or taken back."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_NEW]})

    action: Literal["label", "retract"] = Field(
        default="label", description="'retract' takes back the author's own labels, or those that `supersedes` names."
    )
    by: _OneLine = Field(default="", max_length=LIMITS["by"], description="Who says it; the server's user where empty.")
    text: _Lines | None = Field(default=None, max_length=LIMITS["text"], description="What the feature is.")
    category: _OneLine | None = Field(default=None, max_length=LIMITS["category"], description="The user's category.")
    tags: list[_OneLine] = Field(default=[], max_length=MAX_TAGS, description="The user's tags.")
    notes: _Lines | None = Field(
        default=None, max_length=LIMITS["notes"], description="Whatever else is worth keeping."
    )
    confidence: float | None = Field(default=None, ge=0, le=1, description="From 0 to 1.")
    source: _OneLine | None = Field(default=None, max_length=LIMITS["source"], description="Where it comes from.")
    supersedes: list[_EventId] = Field(
        default=[], max_length=1000, description="Events of others that it replaces too."
    )


class LabelsNew(LabelNew):
    """What is to be said about many features, in one event."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{**_NEW, "features": [7, 12, 40]}]})

    features: list[Annotated[int, Field(ge=0, le=MAX_ID, strict=True)]] | None = Field(
        default=None, min_length=1, max_length=_MAX_FEATURES, description="Ids of the features; this or `set`."
    )
    set: str | None = Field(default=None, max_length=64, description="Hash of a kept selection of features.")


class Category(BaseModel):
    """One of the user's categories."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "topic", "colour": "#0072b2", "description": "What a text is about", "parent": None}]
        }
    )

    name: str = Field(description="What labels call it.")
    colour: str | None = Field(description="As #rrggbb; null where nobody chose one.")
    description: str | None = Field(description="What belongs into it.")
    parent: str | None = Field(description="Category that it is a part of.")


class CategoryList(BaseModel):
    """The categories of the atlas; all SAEs share them."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"commit": 12, "labels_position": 210, "categories": []}]}
    )

    commit: int = Field(description="Commit that the answer is about.")
    labels_position: int = Field(description="Place in the log of categories that is shown.")
    categories: list[Category] = Field(description="By name.")


class CategoryNew(BaseModel):
    """A category to set up, to change or to remove."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "topic", "colour": "#0072b2", "by": "ana"}]}
    )

    action: Literal["set", "drop"] = Field(default="set", description="'drop' removes it; labels keep its name.")
    name: _OneLine = Field(min_length=1, max_length=LIMITS["category"], description="What labels call it.")
    by: _OneLine = Field(default="", max_length=LIMITS["by"], description="Who says so; the server's user where empty.")
    colour: _Colour | None = Field(default=None, description="As #rrggbb.")
    description: _Lines | None = Field(
        default=None, max_length=LIMITS["description"], description="What belongs into it."
    )
    parent: _OneLine | None = Field(default=None, max_length=LIMITS["category"], description="Category above it.")


_IfMatch = Annotated[
    str | None,
    Header(description="Tag of the labels that were read: refused where they have changed since.", max_length=200),
]


@router.get("/saes/{sae}/features/{feature}/labels", response_model=LabelHistory)
def feature_labels(request: Request, feature: FeatureNow) -> Response:
    """Tell everything that was said about a feature."""
    labels = feature.sae.labels
    position = labels.position
    found = labels.of(feature.id)
    history = LabelHistory(
        commit=feature.sae.atlas.commit.number,
        labels_position=position,
        current=[shown_label(one) for one in found.current],
        history=[shown_label(one) for one in found.history],
    )
    return record(request, history)


@router.post("/saes/{sae}/features/{feature}/labels", response_model=Label, status_code=201)
def label_feature(request: Request, feature: FeatureNow, new: LabelNew, if_match: _IfMatch = None) -> Response:
    """Say something about a feature, or take it back.

    With `If-Match`, the tag of an answer with labels, it is refused when the feature was labelled since.
    """
    event = _write(feature, (feature.id,), new, if_match)
    made = next(one for one in feature.sae.labels.of(feature.id).history if one.id == event.id)
    return record(request, shown_label(made), status=201)


@router.get("/saes/{sae}/labels", response_model=Table, responses=tabular(_LINE))
def sae_labels(
    request: Request,
    sae: SaeNow,
    by: Annotated[str | None, Query(description="Only what this author says.", max_length=200)] = None,
    category: Annotated[str | None, Query(description="Only labels of this category.", max_length=100)] = None,
    limit: Annotated[int | None, Query(ge=0, le=MAX_ID, description="Lines at most.")] = None,
    after: Annotated[str | None, Query(description="`next` of the page before.", max_length=60)] = None,
) -> Response:
    """List the labels of an SAE that hold now, by feature, the newest first."""
    position = sae.labels.position
    found = _chosen(sae.labels.current, by, category)
    rest = found if after is None else _after(found, after)
    page = rest if limit is None else rest.slice(0, limit)
    is_end = page.num_rows == rest.num_rows or not page.num_rows
    last = None if is_end else page.slice(page.num_rows - 1).to_pylist()[0]
    meta = Meta(
        commit=sae.atlas.commit.number,
        sae=sae.name,
        total=found.num_rows,
        next=last and f"{last['feature']}.{last['id']}",
        labels_position=position,
    )
    return table(request, page, meta)


@router.post("/saes/{sae}/labels", response_model=Label, status_code=201)
def label_features(request: Request, sae: SaeNow, new: LabelsNew, if_match: _IfMatch = None) -> Response:
    """Say something about many features in one event, or take it back."""
    if (new.features is None) == (new.set is None):
        raise InvalidInput("Name the features by 'features' or by 'set', and not by both")
    with asked():
        named = new.features or load_selection(sae.atlas.store, sae.name, new.set or "").features
    ids = tuple(sorted({*named}))
    return record(request, _event(_write(sae, ids, new, if_match)), status=201)


@router.get("/labels/categories", response_model=CategoryList)
def categories(request: Request, atlas: AtlasNow) -> Response:
    """List the user's categories."""
    from saeatlas.atlas.label_categories import Categories

    known = Categories(atlas.store)
    position = known.position
    found = [_category(one) for one in known.declared().values()]
    return record(request, CategoryList(commit=atlas.commit.number, labels_position=position, categories=found))


@router.post("/labels/categories", response_model=Category, status_code=201)
def set_category(request: Request, atlas: AtlasNow, new: CategoryNew) -> Response:
    """Set up a category, say anew what it is, or remove it."""
    from saeatlas.pipeline import labelling

    with asked():
        if new.action == "drop":
            event = labelling.drop_category(atlas, new.name, by=new.by)
        else:
            said = {"colour": new.colour, "description": new.description, "parent": new.parent}
            event = labelling.set_category(atlas, new.name, by=new.by, **said)
    made = Category(name=event.name, colour=event.colour, description=event.description, parent=event.parent)
    return record(request, made, status=201)


def _write(what: Feature | SAE, ids: tuple[int, ...], new: LabelNew, if_match: str | None) -> LabelEvent:
    from saeatlas.atlas.feature import Feature
    from saeatlas.pipeline import labelling

    sae, features = (what.sae, None) if isinstance(what, Feature) else (what, ids)
    with asked(), sae.labels.writing:
        _check_unchanged(sae, ids, if_match)
        if new.action == "retract":
            if new.text is not None or new.category is not None or new.tags or new.confidence is not None or new.source:
                raise InvalidInput("A retraction says nothing new", hint="Send 'notes' with it, or a label instead.")
            return labelling.retract(what, by=new.by, features=features, events=new.supersedes, notes=new.notes)
        return labelling.label(
            what,
            new.text,
            by=new.by,
            features=features,
            category=new.category,
            tags=new.tags,
            notes=new.notes,
            confidence=new.confidence,
            source=new.source,
            supersedes=new.supersedes,
        )


def _check_unchanged(sae: SAE, ids: tuple[int, ...], if_match: str | None) -> None:
    if if_match is None or if_match.strip() == "*":
        return
    position = _TAG.fullmatch(if_match.strip())
    if position is None or sae.labels.changed_since(int(position[1]), ids):
        raise Conflict(
            "The labels were changed after they were read",
            hint="Read them again, and send the label with the tag of that answer, or without 'If-Match'.",
        )


def shown_label(label: label_fold.Label) -> Label:
    """Return a label of one feature as answers show it."""
    shown = _event(label.event)
    ends = {"superseded_by": label.superseded_by, "is_retracted": label.is_retracted}
    return shown.model_copy(update={"feature": label.feature, "identity_changed": label.identity_changed, **ends})


def _event(event: LabelEvent) -> Label:
    said = event.said
    return Label(
        id=event.id,
        at=event.at,
        action=event.action,
        by=event.by,
        source=said.source,
        feature=event.features[0] if len(event.features) == 1 else None,
        features=list(event.features[:_SHOWN_FEATURES]),
        n_features=len(event.features),
        text=said.text,
        category=said.category,
        tags=list(said.tags),
        notes=said.notes,
        confidence=said.confidence,
        supersedes=list(event.supersedes),
        superseded_by=None,
        is_retracted=False,
        identity_changed=False,
    )


def _category(found: label_categories.Category) -> Category:
    return Category(name=found.name, colour=found.colour, description=found.description, parent=found.parent)


def _chosen(found: pa.Table, by: str | None, category: str | None) -> pa.Table:
    import pyarrow.compute as pc

    for name, wanted in (("by", by), ("category", category)):
        if wanted is not None:
            found = found.filter(pc.equal(found.column(name), wanted))
    return found


def _after(found: pa.Table, after: str) -> pa.Table:
    import pyarrow.compute as pc

    cursor = _CURSOR.fullmatch(after)
    if cursor is None:
        raise InvalidInput(f"Not the end of a page: '{after:.100}'", hint="Give `next` of the page before.")
    feature, id = int(cursor[1]), cursor[2]  # noqa: A001 - the field's own word
    is_later = pc.greater(found.column("feature"), feature)
    is_same = pc.equal(found.column("feature"), feature)
    return found.filter(pc.or_(is_later, pc.and_(is_same, pc.less(found.column("id"), id))))
