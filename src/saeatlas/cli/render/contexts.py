"""Tokens in context, shaded by how strongly the feature fires on each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from saeatlas.cli.render import screen
from saeatlas.cli.render.escape import visible

__all__ = ["Shaded", "bracketed", "write_context", "write_legend"]

# One hue from light to dark (ColorBrewer 'YlOrBr'): lightness alone carries the strength, so it reads the
# same with every kind of colour vision and in grey. Text is black or white, whichever has more contrast.
_SHADES = ("#000000 on #fff7bc", "#000000 on #fec44f", "#000000 on #fe9929", "#ffffff on #cc4c02", "#ffffff on #7f2704")


@dataclass(frozen=True)
class Shaded:
    """One token as it is drawn."""

    text: str
    """Its text; line ends and tabs are shown as escapes."""
    value: float | None = None
    """Activation, or None where the feature is not active."""
    is_focus: bool = False
    """Whether the context is about this token."""
    is_unseen: bool = False
    """Whether the model could not see it when it computed the focus: before its context window, or after."""


def bracketed(tokens: Sequence[Shaded]) -> str:
    """Write tokens without colour: [active], [[the one it is about]], and {{not seen by the model}}."""
    parts: list[str] = []
    unseen = False
    for token in tokens:
        if token.is_unseen != unseen:
            parts.append("{{" if token.is_unseen else "}}")
            unseen = token.is_unseen
        text = visible(token.text)
        if token.is_focus:
            text = f"[[{text}]]"
        elif token.value is not None:
            text = f"[{text}]"
        parts.append(text)
    if unseen:
        parts.append("}}")
    return "".join(parts)


def write_context(tokens: Sequence[Shaded], strongest: float, *, indent: int = 2) -> None:
    """Draw one context; on a terminal with colours the shade is the value as a share of `strongest`."""
    margin = " " * indent
    if not screen.is_terminal():
        screen.write(margin + bracketed(tokens))
        return
    from rich.padding import Padding
    from rich.text import Text

    target = screen.console()
    if target.no_color or target.color_system is None:
        target.print(Padding(Text(bracketed(tokens)), (0, 0, 0, indent)))
        return
    line = Text()
    for token in tokens:
        line.append(visible(token.text), style=_style(token, strongest))
    target.print(Padding(line, (0, 0, 0, indent)))


def _style(token: Shaded, strongest: float) -> str:
    if token.value is None:
        return "dim" if token.is_unseen else ""
    share = token.value / strongest if strongest > 0 else 1.0
    shade = _SHADES[max(0, min(len(_SHADES) - 1, int(share * len(_SHADES))))]
    return f"bold underline {shade}" if token.is_focus else shade


def write_legend(strongest: float) -> None:
    """Say on a terminal what the shades mean."""
    if not screen.is_terminal():
        return
    from rich.text import Text

    target = screen.console()
    if target.no_color or target.color_system is None:
        target.print(Text("[active]  [[the token asked for]]  {{not seen by the model}}", style="dim"))
        return
    line = Text("activation  ", style="dim")
    for step, shade in enumerate(_SHADES):
        line.append(f" {strongest * step / len(_SHADES):.2g}+ ", style=f"not dim {shade}")
    target.print(line)
