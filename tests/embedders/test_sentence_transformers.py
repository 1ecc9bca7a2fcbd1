"""The embedder against a small stand-in for the library, with the same calls and a real cache of the hub."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants

from saeatlas.analyses.example_embeddings import ExampleEmbeddings
from saeatlas.embedders import sentence_transformers as module
from saeatlas.embedders.sentence_transformers import SentenceTransformers
from saeatlas.errors import InvalidInput, MissingExtra, SourceError
from saeatlas.pipeline import embedding_cache
from saeatlas.pipeline.embedder import embedder_of
from saeatlas.progress import SILENT
from saeatlas.storage import MemoryStore
from saeatlas.testing.make_atlas import make_atlas

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class StandIn:
    """Answers as `sentence_transformers.SentenceTransformer` does; notes what it was asked."""

    calls: list[dict[str, Any]]
    made: list[tuple[str, str | None, str | None]]

    def __init__(self, model: str, *, revision: str | None = None, device: str | None = None) -> None:
        self.made.append((model, revision, device))

    def encode(self, sentences: list[str], **options: Any) -> np.ndarray:
        self.calls.append({"sentences": sentences, **options})
        vectors = np.array([[len(text), text.count("a"), 1.0] for text in sentences], np.float64)
        if options["normalize_embeddings"]:
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors


@pytest.fixture(autouse=True)
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[StandIn]]:
    fresh = type("SentenceTransformer", (StandIn,), {"calls": [], "made": []})
    stand_in = ModuleType("sentence_transformers")
    stand_in.__dict__.update(SentenceTransformer=fresh, __version__="9.9")
    monkeypatch.setitem(sys.modules, "sentence_transformers", stand_in)
    monkeypatch.setattr(module, "version", lambda name: "9.9")
    monkeypatch.setenv("SAEATLAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    module._load.cache_clear()
    yield fresh
    module._load.cache_clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    (path / "1_Pooling").mkdir(parents=True)
    (path / "config.json").write_text("{}")
    (path / "1_Pooling" / "config.json").write_text('{"mean": true}')
    (path / "README.md").write_text("about")
    return path


def in_hub_cache(root: Path, name: str, revision: str = "main") -> None:
    repository = root / "hub" / f"models--{name.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / revision).write_text(COMMIT)
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "modules.json").write_text("[]")


def test_folder_is_loaded_as_it_is(folder: Path, library: type[StandIn]) -> None:
    vectors = SentenceTransformers(model=str(folder), normalize=False).embed(["aab", "b"])
    assert vectors.tolist() == [[3, 2, 1], [1, 0, 1]]
    assert library.made == [(str(folder), None, None)]


def test_parameters_reach_the_library(folder: Path, library: type[StandIn]) -> None:
    SentenceTransformers(model=str(folder), batch=7, prompt="Clustering", device="cpu").embed(["a"])
    (call,) = library.calls
    assert (call["batch_size"], call["prompt_name"], call["normalize_embeddings"]) == (7, "Clustering", True)
    assert library.made == [(str(folder), None, "cpu")]
    SentenceTransformers(model=str(folder), device="cpu").embed(["a"])
    assert "prompt_name" not in library.calls[1]


def test_vectors_have_length_one_unless_it_is_switched_off(folder: Path) -> None:
    lengths = np.linalg.norm(SentenceTransformers(model=str(folder)).embed(["aa", "b"]), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-6)


def test_second_run_does_not_load_the_model(folder: Path, library: type[StandIn]) -> None:
    first = SentenceTransformers(model=str(folder)).embed(["a", "b"])
    module._load.cache_clear()
    library.made.clear()
    assert np.array_equal(SentenceTransformers(model=str(folder)).embed(["a", "b"]), first)
    assert library.made == []


def test_model_of_the_hub_is_loaded_at_the_commit_of_its_fingerprint(tmp_path: Path, library: type[StandIn]) -> None:
    in_hub_cache(tmp_path, "sentence-transformers/tiny")
    embedder = embedder_of("sentence-transformers:model=tiny")
    embedder.embed(["a"])
    assert library.made == [("sentence-transformers/tiny", COMMIT, None)]
    assert embedder.facts()["commit"] == COMMIT


def test_tag_is_looked_up_and_a_commit_stands_for_itself(tmp_path: Path) -> None:
    in_hub_cache(tmp_path, "org/tiny", "v2")
    assert SentenceTransformers(model="org/tiny", revision="v2").facts()["commit"] == COMMIT
    other = "f" * 40
    assert SentenceTransformers(model="org/tiny", revision=other).facts()["commit"] == other


def test_model_that_is_not_in_the_cache_is_asked_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    class Api:
        def model_info(self, name: str, *, revision: str) -> Any:
            assert (name, revision) == ("org/tiny", "main")
            return type("Info", (), {"sha": COMMIT})

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    assert SentenceTransformers(model="org/tiny").facts()["commit"] == COMMIT


def test_hub_that_cannot_be_reached_is_an_error_with_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(SourceError, match="org/tiny") as caught:
        SentenceTransformers(model="org/tiny").fingerprint()
    assert "hf download org/tiny" in caught.value.hint


def test_fingerprint_changes_with_the_content_of_the_model_and_nothing_else(folder: Path, tmp_path: Path) -> None:
    first = SentenceTransformers(model=str(folder)).fingerprint()
    assert SentenceTransformers(model=str(folder), batch=3, device="cpu").fingerprint() == first
    (folder / "README.md").write_text("other words")
    moved = folder.rename(tmp_path / "moved")
    assert SentenceTransformers(model=str(moved)).fingerprint() == first
    assert SentenceTransformers(model=str(moved), normalize=False).fingerprint() != first
    (moved / "config.json").write_text("[]")
    assert SentenceTransformers(model=str(moved)).fingerprint() != first


def test_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="holds no model"):
        SentenceTransformers(model=str(tmp_path)).fingerprint()


@pytest.mark.parametrize("field", [{"model": " "}, {"batch": 0}])
def test_wrong_field_is_refused(field: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(field))):
        SentenceTransformers(**field)


def test_missing_library_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(MissingExtra) as caught:
        SentenceTransformers(model=str(folder)).embed(["a"])
    assert "saeatlas[sentence-transformers]" in caught.value.hint


def test_version_of_a_library_that_is_not_installed_as_a_package_is_its_own_word(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> str:
        raise module.PackageNotFoundError(name)

    monkeypatch.setattr(module, "version", absent)
    assert SentenceTransformers(model=str(folder)).facts()["sentence-transformers"] == "9.9"


def test_memory_counts_the_files_of_a_folder(folder: Path) -> None:
    before = SentenceTransformers(model=str(folder)).peak_bytes(10, 100)
    (folder / "model.safetensors").write_bytes(bytes(5_000))
    assert SentenceTransformers(model=str(folder)).peak_bytes(10, 100) == before + 10_000


def test_examples_embedded_by_a_model_go_on_where_a_run_was_interrupted(
    folder: Path, library: type[StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    analysis = ExampleEmbeddings(embedder=f"sentence-transformers:model={folder}")
    sae = make_atlas(MemoryStore(), n_rows=200, n_features=8, k=2, n_documents=30).sae()
    monkeypatch.setattr(embedding_cache, "BATCH", 10)
    whole = StandIn.encode

    def interrupted(self: StandIn, sentences: list[str], **options: Any) -> np.ndarray:
        if len(self.calls) == 2:
            raise KeyboardInterrupt
        return whole(self, sentences, **options)

    monkeypatch.setattr(library, "encode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        analysis.compute(sae, SILENT)
    first = [text for call in library.calls for text in call["sentences"]]
    library.calls.clear()
    monkeypatch.setattr(library, "encode", whole)
    vectors = analysis.compute(sae, SILENT)["vectors"]
    second = [text for call in library.calls for text in call["sentences"]]
    assert len(first) == 20
    assert not set(first) & set(second)
    assert vectors.shape[1] == 3
