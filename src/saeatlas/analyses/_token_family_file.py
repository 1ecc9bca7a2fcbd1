"""Families of tokens with ordered levels, as a table declares them."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from saeatlas.errors import InvalidInput, SourceError
from saeatlas.format.canonical import digest_bytes

__all__ = ["PATTERN", "Encoding", "Families", "FamiliesOfTokens", "Family", "check_pattern", "read_families"]

Encoding = Literal["cumulative", "exclusive"]
"""`cumulative`: a document at a level also holds the tokens of all lower ones. `exclusive`: it holds one level."""

PATTERN = r"(.+)_([0-9]+)"
"""How tokens that belong to a family read when nothing else is said: its name, and a level."""

_COLUMNS = ("family", "level", "token", "encoding")
_SEPARATORS = {".tsv": "\t", ".tab": "\t", ".csv": ","}


@dataclass(frozen=True)
class Family:
    """Tokens that are degrees of one thing."""

    name: str
    """What the table calls it."""
    encoding: Encoding
    """What a document with a level holds of the others."""
    levels: tuple[int, ...]
    """Ascending; none when the family is unary: present or absent, without degrees."""
    n_tokens: int
    """Declared tokens."""

    @property
    def n_levels(self) -> int:
        """Levels, 1 for a unary family."""
        return max(len(self.levels), 1)


@dataclass(frozen=True)
class _Member:
    family: int
    level: int
    weight: float


@dataclass(frozen=True)
class FamiliesOfTokens:
    """Which family and level each token of a vocabulary has."""

    family: npt.NDArray[np.int32]
    """Index of its family, -1 for none, [tokens]."""
    level: npt.NDArray[np.int32]
    """Rank of its level, the lowest being 1; 0 for none, [tokens]."""
    weight: npt.NDArray[np.float64]
    """Declared weight, or the level; NaN for a unary token without a weight and for tokens of no family, [tokens]."""
    n_missing: tuple[int, ...]
    """Declared tokens of each family that the vocabulary does not have."""


@dataclass(frozen=True)
class Families:
    """What a table declares."""

    name: str
    """Name of the file, without its folder."""
    sha256: str
    """Digest of its bytes."""
    families: tuple[Family, ...]
    """In the order in which they first come."""
    members: Mapping[str, _Member]
    """Family, level and weight of each token, by what it reads as."""

    def of(self, strings: Sequence[str], pattern: str, *, allow_missing: bool) -> FamiliesOfTokens:
        """Look up the tokens of a vocabulary; entries that read alike are all the same token.

        Raises
        ------
        SourceError
            When a token of the vocabulary matches the pattern with a declared family and a level that is not declared,
            or when the vocabulary lacks a declared token and that is not allowed.
        """
        self._refuse_unknown_levels(strings, pattern)
        missing = sorted(set(self.members) - set(strings))
        if missing and not allow_missing:
            raise SourceError(
                f"{len(missing)} tokens of '{self.name}' are not in the vocabulary; the first: {missing[0]!r}",
                hint="Write tokens as the vocabulary has them, spaces included; set 'allow_missing' if the corpus "
                "just never has them.",
            )
        found = [self.members.get(string) for string in strings]
        ranks = [{level: place + 1 for place, level in enumerate(family.levels)} for family in self.families]
        n_missing = np.bincount([self.members[token].family for token in missing], minlength=len(self.families))
        return FamiliesOfTokens(
            np.array([-1 if one is None else one.family for one in found], np.int32),
            np.array([0 if one is None else ranks[one.family].get(one.level, 1) for one in found], np.int32),
            np.array([math.nan if one is None else one.weight for one in found], np.float64),
            tuple(n_missing.tolist()),
        )

    def _refuse_unknown_levels(self, strings: Sequence[str], pattern: str) -> None:
        if not pattern:
            return
        names, expression = {family.name for family in self.families}, check_pattern(pattern)
        for string in strings:
            match = None if string in self.members else expression.fullmatch(string)
            if match and match[1] in names:
                raise SourceError(
                    f"The token {string!r} has the level {match[2]} of family '{match[1]}', which '{self.name}' "
                    "does not declare",
                    hint="Declare the level: its documents would otherwise count as documents without the family. "
                    "If the token only looks like one, set another 'pattern', or none.",
                )


def check_pattern(pattern: str) -> re.Pattern[str]:
    """Return a regular expression of family and level; `InvalidInput` when it is none with two groups."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise InvalidInput(f"'pattern' is not a regular expression: {pattern!r}: {error}") from error
    if pattern and expression.groups != 2:
        raise InvalidInput(
            f"'pattern' must have two groups, family and level, found: {expression.groups} in {pattern!r}"
        )
    return expression


def read_families(path: str) -> Families:
    """Read a table of families.

    Parameters
    ----------
    path
        TSV, CSV or Parquet with the columns `family`, `level` (whole numbers, or empty for all tokens of a unary
        family), `token`, `encoding`, and, if wanted, `weight`.

    Raises
    ------
    InvalidInput
        When no path is given.
    SourceError
        When there is no such file, or it does not say what it should.
    """
    if not path:
        raise InvalidInput(
            "The families of tokens are not given",
            hint="Set 'families' to a TSV, CSV or Parquet with the columns family, level, token and encoding.",
        )
    file = Path(path).expanduser()
    try:
        data = file.read_bytes()
    except OSError as error:
        raise SourceError(f"The table of families cannot be read: '{path}': {error.strerror}") from error
    rows = _rows(data, file)
    if not rows:
        raise SourceError(f"The table of families has no lines: '{path}'", kind="empty-source")
    members: dict[str, _Member] = {}
    encodings: dict[str, str] = {}
    for line, row in enumerate(rows, 1):
        _put(row, f"line {line} of '{file.name}'", members, encodings)
    families = tuple(_family(name, place, encodings[name], members) for place, name in enumerate(encodings))
    return Families(file.name, digest_bytes(data), families, members)


_UNARY = -(2**62)
"""Stands for the level of a token that has none."""


def _rows(data: bytes, file: Path) -> list[dict[str, Any]]:
    suffix = file.suffix.lower()
    if suffix == ".parquet":
        rows = _parquet_rows(data, file)
    elif suffix in _SEPARATORS:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise SourceError(f"The table of families is not UTF-8: '{file}': {error}") from error
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=_SEPARATORS[suffix])
        rows = list(reader)
        _check_columns(reader.fieldnames or (), file)
    else:
        raise SourceError(
            f"A table of families ends in .tsv, .csv or .parquet, found: '{file.name}'", kind="wrong-file-type"
        )
    return rows


def _parquet_rows(data: bytes, file: Path) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data))
    except pa.ArrowException as error:
        raise SourceError(f"'{file}' cannot be read as Parquet: {error}", kind="wrong-file-type") from error
    _check_columns(table.column_names, file)
    return cast("list[dict[str, Any]]", table.to_pylist())


def _check_columns(names: Sequence[str], file: Path) -> None:
    lacking = [name for name in _COLUMNS if name not in names]
    if lacking:
        raise SourceError(
            f"The table of families has no column '{lacking[0]}': '{file}' has: {', '.join(names)}",
            hint=f"It needs {', '.join(_COLUMNS)}, and may have weight.",
            kind="missing-dataset",
        )


def _put(row: Mapping[str, Any], where: str, members: dict[str, _Member], encodings: dict[str, str]) -> None:
    """Add the token of one line."""
    family, token, encoding = (str(row[name] or "") for name in ("family", "token", "encoding"))
    if not family or not token:
        raise SourceError(f"There is no {'token' if family else 'family'} in {where}")
    if encoding not in {"cumulative", "exclusive"}:
        raise SourceError(f"An encoding is 'cumulative' or 'exclusive', found {encoding!r} in {where}")
    if encodings.setdefault(family, encoding) != encoding:
        raise SourceError(f"Family '{family}' is cumulative and exclusive at once, see {where}")
    if token in members:
        raise SourceError(f"The token {token!r} is declared twice, see {where}", kind="duplicate-id")
    level = _number(row["level"], "level", where)
    weight = _number(row.get("weight"), "weight", where)
    if level is not None and level != int(level):
        raise SourceError(f"A level is a whole number, found {level} in {where}")
    if weight is not None and weight < 0:
        raise SourceError(f"A weight is at least 0, found {weight} in {where}")
    fallback = math.nan if level is None else level
    members[token] = _Member(
        list(encodings).index(family),
        _UNARY if level is None else int(level),
        fallback if weight is None else weight,
    )


def _number(value: object, name: str, where: str) -> float | None:
    if value is None or value == "":
        return None
    try:
        number = float(cast("str | float", value))
    except ValueError as error:
        raise SourceError(f"A {name} is a number, found {value!r} in {where}") from error
    if not math.isfinite(number):
        raise SourceError(f"A {name} is a finite number, found {value!r} in {where}")
    return number


def _family(name: str, place: int, encoding: str, members: Mapping[str, _Member]) -> Family:
    levels = [member.level for member in members.values() if member.family == place]
    distinct = sorted(set(levels))
    if _UNARY in distinct and len(distinct) > 1:
        raise SourceError(
            f"Family '{name}' has tokens with a level and tokens without",
            hint="Give all its tokens a level, or none for a family that is present or absent.",
        )
    return Family(name, cast("Encoding", encoding), () if _UNARY in distinct else tuple(distinct), len(levels))
