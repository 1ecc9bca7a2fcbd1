from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import pytest
from cyclopts import App

from saeatlas.cli.plugin_command import plugin_command
from saeatlas.cli.plugin_docs import field_help, plugin_help
from saeatlas.errors import InvalidInput


@dataclass(frozen=True, kw_only=True)
class Base:
    """Base."""

    source: str = field(kw_only=False)
    """File to import."""


@dataclass(frozen=True, kw_only=True)
class Plugin(Base):
    """Count things.

    At length.
    """

    version: ClassVar[int] = 1
    floor: float = 0.0
    """Values at or below
    this count as silence."""
    scale: Literal["log", "linear"] = "log"
    columns: tuple[str, ...] = ()
    """Which."""


plugin = Plugin


@dataclass(frozen=True, kw_only=True)
class Clashing:
    jobs: int = 1


def run(chosen: Plugin, *more: str, jobs: int = 3) -> tuple[object, ...]:
    return chosen, more, jobs


def call(*tokens: str) -> object:
    app = App(result_action="return_value")
    app.command(plugin_command(Plugin, run), name="plugin")
    return app(["plugin", *tokens], exit_on_error=False, print_error=False)


def test_fields_become_flags_beside_the_options() -> None:
    expected = Plugin("f.h5", floor=0.5, scale="linear", columns=("a", "b"))
    got = call("f.h5", "--floor", "0.5", "--scale", "linear", "--columns", "a", "--columns", "b", "--jobs", "2")
    assert got == (expected, (), 2)


def test_fields_keep_their_defaults() -> None:
    assert call("f.h5") == (Plugin("f.h5"), (), 3)


def test_further_names_are_passed_on() -> None:
    assert call("f.h5", "x", "y") == (Plugin("f.h5"), ("x", "y"), 3)


def test_a_field_named_as_an_option_is_refused() -> None:
    with pytest.raises(InvalidInput, match="jobs"):
        plugin_command(Clashing, run)


def test_field_help_is_read_below_the_fields_and_inherited() -> None:
    assert field_help(Plugin) == {
        "source": "File to import.",
        "floor": "Values at or below this count as silence.",
        "columns": "Which.",
    }


def test_plugin_help_follows_the_name_that_is_registered() -> None:
    assert plugin_help(f"{__name__}:plugin") == "Count things.\n\nAt length."


def test_plugin_help_of_what_is_not_there_is_empty() -> None:
    assert plugin_help("saeatlas_nowhere.at_all:plugin") == ""


def test_plugin_help_imports_nothing() -> None:
    plugin_help("saeatlas.cli.commands.gc:command")
    assert "saeatlas.cli.commands.gc" not in sys.modules or sys.modules["saeatlas.cli.commands.gc"]
