"""`saeatlas document`: the tokens of a document and the features that fire on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from saeatlas.atlas.windows import why_no_tokens
from saeatlas.cli.discovery import LOOK as GROUP
from saeatlas.cli.options import AsJson, AtlasOption, SaeOption
from saeatlas.cli.render.numbers import number
from saeatlas.cli.render.screen import say, write_json
from saeatlas.cli.render.tables import Column, columns_of, write_facts, write_heading, write_rows, write_table
from saeatlas.cli.target import open_sae

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from saeatlas.atlas.sae import SAE

__all__ = ["GROUP", "command"]

_FEATURES_SHOWN = 5


def command(
    document: Annotated[str, Parameter(help="Id of the document.")],
    /,
    *,
    start: Annotated[int | None, Parameter(help="First position; otherwise 0.", show_default=False)] = None,
    stop: Annotated[
        int | None, Parameter(help="One past the last position; otherwise the end.", show_default=False)
    ] = None,
    sae: SaeOption = "",
    atlas: AtlasOption = "",
    as_json: AsJson = False,
) -> None:
    """Show a document, or a span of it, token by token with the active features, strongest first.

    Example: saeatlas document review-000017 --start 0 --stop 30
    """
    opened = open_sae(atlas, sae)
    corpus = opened.corpus
    rows = corpus.rows_of(document, start, stop)
    reason = why_no_tokens(corpus, corpus.documents.index_of(document))
    tokens = _tokens(opened, rows, start or 0, has_tokens=not reason)
    facts = {"document": document, "sae": opened.name, "n_rows": int(corpus.rows_of(document).size)}
    metadata = corpus.metadata(document)
    table = opened.features_in(document, start, stop)
    if as_json:
        missing = {"tokens_available": not reason, "reason": reason}
        write_json(facts | {"metadata": metadata} | missing | {"tokens": tokens, "features": table.to_pylist()})
        return
    write_facts(facts | metadata)
    if reason:
        say(f"No token texts: {reason}")
    write_heading("Tokens")
    columns = [Column("position", str), Column("row", str), Column("token", str, is_text=True)]
    lines = [(line["position"], line["row"], line["token"], _strongest(line["features"])) for line in tokens]
    write_table([*columns, Column("features", is_text=True)], lines)
    write_heading("Features")
    write_rows(columns_of(table), table)


def _strongest(features: list[dict[str, Any]]) -> str:
    shown = "  ".join(f"{line['feature']} ({number(line['value'])})" for line in features[:_FEATURES_SHOWN])
    more = len(features) - _FEATURES_SHOWN
    return f"{shown}  +{more}" if more > 0 else shown


def _tokens(sae: SAE, rows: npt.NDArray[np.int64], start: int, *, has_tokens: bool) -> list[dict[str, Any]]:
    """Return position, row, token text (None when not available) and active features of each row."""
    indptr, features, values = sae.activations.at(rows)
    read = sae.corpus.tokens if has_tokens else None
    strings: list[str | None] = [None] * rows.size if read is None else list(read.strings(read.tokens(rows)))
    lines = []
    for offset, row in enumerate(rows.tolist()):
        part = slice(indptr[offset], indptr[offset + 1])
        pairs = zip(features[part].tolist(), values[part].tolist(), strict=True)
        active = sorted(((f, v) for f, v in pairs if v > 0), key=lambda pair: (-pair[1], pair[0]))
        lines.append(
            {
                "position": start + offset,
                "row": row,
                "token": strings[offset],
                "features": [{"feature": f, "value": v} for f, v in active],
            }
        )
    return lines
