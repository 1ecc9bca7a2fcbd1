"""A metadata file of any kind as named columns, one value for a document; the kind is seen from the content."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from saeatlas.errors import SourceError
from saeatlas.format.source_file import HDF5_MAGIC, PARQUET_MAGIC, ZIP_MAGIC, check_file
from saeatlas.importers._columns import column_from_arrow, is_flat

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Metadata", "open_metadata"]

_BATCH = 65_536


class Metadata(Protocol):
    """Columns of one length."""

    names: tuple[str, ...]
    """Names of the columns, in the order of the file."""
    n_rows: int
    """Values in each."""
    notes: tuple[str, ...]
    """Sentences about what was left out."""

    def read(self, name: str, *, as_text: bool = False) -> Iterator[pa.Array]:
        """Yield a column in pieces; `as_text` writes numbers as text."""
        ...


def open_metadata(path: Path, *, text_columns: tuple[str, ...], trust_pickle: bool = False) -> Metadata:
    """Open NPZ, Parquet, CSV, TSV or JSON-lines metadata.

    NPZ and Parquet are read as a stream; the text formats are read whole, since a column's type shows only at its end.

    Parameters
    ----------
    path
        The file.
    text_columns
        Columns that CSV must read as text even when they look like numbers, so that '007' stays '007'.
    trust_pickle
        Whether NPZ arrays of Python objects may be unpickled.
    """
    head = check_file(path, "metadata")
    if head.startswith(ZIP_MAGIC):
        from saeatlas.importers._npz import NpzMetadata

        return NpzMetadata(path, trust_pickle=trust_pickle)
    if head.startswith(PARQUET_MAGIC):
        return _Parquet(path)
    if head.startswith((HDF5_MAGIC, b"\x93NUMPY", b"\x1f\x8b", b"\x28\xb5\x2f\xfd")) or b"\x00" in head:
        raise SourceError(
            f"The metadata is not NPZ, Parquet, CSV or JSON lines: '{path}' begins with {head[:8]!r}",
            hint="Give a file of one of these kinds, uncompressed.",
            kind="wrong-file-type",
        )
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"["):
        raise SourceError(
            f"The metadata is a JSON array, not JSON lines: '{path}'",
            hint="Write one object on each line.",
            kind="wrong-file-type",
        )
    return _Table(path, _read_text(path, text, text_columns))


class _Table:
    """A table in memory."""

    def __init__(self, path: Path, table: pa.Table) -> None:
        self._table = table
        self.path = path
        self.names, self.notes = _split(table.schema)
        self.n_rows = table.num_rows

    def read(self, name: str, *, as_text: bool = False) -> Iterator[pa.Array]:
        yield from _converted(self._table.column(name).chunks, name, as_text=as_text)


class _Parquet:
    """A Parquet file, read one column and one batch at a time."""

    def __init__(self, path: Path) -> None:
        import pyarrow.parquet as pq

        self.path = path
        try:
            with pq.ParquetFile(path) as file:
                self.names, self.notes = _split(file.schema_arrow)
                self.n_rows = file.metadata.num_rows
        except (pa.ArrowInvalid, OSError) as error:
            raise _damaged(path, error) from error

    def read(self, name: str, *, as_text: bool = False) -> Iterator[pa.Array]:
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path) as file:
            batches = file.iter_batches(_BATCH, columns=[name])
            try:
                yield from _converted((batch.column(0) for batch in batches), name, as_text=as_text)
            except (pa.ArrowInvalid, OSError) as error:
                raise _damaged(self.path, error) from error


def _converted(pieces: Iterator[pa.Array] | list[pa.Array], name: str, *, as_text: bool) -> Iterator[pa.Array]:
    row = 0
    for piece in pieces:
        yield column_from_arrow(piece, f"The column '{name}' of the metadata", row, as_text=as_text)
        row += len(piece)


def _damaged(path: Path, error: Exception) -> SourceError:
    return SourceError(
        f"The Parquet file is cut short or damaged: '{path}': {error}",
        hint="Compare its size with the original and copy it again.",
        kind="truncated-source",
    )


def _split(schema: pa.Schema) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the columns that can be kept, and sentences about the others."""
    flat, notes = [], []
    for field in schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if is_flat(kind):
            flat.append(field.name)
        else:
            notes.append(f"The column '{field.name}' of the metadata is left out: it holds {field.type}")
    return tuple(flat), tuple(notes)


def _read_text(path: Path, head: bytes, text_columns: tuple[str, ...]) -> pa.Table:
    import polars as pl

    is_json = head.startswith(b"{")
    try:
        if is_json:
            frame = pl.read_ndjson(path, infer_schema_length=None)
        else:
            line = head.partition(b"\n")[0]
            separator = "\t" if b"\t" in line and b"," not in line else ","
            as_text = dict.fromkeys(text_columns, pl.String)
            present = pl.read_csv(path, n_rows=0, separator=separator).columns
            overrides = {name: kind for name, kind in as_text.items() if name in present}
            frame = pl.read_csv(path, infer_schema_length=None, separator=separator, schema_overrides=overrides)
    except pl.exceptions.PolarsError as error:
        raise SourceError(
            f"The metadata cannot be read as {'JSON lines' if is_json else 'CSV'}: '{path}': {str(error)[:300]}",
            hint="Check that it is UTF-8 text with the same columns in every line, or give NPZ or Parquet.",
            kind="wrong-file-type",
        ) from error
    return _without_128_bits(frame).to_arrow(compat_level=pl.CompatLevel.oldest())


def _without_128_bits(frame: pl.DataFrame) -> pl.DataFrame:
    """Return whole numbers above 2**63, which the readers hold in 128 bits that Arrow lacks, as uint64 or as text."""
    import polars as pl

    wide = [name for name, kind in frame.schema.items() if kind in {pl.Int128, pl.UInt128}]
    unsigned = [name for name in wide if frame[name].min() >= 0 and frame[name].max() < 2**64]  # type: ignore[operator]  # they are numbers
    return frame.cast({name: pl.UInt64 if name in unsigned else pl.String for name in wide})
