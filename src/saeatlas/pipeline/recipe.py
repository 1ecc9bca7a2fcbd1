"""How an artifact was made, as a key: the same recipe is the same artifact, so nothing is made twice."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from saeatlas.errors import InvalidInput
from saeatlas.format.canonical import canonical_json, digest_bytes

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ["Recipe", "check_fields", "fields_of", "make_plugin", "name_of"]


@dataclass(frozen=True)
class Recipe:
    """Everything that the bytes of an artifact depend on."""

    step: str
    """Name of the step."""
    version: int
    """Version of the step: raised whenever its output changes."""
    params: Mapping[str, Any]
    """Parameters, as JSON values."""
    inputs: Mapping[str, str]
    """Name of each input and its digest, or the fingerprint of its content."""

    @property
    def key(self) -> str:
        """64 hex digits; equal recipes have equal keys, whatever the order of their parameters."""
        return digest_bytes(
            canonical_json(
                {
                    "step": self.step,
                    "version": self.version,
                    "params": dict(self.params),
                    "inputs": dict(self.inputs),
                }
            )
        )


def fields_of(plugin: object, *, without: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return the fields of a plug-in dataclass by name, those in `without` left out, as JSON values."""
    if not dataclasses.is_dataclass(plugin) or isinstance(plugin, type):
        raise InvalidInput(f"A plug-in must be a dataclass instance, found: {plugin!r}")
    return {
        field.name: _json(getattr(plugin, field.name))
        for field in dataclasses.fields(plugin)
        if field.name not in without
    }


def _json(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): _json(inner) for name, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_json(inner) for inner in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise InvalidInput(
        f"A parameter must be text, a number, a truth value, a list or a mapping, found: {type(value).__name__}",
        hint="Leave the field out of the recipe, and put what it stands for into a fingerprint.",
    )


def check_fields(plugin: object) -> None:
    """Raise `InvalidInput` when a field of a plug-in dataclass does not hold what its annotation says."""
    from pydantic import ValidationError

    cls = type(plugin)
    values = {field.name: getattr(plugin, field.name) for field in dataclasses.fields(plugin)}  # type: ignore[arg-type]
    try:
        _adapter(cls).validate_python(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(
            f"Field '{place}' of {name_of(cls)}: {first['msg']}, found: {first['input']!r}",
            hint=f"Give '{place}' a value that fits its description.",
        ) from error
    for name, value in values.items():
        # A recipe is JSON, which has no other numbers.
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidInput(f"Field '{name}' of {name_of(cls)}: must be a finite number, found: {value}")


def make_plugin(cls: type, fields: Mapping[str, Any], place: str) -> object:
    """Make a plug-in dataclass from values by name, such as those of a project file; lists become tuples.

    No other type is converted: '12', 12.0 and true are no whole numbers. A whole number does for a measured one.

    Raises
    ------
    InvalidInput
        When a field is unknown, missing or of another type; `place` says where the values were read.
    """
    from pydantic import ValidationError

    known = [field.name for field in dataclasses.fields(cls)]
    unknown = sorted(set(fields) - set(known))
    if unknown:
        raise InvalidInput(
            f"{place}: '{name_of(cls)}' has no field '{unknown[0]}'", hint=f"Known: {', '.join(known) or 'none'}"
        )
    try:
        made: object = _adapter(cls).validate_json(json.dumps(dict(fields), default=str), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        if isinstance(first.get("ctx", {}).get("error"), InvalidInput):
            # The class itself refused a value, and says which.
            own = first["ctx"]["error"]
            raise InvalidInput(f"{place}: {own.message}", hint=own.hint, kind=own.kind) from error
        member = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(
            f"{place}: '{member}' of '{name_of(cls)}': {first['msg']}, found: {first['input']!r:.200}",
            hint=f"See 'saeatlas plugins' and the help of '{name_of(cls)}'.",
        ) from error
    check_fields(made)
    return made


_making = threading.Lock()
_adapters: dict[type, TypeAdapter[Any]] = {}


def _adapter(cls: type) -> TypeAdapter[Any]:
    """Return the checker of a class, made once.

    Making one parses the source of the class, which in Python 3.11 fails in two threads at once
    ("AST constructor recursion depth mismatch").
    """
    from pydantic import TypeAdapter

    with _making:
        if cls not in _adapters:
            _adapters[cls] = TypeAdapter(cls)
        return _adapters[cls]


def name_of(cls: type) -> str:
    """Return the name of a plug-in: its file's, or from its class, `TopTokens` being 'top-tokens'."""
    place: str = cls.__module__
    if getattr(sys.modules[place], "plugin", None) is cls:
        return place.rpartition(".")[2].replace("_", "-")
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", cls.__name__).lower()
