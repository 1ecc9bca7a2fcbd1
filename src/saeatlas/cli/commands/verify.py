"""`saeatlas verify`: check an atlas against its digests."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from saeatlas.cli.discovery import CARE as GROUP
from saeatlas.cli.options import AsJson, AtlasOption

__all__ = ["GROUP", "command"]


def command(
    *,
    deep: Annotated[bool, Parameter(negative="", help="Read every byte and compare every digest.")] = False,
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """Check that everything the atlas lists is there and whole; name what is not.

    Example: saeatlas verify --deep --atlas reviews.atlas
    """
