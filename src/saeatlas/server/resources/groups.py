"""Features sorted into groups by thresholds, and groups within groups."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from saeatlas.atlas.groups import MISSING, Group, Split, group_features, staged
from saeatlas.errors import InvalidInput
from saeatlas.server.live import SaeNow
from saeatlas.server.respond import record
from saeatlas.server.where import Clauses, asked, predicates_of

__all__ = ["router"]

router = APIRouter(tags=["features"])

_MOST_THRESHOLDS = 1_000


Number = Annotated[float, Field(strict=True)]
"""A bound that is a number, and no text or truth value that could be read as one."""


class Stage(BaseModel):
    """One cut: N thresholds make N + 1 groups, and one more of the features without a value."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"metric": "stats.n_active", "thresholds": [10, 100]}]}
    )

    metric: str = Field(max_length=300, description="A column of numbers, one for each feature.")
    thresholds: list[Number] = Field(
        max_length=_MOST_THRESHOLDS, description="Finite, ascending, different; group i has low <= value < high."
    )


class Branch(Stage):
    """A cut whose groups may be cut again, each in its own way."""

    children: dict[str, Branch] = Field(
        default_factory=dict, max_length=_MOST_THRESHOLDS, description="How groups are cut: '0', '1', … or 'missing'."
    )


class GroupsNew(BaseModel):
    """How to sort the features: `metric` and `thresholds`, with `children` or `stages`; or `stages` alone."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"metric": "stats.n_active", "thresholds": [10, 100]}]}
    )

    metric: str | None = Field(default=None, max_length=300, description="A column of numbers.")
    thresholds: list[Number] = Field(
        default_factory=list, max_length=_MOST_THRESHOLDS, description="Finite, ascending, different."
    )
    children: dict[str, Branch] = Field(
        default_factory=dict, max_length=_MOST_THRESHOLDS, description="How single groups are cut again."
    )
    stages: list[Stage] = Field(default_factory=list, max_length=12, description="How every group is cut, in turn.")
    where: Clauses | None = Field(default=None, description="Only features that fulfil these.")
    with_features: bool = Field(default=True, description="Whether groups list their features.")


class FeatureGroup(BaseModel):
    """Some features, by one number within the group above."""

    metric: str = Field(description="What tells the groups of this level apart.")
    low: float | None = Field(description="Least value; null without a lower end.")
    high: float | None = Field(description="First value beyond; null without an upper end.")
    is_missing: bool = Field(description="Whether these are the features without a value.")
    count: int = Field(description="How many features.")
    features: list[int] | None = Field(description="Their ids; null where `groups` have them, or not asked for.")
    groups: list[FeatureGroup] | None = Field(default=None, description="Its own groups, where it is cut again.")


class Groups(BaseModel):
    """All groups; each feature is in exactly one of a level, and the missing one comes last."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "commit": 12,
                    "sae": "gpt2-l8",
                    "metric": "stats.n_active",
                    "total": 3,
                    "groups": [
                        {
                            "metric": "stats.n_active",
                            "low": None,
                            "high": 10.0,
                            "is_missing": False,
                            "count": 3,
                            "features": [0, 1, 2],
                            "groups": None,
                        },
                    ],
                }
            ]
        }
    )

    commit: int = Field(description="Commit that the answer is about.")
    sae: str = Field(description="Whose features.")
    metric: str = Field(description="What tells the groups apart.")
    total: int = Field(description="Features in all groups together.")
    groups: list[FeatureGroup] = Field(description="The groups.")


@router.post("/saes/{sae}/groups", response_model=Groups)
def groups(request: Request, sae: SaeNow, body: GroupsNew) -> Response:
    """Sort the features into groups by thresholds; nothing is written."""
    split = _split(body)
    with asked():
        found, total = group_features(sae, split, predicates_of(body.where))
    answer = Groups.model_construct(
        commit=sae.atlas.commit.number,
        sae=sae.name,
        metric=split.metric,
        total=total,
        groups=[_answer(group, split, with_features=body.with_features) for group in found],
    )
    return record(request, answer)


def _split(body: GroupsNew) -> Split:
    stages = [Split(one.metric, tuple(one.thresholds)) for one in body.stages]
    if body.metric is None:
        if body.thresholds or body.children:
            raise InvalidInput("Thresholds and children need a 'metric'")
        return staged(stages)
    if body.children and stages:
        raise InvalidInput("Groups are cut again by 'children' or by 'stages', not by both")
    first = Split(body.metric, tuple(body.thresholds), _children(body.children))
    return staged([first, *stages]) if stages else first


def _children(children: dict[str, Branch]) -> dict[int | str, Split]:
    return {
        _key(key): Split(one.metric, tuple(one.thresholds), _children(one.children)) for key, one in children.items()
    }


def _key(key: str) -> int | str:
    return int(key) if key.isascii() and key.isdecimal() and len(key) <= 6 else key


def _answer(group: Group, split: Split, *, with_features: bool) -> FeatureGroup:
    inner: list[FeatureGroup] | None = None
    if group.groups:
        below = split.children[MISSING if group.is_missing else _index(group, split)]
        inner = [_answer(one, below, with_features=with_features) for one in group.groups]
    ids: Any = group.features.tolist() if with_features and inner is None else None
    # What is made here needs no check, and there may be thousands.
    return FeatureGroup.model_construct(
        metric=split.metric,
        low=group.low,
        high=group.high,
        is_missing=group.is_missing,
        count=group.count,
        features=ids,
        groups=inner,
    )


def _index(group: Group, split: Split) -> int:
    return 0 if group.low is None else split.thresholds.index(group.low) + 1
