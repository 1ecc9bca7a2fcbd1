"""What every importer must do, as tests: subclass `ImporterContract` and say how a source and its faults are made."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from saeatlas.errors import KINDS, SaeatlasError
from saeatlas.format.documents import DocumentsReader
from saeatlas.format.tokens import NO_TOKEN, OK, TokensReader
from saeatlas.pipeline.importer import Importer
from saeatlas.progress import SILENT, Event, Progress
from saeatlas.storage import LocalStore

__all__ = ["Fault", "ImporterContract"]

Fault = Callable[[Path], Importer]
"""Makes a broken source in a fresh directory and returns the importer of it."""


class _Contract(ABC):
    """What all parts of the contract need."""

    @abstractmethod
    def make_importer(self, directory: Path) -> Importer:
        """Return an importer of a sound source, made below `directory`, of at least 20 rows and 3 documents."""

    @pytest.fixture
    def importer(self, tmp_path: Path) -> Importer:
        """Give each test its own source."""
        directory = tmp_path / "source"
        directory.mkdir()
        return self.make_importer(directory)


class RowContract(_Contract):
    """Every row is given once, in order, however the rows are cut."""

    def test_shards_cover_all_rows_once_in_order(self, importer: Importer) -> None:
        survey = importer.survey(SILENT)
        for shard_rows in (0, 1, 7, survey.n_rows + 5):
            shards = replace(importer, shard_rows=shard_rows).shards(survey)
            assert [row for shard in shards for row in shard] == list(range(survey.n_rows))

    def test_rows_are_the_same_however_they_are_cut(self, importer: Importer) -> None:
        whole = all_rows(importer)
        for shard_rows in (1, 7):
            cut = all_rows(replace(importer, shard_rows=shard_rows))
            assert all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(whole, cut, strict=True))

    def test_batches_follow_each_other_and_fill_their_shard(self, importer: Importer) -> None:
        survey = importer.survey(SILENT)
        for shard in replace(importer, shard_rows=7).shards(survey):
            row = shard.start
            for batch in importer.rows(shard, SILENT):
                assert batch.first_row == row
                assert batch.indptr.dtype == np.int64
                assert batch.indptr[0] == 0
                assert batch.indptr[-1] == batch.features.size == batch.values.size
                assert batch.features.ndim == batch.values.ndim == 1
                row += batch.indptr.size - 1
            assert row == shard.stop

    def test_survey_matches_the_rows(self, importer: Importer) -> None:
        survey = importer.survey(SILENT)
        indptr, features, _ = all_rows(importer)
        assert indptr.size == survey.n_rows + 1
        assert survey.k is None or set(np.diff(indptr).tolist()) == {survey.k}
        assert survey.n_features is None or features.max() < survey.n_features


class SurveyContract(_Contract):
    """What is said about a source is true, the same twice, and fits into a recipe."""

    def test_survey_says_the_same_twice(self, importer: Importer) -> None:
        assert importer.survey(SILENT) == importer.survey(SILENT)

    def test_identity_has_the_name_that_was_given(self, importer: Importer) -> None:
        assert importer.survey(SILENT).identity.name == importer.sae

    def test_every_part_has_parameters_that_are_json(self, importer: Importer) -> None:
        survey = importer.survey(SILENT)
        for part in ("activations", "documents", "tokens"):
            assert json.loads(json.dumps(importer.params(part), allow_nan=False)) == importer.params(part)
            assert survey.fingerprints[part] or (part == "tokens" and not survey.has_tokens)

    def test_every_task_that_opens_is_closed(self, importer: Importer, tmp_path: Path) -> None:
        events: list[Event] = []
        documents_of(importer, tmp_path, Progress(events.append))
        opened = [event.task for event in events if event.what == "start"]
        assert sorted(opened) == sorted(event.task for event in events if event.what == "end")


class DocumentContract(_Contract):
    """Documents own every row, and tokens stand where the survey says that there are any."""

    def test_documents_own_every_row(self, importer: Importer, tmp_path: Path) -> None:
        survey, documents = importer.survey(SILENT), documents_of(importer, tmp_path)
        assert documents.n_rows == survey.n_rows
        document, position = documents.locate(np.arange(survey.n_rows))
        assert np.array_equal(documents.rows_at(document, position), np.arange(survey.n_rows))

    def test_ids_of_documents_differ(self, importer: Importer, tmp_path: Path) -> None:
        ids = documents_of(importer, tmp_path).ids().to_pylist()
        assert len(set(ids)) == len(ids)

    def test_documents_are_the_same_bytes_twice(self, importer: Importer, tmp_path: Path) -> None:
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            documents_of(importer, tmp_path / name)
        assert _files(tmp_path / "first") == _files(tmp_path / "second")

    def test_tokens_are_given_exactly_when_the_survey_says_so(self, importer: Importer, tmp_path: Path) -> None:
        documents = documents_of(importer, tmp_path)
        folder = tmp_path / "tokens"
        folder.mkdir()
        attributes = importer.write_tokens(folder, documents, SILENT)
        assert (attributes is not None) == importer.survey(SILENT).has_tokens
        if attributes is None:
            return
        tokens = TokensReader(LocalStore(tmp_path), "tokens", attributes)
        available = tokens.statuses()[documents.row_documents(0, documents.n_rows)] == OK
        assert np.array_equal(tokens.read(0, documents.n_rows) != NO_TOKEN, available)


class FaultContract(_Contract):
    """Broken sources are refused in words."""

    def faults(self) -> Mapping[str, tuple[str, Fault]]:
        """Return by name the broken sources: the kind of error each must raise, and how it is made."""
        return {}

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make a test of every fault."""
        if "fault" in metafunc.fixturenames:
            metafunc.parametrize("fault", list(self._all_faults()))

    def _all_faults(self) -> dict[str, tuple[str, Fault]]:
        def nothing(directory: Path) -> Importer:
            return replace(self.make_importer(directory), source=str(directory / "nothing-here"))

        return {"source is not there": ("source-error", nothing), **self.faults()}

    def test_a_broken_source_is_refused_with_its_kind_and_advice(self, tmp_path: Path, fault: str) -> None:
        kind, make = self._all_faults()[fault]
        source = tmp_path / "source"
        source.mkdir()
        with pytest.raises(SaeatlasError) as caught:
            _everything(make(source), tmp_path)
        assert (caught.value.kind, kind in KINDS) == (kind, True)
        assert len(caught.value.message) > 20


class ImporterContract(RowContract, SurveyContract, DocumentContract, FaultContract):
    """The contract. A subclass named `Test…` in a test file runs it."""


def all_rows(importer: Importer) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any], npt.NDArray[Any]]:
    """Return all rows of an importer: indptr, features, values."""
    lengths, features, values = [], [], []
    for shard in importer.shards(importer.survey(SILENT)):
        for batch in importer.rows(shard, SILENT):
            lengths.append(np.diff(batch.indptr))
            features.append(batch.features.copy())
            values.append(batch.values.copy())
    indptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.concatenate(lengths))])
    return indptr, np.concatenate(features), np.concatenate(values)


def documents_of(importer: Importer, directory: Path, progress: Progress = SILENT) -> DocumentsReader:
    """Let an importer write its documents below `directory`, and open them."""
    folder = directory / "documents"
    folder.mkdir()
    attributes = importer.write_documents(folder, progress)
    return DocumentsReader(LocalStore(directory), "documents", attributes)


def _everything(importer: Importer, directory: Path) -> None:
    survey = importer.survey(SILENT)
    documents = documents_of(importer, directory)
    folder = directory / "tokens"
    folder.mkdir()
    importer.write_tokens(folder, documents, SILENT)
    for shard in importer.shards(survey):
        for _ in importer.rows(shard, SILENT):
            pass


def _files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}
