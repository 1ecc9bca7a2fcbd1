"""What every importer of weights, maps or explanations must do, as tests: subclass `SaeImporterContract`."""

from __future__ import annotations

import dataclasses
import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from saeatlas.errors import KINDS, SaeatlasError
from saeatlas.format.artifact import load_manifest
from saeatlas.format.commit import head
from saeatlas.format.version import create_atlas
from saeatlas.pipeline.sae_importer import SaeImporter
from saeatlas.pipeline.sae_importing import import_parts
from saeatlas.progress import SILENT, Event, Progress
from saeatlas.storage import MemoryStore

if TYPE_CHECKING:
    from saeatlas.format.artifact import Manifest

__all__ = ["SaeFault", "SaeImporterContract"]

SaeFault = Callable[[Path], SaeImporter]
"""Makes a broken source in a fresh directory and returns the importer of it."""


class _Contract(ABC):
    @abstractmethod
    def make_importer(self, directory: Path) -> SaeImporter:
        """Return an importer of a sound source, made below `directory`, with at least 3 features."""

    @abstractmethod
    def faults(self) -> Mapping[str, SaeFault]:
        """Return sources that must be refused, by what is wrong with them."""

    @pytest.fixture
    def importer(self, tmp_path: Path) -> SaeImporter:
        """Give each test its own source."""
        directory = tmp_path / "source"
        directory.mkdir()
        return self.make_importer(directory)

    def test_it_is_frozen(self, importer: SaeImporter) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            importer.sae = "other"  # type: ignore[misc]

    def test_survey_names_parts_and_is_the_same_twice(self, importer: SaeImporter) -> None:
        survey = importer.survey(SILENT)
        assert survey == importer.survey(SILENT)
        assert survey.parts
        assert survey.identity.name == importer.sae
        assert all(part.memory > 0 and part.fingerprint for part in survey.parts)
        assert len({part.name for part in survey.parts}) == len(survey.parts)

    def test_every_part_says_how_many_features_it_names(self, importer: SaeImporter) -> None:
        survey = importer.survey(SILENT)
        for manifest in imported(importer).values():
            n_features = manifest.attributes["n_features"]
            assert isinstance(n_features, int)
            assert n_features >= 3
            assert survey.n_features is None or n_features <= survey.n_features

    def test_parts_are_the_same_bytes_in_another_place(self, importer: SaeImporter, tmp_path: Path) -> None:
        first = imported(importer)
        moved = tmp_path / "moved"
        shutil.copytree(tmp_path / "source", moved)
        source = importer.source.replace(str(tmp_path / "source"), str(moved))
        second = imported(dataclasses.replace(importer, source=source))
        assert {name: (one.key, one.digest) for name, one in first.items()} == {
            name: (one.key, one.digest) for name, one in second.items()
        }

    def test_second_import_reuses_everything(self, importer: SaeImporter) -> None:
        store = _empty()
        first = import_parts(store, importer)
        second = import_parts(store, importer)
        assert set(second.parts.values()) == {"reused"}
        assert second.commit == first.commit

    def test_recipes_are_json_and_name_no_place(self, importer: SaeImporter, tmp_path: Path) -> None:
        for manifest in imported(importer).values():
            text = json.dumps(
                [dict(manifest.params), dict(manifest.inputs), dict(manifest.attributes)], allow_nan=False
            )
            assert str(tmp_path) not in text

    def test_progress_of_writing_ends(self, importer: SaeImporter) -> None:
        events: list[Event] = []
        import_parts(_empty(), importer, progress=Progress(events.append))
        started = [event.task for event in events if event.what == "start"]
        ended = [event.task for event in events if event.what == "end"]
        assert sorted(started) == sorted(ended)

    def test_broken_sources_are_refused_and_leave_nothing(self, tmp_path: Path) -> None:
        faults = self.faults()
        assert len(faults) >= 5
        for number, (what, make) in enumerate(faults.items()):
            directory = tmp_path / f"fault-{number}"
            directory.mkdir()
            store = _empty()
            with pytest.raises(SaeatlasError) as error:
                import_parts(store, make(directory))
            assert error.value.kind in KINDS - {"internal", "step-failed"}, f"{what}: {error.value}"
            assert error.value.message, what
            assert not head(store).entries, what


class SaeImporterContract(_Contract):
    """The contract. A subclass named `Test…` in a test file runs it."""


def imported(importer: SaeImporter) -> dict[str, Manifest]:
    """Import into an empty atlas and return the seals of what came of it, by part."""
    store = _empty()
    import_parts(store, importer)
    prefix = f"sae/{importer.sae}/imported/"
    entries = head(store).entries
    return {name: load_manifest(store, entries[name].path) for name in entries if name.startswith(prefix)}


def _empty() -> MemoryStore:
    store = MemoryStore()
    create_atlas(store)
    return store
