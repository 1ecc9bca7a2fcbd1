"""A full-text index of what was said about features and of the tokens that they fire on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from saeatlas.errors import NotFound
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE

__all__ = ["Search", "plugin"]

_FILE = "search.sqlite"
_AT_ONCE = 50_000
_MOST_REPEATS = 10


@dataclass(frozen=True, kw_only=True)
class Search(Analysis):
    """Index features for 'saeatlas search': by their explanations, and by their tokens of 'top-tokens'.

    What is not there yet is not in the index: run it again after either was added. Labels need no index.

    Examples
    --------
    saeatlas analyze search
    """

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.FEATURE_LIST
    needs: ClassVar[frozenset[str]] = frozenset()
    may_use: ClassVar[frozenset[str]] = frozenset({"explanations", "top-tokens"})

    def schema(self) -> dict[str, pa.Schema]:
        """Return the schema; see docs/reference/analyses/search.md for each column."""
        import pyarrow as pa

        names = ("explanation_words", "token_words")
        feature = pa.field("feature", pa.uint32(), nullable=False)
        return {"data": pa.schema([feature, *(pa.field(name, pa.int32(), nullable=False) for name in names)])}

    def files(self) -> tuple[str, ...]:
        """Return the index."""
        return (_FILE,)

    def compute(
        self, sae: SAE, progress: Progress
    ) -> dict[str, pa.Table | Iterator[pa.RecordBatch] | Callable[[Path], None]]:
        """Write one line for each feature that has words; memory as `peak_bytes` says.

        Raises
        ------
        NotFound
            When the SAE has neither explanations nor the analysis 'top-tokens'.
        """
        self._check(sae)
        counts: list[tuple[int, int, int]] = []

        def write(path: Path) -> None:
            from saeatlas.format.search_index import SearchIndexWriter

            counts.clear()
            with (
                SearchIndexWriter(path, ("explanation", "token")) as index,
                progress.task("Indexing features", total=sae.n_features, unit="features") as task,
            ):
                for feature, explanation, token in _lines(sae):
                    task.advance(feature + 1 - (counts[-1][0] + 1 if counts else 0))
                    index.add(feature, (explanation, token))
                    counts.append((feature, len(explanation), len(token)))

        return {"data": self._counted(counts), _FILE: write}

    def peak_bytes(self, sae: SAE) -> int:
        """Return 500 MB for the program and the index, 400 bytes per feature and 80 per token of 'top-tokens'.

        Raises
        ------
        NotFound
            When there is nothing to index.
        """
        from saeatlas.atlas.tables import state_of

        self._check(sae)
        n_tokens = int(state_of(sae, "top-tokens").params.get("k", 0))
        return 500_000_000 + (400 + 80 * n_tokens) * sae.n_features

    def _check(self, sae: SAE) -> None:
        from saeatlas.atlas.explanations import explanation_sets
        from saeatlas.atlas.tables import state_of

        if not explanation_sets(sae) and not state_of(sae, "top-tokens").is_current:
            raise NotFound(
                f"There is nothing to search in SAE '{sae.name}': it has neither explanations nor 'top-tokens'",
                hint="Import explanations, or run 'saeatlas analyze top-tokens'.",
            )

    def _counted(self, counts: list[tuple[int, int, int]]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        schema = self.schema()["data"]
        for start in range(0, len(counts), _AT_ONCE):
            columns = np.array(counts[start : start + _AT_ONCE], np.int64).T
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            yield pa.record_batch(arrays, schema)


def _lines(sae: SAE) -> Iterator[tuple[int, list[str], list[str]]]:
    """Yield each feature that has words, ascending, with those of its explanations and those of its tokens."""
    explained, fired = _explained(sae), _fired(sae)
    next_explained, next_fired = next(explained, None), next(fired, None)
    while next_explained or next_fired:
        feature = min(one[0] for one in (next_explained, next_fired) if one)
        texts: list[str] = []
        tokens: list[str] = []
        if next_explained and next_explained[0] == feature:
            texts, next_explained = next_explained[1], next(explained, None)
        if next_fired and next_fired[0] == feature:
            tokens, next_fired = next_fired[1], next(fired, None)
        if texts or tokens:
            yield feature, texts, tokens


def _explained(sae: SAE) -> Iterator[tuple[int, list[str]]]:
    """Yield the words of all explanations of a feature, set after set."""
    from saeatlas.kernels.words import words_of

    lines = sae.explanations.sort("feature", maintain_order=True).select("feature", "text")
    for feature, group in groupby(_rows(lines), lambda line: int(line[0])):
        yield feature, [word for _, text in group for word in words_of(text)]


def _fired(sae: SAE) -> Iterator[tuple[int, list[str]]]:
    """Yield the words of the top tokens of a feature; one that it fires on more often is said more often."""
    import polars as pl

    from saeatlas.atlas.tables import state_of
    from saeatlas.format.table import scan_table
    from saeatlas.kernels.words import words_of

    if not state_of(sae, "top-tokens").is_current:
        return
    path = sae.atlas.entries[f"sae/{sae.name}/top-tokens"].path
    lines = scan_table(sae.atlas.store, path).select(pl.col("feature").cast(pl.Int64), "string", "share")
    for feature, group in groupby(_rows(lines), lambda line: int(line[0])):
        words: list[str] = []
        for _, string, share in group:
            words += words_of(string) * max(1, math.floor(share * _MOST_REPEATS))
        yield feature, words


def _rows(lines: pl.LazyFrame) -> Iterable[tuple[Any, ...]]:
    return lines.collect().iter_rows()


plugin = Search
