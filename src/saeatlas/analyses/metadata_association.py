"""How each feature depends on the metadata of documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from saeatlas.analyses._columns import block_entries, blocks, check_whole, nullable
from saeatlas.errors import InvalidInput
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from saeatlas.atlas.properties import Association, Property
    from saeatlas.atlas.sae import SAE
    from saeatlas.kernels.documents import DocumentSums

__all__ = ["MetadataAssociation", "plugin"]

_NUMBERS = ("effect", "corrected", "p", "min_expected")


@dataclass(frozen=True, kw_only=True)
class MetadataAssociation(Analysis):
    """How each feature depends on the metadata of documents, with effect sizes and false discovery rates.

    The unit is the document, because rows within one are not independent. Categories: Cramér's V of whether the
    feature fires in the document. Numbers: Spearman's rank correlation with the mean activation over all rows of
    the document. q is Benjamini-Hochberg over the features of one column. Three tables: `data` by feature and
    column; `levels` by feature and level, documents without a value being a level of their own; `columns` with
    what was tested and why the others were not.

    Examples
    --------
    saeatlas analyze metadata-association --columns stars
    """

    version: ClassVar[int] = 3
    axis: ClassVar[Axis] = Axis.FEATURE_LIST
    needs: ClassVar[frozenset[str]] = frozenset({"activations", "documents"})

    columns: tuple[str, ...] = ()
    """Metadata columns to test; none means all that can be tested."""
    max_levels: int = 50
    """A category with more levels than this is not tested."""

    def __post_init__(self) -> None:
        check_whole(self, max_levels=(2, 10_000))
        if len(set(self.columns)) < len(self.columns):
            raise InvalidInput(f"A column is named twice: {', '.join(self.columns)}")

    def schema(self) -> dict[str, pa.Schema]:
        """Return the schemas; see docs/reference/analyses/metadata-association.md for each column."""
        import pyarrow as pa

        def given(name: str, kind: pa.DataType) -> pa.Field:
            return pa.field(name, kind, nullable=False)

        count, number = pa.int64(), pa.float64()
        feature, column, kind = given("feature", pa.uint32()), given("column", pa.string()), given("kind", pa.string())
        ends = [pa.field("lower", number), pa.field("upper", number)]
        counts = [given(name, count) for name in ("n_rows", "n_active", "n_documents", "n_documents_active")]
        data = [feature, column, kind, given("n_documents", count), given("n_documents_active", count)]
        data += [given("effect_name", pa.string())]
        data += [pa.field(name, number) for name in ("effect", "effect_corrected", "p", "q", "min_expected")]
        levels = [feature, column, pa.field("level", pa.string()), *ends, *counts]
        levels += [pa.field("rate", number), pa.field("mean", number)]
        columns = [column, kind, given("is_tested", pa.bool_()), pa.field("reason", pa.string())]
        columns += [given(name, count) for name in ("n_documents", "n_missing", "n_levels", "n_features_tested")]
        return {"data": pa.schema(data), "levels": pa.schema(levels), "columns": pa.schema(columns)}

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table | Iterator[pa.RecordBatch]]:
        """Associate block after block; memory as `peak_bytes` says.

        Raises
        ------
        NotFound
            When the corpus has no column of a given name.
        InvalidInput
            When a column that was asked for by name cannot be tested.
        """
        from saeatlas.atlas.properties import associate
        from saeatlas.kernels.association import rank_order
        from saeatlas.kernels.documents import per_document

        found = self._properties(sae)
        corpus = sae.corpus
        lengths = corpus.documents.lengths()
        results = [_Result.empty(prop, lengths, sae) for prop in found if not prop.reason]
        for block in blocks(sae, progress) if results else ():
            documents = block.gather(corpus.documents.row_documents)
            sums = per_document(block.indptr, documents, block.values, corpus.n_documents)
            order = rank_order(sums, lengths)
            for result in results:
                result.put(block.first, associate(sums, order, result.prop), sums)
        return {
            "data": (result.data() for result in results),
            "levels": (batch for result in results for batch in result.levels()),
            "columns": _columns(found, {result.prop.name: result for result in results}),
        }

    def peak_bytes(self, sae: SAE) -> int:
        """Return 300 MB for the program, 140 bytes per entry of the largest block, 80 per document, and the answer.

        The answer holds 50 bytes per feature and column, and 16 or 24 bytes per feature and level.
        """
        tested = [prop for prop in self._properties(sae) if not prop.reason]
        n_levels = sum(len(prop.levels) + 1 for prop in tested)
        documents = (60 + 20 * max(len(tested), 1)) * sae.corpus.n_documents
        segment = max((reader.info.n_rows for reader in sae.activations.segments), default=0)
        answer = sae.n_features * (50 * len(tested) + 24 * n_levels)
        return 300_000_000 + 140 * block_entries(sae) + documents + 4 * segment + answer

    def _properties(self, sae: SAE) -> list[Property]:
        from saeatlas.atlas.properties import read_property

        names = self.columns or sae.corpus.metadata_columns
        found = [read_property(sae.corpus, name, self.max_levels) for name in names]
        for prop in found:
            if self.columns and prop.reason:
                raise InvalidInput(
                    f"Column '{prop.name}' cannot be tested: {prop.reason}",
                    hint="Leave it out, or raise 'max_levels' if it has too many levels.",
                )
        return found


@dataclass(frozen=True)
class _Levels:
    """The levels of a column as lines show them: those of the test, then the documents without a value, if any."""

    level: tuple[str | None, ...]
    lower: tuple[float | None, ...]
    upper: tuple[float | None, ...]
    n_documents: npt.NDArray[np.int64]
    n_rows: npt.NDArray[np.int64]

    @classmethod
    def of(cls, prop: Property, missing_rows: int) -> _Levels:
        none = (None,) * (prop.n_missing > 0)
        missing = slice(0, len(none))
        return cls(
            (*prop.levels, *none),
            (*prop.lower, *none),
            (*prop.upper, *none),
            np.append(prop.level_documents, np.array([prop.n_missing])[missing]),
            np.append(prop.level_rows, np.array([missing_rows])[missing]),
        )


@dataclass(frozen=True)
class _Result:
    """What is found about one column; arrays [n_features, ...] that are filled block after block."""

    prop: Property
    missing: npt.NDArray[np.int32]
    """0 for the documents that have rows and no value, -1 for the others; empty when there are none such."""
    names: _Levels
    n_documents_active: npt.NDArray[np.int64]
    numbers: dict[str, npt.NDArray[np.float64]]
    """Fields of `Association`, NaN where undefined."""
    level_sum: npt.NDArray[np.float64]
    level_active: npt.NDArray[np.unsignedinteger]
    level_documents: npt.NDArray[np.uint32]

    @classmethod
    def empty(cls, prop: Property, lengths: npt.NDArray[np.int64], sae: SAE) -> _Result:
        is_missing = (prop.codes < 0) & (lengths > 0)
        missing = np.where(is_missing, 0, -1).astype(np.int32) if prop.n_missing else np.empty(0, np.int32)
        names = _Levels.of(prop, int(lengths[is_missing].sum()))
        shape = (sae.n_features, len(names.level))
        rows = np.uint32 if sae.n_rows < 1 << 32 else np.uint64
        numbers = {name: np.full(sae.n_features, np.nan) for name in _NUMBERS}
        active = np.zeros(sae.n_features, np.int64)
        return cls(
            prop, missing, names, active, numbers, np.zeros(shape), np.zeros(shape, rows), np.zeros(shape, np.uint32)
        )

    @property
    def effect_name(self) -> str:
        return "cramers_v" if self.prop.kind == "categorical" else "spearman_rho"

    def put(self, first: int, found: Association, sums: DocumentSums) -> None:
        from saeatlas.kernels.association import per_level

        here = slice(first, first + found.p.size)
        self.n_documents_active[here] = found.n_documents_active
        for name, numbers in self.numbers.items():
            numbers[here] = getattr(found, name)
        parts = [(slice(0, len(self.prop.levels)), found.levels)]
        if self.missing.size:
            parts.append((slice(-1, None), per_level(sums, self.missing, 1)))
        for levels, of_levels in parts:
            self.level_sum[here, levels] = of_levels.sum
            self.level_active[here, levels] = of_levels.n_active
            self.level_documents[here, levels] = of_levels.n_documents_active

    def data(self) -> pa.RecordBatch:
        import pyarrow as pa

        from saeatlas.kernels.association import benjamini_hochberg

        n_features = self.n_documents_active.size
        constant = {
            "column": self.prop.name,
            "kind": self.prop.kind,
            "n_documents": self.prop.n_documents,
            "effect_name": self.effect_name,
        }
        return pa.record_batch(
            {
                "feature": np.arange(n_features, dtype=np.uint32),
                "n_documents_active": self.n_documents_active,
                "effect": nullable(self.numbers["effect"]),
                "effect_corrected": nullable(self.numbers["corrected"]),
                "p": nullable(self.numbers["p"]),
                "q": nullable(benjamini_hochberg(self.numbers["p"])),
                "min_expected": nullable(self.numbers["min_expected"]),
                **{name: pa.repeat(value, n_features) for name, value in constant.items()},
            }
        )

    def levels(self) -> Iterator[pa.RecordBatch]:
        n_levels = len(self.names.level)
        step = max(1, _LINES_AT_ONCE // n_levels)
        for start in range(0, self.n_documents_active.size, step):
            part = slice(start, start + step)
            n_features = self.level_sum[part].shape[0]
            active = self.level_active[part].ravel().astype(np.int64)
            yield _level_lines(
                self.prop.name,
                self.names,
                np.repeat(np.arange(start, start + n_features, dtype=np.uint32), n_levels),
                (active, self.level_sum[part].ravel(), self.level_documents[part].ravel().astype(np.int64)),
            )


def _level_lines(
    column: str, names: _Levels, feature: npt.NDArray[np.uint32], found: tuple[npt.NDArray[Any], ...]
) -> pa.RecordBatch:
    """Return one line per feature and level, from active rows, sum and active documents by feature, then level."""
    import pyarrow as pa

    active, total, documents_active = found
    n_levels = len(names.level)
    n_features = feature.size // n_levels
    n_rows = np.tile(names.n_rows, n_features)
    level = pa.array(np.tile(np.arange(n_levels), n_features))
    with np.errstate(invalid="ignore"):
        mean = total / active
    return pa.record_batch(
        {
            "feature": feature,
            "column": pa.repeat(column, feature.size),
            "level": pa.array(names.level, pa.string()).take(level),
            "lower": pa.array(names.lower, pa.float64()).take(level),
            "upper": pa.array(names.upper, pa.float64()).take(level),
            "n_rows": n_rows,
            "n_active": active,
            "n_documents": np.tile(names.n_documents, n_features),
            "n_documents_active": documents_active,
            "rate": active / n_rows,
            "mean": nullable(mean),
        }
    )


def _columns(found: list[Property], results: dict[str, _Result]) -> pa.Table:
    """Return one line per column: what was tested, and why the others were not."""
    import pyarrow as pa

    tested = [results.get(prop.name) for prop in found]
    return pa.table(
        {
            "column": pa.array([prop.name for prop in found], pa.string()),
            "kind": pa.array([prop.kind for prop in found], pa.string()),
            "is_tested": pa.array([result is not None for result in tested], pa.bool_()),
            "reason": pa.array([prop.reason or None for prop in found], pa.string()),
            "n_documents": pa.array([prop.n_documents for prop in found], pa.int64()),
            "n_missing": pa.array([prop.n_missing for prop in found], pa.int64()),
            "n_levels": pa.array([len(prop.levels) for prop in found], pa.int64()),
            "n_features_tested": pa.array(
                [0 if result is None else int((~np.isnan(result.numbers["p"])).sum()) for result in tested], pa.int64()
            ),
        }
    )


_LINES_AT_ONCE = 262_144
"""Lines of `levels` that are spelled out at a time."""

plugin = MetadataAssociation
