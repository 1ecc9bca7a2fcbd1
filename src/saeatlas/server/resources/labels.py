"""Labels: what was said about features, with all that came before it, and saying something new."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from saeatlas.errors import Conflict, InvalidInput
from saeatlas.format.selection import load_selection
from saeatlas.server.live import MAX_ID, AtlasNow, FeatureNow, SaeNow
from saeatlas.server.models.labels import (
    Category,
    CategoryList,
    CategoryNew,
    Label,
    LabelHistory,
    LabelNew,
    LabelsNew,
    shown_category,
    shown_event,
    shown_label,
)
from saeatlas.server.respond import Meta, Table, record, table, tabular
from saeatlas.server.where import asked

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.feature import Feature
    from saeatlas.atlas.sae import SAE
    from saeatlas.format.labels import LabelEvent

__all__ = ["router"]

router = APIRouter(tags=["labels"])

_TAG = re.compile(r'(?:W/)?"[0-9]+-([0-9]{1,18})-[0-9a-f]{8}"')
_FACTS = frozenset({"colour", "description", "parent"})
"""What is known about a category beside its name."""
_CURSOR = re.compile(r"([0-9]{1,18})\.([0-9a-f-]{36})")
_LINE = {
    "feature": 7,
    "id": "01939b5e-8a3c-7cc3-98c5-0f5e0a6b7d11",
    "at": "2025-01-31T12:00:00.000Z",
    "by": "ana",
    "source": None,
    "text": "refunds and complaints",
    "category": "topic",
    "tags": ["billing"],
    "notes": None,
    "confidence": 0.8,
    "identity_changed": False,
    "extra": None,
}

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
def sae_labels(  # noqa: PLR0913 - query parameters, each by its name
    request: Request,
    sae: SaeNow,
    *,
    by: Annotated[str | None, Query(description="Only what this author says.", max_length=200)] = None,
    category: Annotated[str | None, Query(description="Only labels of this category.", max_length=100)] = None,
    tag: Annotated[str | None, Query(description="Only labels with exactly this tag.", max_length=100)] = None,
    limit: Annotated[int | None, Query(ge=0, le=MAX_ID, description="Lines at most.")] = None,
    after: Annotated[str | None, Query(description="`next` of the page before.", max_length=60)] = None,
) -> Response:
    """List the labels of an SAE that hold now, by feature, the newest first."""
    position = sae.labels.position
    found = sae.labels.find(by=by, category=category, tag=tag)
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
    return record(request, shown_event(_write(sae, ids, new, if_match)), status=201)


@router.get("/labels/categories", response_model=CategoryList)
def categories(request: Request, atlas: AtlasNow) -> Response:
    """List the user's categories."""
    from saeatlas.atlas.label_categories import Categories

    known = Categories(atlas.store)
    position = known.position
    found = [shown_category(one) for one in known.declared().values()]
    return record(request, CategoryList(commit=atlas.commit.number, labels_position=position, categories=found))


@router.post("/labels/categories", response_model=Category, status_code=201)
def set_category(request: Request, atlas: AtlasNow, new: CategoryNew) -> Response:
    """Set up a category, say anew what it is, or remove it.

    Of a category that is there, what is not sent stays as it was, and `null` or an empty text takes it away.
    """
    from saeatlas.pipeline import labelling

    with asked():
        if new.action == "drop":
            event = labelling.drop_category(atlas, new.name, by=new.by)
        else:
            # Null and "" take away what is there; what is not sent stays.
            said = {name: getattr(new, name) or "" for name in _FACTS & new.model_fields_set}
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


def _after(found: pa.Table, after: str) -> pa.Table:
    import pyarrow.compute as pc

    cursor = _CURSOR.fullmatch(after)
    if cursor is None:
        raise InvalidInput(f"Not the end of a page: '{after:.100}'", hint="Give `next` of the page before.")
    feature, id = int(cursor[1]), cursor[2]  # noqa: A001 - the field's own word
    is_later = pc.greater(found.column("feature"), feature)
    is_same = pc.equal(found.column("feature"), feature)
    return found.filter(pc.or_(is_later, pc.and_(is_same, pc.less(found.column("id"), id))))
