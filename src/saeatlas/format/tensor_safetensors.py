"""Headers of safetensors files, checked before anything is believed: they come from anyone.

The layout: 8 bytes with the length of the header, little-endian; the header, JSON of name to `dtype`, `shape` and
`data_offsets`; the data. The rules are those of the format's description: no gaps, no overlaps, nothing behind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Final

from saeatlas.errors import SourceError
from saeatlas.format.tensor import Tensor

__all__ = ["read_safetensors_header"]

_MOST_HEADER: Final = 10_000_000
"""Bytes of the largest header that is read. Models of a thousand tensors have 0.1 MB."""

_TYPES: Final[Mapping[str, tuple[str, int]]] = {
    "F16": ("float16", 2),
    "BF16": ("bfloat16", 2),
    "F32": ("float32", 4),
    "F64": ("float64", 8),
    **{name: (name, 1) for name in ("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0")},
    **{name: (name, 2) for name in ("U16", "I16")},
    **{name: (name, 4) for name in ("U32", "I32")},
    **{name: (name, 8) for name in ("U64", "I64", "C64")},
}


def read_safetensors_header(file: BinaryIO, path: Path, n_bytes: int) -> dict[str, Tensor]:
    """Return the tensors of an open file of `n_bytes` bytes by name, in the order of their data.

    Raises
    ------
    SourceError
        Kind truncated-source when the file is shorter than it says; wrong-file-type when it is no safetensors file,
        or a hostile one: an absurd length, offsets that overlap, a shape that does not fit its bytes, a name twice.
    """
    file.seek(0)
    length = int.from_bytes(file.read(8), "little")
    if n_bytes < 8 or length > _MOST_HEADER or length < 2:
        raise _not(path, f"it announces a header of {length:,} bytes" if n_bytes >= 8 else f"it has {n_bytes} bytes")
    if 8 + length > n_bytes:
        raise _short(path, f"its header should have {length:,} bytes", n_bytes)
    header = _parsed(file.read(length), path)
    begin = 8 + length
    tensors, reach = {}, 0
    for name, stored, shape, start, stop in sorted(_entries(header, path), key=lambda entry: entry[3:]):
        if start != reach:
            raise _not(path, f"the data of '{name}' begins at {start:,}, and what is before ends at {reach:,}")
        reach = stop
        tensors[name] = Tensor(name, str(path), shape, stored, partial(_place, file, begin + start))
    if begin + reach > n_bytes:
        raise _short(path, f"it should have {begin + reach:,} bytes", n_bytes)
    if begin + reach < n_bytes:
        raise _not(path, f"{n_bytes - begin - reach:,} bytes follow the last tensor")
    return tensors


def _place(file: BinaryIO, offset: int) -> tuple[BinaryIO, int]:
    return file, offset


def _parsed(data: bytes, path: Path) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            raise _not(path, f"its header names '{next(n for n in names if names.count(n) > 1)}' twice")
        return found

    try:
        header = json.loads(data, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise _not(path, f"its header is not JSON ({str(error)[:80]})") from error
    if not isinstance(header, dict):
        raise _not(path, "its header is not a JSON object")
    return header


def _entries(header: Mapping[str, Any], path: Path) -> list[tuple[str, str, tuple[int, ...], int, int]]:
    """Return name, type, shape, first byte and end of each tensor."""
    entries = []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        fits = isinstance(entry, dict) and {"dtype", "shape", "data_offsets"} <= entry.keys()
        if not fits or not _are_whole(entry["shape"]) or not _are_whole(entry["data_offsets"], n=2):
            raise _not(path, f"the entry of '{name}' is not one of a tensor")
        if entry["dtype"] not in _TYPES:
            raise _not(path, f"the type of '{name}' is not known: {entry['dtype']!r:.40}")
        stored, size = _TYPES[entry["dtype"]]
        start, stop = entry["data_offsets"]
        n_numbers = 1
        for axis in entry["shape"]:
            n_numbers *= axis
        if n_numbers * size != stop - start:
            raise _not(path, f"'{name}' has shape {entry['shape']} of {stored}, and {stop - start:,} bytes")
        entries.append((name, stored, tuple(entry["shape"]), start, stop))
    return entries


def _are_whole(numbers: object, n: int | None = None) -> bool:
    if not isinstance(numbers, list) or len(numbers) > 8 or n not in {None, len(numbers)}:
        return False
    # Python's integers have no limit, so a product of 8 of them cannot wrap round to something small.
    return all(isinstance(number, int) and not isinstance(number, bool) and number >= 0 for number in numbers)


def _not(path: Path, why: str) -> SourceError:
    return SourceError(
        f"Not a safetensors file: '{path}': {why}",
        hint="Give the file that the training or the release wrote.",
        kind="wrong-file-type",
    )


def _short(path: Path, what: str, n_bytes: int) -> SourceError:
    return SourceError(
        f"The safetensors file is cut short: '{path}': {what}, and there are {n_bytes:,}",
        hint="Compare its size with the original and copy it again.",
        kind="truncated-source",
    )
