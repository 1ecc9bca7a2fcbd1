"""Turn the files of a folder into commands, importing one only when it is asked for."""

from __future__ import annotations

import importlib
import pkgutil

from cyclopts import App, Group

__all__ = ["CARE", "FEATURE", "LABEL", "LOOK", "MAKE", "add_commands", "command_modules", "group_commands"]

MAKE = Group("Make and fill an atlas", sort_key=1)
LOOK = Group("Ask", sort_key=2)
FEATURE = Group("Ask about one feature", sort_key=2)
LABEL = Group("Label features", sort_key=2)
CARE = Group("Look after an atlas", sort_key=3)


def command_modules(package: str) -> dict[str, pkgutil.ModuleInfo]:
    """Map command name to module; `import_.py` is the command `import`."""
    found = pkgutil.iter_modules(importlib.import_module(package).__path__)
    return {module.name.rstrip("_").replace("_", "-"): module for module in found}


def add_commands(app: App, package: str) -> None:
    """Register every module of `package` under its file's name; none is imported before its command is asked for."""
    for name, module in command_modules(package).items():
        app.command(f"{package}.{module.name}:command", name=name)


def group_commands(app: App, package: str) -> None:
    """Import the commands of `package` and put each under its module's `GROUP`: a help page lists them all."""
    for name, module in command_modules(package).items():
        place = f"{package}.{module.name}"
        app[name].group = importlib.import_module(place).GROUP
        if module.ispkg:
            group_commands(app[name], place)
