"""Columns of any source as Arrow arrays: text is text, numbers keep their type, a missing value is null."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from saeatlas.errors import SourceError

__all__ = ["check_unique", "column_from_arrow", "column_from_numpy", "decode_bytes", "ids_from_numpy", "is_flat"]


def decode_bytes(found: list[bytes | None], what: str, rows: Iterable[int]) -> pa.Array:
    """Return UTF-8 bytes as strings; the first that is not UTF-8 is a `SourceError` that names its row.

    Parameters
    ----------
    found
        The bytes, None where there are none.
    what
        What they are, for messages.
    rows
        Row of each, for messages; may go on beyond the last.
    """
    try:
        return pa.array(found, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        for row, item in zip(rows, found, strict=False):
            try:
                (item or b"").decode()
            except UnicodeDecodeError as error:
                raise SourceError(
                    f"{what} has bytes that are not UTF-8 in row {row}: {item!r:.80}",
                    hint="Write the file again with UTF-8 text.",
                    kind="undecodable-id",
                ) from error
        raise


def ids_from_numpy(found: npt.NDArray[Any], what: str, rows: Iterable[int] | None = None) -> pa.Array:
    """Return ids as strings: bytes are UTF-8, whole numbers are written in decimal. `rows` as in `decode_bytes`."""
    if found.dtype.kind in "iu":
        return pa.array(found.astype(found.dtype.newbyteorder("="))).cast(pa.string())
    items = found.tolist()
    if any(isinstance(item, str) for item in items):
        items = [item.encode("utf-8", "surrogateescape") if isinstance(item, str) else item for item in items]
    return decode_bytes(items, what, count() if rows is None else rows)


def column_from_numpy(found: npt.NDArray[Any], what: str, first_row: int, *, as_text: bool = False) -> pa.Array | None:
    """Return a 1-D array as an Arrow array, or None when its type has no counterpart.

    Parameters
    ----------
    found
        The values, [n].
    what
        Name of the column for messages.
    first_row
        Row of the first value, for messages.
    as_text
        Whether objects that are not text are written as text.
    """
    kind = found.dtype.kind
    if kind == "U":
        try:
            return pa.array(found.tolist(), pa.string())
        except UnicodeEncodeError as error:
            raise SourceError(f"{what} has text that is not Unicode: {error}", kind="undecodable-id") from error
    if kind == "S":
        return decode_bytes(found.tolist(), what, count(first_row))
    if kind in "iufb" and found.dtype.itemsize <= 8:
        native = found.astype(np.float32 if found.dtype == np.float16 else found.dtype.newbyteorder("="))
        return pa.array(native, from_pandas=True)
    if kind == "M" and np.datetime_data(found.dtype)[0] in {"s", "ms", "us", "ns", "D"}:
        return pa.array(found)
    if kind == "O":
        return _from_objects(found.tolist(), what, first_row, as_text=as_text)
    return None


def _from_objects(items: list[Any], what: str, first_row: int, *, as_text: bool) -> pa.Array:
    if any(isinstance(item, bytes) for item in items):
        return decode_bytes([None if _missing(i) else _as_bytes(i) for i in items], what, count(first_row))
    if not as_text:
        try:
            column = pa.array(items, from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            pass
        else:
            if is_flat(column.type):
                return column.cast(pa.string()) if pa.types.is_null(column.type) else column
    return pa.array([None if _missing(item) else str(item) for item in items], pa.string())


def _missing(item: object) -> bool:
    return item is None or (isinstance(item, float) and math.isnan(item))


def _as_bytes(item: object) -> bytes:
    return item if isinstance(item, bytes) else str(item).encode()


def is_flat(kind: pa.DataType) -> bool:
    """Whether a column of this type can stand in the documents table."""
    flat = (
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_boolean,
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_binary,
        pa.types.is_large_binary,
        pa.types.is_temporal,
        pa.types.is_decimal,
        pa.types.is_null,
    )
    return any(test(kind) for test in flat)


def column_from_arrow(found: pa.Array, what: str, first_row: int, *, as_text: bool = False) -> pa.Array:
    """Return an Arrow array in the type that the documents table keeps; not-a-number becomes null."""
    kind = found.type
    if pa.types.is_dictionary(kind):
        found, kind = found.dictionary_decode(), kind.value_type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return decode_bytes(found.to_pylist(), what, count(first_row))
    if as_text or pa.types.is_large_string(kind) or pa.types.is_null(kind):
        return found.cast(pa.string())
    if pa.types.is_float16(kind):
        found = found.cast(pa.float32())
    if pa.types.is_floating(kind):
        return pc.if_else(pc.is_nan(found), pa.scalar(None, found.type), found)
    return found


def check_unique(ids: pa.Array, what: str) -> None:
    """Raise `SourceError` when an id is missing, or naming an id that occurs twice and both its rows."""
    if ids.null_count:
        row = pc.index(pc.is_null(ids), pa.scalar(value=True)).as_py()
        raise SourceError(f"{what} has no id in row {row}", hint="Give every document an id.", kind="missing-metadata")
    if pc.count_distinct(ids).as_py() == len(ids):
        return
    first: dict[str, int] = {}
    for row, document_id in enumerate(ids.to_pylist()):
        if document_id in first:
            raise SourceError(
                f"{what} has the id '{document_id}' twice: in rows {first[document_id]} and {row}",
                hint="Keep one row for each document.",
                kind="duplicate-id",
            )
        first[document_id] = row
