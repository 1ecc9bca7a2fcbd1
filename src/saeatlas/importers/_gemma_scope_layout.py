"""Which file is meant in the layout of Gemma Scope: `layer_{L}/width_{W}/average_l0_{X}/params.npz`.

Layer, width and L0 choose the file. Where more than one L0 would do, the choice is the user's: the first by name is an
accident of spelling, and labels made for one SAE say nothing about another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from saeatlas.errors import InvalidInput, SourceError
from saeatlas.importers._gemma_scope_canonical import Canonical, canonical_l0

__all__ = ["Choice", "Chosen", "choose", "layers_in"]

_FILE: Final = re.compile(r"(?:.*/)?(?:layer_(\d+)|embedding)/width_(\w+)/average_l0_(\d+)/params\.npz")
_CANONICAL: Final = "canonical"


@dataclass(frozen=True)
class Choice:
    """What the user says about which SAE is meant."""

    layer: int | None = None
    """None where the path says it, or the source has one layer only."""
    width: str = "16k"
    """Counts where the path does not say it."""
    l0: str = ""
    """A number, 'canonical', or empty where there is one only."""


@dataclass(frozen=True)
class Chosen:
    """One file, and what the user should know about the choice."""

    path: str
    notes: tuple[str, ...] = ()


def layers_in(paths: Iterable[str], width: str) -> tuple[int, ...]:
    """Return the layers that have an SAE of a width, ascending."""
    found = (match for path in paths if (match := _FILE.fullmatch(path)))
    return tuple(sorted({int(match[1]) for match in found if match[1] and match[2] == width}))


def choose(paths: Iterable[str], start: str, choice: Choice, where: str) -> Chosen | None:
    """Return the one file that is meant, or None where no path has this layout.

    Parameters
    ----------
    paths
        Files, each as its path from the same root, above the folder of the layer.
    start
        The folder that was given, from the same root; it may say layer, width and L0 already.
    choice
        What else was said.
    where
        Name of the repository or folder, for messages and for the table of canonical SAEs.

    Raises
    ------
    SourceError
        When there is no such layer, width or L0, or several would do.
    """
    candidates = [(match, path) for path in paths if (match := _FILE.fullmatch(path))]
    if not candidates:
        return None
    layers = {match[1] for match, _ in candidates}
    wanted = _layer({int(layer) for layer in layers if layer}, choice.layer, where, several=len(layers) > 1)
    of_layer = [(match, path) for match, path in candidates if wanted is None or match[1] == str(wanted)]
    widths = sorted({match[2] for match, _ in of_layer}, key=_natural)
    width = choice.width
    if re.search(r"(layer_\d+|embedding)/width_\w+", start):
        width = widths[0]
    elif width not in widths:
        raise SourceError(
            f"There is no SAE of width '{width}' {_of(wanted)} in {where}", hint=f"Widths there: {', '.join(widths)}"
        )
    by_l0 = {int(match[3]): path for match, path in of_layer if match[2] == width}
    canonical = None if wanted is None else canonical_l0(where, width, wanted)
    return _choose_l0(by_l0, choice.l0, canonical, f"width {width} {_of(wanted)} in {where}")


def _layer(there: set[int], wanted: int | None, where: str, *, several: bool) -> int | None:
    """Return the layer to take; None stands for the SAE of the embeddings."""
    if wanted is None and not several:
        return next(iter(there), None)
    known = _spans(sorted(there))
    if wanted is None:
        raise InvalidInput(
            f"{where} has SAEs of several layers, and none is chosen", hint=f"Say --layers. Layers there: {known}"
        )
    if wanted not in there:
        raise SourceError(f"There is no layer {wanted} in {where}", hint=f"Layers there: {known or 'none'}")
    return wanted


def _choose_l0(by_l0: Mapping[int, str], said: str, canonical: Canonical | None, what: str) -> Chosen:
    """Return the SAE of an L0 that was said, or the only one."""
    choices = ", ".join(str(l0) for l0 in sorted(by_l0))
    known = (
        f"The canonical one is {canonical.l0}{'' if canonical.verified else ', which is unverified'}. "
        if (canonical and canonical.l0 in by_l0)
        else ""
    )
    if not said:
        if len(by_l0) == 1:
            return Chosen(next(iter(by_l0.values())))
        raise SourceError(
            f"There are {len(by_l0)} SAEs of {what}, and none is chosen; their L0s: {choices}",
            hint=f"{known}Say --l0 with one of the numbers{', or --l0 canonical' if known else ''}.",
        )
    if said == _CANONICAL:
        return _choose_canonical(by_l0, canonical, what, choices)
    if not re.fullmatch("[0-9]{1,9}", said):
        raise InvalidInput(f"Not an L0: '{said:.40}'", hint=f"Say a number or 'canonical'. Numbers there: {choices}")
    if int(said) not in by_l0:
        raise SourceError(f"There is no SAE with L0 {said} of {what}", hint=f"{known}L0s there: {choices}")
    return Chosen(by_l0[int(said)])


def _choose_canonical(by_l0: Mapping[int, str], canonical: Canonical | None, what: str, choices: str) -> Chosen:
    if canonical is None:
        raise SourceError(
            f"Which SAE is canonical is not known for {what}", hint=f"Say --l0 with a number. L0s there: {choices}"
        )
    if canonical.l0 not in by_l0:
        raise SourceError(
            f"The canonical L0 is {canonical.l0}, and there is no such SAE of {what}",
            hint=f"Say --l0 with a number. L0s there: {choices}",
        )
    note = f"That L0 {canonical.l0} is the canonical one of {what} is unverified: only one source says so"
    return Chosen(by_l0[canonical.l0], () if canonical.verified else (note,))


def _of(layer: int | None) -> str:
    return "of the embeddings" if layer is None else f"of layer {layer}"


def _natural(width: str) -> tuple[int, str]:
    digits = re.match(r"\d*", width)
    scale = {"k": 1_000, "m": 1_000_000}.get(width[-1:], 1)
    return int(digits[0]) * scale if digits and digits[0] else 0, width


def _spans(layers: list[int]) -> str:
    """Return numbers as a list of layers is written: '0-3,7'."""
    spans: list[list[int]] = []
    for layer in layers:
        if spans and spans[-1][1] == layer - 1:
            spans[-1][1] = layer
        else:
            spans.append([layer, layer])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)
