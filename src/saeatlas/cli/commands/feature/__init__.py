"""`saeatlas feature`: questions about one feature, answered from the whole corpus."""

from __future__ import annotations

from cyclopts import App

from saeatlas.cli.discovery import LOOK as GROUP
from saeatlas.cli.discovery import add_commands

__all__ = ["GROUP", "command"]

command = App(
    name="feature",
    help="Ask about one feature, over the whole corpus.\n\nExample: saeatlas feature show gpt2-l8/16751",
)
add_commands(command, __name__)
