"""`saeatlas search`: features and documents by words."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from saeatlas.cli.discovery import LOOK as GROUP
from saeatlas.cli.options import AsJson, AtlasOption
from saeatlas.cli.render import screen
from saeatlas.cli.render.numbers import count, number
from saeatlas.cli.render.tables import Column, write_heading, write_table
from saeatlas.cli.target import open_atlas

if TYPE_CHECKING:
    from collections.abc import Sequence

    from saeatlas.atlas.search import Found, Kind
    from saeatlas.atlas.search_snippets import Segment

__all__ = ["GROUP", "command"]


def command(
    *words: Annotated[str, Parameter(name="TEXT", help="Words to look for; a phrase in double quotes.")],
    sae: Annotated[
        str, Parameter(show_default=False, help="Only this SAE, and the documents of its corpus; otherwise all.")
    ] = "",
    documents: Annotated[bool, Parameter(negative="", show_default=False, help="Documents and no features.")] = False,
    features: Annotated[bool, Parameter(negative="", show_default=False, help="Features and no documents.")] = False,
    limit: Annotated[int, Parameter(help="Hits of each kind.")] = 10,
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """Find features by words in labels, explanations and top tokens, and documents by text and metadata; best first.

    Example: saeatlas search refund complaint --limit 5
    """
    from saeatlas.atlas.search import search

    opened = open_atlas(atlas)
    kind: Kind | None = None
    if documents != features or not opened.corpora:
        kind = "documents" if documents else "features"
    found = search(opened, " ".join(words), sae=sae or None, kind=kind, limit=limit)
    if as_json:
        screen.write_json(dataclasses.asdict(found))
        return
    _write(found, kind)


def _write(found: Found, kind: Kind | None) -> None:
    if found.corrected is not None:
        screen.say(f"Searched for: {found.corrected}")
    if found.is_any:
        screen.say("Nothing has all of these words; this has some of them")
    for one in found.missing:
        screen.say(one.reason)
    text = Column("snippet", is_text=True)
    if kind != "documents":
        write_heading(f"Features: {count(found.n_features)}")
        names = [Column("feature", is_text=True), Column("score", number), Column("where", is_text=True), text]
        lines = [(f"{hit.sae}/{hit.feature}", hit.score, hit.where, _shown(hit.snippet)) for hit in found.features]
        write_table(names, lines)
    if kind != "features":
        write_heading(f"Documents: {count(found.n_documents)}")
        names = [Column("document", is_text=True), Column("score", number), Column("where", is_text=True), text]
        write_table(names, [(hit.document, hit.score, hit.where, _shown(hit.snippet)) for hit in found.documents])


def _shown(snippet: Sequence[Segment]) -> str:
    """Return a snippet on one line, what was found in »these« marks."""
    joined = "".join(f"»{part.text}«" if part.is_match else part.text for part in snippet)
    return " ".join(joined.split())
