"""The written specification names all that is written."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from saeatlas.format.artifact import Manifest
from saeatlas.format.codecs import PROFILES
from saeatlas.format.commit import EMPTY, Entry
from saeatlas.format.identity import SaeIdentity
from saeatlas.format.segment import SegmentInfo
from saeatlas.format.version import FORMAT

SPECIFICATION = (Path(__file__).parents[2] / "docs" / "format.md").read_text()
MANIFEST = Manifest(
    format=1,
    encoding_type="",
    encoding_version=1,
    step="",
    step_version=1,
    params={},
    inputs={},
    key="",
    digest="",
    content="",
    files=(),
    attributes={},
    writer="",
    written_at="",
    seconds=0.0,
)


def names_of(cls: type) -> list[str]:
    return [field.name for field in dataclasses.fields(cls)]


@pytest.mark.parametrize("name", MANIFEST.to_json())
def test_member_of_a_seal_is_specified(name: str) -> None:
    assert f"`{name}`" in SPECIFICATION


@pytest.mark.parametrize("name", EMPTY.to_json())
def test_member_of_a_commit_is_specified(name: str) -> None:
    assert f"`{name}`" in SPECIFICATION


@pytest.mark.parametrize("name", names_of(Entry))
def test_member_of_an_entry_is_specified(name: str) -> None:
    assert f"`{name.replace('_', '-')}`" in SPECIFICATION


@pytest.mark.parametrize("name", names_of(SaeIdentity))
def test_fact_of_an_identity_is_specified(name: str) -> None:
    assert f"`{name}`" in SPECIFICATION


@pytest.mark.parametrize("name", names_of(SegmentInfo))
def test_attribute_of_a_segment_is_specified(name: str) -> None:
    assert f"`{name}`" in SPECIFICATION


@pytest.mark.parametrize("name", PROFILES)
def test_profile_is_specified(name: str) -> None:
    assert f"| `{name}` |" in SPECIFICATION


def test_specification_is_of_this_format() -> None:
    assert SPECIFICATION.startswith(f"# The atlas format, version {FORMAT}\n")
