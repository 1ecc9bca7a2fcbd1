"""JSON that is hashed, and JSON documents that notice any changed byte in themselves."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import TypeVar, cast

from saeatlas.errors import FormatError, InvalidInput

__all__ = ["Record", "canonical_json", "digest_bytes", "plain", "read_document", "take", "write_document"]

Record = dict[str, object]
"""A JSON object."""

_T = TypeVar("_T")
_CHECKSUM = "checksum"
_BLANK = "0" * 64
_MOST_LEVELS = 100
"""Of lists and objects in each other: what can be written at all can be read wherever the call comes from."""
_HINT = "Run 'saeatlas verify --deep' to see what else is damaged, then restore the file from a copy."


def canonical_json(obj: object) -> bytes:
    """Return the one JSON encoding of a value: sorted keys, no spaces, UTF-8, shortest floats.

    NumPy scalars count as their Python values and tuples as lists. NaN, infinities, keys that are no
    strings, other types and more than 100 levels raise `InvalidInput`.
    """
    text = json.dumps(plain(obj), sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return _encode(text)


def digest_bytes(data: bytes) -> str:
    """Return the SHA-256 of `data` as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def plain(obj: object, *, levels: int = _MOST_LEVELS) -> object:
    """Return the JSON value of `obj` (see `canonical_json`), of which so many levels are left."""
    if obj is None or isinstance(obj, str | bool | int):
        return obj
    if isinstance(obj, float):
        if not math.isfinite(obj):
            raise InvalidInput(f"JSON has no value for {obj}", hint="State an unknown number as null.")
        return float(obj)
    if isinstance(obj, Mapping | list | tuple) and not levels:
        raise InvalidInput(f"Lists and objects stand in each other more than {_MOST_LEVELS} levels deep")
    if isinstance(obj, Mapping):
        if not all(isinstance(key, str) for key in obj):
            raise InvalidInput(f"The keys of a JSON object must be strings, found: {list(obj)!r:.200}")
        return {key: plain(value, levels=levels - 1) for key, value in obj.items()}
    if isinstance(obj, list | tuple):
        return [plain(value, levels=levels - 1) for value in obj]
    item = getattr(obj, "item", None)
    if callable(item) and getattr(obj, "ndim", None) == 0:
        return plain(item())
    raise InvalidInput(f"JSON has no value for a {type(obj).__name__}: {obj!r:.200}")


def write_document(record: Mapping[str, object]) -> bytes:
    """Return a JSON document for people and programs whose member `checksum` covers all of its bytes.

    The checksum is the SHA-256 of the document with 64 zeros in the checksum's own place. To verify,
    replace the checksum's digits by zeros wherever they stand and hash: no formatting need be known.
    """
    blank = {**cast("Record", plain(record)), _CHECKSUM: _BLANK}
    data = _encode(json.dumps(blank, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")
    # Only the top level is indented by one space, and a string holds no bare line break.
    place = f'\n "{_CHECKSUM}": "'.encode()
    return data.replace(place + _BLANK.encode(), place + digest_bytes(data).encode(), 1)


def read_document(data: bytes, what: str) -> Record:
    """Return the members of a document that `write_document` made, without its checksum.

    Parameters
    ----------
    data
        The bytes of the file.
    what
        The file's key, for messages.

    Raises
    ------
    FormatError
        Kind corrupt-artifact when it is no JSON object, kind digest-mismatch when a byte has changed.
    """
    try:
        record = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"'{what}' is not JSON: {error}", hint=_HINT, kind="corrupt-artifact") from error
    if not isinstance(record, dict):
        raise FormatError(f"'{what}' is not a JSON object", hint=_HINT, kind="corrupt-artifact")
    checksum = record.pop(_CHECKSUM, None)
    if not isinstance(checksum, str) or len(checksum) != len(_BLANK):
        raise FormatError(f"'{what}' has no checksum", hint=_HINT, kind="corrupt-artifact")
    if digest_bytes(data.replace(checksum.encode("utf-8", "replace"), _BLANK.encode())) != checksum:
        raise FormatError(f"'{what}' was changed or damaged: its checksum differs", hint=_HINT, kind="digest-mismatch")
    return record


def take(record: Mapping[str, object], name: str, kind: type[_T], what: str) -> _T:
    """Return a member of a record that must be of one JSON type, else `FormatError` names it and the file.

    A whole number passes as a float; a boolean passes as a boolean only.
    """
    value = record.get(name)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return cast("_T", float(value))
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        found = "nothing" if name not in record else f"{value!r:.100}"
        raise FormatError(
            f"'{what}' must have a member '{name}' of type {kind.__name__}, found: {found}",
            hint=_HINT,
            kind="corrupt-artifact",
        )
    return value


def _encode(text: str) -> bytes:
    # A lone surrogate, as in a file name that is not UTF-8, becomes the JSON escape \udcxx.
    return text.encode("utf-8", "backslashreplace")


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")
