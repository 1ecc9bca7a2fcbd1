from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from saeatlas.cli.discovery import command_modules
from saeatlas.pipeline.registries import registries

Run = Callable[..., tuple[int, str, str]]
FAMILIES = tuple(
    name
    for name in ("feature", "label", "import", "analyze", "export", "plot")
    if name in command_modules("saeatlas.cli.commands")
)
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"


def commands() -> list[str]:
    found = [name for name in command_modules("saeatlas.cli.commands") if name not in FAMILIES]
    found += [f"feature {name}" for name in command_modules("saeatlas.cli.commands.feature")]
    found += [f"label {name}" for name in command_modules("saeatlas.cli.commands.label")]
    verbs = {"importers": "import", "analyses": "analyze", "exporters": "export", "plots": "plot"}
    return found + [f"{verb} {name}" for kind, verb in verbs.items() for name in registries()[kind]]


@pytest.mark.parametrize("command", [*commands(), *FAMILIES])
def test_help_of_every_command_has_an_example(cli: Run, command: str) -> None:
    code, out, err = cli(*command.split(), "--help")
    assert (code, err) == (0, "")
    assert f"Example: saeatlas {command}" in " ".join(out.split())


@pytest.mark.parametrize("command", commands())
def test_every_command_is_in_the_reference_with_an_example(command: str) -> None:
    family, _, name = command.partition(" ")
    text = REFERENCE.read_text(encoding="utf-8")
    if family == "analyze":
        assert (REFERENCE.parent / "analyses" / f"{name}.md").read_text(encoding="utf-8").startswith(f"# {name}\n")
    else:
        assert f"## `saeatlas {command}`" in text
    # An example that needs files of its own stands on the page that makes them; all are run.
    pages = REFERENCE.parents[1].rglob("*.md")
    assert any(f"$ saeatlas {command}" in page.read_text(encoding="utf-8") for page in pages)


def test_every_option_of_a_command_has_help(cli: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for command in commands():
        for line in cli(*command.split(), "--help")[1].splitlines():
            words = line.strip("│ *").split()
            # Outside the frames, a wrapped line may begin with an option of the example.
            if line.startswith("│") and words and words[0].startswith("--"):
                assert len(words) > 2 or words[0] in {"--help", "--version"}, f"{command}: {line}"


def test_root_help_lists_every_command_in_groups(cli: Run) -> None:
    out = cli("--help")[1]
    listed = [name for name in command_modules("saeatlas.cli.commands") if f" {name} " not in out]
    assert listed == []
    assert "Ask" in out
