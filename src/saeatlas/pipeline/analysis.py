"""What an analysis is: a table with a declared schema, computed from one SAE; and the step that runs one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from saeatlas.errors import InternalError, NotFound
from saeatlas.pipeline.recipe import fields_of, name_of
from saeatlas.pipeline.step import Built, View, Work
from saeatlas.progress import Progress

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE
    from saeatlas.format.commit import Entry
    from saeatlas.pipeline.step import Step
    from saeatlas.storage.store import Store

__all__ = ["Analysis", "AnalysisStep", "Axis", "n_values_of"]


class Axis(StrEnum):
    """What one line of an analysis is about; with 'feature-list' a feature has any number of lines."""

    FEATURE = "feature"
    FEATURE_LIST = "feature-list"
    ROW = "row"
    DOCUMENT = "document"
    FEATURE_PAIR = "feature-pair"
    SAE = "sae"


@dataclass(frozen=True, kw_only=True)
class Analysis(ABC):
    """Computes tables from one SAE. Subclasses are frozen keyword-only dataclasses; fields are parameters."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"use_attribute_docstrings": True, "extra": "forbid"}
    version: ClassVar[int]
    """Raised whenever the same inputs and parameters give another result."""
    axis: ClassVar[Axis]
    """What one line of the table 'data' is about."""
    needs: ClassVar[frozenset[str]] = frozenset({"activations"})
    """What it must have: see `saeatlas.atlas.currency.inputs_of` for the words."""
    may_use: ClassVar[frozenset[str]] = frozenset()
    """What it reads when it is there."""
    libraries: ClassVar[tuple[str, ...]] = ()
    """Optional libraries that it imports, by the names of their modules."""
    paths: ClassVar[frozenset[str]] = frozenset()
    """Fields that hold paths, which in a project file are relative to that file."""
    descriptions: ClassVar[Mapping[str, str]] = {}
    """Column of the table 'data' → what it means, in a sentence with estimator, unit or range, and when it is null.

    `*` in a name stands for what a parameter puts there. The reference page of an analysis that comes with the package
    says the same in the same words, and may go on.
    """

    def requires(self) -> frozenset[str]:
        """Return what it must have with these parameters."""
        return type(self).needs

    def uses(self) -> frozenset[str]:
        """Return what it reads with these parameters when it is there."""
        return type(self).may_use

    def params(self) -> dict[str, Any]:
        """Return everything but the inputs that the result depends on, as JSON values: by default its fields.

        An analysis that reads a file of the user, or uses an embedder, puts a digest of that here.
        """
        return fields_of(self)

    def matrices(self) -> tuple[str, ...]:
        """Return the names of arrays [lines of 'data', any width] that are stored beside the tables."""
        return ()

    def files(self) -> tuple[str, ...]:
        """Return the names of other files, such as 'search.sqlite', that are stored beside the tables.

        `compute` gives a function for each that writes the file at a path; they are called before any batch is taken.
        """
        return ()

    @abstractmethod
    def schema(self) -> dict[str, pa.Schema]:
        """Return the schema of each table by name, 'data' first."""

    @abstractmethod
    def compute(
        self, sae: SAE, progress: Progress
    ) -> Mapping[str, pa.Table | Iterator[pa.RecordBatch] | npt.NDArray[Any] | Callable[[Path], None]]:
        """Compute every table of the schema, every matrix and every file."""

    def peak_bytes(self, sae: SAE) -> int:
        """Return the bytes that `compute` holds at most."""
        del sae
        return 600_000_000


@dataclass(frozen=True)
class AnalysisStep:
    """Runs one analysis on one SAE."""

    analysis: Analysis
    sae: str

    encoding_type: ClassVar[str] = "table"
    encoding_version: ClassVar[int] = 1

    @property
    def name(self) -> str:
        """Name of the analysis, such as 'top-tokens'."""
        return name_of(type(self.analysis))

    @property
    def version(self) -> int:
        """Version of the analysis."""
        return type(self.analysis).version

    @property
    def output(self) -> str:
        """Logical name of its table."""
        return f"sae/{self.sae}/{self.name}"

    def params(self) -> dict[str, Any]:
        """Return the fields of the analysis."""
        return self.analysis.params()

    def after(self) -> tuple[str, ...]:
        """Wait for all data of the SAE and its corpus, and for the analyses and other SAEs that it reads."""
        from saeatlas.atlas.currency import is_of_analysis

        own = ("identity", "segment/*", "imported/*")
        wanted = self.analysis.requires() | self.analysis.uses()
        others = {need.split("/")[1] for need in wanted if need.startswith("sae/")}
        analyses = sorted(filter(is_of_analysis, wanted))
        return (
            "corpus/*",
            *(f"sae/{name}/{part}" for name in sorted({self.sae, *others}) for part in own),
            *(f"sae/{self.sae}/{name}" for name in analyses),
        )

    def inputs(self, view: View) -> dict[str, str]:
        """Return the fingerprints of what the analysis reads, as they are in the view."""
        from saeatlas.atlas.currency import inputs_of, present_inputs

        used = present_inputs(view.store, view.entries, self.sae, self.analysis.uses())
        return used | inputs_of(view.store, view.entries, self.sae, self.analysis.requires())

    def memory(self, view: View) -> int:
        """Return the bound that the analysis gives, or 0 while something that it needs is not in the view."""
        try:
            return self.bound(view)
        except NotFound:
            return 0

    def bound(self, view: View) -> int:
        """Return the bound that the analysis gives; `NotFound` when something that it needs is not in the view."""
        from saeatlas.atlas.currency import inputs_of

        inputs_of(view.store, view.entries, self.sae, self.analysis.requires())
        return self.analysis.peak_bytes(_sae(view, self.sae))

    def build(self, work: Work) -> Built:
        """Compute and write the tables, matrices and files."""
        schemas, matrices, files = self.analysis.schema(), self.analysis.matrices(), self.analysis.files()
        found = self.analysis.compute(_sae(work.view, self.sae), work.progress)
        declared = {*schemas, *matrices, *files}
        if set(found) != declared:
            raise InternalError(f"'{self.name}' declares {sorted(declared)}, and computed {sorted(found)}")
        for name in files:
            cast("Callable[[Path], None]", found[name])(work.directory / name)
        for name, schema in schemas.items():
            _write(work.directory, name, found[name], schema)
        _write_matrices(work.directory, {name: found[name] for name in matrices})
        attributes = {"sae": self.sae, "axis": str(type(self.analysis).axis), "tables": sorted(schemas)}
        more = {"matrices": sorted(matrices), "files": sorted(files)}
        return Built(attributes | {what: names for what, names in more.items() if names})


def _write(directory: Path, name: str, table: object, schema: pa.Schema) -> None:
    import pyarrow as pa

    from saeatlas.format.table import write_batches, write_table

    if isinstance(table, pa.Table):
        write_table(directory, table, schema, name)
    else:
        write_batches(directory, cast("Iterator[pa.RecordBatch]", table), schema, name)


def _write_matrices(directory: Path, matrices: Mapping[str, object]) -> None:
    from saeatlas.format.matrix import write_matrix

    for name, matrix in matrices.items():
        write_matrix(directory, cast("npt.NDArray[Any]", matrix), name)


def n_values_of(store: Store, entries: Mapping[str, Entry], steps: Iterable[Step]) -> int:
    """Return how many values the analyses among `steps` read: all that their SAE lists in the entries."""
    from saeatlas.atlas.currency import read_segments

    names = [step.sae for step in steps if isinstance(step, AnalysisStep)]
    listed = {name: sum(info.n_listed for _, info in read_segments(store, entries, name)) for name in set(names)}
    return sum(listed[name] for name in names)


def _sae(view: View, name: str) -> SAE:
    from saeatlas.atlas.atlas import Atlas
    from saeatlas.format.commit import Commit

    commit = Commit(0, "", 0, "", "", "", view.entries)
    return Atlas(view.store, commit).sae(name)
