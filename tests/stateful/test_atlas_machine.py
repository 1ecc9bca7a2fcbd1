"""A model of an atlas beside a real one whose k-th write fails: after each rule they say the same."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from saeatlas.atlas.atlas import Atlas
from saeatlas.errors import AlreadyExists, Conflict, StorageError
from saeatlas.format.commit import head, list_commits
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.analysis import Analysis, Axis
from saeatlas.pipeline.build import build
from saeatlas.pipeline.compact import compact
from saeatlas.pipeline.gc import gc
from saeatlas.pipeline.importing import import_source
from saeatlas.pipeline.verify import verify
from saeatlas.storage import MemoryStore
from saeatlas.storage.store import Store
from saeatlas.testing.arrays_importer import SparseArrays
from saeatlas.testing.failing_store import FailingStore
from saeatlas.testing.make_atlas import Shape, make_arrays, make_importer

if TYPE_CHECKING:
    import pyarrow as pa

    from saeatlas.atlas.sae import SAE
    from saeatlas.progress import Progress

N_FEATURES = 6
FAIL_AT = st.sampled_from([0, 0, 1, 2, 3, 4, 5])
SAES = st.sampled_from(["a", "b"])
SHAPES = [Shape(n_rows=11, n_features=N_FEATURES, k=2, n_documents=2, seed=seed, tokens=False) for seed in range(2)]


@dataclass(frozen=True, kw_only=True)
class Sums(Analysis):
    """The sum of each feature."""

    version: ClassVar[int] = 1
    axis: ClassVar[Axis] = Axis.FEATURE
    factor: float = 1.0
    """What sums are multiplied by."""

    def schema(self) -> dict[str, pa.Schema]:
        import pyarrow as pa

        return {"data": pa.schema([("feature", pa.uint32()), ("sum", pa.float64())])}

    def compute(self, sae: SAE, progress: Progress) -> dict[str, pa.Table]:
        import pyarrow as pa

        sums = [float(sae.activations.feature(feature)[1].astype(float).sum()) for feature in range(N_FEATURES)]
        table = {"feature": np.arange(N_FEATURES, dtype=np.uint32), "sum": np.array(sums) * self.factor}
        return {"data": pa.table(table)}


@pytest.fixture(scope="session", autouse=True)
def fast_place() -> Iterator[None]:
    """Scratch directories live in memory where the system has a place for that."""
    memory = Path("/dev/shm")
    with pytest.MonkeyPatch.context() as patch:
        if memory.is_dir():
            patch.setattr(tempfile, "tempdir", str(memory))
        yield


class AtlasMachine(RuleBasedStateMachine):
    """The model: which data each SAE has, and with which factor its analysis was computed, if it is current."""

    def __init__(self) -> None:
        super().__init__()
        self.store = MemoryStore()
        create_atlas(self.store)
        self.data: dict[str, SparseArrays] = {}
        self.sums: dict[str, float] = {}

    def attempt(self, fail_at: int, work: Callable[[Store], object], *, after: bool) -> bool:
        """Work on a store with one failing write; whether it succeeded. A failure leaves the commit as it was."""
        before = head(self.store)
        try:
            work(FailingStore(self.store, fail_at, after=after))
        except StorageError:
            assert head(self.store) == before
            return False
        return True

    @rule(
        sae=SAES,
        shape=st.sampled_from(SHAPES),
        shard_rows=st.sampled_from([0, 5]),
        fail_at=FAIL_AT,
        after=st.booleans(),
    )
    def import_data(self, sae: str, shape: Shape, shard_rows: int, fail_at: int, *, after: bool) -> None:
        one = make_importer(shape, sae=sae, shard_rows=shard_rows)
        if all(same(arrays, one.data) for arrays in self.data.values()):
            if self.attempt(fail_at, lambda store: import_source(store, one), after=after):
                self.data[sae] = one.data
            return
        # The corpus has other documents: it cannot hold both, and no failure on the way changes that.
        with pytest.raises((AlreadyExists, Conflict, StorageError)):
            import_source(FailingStore(self.store, fail_at, after=after), one)

    @rule(sae=SAES, factor=st.sampled_from([1.0, 2.0]), fail_at=FAIL_AT, after=st.booleans())
    def analyze(self, sae: str, factor: float, fail_at: int, *, after: bool) -> None:
        if sae in self.data and self.attempt(
            fail_at, lambda store: build(store, Sums(factor=factor), saes=(sae,)), after=after
        ):
            self.sums[sae] = factor

    @rule(sae=SAES, shape=st.sampled_from(SHAPES), fail_at=FAIL_AT, after=st.booleans())
    def replace(self, sae: str, shape: Shape, fail_at: int, *, after: bool) -> None:
        if set(self.data) - {sae}:
            return
        one = make_importer(shape, sae=sae)
        if self.attempt(fail_at, lambda store: import_source(store, one, replace=True), after=after):
            if sae in self.data and not same(self.data[sae], one.data):
                self.sums.pop(sae, None)
            self.data[sae] = one.data

    @rule(sae=SAES, fail_at=FAIL_AT, after=st.booleans())
    def merge(self, sae: str, fail_at: int, *, after: bool) -> None:
        if sae in self.data:
            self.attempt(fail_at, lambda store: compact(store, sae, profile="balanced"), after=after)

    @rule(keep=st.integers(1, 3), fail_at=FAIL_AT, after=st.booleans())
    def collect(self, keep: int, fail_at: int, *, after: bool) -> None:
        before = head(self.store)
        self.attempt(fail_at, lambda store: gc(store, keep_commits=keep, min_age_seconds=0), after=after)
        assert head(self.store) == before

    @precondition(lambda self: self.data)
    @rule()
    def every_kept_commit_is_whole(self) -> None:
        assert verify(self.store, deep=True).findings == ()

    @invariant()
    def atlas_says_what_the_model_says(self) -> None:
        atlas = Atlas(self.store, head(self.store))
        assert set(atlas.saes) == set(self.data)
        for name, arrays in self.data.items():
            sae = atlas.sae(name)
            indptr, features, values = sae.activations.rows(0, arrays.n_rows)
            found = np.full((arrays.n_rows, N_FEATURES), np.nan)
            found[np.repeat(np.arange(arrays.n_rows), np.diff(indptr)), features] = values
            np.testing.assert_array_equal(found, arrays.dense(N_FEATURES))
        listed = {name.split("/")[1] for name in atlas.entries if name.endswith("/sums")}
        assert listed == set(self.sums)
        for name, factor in self.sums.items():
            assert atlas.manifest(f"sae/{name}/sums").params == {"factor": factor}

    def teardown(self) -> None:
        numbers = list_commits(self.store)
        assert numbers == list(range(numbers[0], numbers[-1] + 1)) if numbers else not self.data
        assert verify(self.store, deep=True).findings == ()


def same(one: SparseArrays, other: SparseArrays) -> bool:
    names = ("features", "values", "indptr", "documents", "ids")
    return one.fingerprint(*names) == other.fingerprint(*names)


assert not same(*(make_arrays(shape) for shape in SHAPES))

AtlasMachine.TestCase.settings = settings(
    max_examples=10, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
TestAtlasMachine = AtlasMachine.TestCase
