"""What every analysis must do, as tests: subclass `AnalysisContract` and say how the analysis is made."""

from __future__ import annotations

import dataclasses
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from saeatlas.format.table import fit
from saeatlas.pipeline.analysis import Analysis, AnalysisStep, Axis
from saeatlas.pipeline.prerequisites import with_prerequisites
from saeatlas.progress import SILENT, Progress
from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import make_atlas

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from saeatlas.atlas.activations import Activations, FeatureBlock, RowBlock
    from saeatlas.atlas.atlas import Atlas
    from saeatlas.atlas.sae import SAE

__all__ = ["AnalysisContract", "compute_all", "compute_tables", "in_small_blocks"]


def compute_tables(analysis: Analysis, sae: SAE, progress: Progress = SILENT) -> dict[str, pa.Table]:
    """Compute all tables of an analysis, cast to their schemas as they would be stored."""
    return compute_all(analysis, sae, progress)[0]


def compute_all(analysis: Analysis, sae: SAE, progress: Progress = SILENT) -> Results:
    """Compute all tables of an analysis, cast to their schemas as they would be stored, and all arrays.

    The arrays are the matrices, and the bytes of the files.
    """
    import pyarrow as pa

    schemas = analysis.schema()
    computed = analysis.compute(sae, progress)
    assert set(computed) == {*schemas, *analysis.matrices(), *analysis.files()}
    arrays = {name: _bytes_of(computed[name]) for name in analysis.files()}
    tables = {}
    for name, schema in schemas.items():
        pieces = computed[name]
        parts = [pieces] if isinstance(pieces, pa.Table) else list(cast("Iterator[pa.RecordBatch]", pieces))
        tables[name] = pa.concat_tables([fit(part, schema) for part in parts]) if parts else schema.empty_table()
    return tables, arrays | {name: np.asarray(computed[name]) for name in analysis.matrices()}


def _bytes_of(write: object) -> npt.NDArray[np.uint8]:
    """Return what a function writes to a file."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "file"
        cast("Callable[[Path], None]", write)(path)
        return np.frombuffer(path.read_bytes(), np.uint8)


def in_small_blocks(sae: SAE, max_listed: int) -> SAE:
    """Return an SAE that gives its features in blocks of at most `max_listed` entries, or of one feature."""
    return cast("SAE", _SmallBlocksSAE(sae, max_listed))


class _SmallBlocksSAE:
    def __init__(self, sae: SAE, max_listed: int) -> None:
        self._sae = sae
        self._max_listed = max_listed

    @cached_property
    def activations(self) -> _SmallBlocks:
        return _SmallBlocks(self._sae.activations, self._max_listed)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # stands in for every attribute of an SAE
        return getattr(self._sae, name)


class _SmallBlocks:
    def __init__(self, activations: Activations, max_listed: int) -> None:
        self._activations = activations
        self._max_listed = max_listed

    def feature_blocks(self, max_listed: int = 1, progress: Progress = SILENT) -> Iterator[FeatureBlock]:
        del max_listed
        return self._activations.feature_blocks(self._max_listed, progress)

    def row_blocks(self, max_listed: int = 1, progress: Progress = SILENT) -> Iterator[RowBlock]:
        del max_listed
        return self._activations.row_blocks(self._max_listed, progress)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # stands in for every attribute of activations
        return getattr(self._activations, name)


class _Contract(ABC):
    @abstractmethod
    def make_analysis(self) -> Analysis:
        """Return the analysis with parameters that suit an SAE of 24 features over 300 rows."""

    @pytest.fixture
    def analysis(self) -> Analysis:
        """Give each test the analysis."""
        return self.make_analysis()

    def ready(self, analysis: Analysis, atlas: Atlas) -> SAE:
        """Return the SAE of an atlas with everything that the analysis reads."""
        needed = with_prerequisites([analysis], atlas.entries, "toy")[1:]
        if not needed:
            return atlas.sae("toy")
        from saeatlas.pipeline.build import build

        return build(_copy(atlas), *needed, saes=("toy",)).sae("toy")

    @pytest.fixture
    def atlas(self) -> Atlas:
        """Give each test the same atlas of one segment: an atlas never changes."""
        return _shared(shard_rows=0)

    @pytest.fixture
    def sae(self, analysis: Analysis, atlas: Atlas) -> SAE:
        """Give each test the SAE of that atlas, with everything that the analysis reads."""
        return self.ready(analysis, atlas)


class DeclarationContract(_Contract):
    """What an analysis says about itself."""

    def test_it_is_frozen(self, analysis: Analysis) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            analysis.version = 2  # type: ignore[misc]

    def test_every_field_has_a_default(self, analysis: Analysis) -> None:
        assert type(analysis)() is not None

    def test_first_table_is_data_and_says_what_a_line_is(self, analysis: Analysis) -> None:
        assert next(iter(analysis.schema())) == "data"
        assert type(analysis).axis in Axis

    def test_descriptions_are_sentences_about_its_columns(self, analysis: Analysis) -> None:
        columns = type(analysis)().schema()["data"].names
        for pattern, text in type(analysis).descriptions.items():
            assert any(fnmatchcase(column, pattern) for column in columns), pattern
            assert text[0].isupper()
            assert text.endswith(".")

    def test_memory_is_bounded_before_it_runs(self, analysis: Analysis, sae: SAE) -> None:
        assert 0 < analysis.peak_bytes(sae) < 2_000_000_000


class ResultContract(_Contract):
    """What the tables are."""

    def test_tables_fit_their_schemas(self, analysis: Analysis, sae: SAE) -> None:
        tables, arrays = compute_all(analysis, sae)
        assert {name: table.schema for name, table in tables.items()} == analysis.schema()
        n_lines = tables["data"].num_rows
        assert {name: len(arrays[name]) for name in analysis.matrices()} == dict.fromkeys(analysis.matrices(), n_lines)

    def test_axis_feature_means_one_line_for_each_feature(self, analysis: Analysis, sae: SAE) -> None:
        if type(analysis).axis == Axis.FEATURE:
            data = compute_tables(analysis, sae)["data"]
            assert data["feature"].to_pylist() == list(range(sae.n_features))

    def test_same_input_gives_the_same_tables(self, analysis: Analysis, sae: SAE) -> None:
        assert _same(compute_all(analysis, sae), compute_all(analysis, sae))

    @pytest.mark.parametrize("max_listed", [1, 50, 400])
    def test_blocks_do_not_show_in_the_result(self, analysis: Analysis, sae: SAE, max_listed: int) -> None:
        assert _same(compute_all(analysis, in_small_blocks(sae, max_listed)), compute_all(analysis, sae))

    @pytest.mark.parametrize("shard_rows", [37, 150])
    def test_segments_do_not_show_in_the_result(self, analysis: Analysis, sae: SAE, shard_rows: int) -> None:
        segmented = self.ready(analysis, _shared(shard_rows=shard_rows))
        assert _same(compute_all(analysis, segmented), compute_all(analysis, sae))

    def test_step_stores_what_was_computed(self, analysis: Analysis, atlas: Atlas, sae: SAE) -> None:
        from saeatlas.pipeline.build import build

        stored = build(_copy(atlas), analysis, saes=("toy",)).sae("toy")
        name = AnalysisStep(analysis, "toy").name
        tables, arrays = compute_all(analysis, sae)
        for table, computed in tables.items():
            found = stored.table(name, table)
            assert found is not None
            assert found.equals(computed)
        for matrix in analysis.matrices():
            reader = stored.matrix(name, matrix)
            assert reader is not None
            assert np.array_equal(reader.read(), arrays[matrix])
        for file in analysis.files():
            path = stored.atlas.entries[f"sae/toy/{name}"].path
            assert stored.atlas.store.get(f"{path}/{file}") == arrays[file].tobytes()


class LeastContract(_Contract):
    """The smallest and emptiest inputs."""

    def test_features_that_never_fire_are_no_error(self, analysis: Analysis) -> None:
        shape: dict[str, Any] = {"n_rows": 20, "n_features": 9, "k": 3, "n_documents": 4, "listed_zeros": 1.1}
        sae = self.ready(analysis, _pair(MemoryStore(), **shape))
        assert not any((values > 0).any() for _, values in map(sae.activations.feature, range(9)))
        tables = compute_tables(analysis, sae)
        if type(analysis).axis == Axis.FEATURE:
            assert tables["data"].num_rows == 9

    def test_one_row_is_no_error(self, analysis: Analysis) -> None:
        shape: dict[str, Any] = {"n_rows": 1, "n_features": 5, "k": 2, "n_documents": 1}
        compute_tables(analysis, self.ready(analysis, _pair(MemoryStore(), **shape)))


class AnalysisContract(DeclarationContract, ResultContract, LeastContract):
    """The contract. A subclass named `Test…` in a test file runs it.

    Small SAEs stand in for real ones: features that never fire, zeros and negatives listed, rows without entries,
    documents in pieces, metadata that is missing, several segments.
    """


@cache
def _shared(shard_rows: int) -> Atlas:
    return _pair(
        MemoryStore(),
        n_rows=300,
        n_features=24,
        k=5,
        n_documents=15,
        listed_zeros=0.2,
        interleaved=True,
        ragged=True,
        shard_rows=shard_rows,
    )


def _pair(store: MemoryStore, **shape: Any) -> Atlas:  # noqa: ANN401  # what make_atlas takes
    """Return an atlas with the SAE 'toy', and with 'other' over the same corpus."""
    make_atlas(store, sae="toy", parts=True, **shape)
    return make_atlas(store, sae="other", parts=True, **shape)


def _copy(atlas: Atlas) -> MemoryStore:
    """Return a store of its own with everything that an atlas in memory has."""
    store = MemoryStore()
    for key in atlas.store.list(""):
        store.put_new(key, atlas.store.get(key))
    return store


Results = tuple[dict[str, "pa.Table"], dict[str, "npt.NDArray[Any]"]]


def _same(one: Results, other: Results) -> bool:
    """Return whether tables and matrices hold the same bytes, null for null."""
    is_same = one[0].keys() == other[0].keys() and all(_equal(one[0][name], other[0][name]) for name in one[0])
    return is_same and all(one[1][name].tobytes() == other[1][name].tobytes() for name in {*one[1], *other[1]})


def _equal(one: pa.Table, other: pa.Table) -> bool:
    one, other = one.combine_chunks(), other.combine_chunks()
    if not one.equals(other):
        return False
    floats = [i for i, field in enumerate(one.schema) if str(field.type) == "double"]
    # Arrow takes 0.0 and -0.0 as equal; their bytes are not.
    return all(
        np.array_equal(np.signbit(one.column(i).fill_null(0.0)), np.signbit(other.column(i).fill_null(0.0)))
        for i in floats
    )
