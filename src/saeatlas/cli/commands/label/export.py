"""`saeatlas label export`: write labels to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from saeatlas.cli.discovery import LABEL as GROUP
from saeatlas.cli.labels import Mapped, mapped_saes
from saeatlas.cli.options import AtlasOption
from saeatlas.cli.render import screen
from saeatlas.cli.render.numbers import count
from saeatlas.cli.target import open_atlas

__all__ = ["GROUP", "command"]


def command(
    path: Annotated[Path, Parameter(name="FILE", help="File to write; one of that name is replaced.")],
    /,
    *,
    format: Annotated[  # noqa: A002 - the option's own name
        str,
        Parameter(
            name="--format",
            show_default=False,
            help="jsonl, csv, tsv, dashboard, consolidated, display-csv or feature-circuits; otherwise by its ending.",
        ),
    ] = "",
    sae: Mapped = (),
    atlas: AtlasOption = "",
) -> None:
    """Write labels: as .jsonl every event with its history, which imports without loss; otherwise what holds now.

    A text that a spreadsheet would take for a formula gets a "'" before it, which the import takes away again.

    Example: saeatlas label export labels.jsonl --sae gpt2-l8
    """
    from saeatlas.pipeline.label_export import export_labels

    opened = open_atlas(atlas)
    wanted = mapped_saes(sae)
    if isinstance(wanted, str):
        saes, names = [opened.sae(name) for name in ([wanted] if wanted else opened.saes)], {}
    else:
        saes, names = [opened.sae(name) for name in wanted.values()], {ours: name for name, ours in wanted.items()}
    n = export_labels(saes, path.expanduser(), shape=format, names=names)
    screen.say(f"Wrote {count(n)} lines of labels to '{path}'")
