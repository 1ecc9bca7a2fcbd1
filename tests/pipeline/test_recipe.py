from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from saeatlas.errors import InvalidInput
from saeatlas.pipeline.recipe import Recipe, check_fields, fields_of, name_of


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A plug-in."""

    n: int = 3
    """A number."""
    pick: tuple[str, ...] = ("top",)
    """Names."""


@dataclass(frozen=True, kw_only=True)
class Halves:
    """A plug-in."""

    floor: float | None = None
    """A number."""


def test_key_ignores_the_order_of_parameters_and_inputs() -> None:
    first = Recipe("stats", 1, {"a": 1, "b": 2}, {"x": "1", "y": "2"})
    second = Recipe("stats", 1, {"b": 2, "a": 1}, {"y": "2", "x": "1"})
    assert first.key == second.key


@pytest.mark.parametrize(
    "other",
    [
        Recipe("other", 1, {"a": 1}, {"x": "1"}),
        Recipe("stats", 2, {"a": 1}, {"x": "1"}),
        Recipe("stats", 1, {"a": 2}, {"x": "1"}),
        Recipe("stats", 1, {"a": 1}, {"x": "2"}),
        Recipe("stats", 1, {"a": 1}, {"z": "1"}),
    ],
)
def test_key_changes_with_each_member(other: Recipe) -> None:
    assert other.key != Recipe("stats", 1, {"a": 1}, {"x": "1"}).key


def test_fields_are_json_values() -> None:
    assert fields_of(Shown()) == {"n": 3, "pick": ["top"]}


def test_array_is_no_parameter() -> None:
    with pytest.raises(InvalidInput, match="ndarray"):
        fields_of(Shown(n=np.zeros(3)))  # type: ignore[arg-type]


def test_wrong_field_is_named() -> None:
    with pytest.raises(InvalidInput, match="Field 'n' of shown"):
        check_fields(Shown(n="many"))  # type: ignore[arg-type]


def test_plugin_is_named_for_its_class() -> None:
    assert name_of(type("TopTokens", (), {})) == "top-tokens"


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_field_that_no_recipe_can_hold_is_named(number: float) -> None:
    with pytest.raises(InvalidInput, match=f"Field 'floor' of halves.*finite.*{number}"):
        check_fields(Halves(floor=number))


def test_plug_in_is_named_for_its_file() -> None:
    from saeatlas.importers.h5_topk import H5TopK

    assert (name_of(H5TopK), name_of(Shown)) == ("h5-topk", "shown")
