"""Examples of a feature: where each is, and its context with the active tokens shaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from saeatlas.cli.render import screen
from saeatlas.cli.render.contexts import Shaded, bracketed, write_context, write_legend
from saeatlas.cli.render.escape import visible
from saeatlas.cli.render.numbers import number
from saeatlas.cli.render.tables import Column, write_table

if TYPE_CHECKING:
    from saeatlas.atlas.contexts import Example

__all__ = ["example_record", "write_examples"]


def example_record(example: Example) -> dict[str, Any]:
    """Return an example as JSON values, its whole text included."""
    return asdict(example) | {"text": example.text}


def write_examples(examples: Sequence[Example]) -> None:
    """Write examples in their order: drawn on a terminal, one in a line when piped."""
    if not screen.is_terminal():
        _write_lines(examples)
        return
    from rich.text import Text

    strongest = max((example.value for example in examples), default=1.0)
    target = screen.console()
    stratum = None
    for example in examples:
        if example.stratum != stratum:
            stratum = example.stratum
            target.print(Text(f"Part {stratum} of the active values, 0 the strongest", style="bold"))
        line = Text(f"{number(example.value)}", style="bold")
        line.append(f"  {visible(example.document)} at {example.position}", style="not bold dim")
        line.append(f"  {_metadata(example)}", style="not bold dim")
        line.truncate(screen.width(), overflow="ellipsis")
        target.print(line)
        if example.context_available:
            write_context(_shaded(example), strongest)
        else:
            target.print(Text(f"  no context: {visible(example.reason)}", style="italic"))
    if any(example.context_available for example in examples):
        write_legend(strongest)


def _write_lines(examples: Sequence[Example]) -> None:
    columns = [Column(name) for name in ("value", "row", "document", "position", "stratum")]
    # The context is escaped already, and escaping it twice would change nothing: it has no unsafe character left.
    write_table(
        [*columns, Column("context", is_text=True)],
        [
            (
                example.value,
                example.row,
                example.document,
                example.position,
                example.stratum,
                bracketed(_shaded(example)) if example.context_available else f"no context: {example.reason}",
            )
            for example in examples
        ],
    )


def _shaded(example: Example) -> list[Shaded]:
    """Return the pieces of the context: as the document has them where spans are known, else token strings."""
    pieces: list[Shaded] = []
    text, end = example.text or "", None
    first = next((token.start for token in example.tokens), None)
    for token in example.tokens:
        string = token.string
        if example.is_natural_text and first is not None and token.start is not None and token.end is not None:
            if end is not None and token.start > end:
                pieces.append(Shaded(text[end - first : token.start - first], is_unseen=token.visible is False))
            string, end = text[token.start - first : token.end - first], token.end
        pieces.append(
            Shaded(
                string,
                token.value if token.is_active else None,
                is_focus=token.position == example.position,
                is_unseen=token.visible is False,
            )
        )
    return pieces


def _metadata(example: Example) -> str:
    shown = (f"{name} {value}" for name, value in example.metadata.items() if value is not None)
    return visible(", ".join(shown))
