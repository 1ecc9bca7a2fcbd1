"""How each feature depends on families of tokens with ordered levels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from saeatlas.analyses._columns import block_entries, blocks, nullable
from saeatlas.analyses._token_family_file import PATTERN, Families, check_pattern, read_families
from saeatlas.analyses._token_family_levels import LevelsOfDocuments, levels_of_documents
from saeatlas.analyses._token_sets import Pool, needed_tokens, pooled, token_sets, token_sets_bytes
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.pipeline.recipe import fields_of
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE
    from saeatlas.kernels.documents import DocumentSums
    from saeatlas.kernels.token_families import Cells

__all__ = ["TokenFamilies", "plugin"]

_LEAST_EXPECTED = 5.0
"""Documents that fires or not by present or not must lead to expect for the test of the trend."""
_APPROXIMATE = frozenset({"trend_p", "partial_p"})
"""Tests that promise too much where fewer are expected."""
_LINES_AT_ONCE = 262_144


@dataclass(frozen=True, kw_only=True)
class TokenFamilies(Analysis):
    """How each feature depends on families of tokens with ordered levels.

    A table declares the families. The unit is the document: its level of a family is the highest that one of its
    tokens has. One line per feature and family; `levels` has one per level, documents without the family being the
    baseline; `families` says what was found in the corpus. Means are over all documents, silent ones included.

    Examples
    --------
    saeatlas analyze token-families --families families.tsv
    """

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.FEATURE_LIST
    needs: ClassVar[frozenset[str]] = frozenset({"activations", "tokens", "documents"})
    paths: ClassVar[frozenset[str]] = frozenset({"families"})

    families: str = ""
    """Table of families (TSV, CSV or Parquet): family, level, token and encoding, 'cumulative' or 'exclusive'."""
    pool: Pool = "max"
    """A feature's activation in a document: largest value, mean over all rows, or sum."""
    pattern: str = PATTERN
    """Tokens that match, with a declared family and another level, are an error; empty to take them as they are."""
    allow_missing: bool = False
    """Whether families may have tokens that the vocabulary does not have."""

    def __post_init__(self) -> None:
        check_pattern(self.pattern)

    @cached_property
    def _declared(self) -> Families:
        # Read once, so that what is computed is what the digest in the parameters is of.
        return read_families(self.families)

    def params(self) -> dict[str, Any]:
        """Return the fields, the table of families by its name and digest."""
        declared = self._declared
        return fields_of(self) | {"families": declared.name, "families_sha256": declared.sha256}

    def schema(self) -> dict[str, pa.Schema]:
        """Return the schemas; see docs/reference/analyses/token-families.md for each column."""
        import pyarrow as pa

        def given(kind: pa.DataType, *names: str) -> list[pa.Field]:
            return [pa.field(name, kind, nullable=False) for name in names]

        def numbers(*names: str) -> list[pa.Field]:
            return [pa.field(name, pa.float64()) for name in names]

        text, count = pa.string(), pa.int64()
        head = [*given(pa.uint32(), "feature"), *given(text, "family")]
        means = ("mean_present", "mean_absent", "delta", "delta_low", "delta_high")
        data = [*head, *given(count, "n_documents", "n_present", "n_active", "n_active_present")]
        data += numbers("rate_present", "rate_absent", *means, "mean_active_present", "mean_active_absent", "lift")
        data += numbers("cramers_v", "p", "q", "min_expected", "trend_rho", "trend_p", "trend_q")
        data += numbers("partial_rho", "partial_p", "partial_q")
        levels = [*head, *given(pa.bool_(), "is_absent"), pa.field("level", count)]
        levels += given(count, "n_documents", "n_active")
        levels += numbers("rate", "rate_low", "rate_high", "mean", "mean_low", "mean_high", "std", "mean_active")
        levels += numbers("delta", "delta_low", "delta_high")
        families = [*given(text, "family", "encoding"), *given(pa.list_(count), "levels")]
        families += given(count, "n_tokens", "n_missing", "n_documents", "n_unknown", "n_present", "n_irregular")
        families += given(count, "n_features_tested")
        return {"data": pa.schema(data), "levels": pa.schema(levels), "families": pa.schema(families)}

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table | Iterator[pa.RecordBatch]]:
        """Compare levels block after block; memory as `peak_bytes` says.

        Raises
        ------
        InvalidInput
            When no families are given.
        NotFound
            When the corpus has no tokens.
        SourceError
            When the families do not fit the vocabulary.
        """
        from saeatlas.kernels.documents import per_document

        declared, tokens, corpus = self._declared, needed_tokens(sae), sae.corpus
        strings = tokens.vocabulary().column("string").to_pylist()
        of_tokens = declared.of(strings, self.pattern, allow_missing=self.allow_missing)
        levels = levels_of_documents(token_sets(corpus, tokens), declared, of_tokens, corpus.documents.lengths())
        found = _Found.empty(sae.n_features, levels)
        for block in blocks(sae, progress):
            documents = block.gather(corpus.documents.row_documents)
            sums = per_document(block.indptr, documents, block.values, corpus.n_documents)
            found.put(block.first, sums, pooled(sums, corpus.documents.lengths(), self.pool))
        return {"data": found.data(), "levels": found.level_lines(), "families": found.families(declared)}

    def peak_bytes(self, sae: SAE) -> int:
        """Return the sum of what follows.

        300 MB for the program; the token sets of all documents; 80 bytes per document, and 20 per document and family;
        100 per entry of the largest block; 300 per token of the vocabulary; 24 per feature and level.
        """
        corpus = sae.corpus
        declared = self._declared.families if self.families else ()
        n_levels = sum(family.n_levels + 1 for family in declared)
        n_tokens = corpus.tokens.n_tokens if corpus.tokens is not None else 0
        segment = max((reader.info.n_rows for reader in sae.activations.segments), default=0)
        answer = sae.n_features * (24 * n_levels + 200 * len(declared)) + 200 * _LINES_AT_ONCE
        documents = (80 + 20 * len(declared)) * corpus.n_documents + token_sets_bytes(corpus)
        return 300_000_000 + documents + 100 * block_entries(sae) + 4 * segment + 300 * n_tokens + answer


@dataclass(frozen=True)
class _Found:
    """What is found about all features; arrays [n_features, cells or families] that are filled block after block."""

    levels: LevelsOfDocuments
    n_active: npt.NDArray[np.int64]
    sum: npt.NDArray[np.float64]
    squares: npt.NDArray[np.float64]
    tests: dict[str, npt.NDArray[np.float64]]
    """Numbers by feature and family, NaN where undefined."""

    @classmethod
    def empty(cls, n_features: int, levels: LevelsOfDocuments) -> _Found:
        shape = (n_features, levels.n_documents.size)
        names = ("cramers_v", "p", "min_expected", "trend_rho", "trend_p", "partial_rho", "partial_p")
        tests = {name: np.full((n_features, len(levels.names)), np.nan) for name in names}
        return cls(levels, np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape), tests)

    def put(self, first: int, sums: DocumentSums, activations: npt.NDArray[np.float64]) -> None:
        """Add the features of a block."""
        from saeatlas.kernels.association import cramers_v, rank_order, spearman
        from saeatlas.kernels.documents import DocumentSums
        from saeatlas.kernels.token_families import cell_moments, partial_correlation

        levels = self.levels
        here = slice(first, first + sums.indptr.size - 1)
        cells = cell_moments(sums.indptr, sums.documents, activations, levels.cells, levels.n_documents)
        self.n_active[here], self.sum[here], self.squares[here] = cells.n_active, cells.sum, cells.squares
        as_sums = DocumentSums(sums.indptr, sums.documents, sums.count, activations, sums.max)
        means, order = rank_order(as_sums, np.ones(levels.cells.shape[0], np.int64))
        by_length = spearman(as_sums, means, order, levels.length_ranks).rho
        for family, part in enumerate(levels.parts):
            v = cramers_v(cells.n_active[:, part], levels.n_documents[part])
            trend = spearman(as_sums, means, order, levels.ranks[family])
            fires, n_present = cells.n_active[:, part].sum(axis=1), int(levels.n_documents[part][1:].sum())
            enough = _expected(fires, n_present, levels.n_known) >= _LEAST_EXPECTED
            rho, p = partial_correlation(trend.rho, by_length, float(levels.length_rho[family]), levels.n_known)
            found = (v.effect, v.p, v.min_expected, trend.rho, trend.p, rho, p)
            for name, numbers in zip(self.tests, found, strict=True):
                self.tests[name][here, family] = np.where(enough | (name not in _APPROXIMATE), numbers, np.nan)

    def cells(self, features: slice, part: slice) -> Cells:
        """Return some cells of some features."""
        from saeatlas.kernels.token_families import Cells

        where = features, part
        return Cells(self.levels.n_documents[part], self.n_active[where], self.sum[where], self.squares[where])

    def data(self) -> Iterator[pa.RecordBatch]:
        """Yield one line per feature and family."""
        from saeatlas.kernels.association import benjamini_hochberg

        n_families = len(self.levels.names)
        tests = dict(self.tests)
        for name in ("p", "trend_p", "partial_p"):
            by_family = [benjamini_hochberg(np.ascontiguousarray(p)) for p in self.tests[name].T]
            tests[f"{name[:-1]}q"] = np.column_stack(by_family)
        step = max(1, _LINES_AT_ONCE // max(n_families, 1))
        for start in range(0, self.n_active.shape[0], step):
            features = slice(start, min(start + step, self.n_active.shape[0]))
            yield self._data(features, {name: numbers[features] for name, numbers in tests.items()})

    def _data(self, features: slice, tests: dict[str, npt.NDArray[np.float64]]) -> pa.RecordBatch:
        import pyarrow as pa

        from saeatlas.kernels.token_families import add_up, welch_interval

        names, counts = self.levels.names, np.arange(features.start, features.stop, dtype=np.uint32)
        columns: dict[str, list[npt.NDArray[Any]]] = {}
        for part in self.levels.parts:
            absent = self.cells(features, slice(part.start, part.start + 1))
            present = add_up(self.cells(features, slice(part.start + 1, part.stop)))
            n_present, n_absent = present.n_documents, np.broadcast_to(absent.n_documents, present.n_documents.shape)
            n_active = present.n_active + absent.n_active
            low, high = welch_interval(present, absent)
            with np.errstate(invalid="ignore", divide="ignore"):
                lift = (present.n_active / n_active) / (n_present / (n_present + n_absent))
                rates = present.n_active / n_present, absent.n_active / n_absent
            found = {
                "n_documents": n_present + n_absent,
                "n_present": n_present,
                "n_active": n_active,
                "n_active_present": present.n_active,
                "rate_present": rates[0],
                "rate_absent": rates[1],
                "mean_present": present.mean,
                "mean_absent": absent.mean,
                "delta": present.mean - absent.mean,
                "delta_low": low,
                "delta_high": high,
                "mean_active_present": present.mean_active,
                "mean_active_absent": absent.mean_active,
                "lift": lift,
            }
            for name, numbers in found.items():
                columns.setdefault(name, []).append(numbers)
        made = {name: np.concatenate(numbers, axis=1).ravel() for name, numbers in columns.items()} if columns else {}
        made |= {name: numbers.ravel() for name, numbers in tests.items()}
        family = pa.array(list(names), pa.string()).take(pa.array(np.tile(np.arange(len(names)), counts.size)))
        return pa.record_batch({"feature": np.repeat(counts, len(names)), "family": family, **_arrays(made)})

    def level_lines(self) -> Iterator[pa.RecordBatch]:
        """Yield one line per feature, family and level, documents without the family first."""
        n_cells = self.levels.n_documents.size
        step = max(1, _LINES_AT_ONCE // max(n_cells, 1))
        for start in range(0, self.n_active.shape[0], step):
            yield self._level_lines(slice(start, min(start + step, self.n_active.shape[0])))

    def _level_lines(self, features: slice) -> pa.RecordBatch:
        import pyarrow as pa

        from saeatlas.kernels.moments import wilson
        from saeatlas.kernels.token_families import mean_interval, welch_interval

        levels = self.levels
        cells = self.cells(features, slice(None))
        n_features, n_cells = cells.sum.shape
        delta = np.full((3, n_features, n_cells), np.nan)
        for part in levels.parts:
            absent, others = self.cells(features, slice(part.start, part.start + 1)), slice(part.start + 1, part.stop)
            present = self.cells(features, others)
            delta[:, :, others] = present.mean - absent.mean, *welch_interval(present, absent)
        rates = np.full((3, n_features, n_cells), np.nan)
        for cell in np.flatnonzero(levels.n_documents).tolist():
            n = int(levels.n_documents[cell])
            rates[:, :, cell] = cells.n_active[:, cell] / n, *wilson(cells.n_active[:, cell], n)
        low, high = mean_interval(cells)
        numbers = {
            "n_documents": np.broadcast_to(levels.n_documents, cells.sum.shape),
            "n_active": cells.n_active,
            **dict(zip(("rate", "rate_low", "rate_high"), rates, strict=True)),
            "mean": cells.mean,
            "mean_low": low,
            "mean_high": high,
            "std": cells.std,
            "mean_active": cells.mean_active,
            **dict(zip(("delta", "delta_low", "delta_high"), delta, strict=True)),
        }
        place = pa.array(np.tile(np.arange(n_cells), n_features))
        columns = {
            "family": pa.array(levels.cell_family, pa.string()),
            "is_absent": pa.array(levels.cell_is_absent, pa.bool_()),
            "level": pa.array(levels.cell_level, pa.int64()),
        }
        return pa.record_batch(
            {
                "feature": np.repeat(np.arange(features.start, features.stop, dtype=np.uint32), n_cells),
                **{name: column.take(place) for name, column in columns.items()},
                **_arrays({name: array.ravel() for name, array in numbers.items()}),
            }
        )

    def families(self, declared: Families) -> pa.Table:
        """Return one line per family."""
        import pyarrow as pa

        levels = self.levels
        tested = (~np.isnan(self.tests["p"])).sum(axis=0)
        return pa.table(
            {
                "family": pa.array(list(levels.names), pa.string()),
                "encoding": pa.array([family.encoding for family in declared.families], pa.string()),
                "levels": pa.array([list(family.levels) for family in declared.families], pa.list_(pa.int64())),
                "n_tokens": pa.array([family.n_tokens for family in declared.families], pa.int64()),
                "n_missing": pa.array(levels.n_missing, pa.int64()),
                "n_documents": pa.array([levels.n_known] * len(levels.names), pa.int64()),
                "n_unknown": pa.array([levels.n_unknown] * len(levels.names), pa.int64()),
                "n_present": pa.array([int(levels.n_documents[part][1:].sum()) for part in levels.parts], pa.int64()),
                "n_irregular": pa.array(levels.n_irregular, pa.int64()),
                "n_features_tested": pa.array(tested, pa.int64()),
            }
        )


def _expected(fires: npt.NDArray[np.int64], n_present: int, n: int) -> npt.NDArray[np.float64]:
    """Return the smallest expected count of the table of fires or not by present or not."""
    least = np.minimum(fires, n - fires) * min(n_present, n - n_present)
    return np.asarray(least / max(n, 1), np.float64)


def _arrays(columns: dict[str, npt.NDArray[Any]]) -> dict[str, Any]:
    """Return columns as Arrow arrays, NaN being null."""
    return {name: nullable(column) if column.dtype.kind == "f" else column for name, column in columns.items()}


plugin = TokenFamilies
