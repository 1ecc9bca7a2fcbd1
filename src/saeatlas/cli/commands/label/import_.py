"""`saeatlas label import`: bring labels in from a file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from saeatlas.cli.discovery import LABEL as GROUP
from saeatlas.cli.labels import Author, Mapped, mapped_saes
from saeatlas.cli.options import AsJson, AtlasOption
from saeatlas.cli.render import screen
from saeatlas.cli.render.numbers import count
from saeatlas.cli.target import open_atlas

if TYPE_CHECKING:
    from saeatlas.pipeline.label_exchange import ImportReport

__all__ = ["GROUP", "command"]


def command(  # noqa: PLR0913 - what a file leaves open
    path: Annotated[Path, Parameter(name="FILE", help="The file.")],
    /,
    *,
    format: Annotated[  # noqa: A002 - the option's own name
        str,
        Parameter(
            name="--format",
            show_default=False,
            help="jsonl, csv, tsv, dashboard, consolidated or feature-circuits; otherwise found by the file itself.",
        ),
    ] = "",
    sae: Mapped = (),
    by: Author = "",
    other_identity: Annotated[
        bool,
        Parameter(negative="", show_default=False, help="Take labels of another SAE, marked as such."),
    ] = False,
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """Import labels: all of a file or nothing, and nothing that is there already.

    Example: saeatlas label import annotations.jsonl --sae resid_5=pythia-l5 --by marks-lab
    """
    from saeatlas.pipeline.label_exchange import import_labels

    report = import_labels(
        open_atlas(atlas),
        path.expanduser(),
        shape=format,
        saes=mapped_saes(sae),
        by=by,
        other_identity=other_identity,
    )
    if as_json:
        screen.write_json(asdict(report))
        return
    for name, n in report.saes.items():
        screen.write(f"{name}\t{n}")
    screen.say("; ".join(_sentences(report)))


def _sentences(report: ImportReport) -> list[str]:
    read = f"{count(report.n_lines)} lines read as '{report.shape}'"
    parts = [f"{read}: {count(report.n_new)} labels are new, {count(report.n_known)} were there already"]
    parts += [
        sentence
        for n, sentence in (
            (report.n_duplicates, f"{count(report.n_duplicates)} stand in the file more than once"),
            (report.n_repeated, f"of {count(report.n_repeated)} features the newest of several labels counts"),
            (
                report.n_behind,
                f"{count(report.n_behind)} of the new joined the history: their authors have said something newer",
            ),
            (report.n_future, f"{count(report.n_future)} state a time that has not come, and count as said now"),
            (report.n_without_label, f"{count(report.n_without_label)} lines say nothing about their feature"),
            (report.n_headings, f"{count(report.n_headings)} lines are column names"),
            (report.n_categories, f"{count(report.n_categories)} events about categories are new"),
        )
        if n
    ]
    if report.left_out:
        listed = ", ".join(f"{name} ({n})" for name, n in report.left_out.items())
        parts.append(f"left out, as they were not asked for: {listed}")
    return parts
