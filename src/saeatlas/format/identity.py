"""What an SAE is: the facts that two sets of activations must share to belong together."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Literal, cast

from saeatlas.errors import Conflict, FormatError, InvalidInput
from saeatlas.format.canonical import canonical_json, digest_bytes

__all__ = ["SaeIdentity", "check_name", "merge_identities"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TYPES: dict[str, tuple[type, ...]] = {
    "layer": (int,),
    "width": (int,),
    "k": (int,),
    "l0": (int, float),
    "context_window": (int,),
    "bos": (bool,),
}
_LEAST = {"layer": 0, "width": 1, "k": 1, "l0": 0, "context_window": 1}


def check_name(name: str, what: str) -> str:
    """Return `name` when it can name an SAE or a corpus (`what` says which), else raise `InvalidInput`."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidInput(
            f"Not a name for {what}: {name!r:.200}",
            hint="Use 1 to 100 of the characters A-Z a-z 0-9 . _ - and begin with a letter or digit.",
        )
    return name


@dataclass(frozen=True, kw_only=True)
class SaeIdentity:
    """The facts about one SAE. None means unknown: a fact is stated by the source, never guessed."""

    name: str
    """What the atlas calls it."""
    model: str | None = None
    """Model whose hidden states it was trained on, such as 'gpt2'."""
    hook: str | None = None
    """Place in the model, such as 'blocks.8.hook_resid_pre'."""
    layer: int | None = None
    """Index of the layer, 0-based."""
    width: int | None = None
    """Number of features."""
    architecture: str | None = None
    """Such as 'topk', 'jumprelu', 'transcoder'."""
    k: int | None = None
    """Active features per row of a TopK SAE."""
    l0: float | None = None
    """Mean number of active features per row."""
    revision: str | None = None
    """Revision or release of the weights."""
    weights_digest: str | None = None
    """SHA-256 of the weights."""
    input_normalization: str | None = None
    """What is done to hidden states before encoding."""
    context_window: int | None = None
    """Tokens that the model saw at once."""
    bos: bool | None = None
    """Whether a beginning-of-sequence token was put first."""
    attention: Literal["causal", "bidirectional"] | None = None
    """Whether a token's state depends on earlier tokens only or on both sides."""

    def __post_init__(self) -> None:
        check_name(self.name, "an SAE")
        for field in fields(self):
            _check_fact(field.name, getattr(self, field.name))
        if self.l0 is not None:
            # 32 and 32.0 are one number, and must have one digest.
            object.__setattr__(self, "l0", float(self.l0))

    def to_json(self) -> dict[str, object]:
        """Return every fact by its name; an unknown one is None."""
        return asdict(self)

    @classmethod
    def from_json(cls, record: Mapping[str, object]) -> SaeIdentity:
        """Read what `to_json` gave; members that this version does not know are left out.

        Raises
        ------
        FormatError
            Kind corrupt-artifact when a fact is of another type.
        """
        facts = {field.name: record[field.name] for field in fields(cls) if field.name in record}
        try:
            return cls(**facts)  # type: ignore[arg-type]  # __post_init__ checks every type
        except (InvalidInput, TypeError) as error:
            raise FormatError(f"Not the identity of an SAE: {error}", kind="corrupt-artifact") from error

    def digest(self) -> str:
        """Return the SHA-256 of the facts."""
        return digest_bytes(canonical_json(self.to_json()))

    def unknown(self) -> tuple[str, ...]:
        """Return the names of the facts that are not known."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name) is None)


def merge_identities(a: SaeIdentity, b: SaeIdentity) -> SaeIdentity:
    """Return the facts known from either side.

    Raises
    ------
    Conflict
        Kind identity-mismatch when both know a fact and disagree; the message shows them side by side.
    """
    facts_a, facts_b = a.to_json(), b.to_json()
    differing = [
        name for name in facts_a if None not in (facts_a[name], facts_b[name]) and facts_a[name] != facts_b[name]
    ]
    if differing:
        raise Conflict(
            f"The data are of two different SAEs:\n{_side_by_side(facts_a, facts_b, differing)}",
            hint="Give the new data another SAE name, or correct the fact that was stated wrongly.",
            kind="identity-mismatch",
        )
    return replace(a, **{name: value for name, value in facts_b.items() if facts_a[name] is None})  # type: ignore[arg-type]


def _check_fact(name: str, value: object) -> None:
    if value is None:
        return
    kinds = _TYPES.get(name, (str,))
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise InvalidInput(f"The fact '{name}' of an SAE must be {kinds[-1].__name__}, found: {value!r:.100}")
    if isinstance(value, str) and not value:
        raise InvalidInput(f"The fact '{name}' of an SAE is empty", hint="Leave out what is not known.")
    if name in _LEAST and not _LEAST[name] <= cast("float", value) < math.inf:
        raise InvalidInput(f"The fact '{name}' of an SAE is out of range: {value}")
    if name == "attention" and value not in {"causal", "bidirectional"}:
        raise InvalidInput(f"The fact 'attention' must be 'causal' or 'bidirectional', found: '{value}'")


def _side_by_side(a: Mapping[str, object], b: Mapping[str, object], differing: list[str]) -> str:
    """Return all facts known to either side in aligned columns, those that differ marked with '≠'."""
    names = [name for name in a if a[name] is not None or b[name] is not None]
    rows = [("", "fact", "here", "there")]
    rows += [("≠" if name in differing else " ", name, _shown(a[name]), _shown(b[name])) for name in names]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _shown(value: object) -> str:
    if value is None:
        return "unknown"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
