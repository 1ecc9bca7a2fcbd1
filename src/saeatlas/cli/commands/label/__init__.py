"""`saeatlas label`: say what features are, look at what was said, and bring labels in and out."""

from __future__ import annotations

from cyclopts import App

from saeatlas.cli.discovery import LABEL as GROUP
from saeatlas.cli.discovery import add_commands

__all__ = ["GROUP", "command"]

command = App(
    name="label",
    help="Label features; nothing that was said is ever changed or lost.\n\n"
    "Example: saeatlas label add gpt2-l8/16751 'refunds and complaints' --tag billing",
)
add_commands(command, __name__)
