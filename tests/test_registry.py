"""Plug-ins are found by file name and entry point, and imported only when asked for."""

from __future__ import annotations

import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from saeatlas.errors import InvalidInput, NotFound
from saeatlas.registry import Registry

PLUGIN = """
from dataclasses import dataclass

@dataclass(frozen=True)
class H5TopK:
    source: str = ""

plugin = H5TopK
"""
FILES = {
    "__init__": "",
    "h5_topk": PLUGIN,
    "missing": "import a_package_that_is_not_installed",
    "no_dataclass": "class Plain:\n    pass\nplugin = Plain\n",
    "instance": PLUGIN + "plugin = H5TopK()\n",
    "_h5": "raise AssertionError('private modules are no plug-ins')",
}


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    package = tmp_path / "toy_importers"
    package.mkdir()
    for name, text in FILES.items():
        (package / f"{name}.py").write_text(text)
    (package / "folder").mkdir()
    (package / "folder" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.startswith("toy_importers")]:
        monkeypatch.delitem(sys.modules, name)
    return Registry("toy_importers", object)


def add_entry_points(monkeypatch: pytest.MonkeyPatch, **places: str) -> None:
    points = [EntryPoint(name.replace("_", "-"), place, "toy_importers") for name, place in places.items()]

    def entry_points(group: str) -> list[EntryPoint]:
        return [point for point in points if point.group == group]

    monkeypatch.setattr("saeatlas.registry.entry_points", entry_points)


def test_files_are_plug_ins(registry: Registry) -> None:
    assert list(registry) == ["h5-topk", "instance", "missing", "no-dataclass"]


def test_listing_imports_no_plug_in(registry: Registry) -> None:
    list(registry)
    assert "toy_importers.h5_topk" not in sys.modules


def test_plug_in_is_its_class(registry: Registry) -> None:
    assert registry["h5-topk"].__name__ == "H5TopK"


def test_unknown_plug_in_is_not_found(registry: Registry) -> None:
    with pytest.raises(NotFound, match="No toy_importer is named 'csv'") as caught:
        registry["csv"]
    assert "h5-topk" in caught.value.hint


def test_missing_dependency_breaks_only_its_own_plug_in(registry: Registry) -> None:
    with pytest.raises(ImportError):
        registry["missing"]
    assert registry["h5-topk"]


@pytest.mark.parametrize("name", ["no-dataclass", "instance"])
def test_other_objects_are_refused(registry: Registry, name: str) -> None:
    with pytest.raises(InvalidInput, match="dataclass"):
        registry[name]


def test_plug_in_of_another_kind_is_refused(registry: Registry) -> None:
    with pytest.raises(InvalidInput, match="int"):
        Registry(registry.package, int)["h5-topk"]


def test_entry_point_is_a_plug_in(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    add_entry_points(monkeypatch, third_party="toy_importers.h5_topk:H5TopK")
    assert registry["third-party"].__name__ == "H5TopK"


def test_entry_point_with_a_taken_name_is_refused(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    add_entry_points(monkeypatch, h5_topk="other:Plugin")
    with pytest.raises(InvalidInput, match="h5-topk"):
        list(registry)


def test_place_is_known_without_an_import(registry: Registry) -> None:
    assert registry.place("missing") == "toy_importers.missing:plugin"


def test_number_of_plug_ins_is_known(registry: Registry) -> None:
    assert len(registry) == 4


def test_unknown_analysis_is_called_an_analysis() -> None:
    from saeatlas.pipeline.registries import analyses

    with pytest.raises(NotFound, match="No analysis is named 'csv'"):
        analyses()["csv"]
