"""The page names every embedder and every parameter with its default."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from saeatlas.pipeline.embedder import Embedder
from saeatlas.registry import Registry

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "embedders.md").read_text(encoding="utf-8")
EMBEDDERS = Registry("saeatlas.embedders", Embedder)


@pytest.mark.parametrize("name", EMBEDDERS)
def test_parameters_and_defaults_are_those_of_the_page(name: str) -> None:
    section = PAGE.split(f"\n## {name}\n")[1].split("\n## ")[0]
    for field in dataclasses.fields(EMBEDDERS[name]):
        default = str(field.default).lower() if isinstance(field.default, bool) else field.default
        assert f"| `{field.name}` | {default} |".replace("|  |", "| |") in section
