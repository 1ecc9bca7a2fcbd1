"""What users can name is documented, and what the pages name is there."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from pathlib import Path

import pytest

import saeatlas
from saeatlas import errors
from saeatlas.atlas.feature import Feature
from saeatlas.atlas.feature_columns import DESCRIPTIONS
from saeatlas.cli.commands.feature import examples as examples_command
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.pipeline.described_columns import description_of
from saeatlas.pipeline.importer import Importer
from saeatlas.pipeline.sae_importer import SaeImporter
from saeatlas.registry import Registry

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
ANALYSES = Registry("saeatlas.analyses", Analysis)
IMPORTERS = Registry("saeatlas.importers", Importer, SaeImporter)
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
DECISIONS = sorted((DOCS / "decisions").glob("[0-9]*.md"))
VIEWS = ("Atlas", "SAE", "Feature", "Corpus", "Selection")


def text_of(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def section(page: str, title: str) -> str:
    """The part of a page under a heading of the second level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text_of(page), re.M | re.S)
    assert found, f"{page} has no section '{title}'"
    return found[1]


@pytest.mark.parametrize("name", saeatlas.__all__)
def test_public_name_is_in_the_reference(name: str) -> None:
    assert re.search(rf"`sa\.{name}\b", text_of("reference/python.md"))


@pytest.mark.parametrize("view", VIEWS)
def test_everything_that_can_be_asked_of_a_view_is_in_the_reference(view: str) -> None:
    cls = getattr(saeatlas, view)
    fields = [field.name for field in dataclasses.fields(cls)] if dataclasses.is_dataclass(cls) else []
    names = {name for name in [*vars(cls), *fields] if not name.startswith("_")}
    assert len(names) > 2
    text = section("reference/python.md", view)
    missing = sorted(name for name in names if not re.search(rf"\.{name}\b", text))
    assert missing == []


@pytest.mark.parametrize("name", ANALYSES)
def test_analysis_is_documented_with_every_parameter_and_column(name: str) -> None:
    plugin = ANALYSES[name]()
    assert isinstance(plugin, Analysis)
    text = text_of(f"reference/analyses/{name}.md")
    for field in dataclasses.fields(plugin):
        assert f"`{field.name}` (" in text, field.name
    schemas = plugin.schema()
    for table, schema in schemas.items():
        assert table == "data" or f"`{table}`" in text
        assert [column for column in schema.names if f"`{column}`" not in text] == []


def cell_about(column: str, page: str) -> str:
    """What the first table that lists a column says it is, without marks of code, in small letters."""
    rows = re.findall(r"^\| (`[^|]+) \| [^|]+ \| (.+) \|$", text_of(page), re.M)
    return next(says for names, says in rows if f"`{column}`" in names).replace("`", "").lower()


@pytest.mark.parametrize("name", [name for name in ANALYSES if ANALYSES[name].axis == Axis.FEATURE])
def test_columns_of_an_analysis_are_described_as_in_the_reference(name: str) -> None:
    plugin = ANALYSES[name]()
    for column in set(plugin.schema()["data"].names) - {"feature"}:
        said = description_of(column, plugin.descriptions)
        assert said, column
        assert cell_about(column, f"reference/analyses/{name}.md").startswith(said.rstrip(".").lower())


@pytest.mark.parametrize("column", DESCRIPTIONS)
def test_column_that_no_analysis_makes_is_described_as_in_the_reference(column: str) -> None:
    assert cell_about(column, "reference/analyses/README.md") == DESCRIPTIONS[column].rstrip(".").lower()


@pytest.mark.parametrize("name", ANALYSES)
def test_analysis_is_in_the_overview(name: str) -> None:
    assert f"| [`{name}`]({name}.md) |" in text_of("reference/analyses/README.md")


@pytest.mark.parametrize("name", ANALYSES)
def test_documented_default_of_a_parameter_is_the_one_used(name: str) -> None:
    text = text_of(f"reference/analyses/{name}.md")
    for field in dataclasses.fields(ANALYSES[name]):
        if isinstance(field.default, int | float):
            assert f"`{field.name}` ({field.default})" in text


@pytest.mark.parametrize("name", IMPORTERS)
def test_importer_has_a_page_that_says_how(name: str) -> None:
    pages = [page.read_text(encoding="utf-8") for page in (DOCS / "how-to").glob("*.md")]
    assert any(f"saeatlas import {name} " in page for page in pages)


@pytest.mark.parametrize("kind", sorted(errors.KINDS))
def test_kind_of_error_is_documented(kind: str) -> None:
    assert f"`{kind}`" in section("reference/python.md", "Errors")


@pytest.mark.parametrize("name", errors.error_classes())
def test_class_of_errors_is_documented_with_its_default_kind(name: str) -> None:
    cls = getattr(errors, name)
    (line,) = re.findall(rf"^\| `{name}`.*$", section("reference/python.md", "Errors"), re.M)
    assert f"`{cls.default_kind}`" in line
    assert re.search(rf"^\| {cls.exit_code} \|", text_of("reference/cli.md"), re.M)


def test_environment_variables_are_documented() -> None:
    used: set[str] = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                used |= set(re.findall(r"\bSAEATLAS_[A-Z]+\b", node.value))
    assert len(used) >= 4
    assert [name for name in sorted(used) if f"| `{name}` |" not in text_of("reference/cli.md")] == []


def test_command_and_method_ask_for_the_same_examples() -> None:
    command = inspect.signature(examples_command.command).parameters
    method = inspect.signature(Feature.examples).parameters
    for name in ("pick", "n", "before", "after", "seed", "strata", "low", "high"):
        assert command[name].default == method[name].default


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(page.name[:4]) for page in DECISIONS] == list(range(1, len(DECISIONS) + 1))


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_decision_has_its_number_its_parts_and_a_place_in_the_index(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {int(page.name[:4])}. ")
    assert all(f"**{part}.**" in text for part in ("Context", "Choice", "Price"))
    assert f"[{int(page.name[:4])}]({page.name})" in text_of("decisions/README.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if not re.match(r"[a-z]+:", target)]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_modules_and_paths_that_a_page_names_are_there(page: Path) -> None:
    for name in re.findall(r"`saeatlas((?:\.[a-z_]+)+)(?:\.[A-Z]\w*)?`", page.read_text(encoding="utf-8")):
        place = ROOT / "src" / "saeatlas" / name[1:].replace(".", "/")
        assert place.is_dir() or place.with_suffix(".py").exists(), name
