from __future__ import annotations

from pathlib import Path

import pytest

from saeatlas.demo.corpus import Docstring, digest_of_files, in_hash_order, library_files, read_docstrings
from saeatlas.errors import SourceError
from saeatlas.progress import SILENT, Event, Progress

LONG = "A sentence that is long enough to be taken as a document."


def library(root: Path, **modules: str) -> Path:
    for name, source in modules.items():
        path = root / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
    return root


def docstrings(root: Path) -> list[Docstring]:
    return read_docstrings(root, library_files(root), SILENT)


def test_every_kind_of_definition_is_found_with_its_qualified_name(tmp_path: Path) -> None:
    source = f'"""{LONG}"""\nclass A:\n  """{LONG}"""\n  def b(self):\n    """{LONG}"""\n    async def c(): "{LONG}"\n'
    found = docstrings(library(tmp_path, json__tool=source))
    assert [(one.id, one.kind, one.name, one.package) for one in found] == [
        ("json.tool", "module", "tool", "json"),
        ("json.tool:A", "class", "A", "json"),
        ("json.tool:A.b", "function", "b", "json"),
        ("json.tool:A.b.c", "function", "c", "json"),
    ]


def test_definitions_inside_conditions_are_found_and_told_apart(tmp_path: Path) -> None:
    define = f"def f(): '{LONG}'"
    source = f"try:\n  {define}\nexcept OSError:\n  {define}\nelse:\n  if 1:\n    {define}\n"
    ids = [one.id for one in docstrings(library(tmp_path, m=source))]
    assert sorted(ids) == ["m:f", "m:f#2", "m:f#3"]


def test_short_docstrings_are_left_out(tmp_path: Path) -> None:
    assert docstrings(library(tmp_path, m=f"'{'x' * 40}'\ndef f(): '{'x' * 41}'\n"))[0].id == "m:f"


def test_tests_and_installed_packages_are_not_read(tmp_path: Path) -> None:
    library(tmp_path, kept="", test__a="", json__tests__b="")
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "c.py").write_text("")
    assert [path.name for path in library_files(tmp_path)] == ["kept.py"]


def test_a_library_without_sources_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        library_files(tmp_path)
    assert caught.value.kind == "empty-source"


def test_a_broken_module_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"broken\.py"):
        docstrings(library(tmp_path, broken="def"))


def test_hash_order_does_not_depend_on_the_order_given(tmp_path: Path) -> None:
    found = docstrings(library(tmp_path, **{f"m{n}": f'"""{LONG} {n}"""' for n in range(9)}))
    assert in_hash_order(found) == in_hash_order(found[::-1]) != found


def test_digest_changes_with_one_character(tmp_path: Path) -> None:
    root = library(tmp_path, a="1", b="2")
    before = digest_of_files(root, library_files(root))
    library(tmp_path, b="3")
    assert digest_of_files(root, library_files(root)) != before


def test_progress_reaches_its_total(tmp_path: Path) -> None:
    root = library(tmp_path, a="", b="", c="")
    events: list[Event] = []
    read_docstrings(root, library_files(root), Progress(events.append))
    assert sum(event.amount for event in events) == events[0].total == 3
