"""`saeatlas label categories`: the user's own order of labels."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from saeatlas.cli.discovery import LABEL as GROUP
from saeatlas.cli.labels import Author
from saeatlas.cli.options import AsJson, AtlasOption
from saeatlas.cli.render import screen
from saeatlas.cli.render.tables import Column, write_table
from saeatlas.cli.target import open_atlas
from saeatlas.errors import InvalidInput

__all__ = ["GROUP", "command"]


def command(  # noqa: PLR0913 - the members of a category
    *,
    add: Annotated[str, Parameter(show_default=False, help="Category to set up, or to say anew what it is.")] = "",
    colour: Annotated[str | None, Parameter(show_default=False, help="As #rrggbb.")] = None,
    description: Annotated[str | None, Parameter(show_default=False, help="What belongs into it.")] = None,
    parent: Annotated[str | None, Parameter(show_default=False, help="Category that it is a part of.")] = None,
    drop: Annotated[str, Parameter(show_default=False, help="Category to remove; labels keep its name.")] = "",
    by: Author = "",
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """List the categories of labels, which all SAEs of the atlas share; set one up, change or remove one.

    What is not said of a category that is there stays as it was; '' takes it away.

    Example: saeatlas label categories --add topic --colour '#0072b2' --description 'What a text is about'
    """
    from saeatlas.atlas.label_categories import Categories
    from saeatlas.pipeline.labelling import drop_category, set_category

    if (add and drop) or (not add and any(fact is not None for fact in (colour, description, parent))):
        raise InvalidInput("Say which one category is meant", hint="Give --add NAME with its facts, or --drop NAME.")
    opened = open_atlas(atlas)
    if add:
        set_category(opened, add, by=by, colour=colour, description=description, parent=parent)
    if drop:
        drop_category(opened, drop, by=by)
    found = [asdict(one) for one in Categories(opened.store).declared().values()]
    names = ("name", "colour", "parent", "description", "by", "at")
    if as_json:
        screen.write_json([{name: one[name] for name in names} for one in found])
    else:
        write_table([Column(name, is_text=True) for name in names], [[one[name] for name in names] for one in found])
