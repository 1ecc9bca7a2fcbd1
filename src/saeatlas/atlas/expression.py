"""The little language of feature selections: `12 & !40 | (7 > 0.5)`, read into a tree."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Literal, cast

from saeatlas.errors import InvalidInput

__all__ = ["And", "Comparison", "Expression", "Leaf", "Not", "Or", "parse_expression"]

Comparison = Literal[">", ">=", "<", "<="]

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
      | (?P<compare>>=|<=|>|<)
      | (?P<and>&&?|\band\b)
      | (?P<or>\|\|?|\bor\b)
      | (?P<not>!|~|\bnot\b)
      | (?P<open>\()
      | (?P<close>\))
    )""",
    re.VERBOSE | re.IGNORECASE,
)
_MAX_DEPTH = 100


@dataclass(frozen=True)
class Leaf:
    """A listed value of a feature beyond a threshold; without a comparison, `value > 0`: the feature is active."""

    feature: int
    comparison: Comparison = ">"
    threshold: float = 0.0

    def __str__(self) -> str:
        plain = self.comparison == ">" and self.threshold == 0
        return str(self.feature) if plain else f"{self.feature} {self.comparison} {self.threshold!r}"


@dataclass(frozen=True)
class Not:
    """Everything but."""

    part: Expression

    def __str__(self) -> str:
        return f"!{self.part}" if isinstance(self.part, Not) or str(self.part).isdecimal() else f"!({self.part})"


@dataclass(frozen=True)
class And:
    """Where every part holds."""

    parts: tuple[Expression, ...]

    def __str__(self) -> str:
        return " & ".join(f"({part})" if isinstance(part, Or) else str(part) for part in self.parts)


@dataclass(frozen=True)
class Or:
    """Where at least one part holds."""

    parts: tuple[Expression, ...]

    def __str__(self) -> str:
        return " | ".join(str(part) for part in self.parts)


Expression = Leaf | Not | And | Or


def parse_expression(text: str) -> Expression:
    """Read a selection.

    `!` binds before `&`, and `&` before `|`; the words not, and, or mean the same; a feature id alone means that
    the feature is active, and `12 > 0.5`, `>=`, `<`, `<=` compare its listed values.

    Raises
    ------
    InvalidInput
        When the text is not an expression; the message shows it with a caret under the place.
    """
    return _Parser(text).read()


@dataclass(frozen=True)
class _Word:
    kind: str
    text: str
    at: int


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.words = self._split()
        self.next = 0
        self.depth = 0

    def read(self) -> Expression:
        tree = self._any()
        word = self._peek()
        if word.kind != "end":
            what = "a ')' that opens nowhere" if word.kind == "close" else f"'{word.text}'"
            raise self._fault(f"expected '&', '|' or the end, found {what}", word.at)
        return tree

    def _split(self) -> list[_Word]:
        words: list[_Word] = []
        at = 0
        while self.text[at:].strip():
            match = _TOKEN.match(self.text, at)
            if match is None or match.lastgroup is None:
                at += len(self.text[at:]) - len(self.text[at:].lstrip())
                found = re.match(r"[\w.]+|.", self.text[at:])
                raise self._fault(f"cannot read '{found[0] if found else ''}'", at)
            kind = match.lastgroup
            words.append(_Word(kind, match[kind], match.start(kind)))
            at = match.end()
        words.append(_Word("end", "", len(self.text)))
        return words

    def _peek(self) -> _Word:
        return self.words[self.next]

    def _take(self, kind: str) -> bool:
        if self._peek().kind != kind:
            return False
        self.next += 1
        return True

    def _any(self) -> Expression:
        parts = [self._all()]
        while self._take("or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self) -> Expression:
        parts = [self._not()]
        while self._take("and"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _not(self) -> Expression:
        word = self._peek()
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self._fault(f"more than {_MAX_DEPTH} levels deep", word.at)
        if self._take("not"):
            tree: Expression = Not(self._not())
        elif self._take("open"):
            tree = self._any()
            end = self._peek()
            if not self._take("close"):
                raise self._fault("expected ')'", end.at)
        else:
            tree = self._leaf()
        self.depth -= 1
        return tree

    def _leaf(self) -> Leaf:
        word = self._peek()
        if word.kind != "number":
            found = f"'{word.text}'" if word.text else "the end"
            raise self._fault(f"expected a feature id, found {found}", word.at)
        if not word.text.isdecimal():
            raise self._fault(f"a feature id is a whole number from 0, found '{word.text}'", word.at)
        self.next += 1
        sign = self._peek()
        if not self._take("compare"):
            return Leaf(int(word.text))
        limit = self._peek()
        if not self._take("number"):
            found = f"'{limit.text}'" if limit.text else "the end"
            raise self._fault(f"expected a number after '{sign.text}', found {found}", limit.at)
        threshold = float(limit.text)
        if not math.isfinite(threshold):
            raise self._fault(f"'{limit.text}' is too large", limit.at)
        return Leaf(int(word.text), cast("Comparison", sign.text), threshold)

    def _fault(self, what: str, at: int) -> InvalidInput:
        # Tabs and line ends would push the caret away from its place.
        shown = re.sub(r"\s", " ", self.text)
        return InvalidInput(
            f"Cannot read the selection at position {at}: {what}\n  {shown}\n  {' ' * at}^",
            hint="Write for example '12 & !40 | (7 > 0.5)'.",
        )
