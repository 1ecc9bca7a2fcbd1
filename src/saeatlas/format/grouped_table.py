"""Read the lines of one feature from a table without reading the others: row group by row group, some of them kept."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from saeatlas.errors import NotFound
from saeatlas.format.table import find_table, unreadable

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa
    import pyarrow.parquet as pq

    from saeatlas.storage import Store

__all__ = ["GroupedTable", "KeptGroups"]

_KEPT_BYTES = 512_000_000
"""What a page about any of 25,000 features reads fits: a row group that is kept costs a page 0.1 ms, not 5."""


class KeptGroups:
    """Row groups that were read last, of any number of tables, up to a number of bytes. Any thread may call it."""

    def __init__(self, most_bytes: int = _KEPT_BYTES) -> None:
        self._most = most_bytes
        self._n_bytes = 0
        self._groups: OrderedDict[tuple[object, ...], tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[object, ...]) -> Any:  # noqa: ANN401  # what was put
        """Return what was put under a key, or None."""
        with self._lock:
            if key not in self._groups:
                return None
            self._groups.move_to_end(key)
            return self._groups[key][0]

    def put(self, key: tuple[object, ...], group: object, n_bytes: int) -> None:
        """Keep a group, and let go of those that were not asked for longest."""
        with self._lock:
            if key in self._groups or n_bytes > self._most:
                return
            self._groups[key] = group, n_bytes
            self._n_bytes += n_bytes
            while self._n_bytes > self._most:
                self._n_bytes -= self._groups.popitem(last=False)[1][1]


class GroupedTable:
    """One table of an artifact, read by feature.

    Parameters
    ----------
    store, prefix, name
        Where the artifact is, and the table's name in it.
    kept
        What keeps row groups between questions.
    """

    def __init__(self, store: Store, prefix: str, name: str, kept: KeptGroups) -> None:
        self._store = store
        self._prefix = prefix
        self._name = name
        self._kept = kept

    @cached_property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        return self._metadata.schema.to_arrow_schema().remove_metadata()

    def lines(
        self, feature: int, columns: Sequence[str] | None = None, below: tuple[str, int] | None = None
    ) -> pa.Table:
        """Return the lines of one feature in the order of the table.

        Parameters
        ----------
        feature
            Its id.
        columns
            Columns to return; None for all.
        below
            A column of whole numbers, and a bound: only lines below it, and only those are kept in memory.

        Notes
        -----
        Decodes the row groups that may hold the feature, unless they are kept.
        """
        import pyarrow as pa

        lows, highs = self._ranges
        groups = np.flatnonzero((lows <= feature) & (feature <= highs)).tolist()
        wanted = None if columns is None else tuple(dict.fromkeys(("feature", *columns)))
        pieces = []
        for group in groups:
            table, features = self._group(group, wanted, below)
            lines = np.flatnonzero(features == feature)
            runs = np.split(lines, np.flatnonzero(np.diff(lines) != 1) + 1)
            pieces += [table.slice(int(run[0]), run.size) for run in runs if run.size]
        if not pieces:
            pieces = [self.schema.empty_table()]
        found = pa.concat_tables(pieces)
        return found if columns is None else found.select(list(columns))

    def _group(
        self, group: int, columns: tuple[str, ...] | None, below: tuple[str, int] | None
    ) -> tuple[pa.Table, npt.NDArray[Any]]:
        import pyarrow as pa

        key = (self._prefix, self._name, group, columns, below)
        kept: tuple[pa.Table, npt.NDArray[Any]] | None = self._kept.get(key)
        if kept is not None:
            return kept
        # A reader of its own for each read: one reader must not be used by two threads.
        try:
            with self._open(self._metadata) as file:
                table = file.read_row_group(group, columns=None if columns is None else list(columns))
        except (pa.ArrowException, OSError) as error:
            raise unreadable(f"{self._prefix}/{self._name}", error) from error
        if below is not None:
            import pyarrow.compute as pc

            table = table.filter(pc.less(table[below[0]], below[1]))
        table = table.combine_chunks()
        # By DLPack, because what turns Arrow arrays into NumPy's imports pandas where that is installed.
        features = np.from_dlpack(table["feature"].chunk(0)) if table.num_rows else np.empty(0, np.uint32)
        self._kept.put(key, (table, features), table.nbytes)
        return table, features

    @cached_property
    def _metadata(self) -> pq.FileMetaData:
        import pyarrow as pa

        try:
            with self._open(None) as file:
                found = file.metadata
        except (pa.ArrowException, OSError) as error:
            raise unreadable(f"{self._prefix}/{self._name}", error) from error
        if "feature" not in found.schema.names:
            raise NotFound(f"The table '{self._name}' in '{self._prefix}' has no lines of features")
        return found

    @cached_property
    def _ranges(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the least and the largest feature of each row group; all there are where the file does not say."""
        metadata = self._metadata
        place = metadata.schema.names.index("feature")
        lows, highs = [], []
        for group in range(metadata.num_row_groups):
            statistics = metadata.row_group(group).column(place).statistics
            knows = statistics is not None and statistics.has_min_max
            lows.append(int(statistics.min) if knows else 0)
            highs.append(int(statistics.max) if knows else np.iinfo(np.int64).max)
        return np.array(lows, np.int64), np.array(highs, np.int64)

    def _open(self, metadata: pq.FileMetaData | None) -> pq.ParquetFile:
        import pyarrow as pa
        import pyarrow.parquet as pq

        key, path = find_table(self._store, self._prefix, self._name)
        return pq.ParquetFile(pa.BufferReader(self._store.get(key)) if path is None else path, metadata=metadata)
