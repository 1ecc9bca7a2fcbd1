"""Three features worth a look, chosen by a rule from the computed tables, and how to go on."""

from __future__ import annotations

import math
import shlex
import shutil
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saeatlas.cli.render.escape import visible
from saeatlas.cli.render.examples import write_examples
from saeatlas.cli.render.numbers import number, percent
from saeatlas.cli.render.screen import write
from saeatlas.cli.render.tables import columns_of, write_heading, write_rows

if TYPE_CHECKING:
    from saeatlas.atlas.atlas import Atlas
    from saeatlas.atlas.sae import SAE

__all__ = ["Pointer", "choose", "show_pages", "show_tour"]

RULE = (
    "features active on 0.05% to 2% of the rows. First the two that are most bound to several words: the five "
    "tokens each fires on most are words and none has over 40% of its active rows, by their sum of "
    "share x log2(lift). Then the one that depends most on a column of the documents (corrected Cramér's V)"
)
_LEAST, _MOST, _WORDS, _MOST_SHARE = 0.0005, 0.02, 5, 0.4


@dataclass(frozen=True)
class Pointer:
    """A feature worth a look."""

    feature: int
    """Feature id."""
    why: str
    """What it was chosen for, with the numbers."""
    column: str = ""
    """The metadata column that it was chosen for, or empty."""


def choose(sae: SAE) -> list[Pointer]:
    """Choose three features by `RULE` from the computed tables; fewer where those are missing or none fits."""
    stats = sae.table("stats")
    if stats is None:
        return []
    columns = (stats.column(name).to_pylist() for name in ("feature", "density"))
    moderate = {feature for feature, density in zip(*columns, strict=True) if _LEAST <= (density or 0) <= _MOST}
    found = _by_words(sae, moderate)[:2]
    return found + _by_column(sae, moderate - {pointer.feature for pointer in found})[:1]


def _by_words(sae: SAE, features: set[int]) -> list[Pointer]:
    table = sae.table("top-tokens")
    lines: dict[int, list[dict[str, Any]]] = {}
    for line in [] if table is None else table.to_pylist():
        if line["rank"] < _WORDS and line["feature"] in features and _is_word(line["string"]):
            lines.setdefault(line["feature"], []).append(line)
    scored = [
        (sum(line["share"] * math.log2(line["lift"]) for line in tokens), feature, tokens)
        for feature, tokens in lines.items()
        if len(tokens) == _WORDS and max(line["share"] for line in tokens) <= _MOST_SHARE
    ]
    scored.sort(key=lambda entry: (-entry[0], entry[1]))
    return [
        Pointer(
            feature,
            "fires on "
            + ", ".join(f"'{visible(line['string'].strip())}' ({percent(line['share'])})" for line in tokens),
        )
        for _, feature, tokens in scored
    ]


def _is_word(text: str) -> bool:
    return len(text.strip()) > 2 and text.strip().isalpha()


def _by_column(sae: SAE, features: set[int]) -> list[Pointer]:
    table = sae.table("metadata-association")
    lines = [line for line in ([] if table is None else table.to_pylist()) if line["effect_corrected"] is not None]
    lines = [line for line in lines if line["feature"] in features and line["q"] is not None]
    lines.sort(key=lambda line: (-line["effect_corrected"], line["feature"]))
    return [
        Pointer(
            line["feature"],
            f"depends on '{visible(line['column'])}': V {number(line['effect_corrected'])}, q {number(line['q'])}",
            line["column"],
        )
        for line in lines
    ]


def show_tour(atlas: Atlas) -> None:
    """Write the chosen features with their contexts, and the commands to go on with."""
    sae = atlas.sae()
    chosen = choose(sae)
    if chosen:
        write_heading("Three features to look at")
        write(f"Chosen by a rule: {RULE}.")
    for pointer in chosen:
        feature = sae.feature(pointer.feature)
        write_heading(f"{sae.name}/{pointer.feature} {pointer.why}")
        if pointer.column:
            table = (
                feature.breakdown(pointer.column).table().select(["level", "n_documents", "n_active", "rate", "mean"])
            )
            write_rows(columns_of(table), table)
        write_examples(feature.examples(n=3, before=12, after=8))
    write_heading("Go on")
    first = chosen[0].feature if chosen else 0
    place = shlex.quote(atlas.url)
    for line in (
        *_way_to_the_command(),
        f"saeatlas serve --atlas {place} --open",
        f"export SAEATLAS_ATLAS={place}",
        f"saeatlas feature show {first}",
        f"saeatlas feature examples {first} --pick quantiles --n 3",
        f"saeatlas feature breakdown {first} --by kind",
        f"saeatlas feature activations {first} --out {first}.parquet",
        "saeatlas show",
    ):
        write(f"  {line}")


def _way_to_the_command() -> list[str]:
    """Return what lets a shell find `saeatlas` where it does not: 'make demo' runs it in an environment of its own."""
    if shutil.which("saeatlas"):
        return []
    activate = Path(sys.executable).with_name("activate")
    return [f". {shlex.quote(str(activate))}"] if activate.is_file() else []


def show_pages(place: str) -> None:
    """Serve the atlas at the usual port, or at a free one, open the pages, and return when the server is stopped.

    Where the extra 'server' is not installed, do nothing: the tour names the command, which says what to install.
    """
    if not (find_spec("fastapi") and find_spec("uvicorn")):
        return
    from saeatlas.cli.commands.serve import command as serve
    from saeatlas.errors import Conflict

    try:
        serve(atlas=place, open_=True)
    except Conflict as error:
        if error.kind != "port-taken":
            raise
        serve(atlas=place, port=0, open_=True)
