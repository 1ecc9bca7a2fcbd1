"""`saeatlas init`: make an empty atlas."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from saeatlas.cli.discovery import MAKE as GROUP
from saeatlas.cli.render.screen import say

__all__ = ["GROUP", "command"]


def command(path: Annotated[str, Parameter(help="Directory to make; it must be new or empty.")], /) -> None:
    """Make an empty atlas.

    Example: saeatlas init reviews.atlas
    """
    from saeatlas.atlas.atlas import create
    from saeatlas.cli.target import is_free
    from saeatlas.errors import AlreadyExists

    if not is_free(path):
        raise AlreadyExists(f"There is something at '{path}' already", hint="Name a new or empty directory.")
    atlas = create(path)
    say(f"Made an empty atlas: {atlas.url}")
