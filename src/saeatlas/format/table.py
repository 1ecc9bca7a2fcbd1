"""Tables: one Parquet file each, with exactly the schema that was declared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from saeatlas.errors import FormatError, InternalError, NotFound, SourceError
from saeatlas.storage import Store
from saeatlas.storage.keys import join_key

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = [
    "ROW_GROUP",
    "find_table",
    "fit",
    "read_table",
    "scan_table",
    "scanning",
    "unreadable",
    "write_batches",
    "write_table",
]

ROW_GROUP = 8_192
"""Rows of a Parquet row group: what is read and decoded to find the lines of one feature. Groups of 65,536 make files
9 % smaller, and one such look eight times as dear."""


def write_table(directory: Path, table: pa.Table, schema: pa.Schema, name: str = "data") -> None:
    """Write `<name>.parquet` into a directory; see `write_batches`."""
    write_batches(directory, [table], schema, name)


def write_batches(
    directory: Path, batches: Iterable[pa.Table | pa.RecordBatch], schema: pa.Schema, name: str = "data"
) -> int:
    """Write `<name>.parquet` from any number of pieces and return the number of rows.

    Peak memory is one piece and one row group. The bytes depend on the rows only, not on the pieces.

    Raises
    ------
    InternalError
        When a piece does not have the declared columns.
    SourceError
        When a value does not fit its declared type, or is missing where none may be.
    """
    import pyarrow.parquet as pq

    n_rows = 0
    path = directory / f"{name}.parquet"
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for group in _row_groups(batches, schema):
            writer.write_table(group, row_group_size=ROW_GROUP)
            n_rows += group.num_rows
    return n_rows


def fit(piece: pa.Table | pa.RecordBatch, schema: pa.Schema) -> pa.Table:
    """Return a table with the columns and types of `schema`, or raise as `write_batches` does."""
    import pyarrow as pa

    table = piece if isinstance(piece, pa.Table) else pa.Table.from_batches([piece])
    if set(table.column_names) != set(schema.names) or table.num_columns != len(schema.names):
        raise InternalError(f"A table must have the columns {schema.names}, found: {table.column_names}")
    table = table.select(schema.names)
    columns = []
    for field in schema:
        column = table.column(field.name)
        try:
            column = column.cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise SourceError(f"Column '{field.name}' does not fit its type {field.type}: {error}") from error
        if not field.nullable and column.null_count:
            raise SourceError(f"Column '{field.name}' may have no missing value, found: {column.null_count}")
        columns.append(column)
    return pa.Table.from_arrays(columns, schema=schema)


def read_table(store: Store, prefix: str, name: str = "data", columns: Sequence[str] | None = None) -> pa.Table:
    """Return a table of the artifact at `prefix`.

    Parameters
    ----------
    store, prefix, name
        Where the artifact is, and the table's name in it.
    columns
        Columns to read, in this order, or None for all.

    Raises
    ------
    NotFound
        When there is no such table or column; the hint lists the columns.
    FormatError
        Kind corrupt-artifact when it is not Parquet.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    key, path = find_table(store, prefix, name)
    try:
        with pq.ParquetFile(pa.BufferReader(store.get(key)) if path is None else path) as file:
            names = file.schema_arrow.names
            unknown = [column for column in columns or () if column not in names]
            if unknown:
                raise NotFound(f"The table '{key}' has no column '{unknown[0]}'", hint=f"Columns: {', '.join(names)}")
            table = file.read(columns=None if columns is None else list(columns))
    except (pa.ArrowException, OSError) as error:
        raise unreadable(key, error) from error
    return table if columns is None else table.select(list(columns))


def scan_table(store: Store, prefix: str, name: str = "data") -> pl.LazyFrame:
    """Return a table of the artifact at `prefix` as a lazy frame; nothing is read yet from a local store."""
    import polars as pl

    key, path = find_table(store, prefix, name)
    if path is None:
        import io

        return pl.read_parquet(io.BytesIO(store.get(key))).lazy()
    return pl.scan_parquet(path, glob=False)


@contextmanager
def scanning(key: str) -> Iterator[None]:
    """Raise `unreadable` where a scan of a table meets damage: that is when it is collected."""
    import polars as pl

    try:
        yield
    except (pl.exceptions.ComputeError, OSError) as error:
        raise unreadable(key, error) from error


def unreadable(key: str, error: Exception) -> FormatError:
    """Return the error for a file that is no table, or a damaged one."""
    return FormatError(
        f"'{key}' cannot be read as Parquet: {error}",
        hint="Run 'saeatlas verify --deep' to see what else is damaged.",
        kind="corrupt-artifact",
    )


def find_table(store: Store, prefix: str, name: str) -> tuple[str, Path | None]:
    """Return the key of a table, and its file where it is one; `NotFound` lists the tables that there are.

    Raises `FormatError`, kind corrupt-artifact, when nothing is there: a commit lists it, and it was taken away.
    """
    key = join_key(prefix, f"{name}.parquet")
    try:
        return key, store.open(key).path
    except NotFound as error:
        children = store.children(prefix)
        if not children:
            raise FormatError(
                f"'{prefix}' is there no more",
                hint="Run 'saeatlas verify' to see what else is missing; building again makes what can be made again.",
                kind="corrupt-artifact",
            ) from error
        tables = [child.removesuffix(".parquet") for child in children if child.endswith(".parquet")]
        hint = f"Tables: {', '.join(tables) or 'none'}"
        raise NotFound(f"No table '{name}' in '{prefix}'", hint=hint) from error


def _row_groups(batches: Iterable[pa.Table | pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield tables of whole row groups, then the rest: what is written must not depend on the pieces."""
    import pyarrow as pa

    held: list[pa.Table] = []
    n_held = 0
    for piece in batches:
        held.append(fit(piece, schema))
        n_held += piece.num_rows
        if n_held >= ROW_GROUP:
            table = pa.concat_tables(held)
            whole = n_held - n_held % ROW_GROUP
            yield table.slice(0, whole).combine_chunks()
            held, n_held = [table.slice(whole)], n_held - whole
    if n_held:
        yield pa.concat_tables(held).combine_chunks()
