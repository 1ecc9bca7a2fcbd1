"""Features sorted into groups by thresholds on their numbers, and those again: the tree behind a flow diagram."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from saeatlas.atlas.feature_columns import column_types, load_columns
from saeatlas.atlas.feature_table import FeatureQuery, check_columns, matching_features
from saeatlas.atlas.predicates import AnyOf, Predicate
from saeatlas.errors import InvalidInput

if TYPE_CHECKING:
    import numpy.typing as npt

    from saeatlas.atlas.sae import SAE

__all__ = ["MISSING", "Group", "Split", "group_features", "staged"]

MISSING = "missing"
"""Key of the group of the features without a value."""
_MOST_GROUPS = 20_000
_MOST_LEVELS = 30
_Cut = tuple[str, tuple[float, ...]]


@dataclass(frozen=True)
class Split:
    """How a group is cut: N thresholds make N + 1 groups, and one more of what has no value."""

    metric: str
    """Column of numbers."""
    thresholds: tuple[float, ...]
    """Ascending; group i holds threshold i - 1 <= value < threshold i."""
    children: Mapping[int | str, Split] = field(default_factory=dict)
    """How groups are cut again: by index from 0, or 'missing'."""


@dataclass(frozen=True)
class Group:
    """Some features, by the value of one number within the group above."""

    low: float | None
    """Least value; None without a lower end."""
    high: float | None
    """First value beyond; None without an upper end."""
    is_missing: bool
    """Whether these are the features without a value."""
    count: int
    features: npt.NDArray[np.int64]
    """Their ids, ascending; empty where the group is cut again: there its groups have them."""
    groups: tuple[Group, ...] = ()
    """Its own groups, where it is cut again: also where it holds no feature."""


@dataclass
class _Node:
    """One group while it is being filled."""

    ends: tuple[float | None, float | None]
    is_missing: bool
    split: Split | None
    children: list[_Node] = field(default_factory=list)
    count: int = 0
    features: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))


def staged(stages: Sequence[Split]) -> Split:
    """Return the split that cuts every group by the next stage, the missing ones too."""
    if not stages:
        raise InvalidInput("There are no stages to group by", hint="Name a metric and its thresholds for each stage.")
    found: Split | None = None
    for stage in reversed(stages):
        keys: list[int | str] = [*range(len(stage.thresholds) + 1), MISSING]
        found = Split(stage.metric, stage.thresholds, {} if found is None else dict.fromkeys(keys, found))
    assert found is not None
    return found


def group_features(sae: SAE, split: Split, predicates: tuple[Predicate | AnyOf, ...] = ()) -> tuple[list[Group], int]:
    """Sort features into groups; each is in exactly one group of a level.

    All groups of a level are told apart by one number for each feature, so the time grows with the levels and not
    with the groups.

    Parameters
    ----------
    sae
        Whose features.
    split
        How to cut all of them.
    predicates
        Only the features that fulfil these.

    Returns
    -------
    list of Group, int
        The groups, the missing one last, and the features in all of them together.

    Raises
    ------
    NotFound
        When a metric is no column.
    InvalidInput
        When a metric is no number, thresholds are not finite, ascending and different, or there would be more than
        20,000 groups or 30 levels.
    """
    top = _Node((None, None), is_missing=False, split=split)
    ids = matching_features(sae, FeatureQuery(predicates=predicates))
    digits: dict[_Cut, npt.NDArray[np.int64]] = {}
    level, place, here = [top], np.zeros(ids.size, np.int64), np.arange(ids.size)
    leaves: list[_Node] = []
    leaf_of = np.zeros(ids.size, np.int64)
    n_groups, n_levels = 0, 0
    while level:
        n_levels += 1
        n_groups += sum(len(node.split.thresholds) + 2 for node in level if node.split is not None)
        if n_groups > _MOST_GROUPS or n_levels > _MOST_LEVELS:
            raise InvalidInput(
                f"There would be more than {_MOST_GROUPS:,} groups, or {_MOST_LEVELS} levels of them",
                hint="Cut by fewer thresholds.",
            )
        below, first, cuts = _cut(level)
        place, here = _settle(level, first, place, here, leaves, leaf_of)
        moved = np.empty(place.size, np.int64)
        for cut, indices in cuts.items():
            if cut not in digits:
                digits[cut] = _digits(sae, *cut)[ids]
            is_of = np.isin(place, indices) if len(cuts) > 1 else np.ones(place.size, bool)
            moved[is_of] = first[place[is_of]] + digits[cut][here[is_of]]
        level, place = below, moved
    _fill(leaves, leaf_of, ids)
    return [_group(node) for node in top.children], int(ids.size)


def _cut(level: list[_Node]) -> tuple[list[_Node], npt.NDArray[np.int64], dict[_Cut, list[int]]]:
    """Make the groups below a level.

    Returns
    -------
    list of _Node, int64 [nodes], dict
        The groups; for each node of the level the place of its first among them, -1 where it is not cut; and the
        nodes that are cut in the same way.
    """
    below: list[_Node] = []
    first = np.full(len(level), -1, np.int64)
    cuts: dict[_Cut, list[int]] = {}
    for index, node in enumerate(level):
        if node.split is not None:
            cuts.setdefault((node.split.metric, node.split.thresholds), []).append(index)
            node.children = _children(node.split)
            first[index] = len(below)
            below += node.children
    return below, first, cuts


def _settle(
    level: list[_Node],
    first: npt.NDArray[np.int64],
    place: npt.NDArray[np.int64],
    here: npt.NDArray[np.int64],
    leaves: list[_Node],
    leaf_of: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Count a level, note the features that go no deeper, and return place and index of the others."""
    for node, count in zip(level, np.bincount(place, minlength=len(level)).tolist(), strict=True):
        node.count = count
    ends = np.flatnonzero(first < 0)
    number = np.full(len(level), -1, np.int64)
    number[ends] = len(leaves) + np.arange(ends.size)
    leaves += [level[index] for index in ends.tolist()]
    final = number[place]
    stays = final >= 0
    leaf_of[here[stays]] = final[stays]
    return place[~stays], here[~stays]


def _children(split: Split) -> list[_Node]:
    unknown = [key for key in split.children if key not in {*range(len(split.thresholds) + 1), MISSING}]
    if unknown:
        raise InvalidInput(
            f"'{split.metric}' has no group {unknown[0]!r} to cut again",
            hint=f"The groups are 0 to {len(split.thresholds)}, and '{MISSING}'.",
        )
    bounds = [None, *split.thresholds, None]
    found = [
        _Node((low, high), is_missing=False, split=split.children.get(index))
        for index, (low, high) in enumerate(pairwise(bounds))
    ]
    return [*found, _Node((None, None), is_missing=True, split=split.children.get(MISSING))]


def _digits(sae: SAE, metric: str, thresholds: tuple[float, ...]) -> npt.NDArray[np.int64]:
    """Return the group of each feature by one split, int64 [n_features]; the last is that of missing values."""
    check_columns(sae, [metric])
    kind = None if metric == "feature" else column_types(sae)[metric]
    if kind is not None and not kind.is_numeric():
        raise InvalidInput(f"Features are grouped by a column of numbers, and '{metric}' holds {kind}")
    limits = np.array(thresholds, np.float64)
    if not np.isfinite(limits).all() or (np.diff(limits) <= 0).any():
        found = ", ".join("NaN" if math.isnan(one) else f"{one:g}" for one in thresholds[:20])
        raise InvalidInput(
            f"Thresholds of '{metric}' must be finite, ascending and different, found: {found}",
            hint="Sort them and leave out what is twice or no number.",
        )
    values = load_columns(sae, [metric])[metric].to_numpy().astype(np.float64)
    digits = np.searchsorted(limits, values, side="right").astype(np.int64)
    digits[np.isnan(values)] = limits.size + 1
    return digits


def _fill(leaves: list[_Node], leaf_of: npt.NDArray[np.int64], ids: npt.NDArray[np.int64]) -> None:
    # Small numbers are sorted by their digits, which keeps the order of the ids.
    order = np.argsort(leaf_of.astype(np.uint16), kind="stable")
    ends = np.cumsum(np.bincount(leaf_of, minlength=len(leaves)))
    for leaf, part in zip(leaves, np.split(ids[order], ends[:-1]), strict=True):
        leaf.features = part


def _group(node: _Node) -> Group:
    low, high = node.ends
    groups = tuple(_group(child) for child in node.children)
    return Group(low, high, node.is_missing, node.count, node.features, groups)
