"""What was said about features, and the user's categories: as answers show it, and as it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from saeatlas.format.labels import LIMITS, MAX_TAGS
from saeatlas.server.live import MAX_ID

if TYPE_CHECKING:
    from saeatlas.atlas import label_categories, label_fold
    from saeatlas.format.labels import LabelEvent

__all__ = [
    "Category",
    "CategoryList",
    "CategoryNew",
    "Label",
    "LabelHistory",
    "LabelNew",
    "LabelsNew",
    "shown_category",
    "shown_event",
    "shown_label",
]

_SHOWN_FEATURES = 200
"""Ids of an event about many features that an answer lists."""
_MAX_FEATURES = 1_000_000
_NO_CONTROL = r"[^\u0000-\u001f\u007f-\u009f\u2028\u2029]*"
_NO_CONTROL_BUT_LINES = r"[^\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]*"
# For whoever reads the schema: what is refused is refused, in a sentence, where labels are written.
_OneLine = Annotated[str, Field(json_schema_extra={"pattern": rf"^({_NO_CONTROL}[^\s]{_NO_CONTROL})?$"})]
_Lines = Annotated[str, Field(json_schema_extra={"pattern": rf"^{_NO_CONTROL_BUT_LINES}[^\s]{_NO_CONTROL_BUT_LINES}$"})]
_LinesOrNone = Annotated[
    str, Field(json_schema_extra={"pattern": rf"^({_NO_CONTROL_BUT_LINES}[^\s]{_NO_CONTROL_BUT_LINES})?$"})
]
_Colour = Annotated[str, Field(json_schema_extra={"pattern": "^(#[0-9a-fA-F]{6})?$"})]
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
    confidence: float | None = Field(default=None, ge=0, le=1, strict=True, description="From 0 to 1.")
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
    description: _LinesOrNone | None = Field(
        default=None, max_length=LIMITS["description"], description="What belongs into it."
    )
    parent: _OneLine | None = Field(default=None, max_length=LIMITS["category"], description="Category above it.")


def shown_label(label: label_fold.Label) -> Label:
    """Return a label of one feature as answers show it."""
    shown = shown_event(label.event)
    ends = {"superseded_by": label.superseded_by, "is_retracted": label.is_retracted}
    return shown.model_copy(update={"feature": label.feature, "identity_changed": label.identity_changed, **ends})


def shown_event(event: LabelEvent) -> Label:
    """Return an event as answers show it, about however many features."""
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


def shown_category(found: label_categories.Category) -> Category:
    """Return a category as answers show it."""
    return Category(name=found.name, colour=found.colour, description=found.description, parent=found.parent)
