"""What an analysis is: a table with a declared schema, computed from one SAE; and the step that runs one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from saeatlas.errors import InternalError
from saeatlas.pipeline.recipe import fields_of, name_of
from saeatlas.pipeline.step import Built, View, Work
from saeatlas.progress import Progress

if TYPE_CHECKING:
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


@dataclass(frozen=True, kw_only=True)
class Analysis(ABC):
    """Computes tables from one SAE. Subclasses are frozen keyword-only dataclasses; fields are parameters."""

    __pydantic_config__: ClassVar[dict[str, Any]] = {"use_attribute_docstrings": True, "extra": "forbid"}
    version: ClassVar[int]
    """Raised whenever the same inputs and parameters give another result."""
    axis: ClassVar[Axis]
    """What one line of the table 'data' is about."""
    needs: ClassVar[frozenset[str]] = frozenset({"activations"})
    """Which of 'activations', 'documents' and 'tokens' it reads."""

    @abstractmethod
    def schema(self) -> dict[str, pa.Schema]:
        """Return the schema of each table by name, 'data' first."""

    @abstractmethod
    def compute(self, sae: SAE, progress: Progress) -> Mapping[str, pa.Table | Iterator[pa.RecordBatch]]:
        """Compute every table of the schema."""

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
        return fields_of(self.analysis)

    def after(self) -> tuple[str, ...]:
        """Wait for all data of the SAE and its corpus."""
        return f"sae/{self.sae}/identity", f"sae/{self.sae}/segment/*", "corpus/*"

    def inputs(self, view: View) -> dict[str, str]:
        """Return the fingerprints of what the analysis needs, as they are in the view."""
        from saeatlas.atlas.currency import inputs_of

        return inputs_of(view.store, view.entries, self.sae, type(self.analysis).needs)

    def memory(self, view: View) -> int:
        """Return the bound that the analysis gives, or 0 while its SAE is not in the view."""
        if f"sae/{self.sae}/segment/00000" not in view.entries:
            return 0
        return self.analysis.peak_bytes(_sae(view, self.sae))

    def build(self, work: Work) -> Built:
        """Compute and write the tables."""
        import pyarrow as pa

        from saeatlas.format.table import write_batches, write_table

        schemas = self.analysis.schema()
        tables = self.analysis.compute(_sae(work.view, self.sae), work.progress)
        if set(tables) != set(schemas):
            raise InternalError(f"'{self.name}' declares the tables {sorted(schemas)}, and computed {sorted(tables)}")
        for name, schema in schemas.items():
            table = tables[name]
            if isinstance(table, pa.Table):
                write_table(work.directory, table, schema, name)
            else:
                write_batches(work.directory, table, schema, name)
        return Built({"sae": self.sae, "axis": str(type(self.analysis).axis), "tables": sorted(schemas)})


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
