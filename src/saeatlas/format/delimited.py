"""Tables as cells between commas or tabs, in which no text is one that a spreadsheet would compute."""

from __future__ import annotations

import json
import math
import re
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["read_cell", "write_delimited"]

_FORMULA = "'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
"""Beginning of what a spreadsheet would compute, by full-width signs too; with "'" before it, so that one comes off."""
_BEGINS_AS_FORMULA = re.compile(_FORMULA)


def write_delimited(table: pa.Table, file: IO[bytes], delimiter: str) -> None:
    """Write a table; a text that a spreadsheet would compute gets one "'" before it, and numbers stay as they are.

    Lists and objects are texts in JSON. Names of columns stay, since programs ask for them: they are ours, not those of
    whoever wrote the texts.
    """
    import pyarrow.csv as pc

    pc.write_csv(_guarded(_flat(table)), file, pc.WriteOptions(delimiter=delimiter))


def read_cell(cell: str) -> str:
    """Return the text that was written as `cell`."""
    return cell[1:] if cell[:1] == "'" and _BEGINS_AS_FORMULA.match(cell) else cell


def _guarded(table: pa.Table) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    for place, field in enumerate(table.schema):
        column = table.column(place)
        if pa.types.is_dictionary(field.type):
            column = column.cast(field.type.value_type)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            guarded = pc.replace_substring_regex(column, f"^({_FORMULA})", r"'\1", max_replacements=1)
            table = table.set_column(place, field.name, guarded)
    return table


def _flat(table: pa.Table) -> pa.Table:
    """Return a table whose lists, which these formats lack, are texts in JSON; a missing list stays missing."""
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            texts = [None if value is None else _json(value) for value in table.column(place).to_pylist()]
            table = table.set_column(place, field.name, pa.array(texts, pa.string()))
    return table


def _json(values: object) -> str:
    """Return JSON, in which NaN is null and an infinite number a text, as in the answers of the program."""
    return json.dumps(_finite(values), ensure_ascii=False, allow_nan=False)


def _finite(value: object) -> object:
    if isinstance(value, list):
        return [_finite(item) for item in value]
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value
