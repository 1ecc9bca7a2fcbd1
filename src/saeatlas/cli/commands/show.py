"""`saeatlas show`: what an atlas holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from saeatlas.cli.discovery import LOOK as GROUP
from saeatlas.cli.options import AsJson, AtlasOption
from saeatlas.cli.render.numbers import bytes_text, seconds_text
from saeatlas.cli.render.screen import write_json
from saeatlas.cli.render.tables import Column, write_facts, write_heading, write_table
from saeatlas.cli.target import open_atlas

if TYPE_CHECKING:
    from saeatlas.atlas.atlas import Atlas

__all__ = ["GROUP", "command"]

What = Literal["saes", "corpora", "columns", "artifacts", "commits"]
Lines = list[dict[str, Any]]

_COLUMNS: dict[str, list[Column]] = {
    "saes": [
        Column("name", is_text=True),
        Column("corpus", is_text=True),
        Column("rows"),
        Column("features"),
        Column("listed"),
        Column("segments"),
        Column("imported", is_text=True),
        Column("analyses", is_text=True),
    ],
    "corpora": [
        Column("name", is_text=True),
        Column("documents"),
        Column("rows"),
        Column("has_tokens"),
        Column("has_texts"),
        Column("metadata", is_text=True),
    ],
    "columns": [
        Column("name", is_text=True),
        Column("type", is_text=True),
        Column("saes", is_text=True),
        Column("description", is_text=True),
    ],
    "artifacts": [
        Column("name", is_text=True),
        Column("encoding", is_text=True),
        Column("bytes", bytes_text),
        Column("seconds", seconds_text),
        Column("written_at", is_text=True),
        Column("path", is_text=True),
    ],
    "commits": [
        Column("number"),
        Column("written_at", is_text=True),
        Column("artifacts"),
        Column("message", is_text=True),
    ],
}


def command(
    what: Annotated[What | None, Parameter(help="Only this; otherwise a summary of SAEs and corpora.")] = None,
    /,
    *,
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """Show what an atlas holds.

    Example: saeatlas show artifacts --atlas reviews.atlas
    """
    opened = open_atlas(atlas)
    parts: list[What] = [what] if what else ["saes", "corpora"]
    found = {part: _LINES[part](opened) for part in parts}
    if as_json:
        about = {"atlas": opened.url, "commit": opened.commit.number}
        write_json(found[what] if what else about | found)
        return
    if not what:
        write_facts({"atlas": opened.url, "commit": opened.commit.number})
    for part in parts:
        if not what:
            write_heading({"saes": "SAEs", "corpora": "Corpora"}[part])
        columns = _COLUMNS[part]
        write_table(columns, [[_one(line[column.name]) for column in columns] for line in found[part]])


def _one(value: object) -> object:
    """Join a list into one cell."""
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _saes(atlas: Atlas) -> Lines:
    from saeatlas.atlas.tables import analyses_of, state_of

    lines = []
    for name in atlas.saes:
        sae = atlas.sae(name)
        states = {analysis: state_of(sae, analysis).word for analysis in analyses_of(sae)}
        has_data = sae.has_activations
        imported = f"sae/{name}/imported/"
        lines.append(
            {
                "name": name,
                "corpus": sae.corpus.name if has_data else None,
                "rows": sae.n_rows if has_data else 0,
                "features": sae.n_features,
                "listed": sae.n_listed if has_data else 0,
                "segments": len(sae.activations.segments) if has_data else 0,
                "imported": sorted(
                    entry.removeprefix(imported) for entry in atlas.entries if entry.startswith(imported)
                ),
                "analyses": [name if word == "current" else f"{name} ({word})" for name, word in states.items()],
                "identity": sae.identity.to_json(),
            }
        )
    return lines


def _corpora(atlas: Atlas) -> Lines:
    lines = []
    for name in atlas.corpora:
        corpus = atlas.corpus(name)
        lines.append(
            {
                "name": name,
                "documents": corpus.n_documents,
                "rows": corpus.n_rows,
                "has_tokens": f"corpus/{name}/tokens" in atlas.entries,
                "has_texts": bool(atlas.manifest(f"corpus/{name}/documents").attributes["has_text"]),
                "metadata": list(corpus.metadata_columns),
            }
        )
    return lines


def _columns(atlas: Atlas) -> Lines:
    """Return each column once, in the order of the tables of features, with the SAEs that have it."""
    from saeatlas.pipeline.described_columns import described_columns

    lines: dict[str, dict[str, Any]] = {}
    for name in atlas.saes:
        for one in described_columns(atlas.sae(name)):
            fresh: dict[str, Any] = {"name": one.name, "type": one.type, "saes": [], "description": one.description}
            lines.setdefault(one.name, fresh)["saes"].append(name)
    return list(lines.values())


def _artifacts(atlas: Atlas) -> Lines:
    lines = []
    for name, entry in sorted(atlas.entries.items()):
        manifest = atlas.manifest(name)
        lines.append(
            {
                "name": name,
                "encoding": entry.encoding_type,
                "bytes": sum(file.size for file in manifest.files),
                "seconds": manifest.seconds,
                "written_at": manifest.written_at,
                "path": entry.path,
                "step": manifest.step,
                "step_version": manifest.step_version,
                "params": dict(manifest.params),
                "inputs": dict(manifest.inputs),
                "digest": entry.digest,
            }
        )
    return lines


def _commits(atlas: Atlas) -> Lines:
    from saeatlas.format.commit import list_commits, load_commit

    found = [load_commit(atlas.store, number) for number in list_commits(atlas.store)]
    return [
        {
            "number": commit.number,
            "written_at": commit.written_at,
            "artifacts": len(commit.entries),
            "message": commit.message,
            "writer": commit.writer,
        }
        for commit in found
    ]


_LINES = {"saes": _saes, "corpora": _corpora, "columns": _columns, "artifacts": _artifacts, "commits": _commits}
