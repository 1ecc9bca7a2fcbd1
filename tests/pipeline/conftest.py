from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest

from saeatlas.atlas.atlas import Atlas
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.progress import Progress
from saeatlas.storage import LocalStore, MemoryStore
from saeatlas.storage.store import Store
from saeatlas.testing.arrays_importer import ArraysImporter, FaultyImporter, SparseArrays
from saeatlas.testing.make_atlas import Shape, make_importer

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE

SHAPE = Shape(n_rows=120, n_features=32, k=3, n_documents=6, listed_zeros=0.1)


@dataclass(frozen=True, kw_only=True)
class Loud(Analysis):
    """How many values of each feature lie above a floor."""

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.FEATURE
    floor: float = 0.0
    """Values at or below this do not count."""
    bytes_needed: int = 1000
    """What it says that it needs."""

    def schema(self) -> dict[str, pa.Schema]:
        import pyarrow as pa

        return {"data": pa.schema([("feature", pa.uint32()), ("n", pa.int64())])}

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table]:
        import pyarrow as pa

        n = [int((sae.activations.feature(feature)[1] > self.floor).sum()) for feature in range(sae.n_features)]
        return {"data": pa.table({"feature": np.arange(len(n), dtype=np.uint32), "n": n})}

    def peak_bytes(self, sae: SAE) -> int:
        return self.bytes_needed


@pytest.fixture(scope="session", autouse=True)
def fast_place() -> Iterator[Path]:
    """Temporary files are made and removed many times here: in memory where the system has a place for that."""
    memory = Path("/dev/shm")
    with pytest.MonkeyPatch.context() as patch:
        if memory.is_dir():
            patch.setattr(tempfile, "tempdir", str(memory))
        with tempfile.TemporaryDirectory(prefix="saeatlas-test-") as place:
            yield Path(place)


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    create_atlas(store)
    return store


@pytest.fixture
def local(fast_place: Path) -> LocalStore:
    store = LocalStore(fast_place / uuid.uuid4().hex / "ünï atlas", create=True)
    create_atlas(store)
    return store


class Kit:
    """What the tests of this folder share."""

    SHAPE = SHAPE
    Loud = Loud

    @staticmethod
    def importer(
        shape: Shape = SHAPE, *, sae: str = "toy", shard_rows: int = 40, profile: str = "fast"
    ) -> ArraysImporter:
        return make_importer(shape, sae=sae, shard_rows=shard_rows, profile=profile)

    @staticmethod
    def faulty(row: int, fault: str = "source", shape: Shape = SHAPE) -> FaultyImporter:
        return FaultyImporter.of(Kit.importer(shape), at_row=row, fault=fault)

    @staticmethod
    def with_data(one: ArraysImporter, **changes: object) -> ArraysImporter:
        """The same importer of changed arrays."""
        return replace(one, data=replace(one.data, **changes))

    @staticmethod
    def names(store: Store) -> set[str]:
        return set(head(store).entries)

    @staticmethod
    def keys(store: Store) -> dict[str, str]:
        return {name: entry.key for name, entry in head(store).entries.items()}

    @staticmethod
    def assert_holds(store: Store, arrays: SparseArrays, sae: str = "toy") -> None:
        """The newest commit gives back exactly these arrays."""
        activations = Atlas(store, head(store)).sae(sae).activations
        indptr, features, values = activations.rows(0, arrays.n_rows)
        dense = np.full((arrays.n_rows, SHAPE.n_features), np.nan)
        dense[np.repeat(np.arange(arrays.n_rows), np.diff(indptr)), features] = values
        np.testing.assert_array_equal(dense, arrays.dense(SHAPE.n_features))
        assert activations.count(0) == int(np.isfinite(arrays.dense(SHAPE.n_features)[:, 0]).sum())


@pytest.fixture
def kit() -> type[Kit]:
    return Kit
